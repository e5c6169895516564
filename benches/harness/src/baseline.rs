//! The committed instruction counts, and how far a count may be above them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::statistics::percent_above;
use crate::summary::Instructions;

/// The percentage by which a figure may differ from its baseline. Two counts of one program differ by 0.3 % at most.
const TOLERANCE: f64 = 2.0;

/// The committed figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// The compiler that built the counted programs.
    pub(crate) rustc: String,
    /// The figures by the label of the function.
    pub(crate) instructions: BTreeMap<String, Instructions>,
}

/// The comparison of a figure with its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The figure is within the tolerance.
    Holds,
    /// The figure is above the baseline by this percentage: reduce the cost, or raise the baseline with a reason.
    Above(f64),
    /// The figure is below the baseline by this percentage: lower the baseline, so that a later loss is noticed.
    Below(f64),
    /// There is no baseline for this function.
    Unknown,
}

impl Baseline {
    /// Reads the baseline from a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no baseline", path.display()))
    }

    /// Writes the baseline to a file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Compares the cold and the warm figure of a function.
    pub(crate) fn compare(&self, label: &str, counted: Instructions) -> [(&'static str, Verdict); 2] {
        let known = self.instructions.get(label);
        [
            ("cold", verdict(counted.cold, known.map(|known| known.cold))),
            ("warm", verdict(counted.warm, known.map(|known| known.warm))),
        ]
    }
}

fn verdict(counted: u64, known: Option<u64>) -> Verdict {
    let Some(known) = known else { return Verdict::Unknown };
    match percent_above(counted, known) {
        more if more > TOLERANCE => Verdict::Above(more),
        less if less < -TOLERANCE => Verdict::Below(-less),
        _ => Verdict::Holds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let instructions = Instructions {
            cold: 1_000_000,
            warm: 1_000,
        };
        Baseline {
            rustc: "rustc 1".to_owned(),
            instructions: BTreeMap::from([("send-api".to_owned(), instructions)]),
        }
    }

    fn compare(label: &str, cold: u64, warm: u64) -> [Verdict; 2] {
        baseline()
            .compare(label, Instructions { cold, warm })
            .map(|(_, verdict)| verdict)
    }

    #[test]
    fn holds_within_two_percent_either_way() {
        assert_eq!(compare("send-api", 1_019_999, 981), [Verdict::Holds; 2]);
    }

    #[test]
    fn distinguishes_figures_above_and_below() {
        let [cold, warm] = compare("send-api", 1_030_000, 970);
        assert!(
            matches!(cold, Verdict::Above(percent) if percent.round().to_string() == "3"),
            "{cold:?}"
        );
        assert!(
            matches!(warm, Verdict::Below(percent) if percent.round().to_string() == "3"),
            "{warm:?}"
        );
    }

    #[test]
    fn has_no_baseline_for_another_function() {
        assert_eq!(compare("feedback", 1, 1), [Verdict::Unknown; 2]);
    }

    #[test]
    fn reads_its_own_output() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("baseline.json");
        baseline().write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), baseline());
        fs::write(&path, "{}").unwrap();
        assert!(Baseline::read(&path).is_err());
    }
}
