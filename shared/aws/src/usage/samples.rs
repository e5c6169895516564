//! The samples of the running total of granted recipients: the first of each hour, and the latest.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Usage, gate_key};
use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{n, names, s, time, ttl};
use domain::pacing::GrantSample;
use domain::time::plus;

/// How long a sample is kept: a day, and time for a late reporter.
const SAMPLE_KEPT: Duration = Duration::from_hours(50);
/// How long a sample of midnight is kept: for as long as days are counted, see [`domain::reputation::CountingWindow`].
const DAILY_SAMPLE_KEPT: Duration = Duration::from_hours(9 * 24);

impl Usage {
    /// Keeps the first sample of each hour, and the latest.
    ///
    /// # Errors
    /// [`StoreError`] if either may not have been written.
    pub async fn put_sample(&self, sample: GrantSample) -> Result<(), StoreError> {
        // One after the other, over one connection. Each is tried, whatever came of the other.
        let hourly = self.put_hourly_sample(sample).await;
        let latest = self.put_latest_sample(sample).await;
        hourly.and(latest)
    }

    async fn put_latest_sample(&self, sample: GrantSample) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("sample#latest"))
            .update_expression("SET #at = :at, #granted = :granted, #expires_at = :expires_at")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .set_expression_attribute_names(names(["at", "granted", "expires_at"]))
            .expression_attribute_values(":at", time(sample.at))
            .expression_attribute_values(":granted", n(sample.total))
            .expression_attribute_values(":expires_at", ttl(plus(sample.at, SAMPLE_KEPT)))
            .send()
            .await;
        unless_overtaken(updated)
    }

    async fn put_hourly_sample(&self, sample: GrantSample) -> Result<(), StoreError> {
        let hour = sample.at.strftime("%Y-%m-%dT%H").to_string();
        let kept = if sample.at.to_zoned(TimeZone::UTC).hour() == 0 {
            DAILY_SAMPLE_KEPT
        } else {
            SAMPLE_KEPT
        };
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s(format!("sample#{hour}")))
            .update_expression(
                "SET #at = if_not_exists(#at, :at), #granted = if_not_exists(#granted, :granted), #expires_at = :expires_at",
            )
            .set_expression_attribute_names(names(["at", "granted", "expires_at"]))
            .expression_attribute_values(":at", time(sample.at))
            .expression_attribute_values(":granted", n(sample.total))
            .expression_attribute_values(":expires_at", ttl(plus(sample.at, kept)))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }
}
