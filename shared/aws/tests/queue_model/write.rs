//! The writes of the protocol, with all that their expressions say.

use aws::Claimed;
use domain::idempotency::Claim;
use domain::queue::{ContentRef, Leaving, OutboxEntry};
use domain::record::{FailedReason, MessageRecord, QueuedMail, WaitsFor};
use jiff::Timestamp;
use uuid::Uuid;

#[expect(clippy::struct_field_names, reason = "the attributes of the row")]
/// The row of a direct attempt, or the part of an accepted row that an attempt would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) id: Uuid,
    pub(crate) attempt: u32,
    pub(crate) attempt_at: Timestamp,
    pub(crate) nonce: Uuid,
    pub(crate) created_at: Timestamp,
}

/// A change of a claim that a reschedule brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) message_id: Uuid,
    pub(crate) expires: Timestamp,
    pub(crate) kept_until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Put {
        attempt: Attempt,
        /// Whether no recipient is left.
        is_suppressed: bool,
    },
    Accept {
        attempt: Attempt,
        queued: QueuedMail,
        entry: OutboxEntry,
    },
    Refused(Attempt),
    RefusedWithoutRow(Attempt),
    Accepted {
        id: Uuid,
        ses_id: String,
        now: Timestamp,
    },
    BeginAttempt {
        id: Uuid,
        leaving: Leaving,
        nonce: Uuid,
        now: Timestamp,
        lease_until: Timestamp,
    },
    Suppress {
        id: Uuid,
        leaving: Leaving,
        now: Timestamp,
    },
    Requeue {
        id: Uuid,
        nonce: Uuid,
        waits_for: WaitsFor,
    },
    Expire {
        id: Uuid,
        leaving: Leaving,
        now: Timestamp,
    },
    ExpireQueued {
        id: Uuid,
        now: Timestamp,
    },
    Fail {
        id: Uuid,
        leaving: Leaving,
        reason: FailedReason,
        now: Timestamp,
    },
    FailAttempt {
        id: Uuid,
        nonce: Uuid,
        reason: FailedReason,
        now: Timestamp,
    },
    GiveUp {
        id: Uuid,
        nonce: Uuid,
    },
    Cancel {
        id: Uuid,
        content: ContentRef,
        now: Timestamp,
        token: Uuid,
    },
    Reschedule {
        id: Uuid,
        attempt: u32,
        now: Timestamp,
        scheduled_at: Timestamp,
        deadline: Timestamp,
        wake_at: Timestamp,
        claim: Option<Growth>,
        token: Uuid,
    },
    SwitchContent {
        id: Uuid,
        from: Uuid,
        to: ContentRef,
        wake_at: Timestamp,
    },
    PutContent {
        id: Uuid,
        nonce: Uuid,
    },
    DeleteContent {
        id: Uuid,
        content: ContentRef,
    },
    DeleteEntry {
        id: Uuid,
    },
    WakeAgain {
        id: Uuid,
        seen: Timestamp,
        wake_at: Timestamp,
    },
    Take(Claim),
    TakeOver {
        held: Claim,
        claim: Claim,
    },
    Replace {
        held: Claim,
        claim: Claim,
    },
    Remember {
        held: Claim,
        expires: Timestamp,
    },
    Release {
        nonce: Uuid,
        now: Timestamp,
    },
    Free {
        nonce: Uuid,
    },
}

/// The result that the caller of an adapter sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    /// The condition failed, and the adapter returns the row that was there.
    Otherwise(Option<Box<MessageRecord>>),
    /// The condition failed, and the adapter says no more.
    Overtaken,
    ClaimChanged,
    Claimed(Claimed),
}

impl Write {
    /// Returns the number of its kind, from 1 to [`KINDS`].
    pub(crate) fn kind(&self) -> u32 {
        match self {
            Self::Put { .. } => 1,
            Self::Accept { .. } => 2,
            Self::Refused(_) => 3,
            Self::RefusedWithoutRow(_) => 4,
            Self::Accepted { .. } => 5,
            Self::BeginAttempt { .. } => 6,
            Self::Suppress { .. } => 7,
            Self::Requeue { .. } => 8,
            Self::Expire { .. } | Self::ExpireQueued { .. } => 9,
            Self::Fail { .. } => 10,
            Self::FailAttempt { .. } => 11,
            Self::GiveUp { .. } => 12,
            Self::Cancel { .. } => 13,
            Self::Reschedule { .. } => 14,
            Self::SwitchContent { .. } => 15,
            Self::PutContent { .. } | Self::DeleteContent { .. } | Self::DeleteEntry { .. } => 16,
            Self::WakeAgain { .. } => 17,
            Self::Take(_) => 18,
            Self::TakeOver { .. } => 19,
            Self::Replace { .. } => 20,
            Self::Remember { .. } => 21,
            Self::Release { .. } => 22,
            Self::Free { .. } => KINDS,
        }
    }
}

/// How many kinds of writes there are.
pub(crate) const KINDS: u32 = 23;
