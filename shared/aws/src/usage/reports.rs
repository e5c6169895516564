//! The latest report of the account, kept as JSON.

use std::time::Duration;

use super::Usage;
use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{names, s, text_of, time, ttl};
use domain::pacing::latest_report;
use domain::report::Report;
use domain::time::plus;

/// The code of the error for a latest report that cannot be read.
pub const NOT_A_REPORT: &str = "NotAReport";
/// How long a report is kept.
const REPORT_KEPT: Duration = Duration::from_hours(30 * 24);

impl Usage {
    /// Reads the latest report.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be read.
    pub async fn latest_report(&self) -> Result<Option<Report>, StoreError> {
        const OPERATION: &str = "GetItem";
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(report_key(&self.region)))
            .key("sk", s("latest"))
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        let Some(item) = answer.item else { return Ok(None) };
        let report = text_of(&item, "report").and_then(|json| serde_json::from_str(json).ok());
        report.map(Some).ok_or_else(|| StoreError::new(OPERATION, NOT_A_REPORT))
    }

    /// Keeps a report as the latest, unless a later one is there that is not from the future. A report of the same time
    /// is replaced, because a run adds to its report.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put_report(&self, report: &Report) -> Result<(), StoreError> {
        let json = serde_json::to_string(report).map_err(|_| StoreError::new("UpdateItem", "NotJson"))?;
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(report_key(&self.region)))
            .key("sk", s("latest"))
            .update_expression("SET #at = :at, #report = :report, #expires_at = :expires_at")
            .condition_expression(
                "attribute_not_exists(#at) OR #at <= :at OR #at > :latest OR NOT attribute_type(#at, :number)",
            )
            .set_expression_attribute_names(names(["at", "report", "expires_at"]))
            .expression_attribute_values(":at", time(report.at))
            .expression_attribute_values(":latest", time(latest_report(report.at)))
            // A time that cannot be read would hold up every later report.
            .expression_attribute_values(":number", s("N"))
            .expression_attribute_values(":report", s(json))
            .expression_attribute_values(":expires_at", ttl(plus(report.at, REPORT_KEPT)))
            .send()
            .await;
        unless_overtaken(updated)
    }
}

fn report_key(region: &str) -> String {
    format!("report#{region}")
}
