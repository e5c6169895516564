//! The domains that the account has verified. AWS's rates leave out their recipients. The list is kept because SES
//! answers such questions once a second.
//!
//! An item `verified_domains` in the partition of the gate, which is read as a whole; see [`super`].

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::{Usage, gate_key};
use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{Item, names, s, text_of, time, time_of};

/// The sort key.
const KEY: &str = "verified_domains";
/// The most domains that are kept: the item is read with every report.
const KEPT_MAX: usize = 1_000;

/// The verified domains, as SES listed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDomains {
    /// When SES listed them.
    pub at: Timestamp,
    /// The domains, in lower case.
    pub domains: BTreeSet<String>,
}

/// Reads the item, if it is this one.
pub(super) fn read(item: &Item) -> Option<VerifiedDomains> {
    if text_of(item, "sk") != Some(KEY) {
        return None;
    }
    let domains = item.get("domains").and_then(|domains| domains.as_ss().ok());
    Some(VerifiedDomains {
        at: time_of(item, "at")?,
        domains: domains.into_iter().flatten().cloned().collect(),
    })
}

impl Usage {
    /// Keeps the domains, unless later ones are there.
    ///
    /// # Errors
    /// [`StoreError`] if they may not have been written.
    pub async fn put_verified_domains(&self, verified: &VerifiedDomains) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s(KEY))
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .set_expression_attribute_names(names(["at", "domains"]))
            .expression_attribute_values(":at", time(verified.at));
        let domains: Vec<String> = verified.domains.iter().take(KEPT_MAX).cloned().collect();
        // DynamoDB has no empty sets.
        let update = if domains.is_empty() {
            update.update_expression("SET #at = :at REMOVE #domains")
        } else {
            update
                .update_expression("SET #at = :at, #domains = :domains")
                .expression_attribute_values(":domains", AttributeValue::Ss(domains))
        };
        unless_overtaken(update.send().await)
    }
}
