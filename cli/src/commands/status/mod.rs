//! `okite status`: where the account stands, by the last report.

mod page;
mod ramp;

use aws::{self, Usage};
use domain::account::{Report, plan};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::patience::patiently;
use crate::place::{Place, PlaceError, USAGE, reason};

pub use page::Colours;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The table was not found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The table cannot be read.
    #[error("the table {table} could not be read: {reason}")]
    Store {
        /// The table.
        table: String,
        /// Why.
        reason: String,
    },
    /// No report was made yet.
    #[error(
        "there is no report yet: the first is made within 5 minutes of a deployment. If none comes, the log of the \
         quota-reporter function says why"
    )]
    NoReport,
}

/// The last report, and when it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    place: String,
    report: Report,
    now: Timestamp,
}

/// Reads the last report of a place.
///
/// # Errors
/// [`StatusError`] says what to do.
pub async fn status(place: &Place) -> Result<Status, StatusError> {
    let located = place.locate(USAGE).await?;
    let usage = Usage::new(aws::dynamodb(&located.config), located.name.clone(), located.region()?);
    let report = patiently(async || usage.latest_report().await).await;
    let report = report.map_err(|error| match place.unreachable() {
        Some(unreachable) if error.never_connected() => unreachable.into(),
        _ => StatusError::Store {
            table: located.name.clone(),
            reason: reason(&error),
        },
    })?;
    Ok(Status {
        place: located.place,
        report: report.ok_or(StatusError::NoReport)?,
        now: place.now(),
    })
}

impl Status {
    /// How old the report is; never less than nothing, whatever the clocks say.
    fn age_seconds(&self) -> i64 {
        self.now.duration_since(self.report.at).as_secs().max(0)
    }

    /// Shows it as `GET /quota` does.
    ///
    /// # Errors
    /// When the report is none that JSON can say.
    pub fn json(&self) -> serde_json::Result<Value> {
        let mut json = json!({ "object": "quota", "age_seconds": self.age_seconds() });
        if let (Some(json), Value::Object(report)) = (json.as_object_mut(), serde_json::to_value(&self.report)?) {
            json.extend(report);
        }
        Ok(json)
    }

    /// Says how to come to `need` recipients a day by a date.
    #[must_use]
    pub fn ramp(&self, need: u32, by: Date) -> String {
        let today = self.now.to_zoned(TimeZone::UTC).date();
        let account = &self.report.account.account;
        ramp::said(plan(account.quota(), need.into(), today, by), account.quota(), need, by)
    }

    /// Shows it to people.
    #[must_use]
    pub fn page(&self, colours: Colours) -> String {
        page::of(self, colours)
    }
}
