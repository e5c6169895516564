//! `okite status`: shows the last report of the account.

mod bounce_rates;
mod line;
mod page;
mod quota;
mod ramp;
#[cfg(test)]
mod tests;

use std::io::Write;

use aws::Usage;
use clap::Args;
use domain::account::plan_ramp;
use domain::report::Report;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::date::{Day, parse_day};
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::number::number;
use crate::output;
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments, TargetError, USAGE};
use crate::terminal::Colours;

use ramp::NoPlan;

/// Show the SES account's standing, quota, bounce rate and complaint rate from the last report
///
/// A report is made every 5 minutes. Exits with 0 whatever the report says, and with 1 if there is no report or it
/// cannot be read. With --need and --by, the command also plans how to reach a higher daily volume.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite status --need 200000 --by 60d --stack okite")]
pub(crate) struct StatusCommand {
    /// Print the report as JSON, as `GET /quota` returns it
    #[arg(long)]
    json: bool,
    /// Recipients a day that you need; prints how many to send today and how to grow
    #[arg(long, value_name = "RECIPIENTS", requires = "by", conflicts_with = "json",
          value_parser = number(1, u32::MAX))]
    need: Option<u32>,
    /// Day by which you need them: a date such as 2027-01-31, or a number of days from now such as 60d
    #[arg(long, value_name = "DAY", requires = "need", value_parser = parse_day)]
    by: Option<Day>,
    #[command(flatten)]
    target: TargetArguments,
}

impl StatusCommand {
    pub(crate) fn run(self) -> CommandResult {
        block_on(async {
            let status = status(&self.target.into()).await?;
            let mut output = output::stdout();
            if self.json {
                writeln!(output, "{:#}", status.json()?)?;
                return Ok(Exit::Success);
            }
            let asked = self.need.zip(self.by);
            let plan = asked.map(|(need, by)| status.ramp(need, by)).transpose();
            let plan = plan.map_err(|wrong| Failure::of_command_line(wrong.to_string()))?;
            write!(output, "{}", status.page(Colours::of_stdout()))?;
            if let Some(plan) = plan {
                writeln!(output, "\n{plan}")?;
            }
            Ok::<_, Failure>(Exit::Success)
        })
    }
}

/// Why there is no report to show.
#[derive(Debug, thiserror::Error)]
enum StatusError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the table {table} could not be read: {reason}")]
    Store { table: String, reason: String },
    #[error(
        "there is no report yet. The first comes within 5 minutes of the deployment. If none comes, read the log of \
         the quota-reporter function"
    )]
    NoReport,
}

/// The last report of a target.
#[derive(Clone, Debug, PartialEq)]
struct Status {
    target_name: String,
    report: Report,
    /// The current time of the target.
    now: Timestamp,
}

/// Reads the last report.
async fn status(target: &Target) -> Result<Status, StatusError> {
    let resolved = target.resolve(USAGE).await?;
    let usage = Usage::new(
        aws::dynamodb(&resolved.config),
        resolved.name.clone(),
        resolved.region()?,
    );
    let report = retry_throttled(async || usage.latest_report().await).await;
    let report = report.map_err(|error| {
        target.store_error(&error, |reason| StatusError::Store {
            table: resolved.name.clone(),
            reason,
        })
    })?;
    Ok(Status {
        target_name: resolved.target_name,
        report: report.ok_or(StatusError::NoReport)?,
        now: target.now(),
    })
}

impl Status {
    /// Returns the age of the report in seconds. Clocks that differ never make it negative.
    fn age_seconds(&self) -> i64 {
        self.now.duration_since(self.report.at).as_secs().max(0)
    }

    /// Returns the report as `GET /quota` does.
    fn json(&self) -> serde_json::Result<Value> {
        let mut json = json!({ "object": "quota", "age_seconds": self.age_seconds() });
        if let (Some(json), Value::Object(report)) = (json.as_object_mut(), serde_json::to_value(&self.report)?) {
            json.extend(report);
        }
        Ok(json)
    }

    /// Returns a plan to reach `need` recipients a day by a date.
    fn ramp(&self, need: u32, by: Day) -> Result<String, NoPlan> {
        let today = self.now.to_zoned(TimeZone::UTC).date();
        let by = by.ahead(today);
        let account = &self.report.account.account;
        ramp::describe(
            plan_ramp(account.quota(), need.into(), today, by),
            account.quota(),
            need,
            by,
        )
    }

    /// Returns the report as a page for people.
    fn page(&self, colours: Colours) -> String {
        page::of(self, colours)
    }
}
