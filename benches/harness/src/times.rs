//! `bench times`: measures the figures that depend on the machine, side by side.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::callgrind::Callgrind;
use crate::cgroup::Group;
use crate::chart;
use crate::document;
use crate::headline;
use crate::machine;
use crate::package;
use crate::run::{self, Plan};
use crate::runtime_api::Pace;
use crate::subject::{self, Subject, workspace};
use crate::summary::{Samples, Summary};
use crate::table;
use crate::world::{Latency, World};

/// The time that one process has to answer all of its events, besides the pauses.
const DEADLINE: Duration = Duration::from_mins(2);
/// The pause between events under the quota: a whole period, so that each event has a full quota.
const PAUSE: Duration = Duration::from_millis(25);
/// The number of warm events in a count of instructions.
const COUNTED: u32 = 50;

/// The arguments of `bench times`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs to measure: NAME, NAME=PATH or NAME@LABEL=PATH [default: Okite's functions and both floors]
    subjects: Vec<String>,
    /// Starts of each program with and without a quota; the programs take turns
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Events of each process after its first
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    warm: u16,
    #[command(flatten)]
    latency: Latency,
    /// Do not count instructions, which takes the longest
    #[arg(long)]
    no_count: bool,
    /// Write PERFORMANCE.md and performance.svg into the documentation, or into the given directory
    #[arg(long, value_name = "DIRECTORY", num_args = 0..=1, default_missing_value = "")]
    write: Option<String>,
}

/// Runs `bench times`.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let subjects = Subject::all(&arguments.subjects, |_| true)?;
    let world = World::start(arguments.latency, &subject::send_event()?)?;
    let quota = Group::available();

    let mut measured = vec![(Samples::default(), Samples::default()); subjects.len()];
    for _ in 0..arguments.runs {
        // The programs take turns, so that other load on the machine affects all of them.
        for (subject, (free, limited)) in subjects.iter().zip(&mut measured) {
            free.add(&run::run(subject, &plan(arguments, false), &world)?);
            if quota.is_ok() {
                limited.add(&run::run(subject, &plan(arguments, true), &world)?);
            }
        }
    }
    let callgrind = if arguments.no_count {
        None
    } else {
        Some(Callgrind::find(&world)?)
    };
    let mut summaries = Vec::new();
    for (subject, (free, limited)) in subjects.iter().zip(&measured) {
        let count = |callgrind: &Callgrind| callgrind.count(subject, COUNTED, &world);
        summaries.push(Summary::new(
            subject.label.clone(),
            free,
            quota.is_ok().then_some(limited),
            package::sizes(&subject.program)?,
            callgrind.as_ref().map(count).transpose()?,
        ));
    }

    let figures = figures(arguments, &summaries, quota.err().as_deref());
    println!("{figures}");
    if let Some(directory) = &arguments.write {
        let directory = match directory.as_str() {
            "" => workspace().join("docs"),
            named => PathBuf::from(named),
        };
        let is_ours = |label: &str| {
            subjects
                .iter()
                .any(|subject| subject.label == label && subject.job.is_ours)
        };
        let chart = directory.join("performance.svg");
        std::fs::write(&chart, chart::draw(&summaries, is_ours))
            .with_context(|| format!("{} cannot be written", chart.display()))?;
        let document = directory.join("PERFORMANCE.md");
        if let Some(lines) = headline::write(&summaries) {
            document::update(&document, document::HEADLINE, &lines)?;
        }
        document::update(&document, document::FIGURES, &figures)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(arguments: &Arguments, quota: bool) -> Plan<'static> {
    let pause = if quota { PAUSE } else { Duration::ZERO };
    Plan {
        pace: Pace {
            invocations: usize::from(arguments.warm) + 1,
            pause,
        },
        quota,
        under: None,
        deadline: DEADLINE + pause * u32::from(arguments.warm),
    }
}

/// Returns the whole text of a measurement.
fn figures(arguments: &Arguments, summaries: &[Summary], no_quota: Option<&str>) -> String {
    let mut text = "![What Okite's functions cost](performance.svg)\n\n".to_owned();
    text.extend([&table::times(summaries), "\n", &table::costs(summaries), "\n"]);
    let Latency { store_ms, ses_ms } = arguments.latency;
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "Measured on {} ({}) with {} and {}. Medians of {} processes of each program, which took turns, and of {} events \
         each after the first. DynamoDB answered after {store_ms} ms and SES after {ses_ms} ms, over TLS on this machine. ",
        today(),
        machine::machine(),
        machine::rustc(),
        machine::crates(),
        arguments.runs,
        arguments.warm,
    );
    match no_quota {
        None => text.push_str(
            "The CPU of 128 MB is 1.447 ms of every 20 ms from the first event on, and events come 25 ms apart then.\n",
        ),
        Some(why) => {
            let _ = writeln!(text, "There are no figures for 128 MB: {why}.");
        }
    }
    text
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}
