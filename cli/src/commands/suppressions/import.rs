//! `okite suppressions import`: imports a CSV file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws::{Evidence, StoreError, Suppressions};
use clap::Args;
use csv::{ByteRecord, ReaderBuilder};
use domain::suppression::{Register, SuppressionReason, TopicChoice};
use domain::unsubscribe::Topic;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use uuid::Uuid;

use super::line::{BadLine, Columns, Line, RegisterUpdate};
use super::{ListMoveError, SuppressionList, from_ses};
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::output::{note, progress, say};
use crate::plural::counted;
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};

/// The number of lines that are read before they are written.
const LINES_AT_ONCE: usize = 1000;
/// The number of concurrent writes.
const WRITES_AT_ONCE: usize = 32;

/// Import addresses from CSV, or from SES's own suppression list
///
/// The first line of the file names the columns. One must be `address` or `email`. Optional columns: `reason` (bounce,
/// complaint, blocked, manual, soft or lifted; manual if empty; unsubscribed or resubscribed with a `topic`), `since`
/// and `expires_at` (like 2026-01-31T12:00:00Z), `subtype`, `diagnostic`, `source` and `bounce_reason`. Column names
/// and reasons of other mail services work too. A line that cannot be read is reported and skipped; the command then
/// exits with 1. You may import a file again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite suppressions import old-list.csv --dry-run
  okite suppressions import left-the-newsletter.csv --topic news --stack okite
  okite suppressions import --from-ses --stack okite")]
pub(crate) struct ImportCommand {
    /// CSV file, or - for standard input
    file: Option<PathBuf>,
    /// Import the suppression list that SES keeps for the account
    #[arg(long, conflicts_with = "file")]
    from_ses: bool,
    /// Import people who left this topic. Each line needs an address alone; it may have the reason resubscribed
    #[arg(long, conflicts_with = "from_ses")]
    topic: Option<Topic>,
    /// Check the file and change nothing
    #[arg(long, conflicts_with = "from_ses")]
    dry_run: bool,
    /// Print a JSON object with the numbers of lines or addresses
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl ImportCommand {
    pub(crate) fn run(self) -> CommandResult {
        let target = self.target.into();
        let Some(file) = self.file else {
            if self.from_ses {
                return from_ses::run(&target, self.json);
            }
            let nothing = "name what to import: a CSV file, - for standard input, or --from-ses for the list of SES";
            return Err(Failure::of_command_line(nothing));
        };
        block_on(async {
            let bad_line = |number, error| note!("line {number} is skipped: {error}");
            let progress =
                |imported: Imported| progress!("{} read", counted(imported.lines + imported.skipped, "line", "lines"));
            let imported = import(&target, &file, self.topic.as_ref(), self.dry_run, bad_line, progress).await?;
            let done = if self.dry_run { "Can be imported" } else { "Imported" };
            note!("{done}: {}.", counted(imported.lines, "line", "lines"));
            if self.json {
                let (lines, skipped) = (imported.lines, imported.skipped);
                let shown = json!({ "lines": lines, "skipped": skipped, "dry_run": self.dry_run });
                say!("{shown:#}")?;
            }
            match imported.skipped {
                0 => Ok(Exit::Success),
                skipped => Err(Failure::new(format!(
                    "skipped {}. Correct them and import the file again; the imported lines do not count twice",
                    counted(skipped, "line", "lines")
                ))),
            }
        })
    }
}

/// The result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Imported {
    /// Lines that were imported, or that a dry run accepted.
    lines: u64,
    /// Lines that could not be read.
    skipped: u64,
}

/// Imports a file, or standard input for `-`. With `dry_run`, it only reads. Calls `bad_line` with the number of each
/// line that is skipped, and `progress` after each block of lines.
///
/// # Errors
/// [`ListMoveError`]. What was imported before the error stays in the list.
async fn import(
    target: &Target,
    file: &Path,
    topic: Option<&Topic>,
    dry_run: bool,
    bad_line: impl Fn(u64, BadLine),
    progress: impl Fn(Imported),
) -> Result<Imported, ListMoveError> {
    let now = target.now();
    let from_stdin = file == Path::new("-");
    let name = if from_stdin {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let input_error = |source: io::Error| ListMoveError::Input {
        input: name.clone(),
        source,
    };
    let source: Box<dyn Read> = if from_stdin {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(input_error)?)
    };
    let list = SuppressionList::of(target).await?;
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(source);
    let header = reader.byte_headers().map_err(|error| input_error(error.into()))?;
    let columns = Columns::read(header).ok_or_else(|| ListMoveError::NoAddressColumn(name.clone()))?;
    let (mut imported, mut record) = (Imported::default(), ByteRecord::new());
    loop {
        let mut lines = Vec::with_capacity(LINES_AT_ONCE);
        let mut more = true;
        while more && lines.len() < LINES_AT_ONCE {
            more = reader
                .read_byte_record(&mut record)
                .map_err(|error| input_error(error.into()))?;
            if !more {
                break;
            }
            match columns.line(&record, now, topic) {
                Ok(line) => lines.push(line),
                Err(error) => {
                    imported.skipped += 1;
                    bad_line(record.position().map_or(0, csv::Position::line), error);
                }
            }
        }
        imported.lines += lines.len() as u64;
        if !dry_run {
            write(&list.suppressions, &lines)
                .await
                .map_err(|error| list.error(&error))?;
        }
        progress(imported);
        if !more {
            return Ok(imported);
        }
    }
}

async fn write(suppressions: &Suppressions, lines: &[Line]) -> Result<(), StoreError> {
    stream::iter(lines)
        .map(|line| retry_throttled(async || write_line(suppressions, line).await))
        .buffer_unordered(WRITES_AT_ONCE)
        .try_collect::<()>()
        .await
}

#[expect(clippy::disallowed_methods, reason = "the command makes the ids")]
async fn write_line(suppressions: &Suppressions, line: &Line) -> Result<(), StoreError> {
    let id = Uuid::now_v7();
    let evidence = Evidence {
        subtype: &line.subtype,
        diagnostic: line.diagnostic.as_deref(),
        bounce_reason: line.bounce_reason,
        source: &line.source,
    };
    match line.update {
        RegisterUpdate::Unsubscribed | RegisterUpdate::Resubscribed => {
            let choice = TopicChoice {
                at: line.since,
                is_unsubscribed: line.update == RegisterUpdate::Unsubscribed,
                source: line.source.clone(),
            };
            match &line.topic {
                Some(topic) => {
                    let recorded = suppressions.record_choice(&line.address, topic, &choice, id);
                    recorded.await.map(drop)
                }
                None => suppressions.record_others_left(&line.address, &choice, id).await,
            }
        }
        RegisterUpdate::Lifted => suppressions.record_lift(&line.address, line.since, id).await,
        RegisterUpdate::Set(Register::Of(SuppressionReason::Manual)) => {
            let until = line.expires_at;
            suppressions
                .record_manual(&line.address, line.since, until, evidence, id)
                .await
        }
        RegisterUpdate::Set(register) => suppressions
            .record(&line.address, register, line.since, evidence, id)
            .await
            .map(drop),
    }
}
