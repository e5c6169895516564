//! A suppression as answers show it.

use domain::stream::Stream;
use domain::suppression::{
    Register, RegisterEvidence, SoftBounceTiers, Suppression, SuppressionEntry, SuppressionReason,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::response::with_offset;

/// An entry of the list that is in force.
#[derive(Serialize)]
pub(super) struct SuppressionBody<'a> {
    object: &'static str,
    id: Uuid,
    /// As it was given when it was suppressed.
    email: &'a str,
    /// Why, in the words that SDKs of the Resend API know.
    origin: &'static str,
    /// SES's id of the event, where it was one.
    source_id: Option<&'a str>,
    #[serde(serialize_with = "with_offset")]
    created_at: Timestamp,
    /// Why, in ours.
    reason: &'static str,
    since: Timestamp,
    /// When it ends by itself, where that is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// SES's words for what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    subtype: Option<&'a str>,
    /// What the receiving server said, or the note of who added it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// Decides whether an entry is in force, for whatever mail.
pub(super) fn in_force(entry: &SuppressionEntry, now: Timestamp, tiers: &SoftBounceTiers) -> Option<Suppression> {
    // Whatever suppresses transactional mail suppresses bulk mail.
    entry.registers.suppression(&entry.address, now, Stream::Bulk, tiers)
}

/// Why an address is on the list, as it was recorded with an event or else with an echo of one.
pub(super) fn evidence(entry: &SuppressionEntry, reason: SuppressionReason) -> Option<&RegisterEvidence> {
    let echo = match reason {
        SuppressionReason::Bounce | SuppressionReason::Blocked => Some(Register::BounceEcho),
        SuppressionReason::Complaint => Some(Register::ComplaintEcho),
        SuppressionReason::Soft | SuppressionReason::Manual => None,
    };
    let recorded = entry.evidence.get(&reason.into());
    recorded.or_else(|| entry.evidence.get(&echo?))
}

/// The word for a reason in the API that SDKs know.
pub(super) fn origin(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::Bounce | SuppressionReason::Blocked | SuppressionReason::Soft => "bounce",
        SuppressionReason::Complaint => "complaint",
        SuppressionReason::Manual => "manual",
    }
}

impl<'a> SuppressionBody<'a> {
    pub(super) fn of(entry: &'a SuppressionEntry, suppression: Suppression) -> Self {
        let Suppression { reason, since } = suppression;
        let evidence = evidence(entry, reason);
        let text = |text: &'a String| Some(text.as_str()).filter(|text| !text.is_empty());
        Self {
            object: "suppression",
            id: entry.id,
            email: evidence
                .and_then(|evidence| text(&evidence.address))
                .unwrap_or_else(|| entry.address.as_given()),
            origin: origin(reason),
            source_id: evidence
                .filter(|_| reason != SuppressionReason::Manual)
                .and_then(|evidence| text(&evidence.source)),
            created_at: since,
            reason: reason.as_str(),
            since,
            expires_at: entry
                .registers
                .manual_expires_at
                .filter(|_| reason == SuppressionReason::Manual),
            subtype: evidence.and_then(|evidence| text(&evidence.subtype)),
            note: evidence.and_then(|evidence| text(evidence.diagnostic.as_ref()?)),
        }
    }
}

/// That an address was put on the list.
#[derive(Serialize)]
pub(super) struct CreatedBody {
    pub(super) object: &'static str,
    pub(super) id: Uuid,
}

impl CreatedBody {
    pub(super) fn of(id: Uuid) -> Self {
        Self {
            object: "suppression",
            id,
        }
    }
}
