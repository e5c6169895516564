//! The subject of a measurement: a program, and its event.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The directory of the product's workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A job that several programs can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) name: &'static str,
    /// Whether the program is one of Okite's functions, and not a floor for comparison.
    pub(crate) is_ours: bool,
    /// The path of the built program.
    program: &'static str,
    event: &'static str,
    /// A text that the answer contains if the event was handled.
    answer: &'static str,
}

const SEND_EVENT: &str = "events/send-api/accepted.json";

/// The jobs that can be measured.
pub(crate) const JOBS: [Job; 8] = [
    Job {
        name: "send-api",
        is_ours: true,
        program: "target/lambda/send-api/bootstrap",
        event: SEND_EVENT,
        answer: r#""statusCode":200"#,
    },
    Job {
        name: "ses-api",
        is_ours: true,
        program: "target/lambda/ses-api/bootstrap",
        event: "events/ses-api/send-email-raw.json",
        answer: r#""statusCode":200"#,
    },
    Job {
        name: "feedback",
        is_ours: true,
        program: "target/lambda/feedback/bootstrap",
        event: "events/feedback/bounce-event.json",
        answer: r#""suppressed":1"#,
    },
    Job {
        name: "quota-reporter",
        is_ours: true,
        program: "target/lambda/quota-reporter/bootstrap",
        event: "events/quota-reporter/scheduled.json",
        answer: r#""verdict""#,
    },
    Job {
        name: "sender",
        is_ours: true,
        program: "target/lambda/sender/bootstrap",
        event: "events/sender/hints.json",
        answer: r#""batchItemFailures":[]"#,
    },
    Job {
        name: "webhooks",
        is_ours: true,
        program: "target/lambda/webhooks/bootstrap",
        // The webhook is not there: no server outside this machine is called.
        event: "events/webhooks/deliveries.json",
        answer: r#""batchItemFailures":[]"#,
    },
    Job {
        name: "bare",
        is_ours: false,
        program: "benches/target/tuned/bare",
        event: SEND_EVENT,
        answer: r#""statusCode":200"#,
    },
    Job {
        name: "naive",
        is_ours: false,
        program: "benches/target/release/naive",
        event: SEND_EVENT,
        answer: r#""statusCode":200"#,
    },
];

/// The event that sends a mail.
pub(crate) fn send_event() -> Result<Value> {
    let path = workspace().join(SEND_EVENT);
    let text = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// A program to measure.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The name of the program in tables.
    pub(crate) label: String,
    pub(crate) job: Job,
    pub(crate) program: PathBuf,
    pub(crate) event: Vec<u8>,
}

impl Subject {
    /// Reads `NAME`, `NAME=PATH` or `NAME@LABEL=PATH`, where a name is one of [`JOBS`]: a label tells two builds apart.
    fn read(text: &str) -> Result<Self> {
        let (label, program) = text
            .split_once('=')
            .map_or((text, None), |(label, path)| (label, Some(path)));
        let name = label.split_once('@').map_or(label, |(name, _)| name);
        let Some(job) = JOBS.into_iter().find(|job| job.name == name) else {
            let known = JOBS.map(|job| job.name).join(", ");
            bail!("{name} is not known: give one of {known}, as NAME=PATH or NAME@LABEL=PATH");
        };
        let event = workspace().join(job.event);
        Ok(Self {
            label: label.to_owned(),
            job,
            program: program.map_or_else(|| workspace().join(job.program), PathBuf::from),
            event: fs::read(&event).with_context(|| format!("{} cannot be read", event.display()))?,
        })
    }

    /// Reads the arguments of a command. Without arguments, takes the jobs of `otherwise` from their default paths.
    pub(crate) fn all(texts: &[String], otherwise: impl Fn(&Job) -> bool) -> Result<Vec<Self>> {
        let defaults = JOBS.iter().filter(|job| otherwise(job)).map(|job| job.name);
        let subjects: Vec<Self> = if texts.is_empty() {
            defaults.map(Self::read).collect::<Result<_>>()?
        } else {
            texts.iter().map(|text| Self::read(text)).collect::<Result<_>>()?
        };
        for Self { label, program, .. } in &subjects {
            if !program.is_file() {
                let path = program.display();
                bail!("there is no {path}: build {label} (benches/README.md says how), or give {label}=PATH");
            }
        }
        Ok(subjects)
    }

    /// Returns whether an answer shows that the event was handled.
    pub(crate) fn accepts(&self, answer: &[u8]) -> bool {
        memchr::memmem::find(answer, self.job.answer.as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_a_path_and_a_label() {
        let subject = Subject::read("send-api@old=/x/bootstrap").unwrap();
        assert_eq!((subject.label.as_str(), subject.job.name), ("send-api@old", "send-api"));
        assert_eq!(subject.program, Path::new("/x/bootstrap"));
        let subject = Subject::read("feedback").unwrap();
        assert!(subject.program.ends_with("target/lambda/feedback/bootstrap"));
    }

    #[test]
    fn names_the_known_values_after_an_unknown_one() {
        let error = Subject::read("mailer=/x/bootstrap").unwrap_err().to_string();
        assert!(error.contains("send-api"), "{error}");
    }

    #[test]
    fn accepts_the_answer_of_its_job_only() {
        let subject = Subject::read("send-api").unwrap();
        assert!(subject.accepts(br#"{"statusCode":200,"body":"{}"}"#));
        assert!(!subject.accepts(br#"{"statusCode":503}"#));
    }
}
