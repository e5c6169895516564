//! `okite suppressions export`: writes all registers of all addresses as CSV.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use domain::unsubscribe::Topic;
use serde_json::{Map, Value};

use super::line::{COLUMNS, line_of_topic, lines_of};
use super::{ListMoveError, SuppressionList};
use crate::csv_cell::text_of;
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::output::{self, OutputError, note, progress};
use crate::plural::counted;
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};

/// The page size of a scan, in addresses.
const PAGE_SIZE: i32 = 500;

/// Write the whole suppression list as CSV
///
/// The file has one line for each reason of each address, with the columns `address`, `reason`, `since`,
/// `expires_at`, `subtype`, `diagnostic`, `source`, `bounce_reason` and `topic`. `okite suppressions import` reads it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite suppressions export --output suppressions.csv --stack okite")]
pub(crate) struct ExportCommand {
    /// File to create; it must not exist yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a JSON object a line instead of CSV, with the same names
    #[arg(long)]
    json: bool,
    /// Export the people who left this topic, and nothing else about them
    #[arg(long)]
    topic: Option<Topic>,
    #[command(flatten)]
    target: TargetArguments,
}

impl ExportCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            output,
            json,
            topic,
            target,
        } = self;
        block_on(async {
            let format = if json { Format::Json } else { Format::Csv };
            let progress = |exported: Exported| progress!("{}", counted(exported.addresses, "address", "addresses"));
            let exported = export(&target.into(), output.as_deref(), topic.as_ref(), format, progress).await?;
            note!(
                "Exported {} in {}.",
                counted(exported.addresses, "address", "addresses"),
                counted(exported.lines, "line", "lines")
            );
            match (exported.unreadable, exported.in_part) {
                (0, 0) => Ok(Exit::Success),
                (0, in_part) => Err(Failure::new(format!(
                    "the export is not complete: {} could not be read in full. Each has a line with the reason \
                     unreadable, and stays suppressed until DELETE /suppressions/ADDRESS removes what cannot be read",
                    counted(in_part, "entry", "entries")
                ))),
                (unreadable, _) => Err(Failure::new(format!(
                    "the export is not complete: {} of the table could not be read as suppressions",
                    counted(unreadable, "item", "items")
                ))),
            }
        })
    }
}

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// The result of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Exported {
    addresses: u64,
    /// Lines, one for each register.
    lines: u64,
    /// Entries of which a part cannot be read. Each has a line that says so.
    in_part: u64,
    /// Items of the table whose keys are no hashes.
    unreadable: u64,
}

/// Writes the list of `target` to a new file, or to standard output. Calls `progress` after each page.
async fn export(
    target: &Target,
    file: Option<&Path>,
    topic: Option<&Topic>,
    format: Format,
    progress: impl Fn(Exported),
) -> Result<Exported, ListMoveError> {
    let list = SuppressionList::of(target).await?;
    let output_error = |source: io::Error| OutputError::of(file, source);
    let sink = output::open(file)?;
    let mut lines = Lines::of(format, sink).map_err(output_error)?;
    let (mut exported, mut after) = (Exported::default(), None::<String>);
    loop {
        let page = retry_throttled(async || list.suppressions.page(after.as_deref(), PAGE_SIZE).await)
            .await
            .map_err(|error| list.error(&error))?;
        for entry in &page.entries {
            exported.in_part += u64::from(entry.registers.unreadable);
            let records = match topic {
                None => lines_of(entry),
                Some(topic) => line_of_topic(entry, topic).into_iter().collect(),
            };
            exported.addresses += u64::from(topic.is_none() || !records.is_empty());
            for line in records {
                exported.lines += 1;
                lines.write(line).map_err(output_error)?;
            }
        }
        exported.unreadable += page.unreadable as u64;
        progress(exported);
        after = page.next;
        if after.is_none() {
            lines.flush().map_err(output_error)?;
            return Ok(exported);
        }
    }
}

/// The file or the output of an export.
enum Lines {
    Csv(Box<csv::Writer<Box<dyn Write>>>),
    Json(io::BufWriter<Box<dyn Write>>),
}

impl Lines {
    /// Begins the lines.
    fn of(format: Format, sink: Box<dyn Write>) -> io::Result<Self> {
        Ok(match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(sink);
                writer.write_record(COLUMNS).map_err(cause)?;
                Self::Csv(Box::new(writer))
            }
            Format::Json => Self::Json(io::BufWriter::new(sink)),
        })
    }

    /// Writes a line, with the cells of [`COLUMNS`]. In JSON, an empty cell is null, and no cell is disarmed.
    fn write(&mut self, line: [String; COLUMNS.len()]) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.write_record(&line).map_err(cause),
            Self::Json(writer) => {
                let cells = COLUMNS.into_iter().zip(line);
                let value = |cell: String| Some(text_of(&cell).to_owned()).filter(|cell| !cell.is_empty()).into();
                let object: Map<String, Value> = cells.map(|(name, cell)| (name.to_owned(), value(cell))).collect();
                writeln!(writer, "{}", Value::Object(object))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.flush(),
            Self::Json(writer) => writer.flush(),
        }
    }
}

/// Returns the cause of an error of the crate, whose own conversion hides it.
fn cause(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        kind => io::Error::other(format!("{kind:?}")),
    }
}
