//! `bench count`: instructions of a cold start and of warm events, compared with what is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::baseline::{Baseline, Verdict};
use crate::callgrind::Callgrind;
use crate::machine;
use crate::statistics::percent_above;
use crate::subject::{self, Subject};
use crate::summary::Instructions;
use crate::table;
use crate::world::{Latency, World};

/// The arguments of `bench count`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs to count: NAME, NAME=PATH or NAME@LABEL=PATH [default: Okite's functions]
    subjects: Vec<String>,
    /// Warm events in a run
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    warm: u32,
    /// Repetitions of every count; the least count applies, because variations only add instructions
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Fail if a figure is more than 2 % above that of this file
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the figures into the file of --baseline and compare nothing
    #[arg(long, requires = "baseline")]
    write_baseline: bool,
    /// Keep two profiles in this directory, for `callgrind_annotate`: a cold start, and one with all warm events
    #[arg(long, value_name = "DIRECTORY")]
    profiles: Option<PathBuf>,
}

/// All counts of one program.
#[derive(Clone, Debug)]
struct Counted {
    label: String,
    rounds: Vec<Instructions>,
}

impl Counted {
    fn least(&self) -> Instructions {
        let least = |figure: fn(&Instructions) -> u64| self.rounds.iter().map(figure).min().unwrap_or_default();
        Instructions {
            cold: least(|round| round.cold),
            warm: least(|round| round.warm),
        }
    }

    /// The percentage by which the greatest count is above the least, cold and warm.
    fn spread(&self) -> [f64; 2] {
        let of = |figure: fn(&Instructions) -> u64| {
            let figures = self.rounds.iter().map(figure);
            percent_above(
                figures.clone().max().unwrap_or_default(),
                figures.min().unwrap_or_default(),
            )
        };
        [of(|round| round.cold), of(|round| round.warm)]
    }
}

/// Runs `bench count`.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let subjects = Subject::all(&arguments.subjects, |job| job.is_ours)?;
    let world = World::start(Latency::default(), &subject::send_event()?)?;
    let callgrind = Callgrind::find(&world)?;
    let mut counted = Vec::new();
    for subject in &subjects {
        let rounds = (0..arguments.rounds).map(|_| callgrind.count(subject, arguments.warm, &world));
        counted.push(Counted {
            label: subject.label.clone(),
            rounds: rounds.collect::<Result<_>>()?,
        });
        if let Some(directory) = &arguments.profiles {
            fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
            for (run, events) in [("cold", 1), ("warm", 1 + arguments.warm as usize)] {
                let profile = directory.join(format!("{}-{run}.callgrind", subject.label));
                callgrind.total(subject, events, &world, Some(&profile))?;
            }
        }
    }
    println!("{}", show(&counted));

    let Some(path) = &arguments.baseline else {
        return Ok(ExitCode::SUCCESS);
    };
    if arguments.write_baseline {
        let figures = counted.iter().map(|counted| (counted.label.clone(), counted.least()));
        let instructions: BTreeMap<_, _> = figures.collect();
        let rustc = machine::rustc();
        Baseline { rustc, instructions }.write(path)?;
        println!("{} was written.", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    Ok(judge(&counted, &Baseline::read(path)?))
}

/// Prints the comparison of the figures with the baseline.
fn judge(counted: &[Counted], baseline: &Baseline) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let mut failed = |text: &str| {
        println!("FAILED: {text}");
        code = ExitCode::FAILURE;
    };
    for one in counted {
        let label = &one.label;
        for (what, verdict) in baseline.compare(label, one.least()) {
            match verdict {
                Verdict::Holds => {}
                Verdict::Above(percent) => {
                    failed(&format!(
                        "{label}, {what}: {percent:.1} % more instructions than the baseline"
                    ));
                }
                Verdict::Below(percent) => {
                    println!(
                        "{label}, {what}: {percent:.1} % fewer instructions: lower the baseline (--write-baseline)"
                    );
                }
                Verdict::Unknown => failed(&format!("{label}, {what}: the baseline has no figure for it")),
            }
        }
    }
    let here = machine::rustc();
    if here != baseline.rustc {
        println!("The baseline is of {}, this is {here}.", baseline.rustc);
    }
    code
}

/// Shows the counts as a table.
fn show(counted: &[Counted]) -> String {
    let rows = counted.iter().map(|counted| {
        let (least, [cold, warm]) = (counted.least(), counted.spread());
        vec![
            counted.label.clone(),
            table::thousands(least.cold),
            format!("{cold:.2} %"),
            table::thousands(least.warm),
            format!("{warm:.2} %"),
        ]
    });
    let head = ["instructions", "cold", "spread", "warm, each", "spread"];
    table::markdown(&head, &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(rounds: &[(u64, u64)]) -> Counted {
        let rounds = rounds.iter().map(|&(cold, warm)| Instructions { cold, warm });
        Counted {
            label: "send-api".to_owned(),
            rounds: rounds.collect(),
        }
    }

    #[test]
    fn takes_the_least_of_the_rounds_and_shows_their_spread() {
        let shown = show(&[counted(&[(2_000_000, 1_000), (2_020_000, 990)])]);
        assert!(
            shown.contains("| send-api | 2,000,000 | 1.00 % | 990 | 1.01 % |"),
            "{shown}"
        );
    }

    #[test]
    fn fails_on_a_figure_above_the_baseline_only() {
        let of = |cold, warm| Baseline {
            rustc: String::new(),
            instructions: BTreeMap::from([("send-api".to_owned(), Instructions { cold, warm })]),
        };
        let now = [counted(&[(1_000_000, 1_000)])];
        assert_eq!(judge(&now, &of(1_000_000, 1_000)), ExitCode::SUCCESS);
        assert_eq!(judge(&now, &of(2_000_000, 2_000)), ExitCode::SUCCESS);
        assert_eq!(judge(&now, &of(1_000_000, 900)), ExitCode::FAILURE);
        assert_eq!(judge(&now, &Baseline::default()), ExitCode::FAILURE);
    }
}
