//! The outcome for one recipient, as the answers show it.

use domain::recipient::Verdict;
use domain::record::RecordedVerdict;
use jiff::Timestamp;
use serde::Serialize;

/// An entry of the field `recipients`.
#[derive(Serialize)]
pub(crate) struct RecipientBody<'a> {
    email: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

impl<'a> From<&'a Verdict> for RecipientBody<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let suppression = verdict.outcome.suppression();
        Self {
            email: verdict.address.as_given(),
            status: verdict.outcome.status(),
            reason: suppression.map(|suppression| suppression.reason.as_str()),
            since: suppression.map(|suppression| suppression.since),
        }
    }
}

impl<'a> From<&'a RecordedVerdict> for RecipientBody<'a> {
    fn from(verdict: &'a RecordedVerdict) -> Self {
        Self {
            email: &verdict.email,
            status: &verdict.status,
            reason: verdict.reason.as_deref(),
            since: verdict.since,
        }
    }
}
