//! `okite incident`: reports the bounces and complaints of some days and the measures taken, for an answer to AWS.
//!
//! The report reads what Okite records anyway: the marks of each day, the messages and API keys of these marks, the
//! suppression list, the changes of the brake and the last report of the account. It counts each event once and
//! contains no address.

mod counts;
mod csv;
mod gather;
mod json;
mod markdown;
mod range;
mod sent;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use domain::brake::BrakeChange;
use domain::report::Report;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::date::{Day, parse_day};
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::number::number;
use crate::output::{self, OutputError, note, progress};
use crate::plural::counted;
use crate::target::{Target, TargetArguments, TargetError};

use counts::Counts;
use range::DateRange;
use sent::SentCount;

/// Report bounces, complaints and measures taken, as a draft answer to an AWS review or suspension notice
///
/// The report covers whole days in UTC: the last 30 unless you name others. Okite keeps bounces and complaints for 90
/// days. The report contains domains of recipients but no address.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Examples:
  okite incident --days 7 --output incident.md --stack okite
  okite incident --since 60d --until 30d --format csv --output incident.csv --stack okite")]
pub(crate) struct IncidentCommand {
    /// Number of days (1 to 90), ending with --until
    #[arg(long, default_value_t = 30, value_parser = number(1_u16, 90), conflicts_with = "since")]
    days: u16,
    /// First day in UTC: a date such as 2026-01-31, or a number of days ago such as 14d
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    since: Option<Day>,
    /// Last day in UTC: a date, or a number of days ago [default: today]
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    until: Option<Day>,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = Format::Markdown, conflicts_with = "json")]
    format: Format,
    /// Write a JSON object instead
    #[arg(long)]
    json: bool,
    /// File to create; it must not exist yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A draft answer to AWS, with the 20 largest domains, tags and keys
    Markdown,
    /// One line for each day, kind, stream, domain, class, tags and key
    Csv,
    /// A JSON object
    #[value(skip)]
    Json,
}

impl IncidentCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            days,
            since,
            until,
            format,
            json,
            output,
            target,
        } = self;
        let format = if json { Format::Json } else { format };
        block_on(async {
            let target: Target = target.into();
            let range = DateRange::new(days, since, until, target.now())
                .map_err(|wrong| Failure::of_command_line(wrong.to_string()))?;
            let progress = |read: &str| progress!("{read}");
            let written = write_report(&target, range, format, output.as_deref(), progress).await?;
            if written.events == 0 {
                let (since, until) = (range.since, range.until);
                note!("No bounces, complaints or blocks are recorded from {since} to {until}.");
            }
            match written.unreadable {
                0 => Ok(Exit::Success),
                unreadable => Err(Failure::new(format!(
                    "the report is not complete: {} of the table could not be read",
                    counted(unreadable, "item", "items")
                ))),
            }
        })
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum IncidentError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the report needs several tables: name the stack with --stack instead of --table")]
    SingleTable,
    #[error("{what} could not be read: {reason}. Nothing was changed; run this command again")]
    Store { what: &'static str, reason: String },
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// The number of addresses that changed on the suppression list on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ListChanges {
    bounces: u64,
    complaints: u64,
    /// Bounces and complaints that no event of SES reported: they were imported, or come from SES's own list.
    listed: u64,
    lifted: u64,
}

/// All that a report is made of.
#[derive(Debug)]
struct IncidentFacts {
    target_name: String,
    region: String,
    written_at: Timestamp,
    range: DateRange,
    counts: Counts,
    /// The recipients that the gate admitted on each day; a day without samples is missing.
    sent: BTreeMap<Date, SentCount>,
    /// Whether the verified domains are known. AWS does not count their recipients.
    verified_known: bool,
    list_changes: BTreeMap<Date, ListChanges>,
    brake_changes: Vec<BrakeChange>,
    report: Option<Report>,
    /// The number of events in the dead-letter queue, or why it is not known.
    dead_letters: Result<i64, String>,
}

/// The report that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WrittenReport {
    /// Bounces, complaints and blocks in the report.
    events: u64,
    /// Items of the tables that could not be read and were left out.
    unreadable: u64,
}

/// Writes the report of `range` to a new file, or to standard output. Calls `progress` with a line for each step.
async fn write_report(
    target: &Target,
    range: DateRange,
    format: Format,
    file: Option<&Path>,
    progress: impl Fn(&str),
) -> Result<WrittenReport, IncidentError> {
    let output_error = |source: io::Error| OutputError::of(file, source);
    // The file is created at the end, so that an interrupted command leaves none.
    output::check(file)?;
    let facts = gather::gather(target, range, progress).await?;
    let text = match format {
        Format::Markdown => markdown::of(&facts),
        Format::Csv => csv::of(&facts.counts).map_err(output_error)?,
        Format::Json => format!("{:#}\n", json::of(&facts)),
    };
    let mut sink = output::open(file)?;
    sink.write_all(text.as_bytes()).map_err(output_error)?;
    sink.flush().map_err(output_error)?;
    Ok(WrittenReport {
        events: facts.counts.all().count(),
        unreadable: facts.counts.unreadable,
    })
}
