//! A suppression, as the answers show it.

use domain::bounce::BounceReason;
use domain::stream::Stream;
use domain::suppression::{
    Register, RegisterEvidence, SoftBounceTiers, Suppression, SuppressionEntry, SuppressionReason,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::response::with_offset;

/// An active entry of the suppression list.
#[derive(Serialize)]
pub(super) struct SuppressionBody<'a> {
    object: &'static str,
    id: Uuid,
    /// The address in the spelling that was suppressed.
    email: &'a str,
    /// The cause, in the terms of the Resend API.
    origin: &'static str,
    /// SES's id of the event that suppressed the address, if an event did.
    source_id: Option<&'a str>,
    #[serde(serialize_with = "with_offset")]
    created_at: Timestamp,
    /// The cause, in Okite's terms.
    reason: &'static str,
    since: Timestamp,
    /// When the suppression ends by itself, if it has an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// SES's subtype of the bounce or complaint.
    #[serde(skip_serializing_if = "Option::is_none")]
    subtype: Option<&'a str>,
    /// Why the mail bounced, by Okite's judgement. A suppression without an event has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_reason: Option<&'static str>,
    /// The receiving server's answer, or the note of the operator who added the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// Returns the suppression of an entry, if it is active for any stream.
pub(super) fn in_force(entry: &SuppressionEntry, now: Timestamp, tiers: &SoftBounceTiers) -> Option<Suppression> {
    // Every suppression of transactional mail applies to bulk mail too.
    entry.registers.suppression(&entry.address, now, Stream::Bulk, tiers)
}

/// Returns the recorded evidence for a suppression: that of an event, or else that of an echo.
pub(super) fn evidence(entry: &SuppressionEntry, reason: SuppressionReason) -> Option<&RegisterEvidence> {
    let echo = match reason {
        SuppressionReason::Bounce | SuppressionReason::Blocked => Some(Register::BounceEcho),
        SuppressionReason::Complaint => Some(Register::ComplaintEcho),
        SuppressionReason::Soft | SuppressionReason::Manual | SuppressionReason::Unreadable => None,
    };
    let recorded = entry.evidence.get(&reason.into());
    recorded.or_else(|| entry.evidence.get(&echo?))
}

/// Returns why the mail bounced: by the evidence of the register or, for soft bounces, by that of the bounce from which
/// on they suppress.
fn bounce_reason(entry: &SuppressionEntry, suppression: Suppression) -> Option<BounceReason> {
    if suppression.reason == SuppressionReason::Soft {
        let mut bounces = entry
            .soft_bounces
            .iter()
            .filter(|bounce| bounce.at == suppression.since);
        return bounces.find_map(|bounce| bounce.reason);
    }
    evidence(entry, suppression.reason)?.bounce_reason
}

/// Returns the Resend API's term for a reason.
pub(super) fn origin(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::Bounce | SuppressionReason::Blocked | SuppressionReason::Soft => "bounce",
        SuppressionReason::Complaint => "complaint",
        // An operator has to look at an entry that cannot be read.
        SuppressionReason::Manual | SuppressionReason::Unreadable => "manual",
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
            bounce_reason: bounce_reason(entry, suppression).map(BounceReason::as_str),
            note: evidence.and_then(|evidence| text(evidence.diagnostic.as_ref()?)),
        }
    }
}

/// The answer when an address was added to the list.
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
