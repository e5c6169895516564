//! Counts instructions with valgrind's callgrind. The machine's load does not change this figure.
//! <https://valgrind.org/docs/manual/cl-manual.html>

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::{self, Plan, Tool};
use crate::runtime_api::Pace;
use crate::server::Traffic;
use crate::slow_clock;
use crate::subject::Subject;
use crate::summary::Instructions;
use crate::world::{SERVICES, World};

/// The time limit of one run. A run of the naive floor takes a minute.
const DEADLINE: Duration = Duration::from_mins(10);

/// The number of runs at full speed, and the number of runs under callgrind that may differ from them.
const ATTEMPTS: u32 = 5;

/// An installed valgrind.
#[derive(Clone, Debug)]
pub(crate) struct Callgrind {
    valgrind: PathBuf,
    clock: PathBuf,
}

impl Callgrind {
    /// Finds valgrind, and compiles the clock that counted functions use.
    pub(crate) fn find(world: &World) -> Result<Self> {
        let paths = env::var_os("PATH").unwrap_or_default();
        let valgrind = env::split_paths(&paths)
            .map(|directory| directory.join("valgrind"))
            .find(|path| path.is_file())
            .context("valgrind is not installed: it counts the instructions (apt-get install valgrind)")?;
        let clock = slow_clock::build(world)?;
        Ok(Self { valgrind, clock })
    }

    /// Counts the instructions of a cold start with its first event, and those of each of `warm` events after it.
    ///
    /// Both runs end with a fetch that is not answered, so the difference between them is whole events.
    pub(crate) fn count(&self, subject: &Subject, warm: u32, world: &World) -> Result<Instructions> {
        let cold = self.total(subject, 1, world, None)?;
        let all = self.total(subject, 1 + warm as usize, world, None)?;
        Ok(Instructions {
            cold,
            warm: all.saturating_sub(cold) / u64::from(warm.max(1)),
        })
    }

    /// Counts the instructions of a run, and keeps callgrind's file at `keep` if there is one.
    ///
    /// A run counts if the function used the services just as it does at full speed; it is repeated otherwise. Where it
    /// opens one connection more or less as its requests happen to meet, the least counts.
    pub(crate) fn total(
        &self,
        subject: &Subject,
        invocations: usize,
        world: &World,
        keep: Option<&Path>,
    ) -> Result<u64> {
        let profile = keep.map_or_else(|| world.file("callgrind.out"), Path::to_path_buf);
        let tool = Tool {
            program: self.valgrind.clone(),
            arguments: vec![
                "--tool=callgrind".to_owned(),
                format!("--callgrind-out-file={}", profile.display()),
            ],
            preload: self.clock.clone(),
        };
        let pause = Duration::ZERO;
        let at_full_speed = Plan {
            pace: Pace { invocations, pause },
            quota: false,
            under: None,
            deadline: DEADLINE,
        };
        let counted = Plan {
            under: Some(&tool),
            ..at_full_speed
        };
        let mut expected = run::run(subject, &at_full_speed, world)?.traffic;
        for _ in 1..ATTEMPTS {
            expected = least(expected, run::run(subject, &at_full_speed, world)?.traffic);
        }
        let mut used = Vec::new();
        for _ in 0..ATTEMPTS {
            let traffic = run::run(subject, &counted, world)?.traffic;
            if traffic == expected {
                let text = fs::read_to_string(&profile).context("callgrind wrote no file")?;
                return totals(&text).context("callgrind's file has no total");
            }
            used.push(traffic);
        }
        bail!(
            "{} cannot be counted: at full speed it uses DynamoDB, SES, CloudWatch and SQS so: {expected:?}, but under \
             callgrind so: {used:?}; it does not do the same twice",
            subject.label
        );
    }
}

/// Returns the lesser usage of each service.
fn least(one: [Traffic; SERVICES], other: [Traffic; SERVICES]) -> [Traffic; SERVICES] {
    std::array::from_fn(|service| one[service].min(other[service]))
}

/// Reads the total number of instructions from a profile.
fn totals(profile: &str) -> Option<u64> {
    profile
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expects_the_fewest_connections_that_a_function_gets_by_with() {
        let of = |connections, requests| Traffic { requests, connections };
        let none = of(0, 0);
        let runs = [[of(2, 6), of(1, 2), none, none], [of(3, 6), of(1, 2), none, none]];
        assert_eq!(least(runs[0], runs[1]), runs[0]);
        assert_eq!(least(runs[1], runs[0]), runs[0]);
    }

    #[test]
    fn reads_the_total_of_a_profile() {
        assert_eq!(
            totals("version: 1\nevents: Ir\nfn=(1) main\n0 7\n\ntotals: 1234567\n"),
            Some(1_234_567)
        );
        assert_eq!(totals("version: 1\nsummary: 42\n"), Some(42));
        assert_eq!(totals("version: 1\n"), None);
    }
}
