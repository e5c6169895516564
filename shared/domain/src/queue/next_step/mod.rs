//! The next step of a worker for a mail that a hint names, from its row and its entry.
//!
//! Both are read consistently, **the entry first**: an entry that is there was written together with its row, so a row
//! that is then missing has expired, and is not still to come.
//!
//! Only a row that is `queued`, or `sending` with a nonce that the hint releases, is sent. Everything else waits or is
//! dropped. The condition of the write that follows names the state that it leaves ([`Leaving`]). If that condition
//! fails, the worker reads again and asks again for the next step.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::delay::{HINT_DELAY_MAX, ahead, whole_seconds};
use super::{Hint, OutboxEntry, Wait};
use crate::record::{MessageRecord, OkiteState, QueuedMail, SenderState};

/// How long after the end of its lease an attempt without an answer becomes `unknown` for good. Until then an event of
/// SES may still tell.
pub const UNKNOWN_AFTER: Duration = Duration::from_hours(1);

/// The next step of a worker for a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Ask for a permit and send it. The write before SES is called leaves this state.
    Send(Leaving),
    /// Nothing now. Let it come back so, and acknowledge the hint.
    Wait(Wait),
    /// Nothing ever. Acknowledge the hint once this is done.
    Drop {
        /// The outcome to report: it may not have been reported.
        emit: Option<OkiteState>,
        /// Whether to delete the content, and then the entry.
        delete: bool,
    },
    /// Write the end of the mail, then look again.
    Settle(Settle),
}

/// The state of the row that the next write leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// `queued`, with this attempt and this content.
    Queued {
        /// The attempt in the row.
        attempt: u32,
        /// The content in the row.
        content_nonce: Uuid,
    },
    /// `sending`, left behind by an attempt that certainly sent nothing.
    Released {
        /// The attempt in the row.
        attempt: u32,
        /// The content in the row.
        content_nonce: Uuid,
        /// The nonce of that attempt.
        nonce: Uuid,
    },
}

/// The end of a mail that is still to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// `failed`, because its deadline is over.
    Expired(Leaving),
    /// `unknown`: the attempt with this nonce has had no answer for long.
    Unknown {
        /// The nonce of that attempt.
        nonce: Uuid,
    },
}

/// Nothing is known of the mail, or another hint or the sweep takes care of it.
const ACKNOWLEDGE: NextStep = NextStep::Drop {
    emit: None,
    delete: false,
};

fn ended(state: OkiteState) -> NextStep {
    NextStep::Drop {
        emit: Some(state),
        delete: true,
    }
}

/// Decides what a worker does with a mail at `now`.
#[must_use]
pub fn next_step(row: Option<&MessageRecord>, entry: Option<&OutboxEntry>, hint: &Hint, now: Timestamp) -> NextStep {
    // Without an entry the mail has ended, and somebody has reported how.
    let Some(entry) = entry else { return ACKNOWLEDGE };
    let Some(row) = row else {
        return NextStep::Drop {
            emit: None,
            delete: true,
        };
    };
    if row.ses_id.is_some() || !row.events.is_empty() {
        return ended(OkiteState::Sent);
    }
    match row.written {
        SenderState::Sent => ended(OkiteState::Sent),
        SenderState::Suppressed => ended(OkiteState::Suppressed),
        SenderState::Canceled => ended(OkiteState::Canceled),
        SenderState::Unknown => ended(OkiteState::Unknown),
        // No write leads from `queued` to `refused`. Such a row tells its caller that the mail failed.
        SenderState::Failed | SenderState::Refused => ended(OkiteState::Failed),
        SenderState::Queued => match this_content(row, entry, hint) {
            Some(queued) => due(queued, leaving_queue(row, queued), hint, now),
            None => ACKNOWLEDGE,
        },
        SenderState::Sending => match (released(row, hint), this_content(row, entry, hint)) {
            (Some(nonce), Some(queued)) => {
                let leaving = Leaving::Released {
                    attempt: row.attempt,
                    content_nonce: queued.content_nonce,
                    nonce,
                };
                due(queued, leaving, hint, now)
            }
            _ => of_another(row, hint, now),
        },
    }
}

/// Returns what the row holds of the queue, if the row, the entry and the hint mean one content. Otherwise the content
/// was replaced, and the entry's `wake_at` brings a hint of the new one.
fn this_content<'r>(row: &'r MessageRecord, entry: &OutboxEntry, hint: &Hint) -> Option<&'r QueuedMail> {
    let queued = row.queued.as_ref()?;
    (queued.content_nonce == hint.content_nonce && queued.content_nonce == entry.content.nonce).then_some(queued)
}

fn leaving_queue(row: &MessageRecord, queued: &QueuedMail) -> Leaving {
    Leaving::Queued {
        attempt: row.attempt,
        content_nonce: queued.content_nonce,
    }
}

/// Returns the nonce of the row if the hint releases it.
fn released(row: &MessageRecord, hint: &Hint) -> Option<Uuid> {
    row.nonce.filter(|_| hint.releases(row.nonce))
}

/// Decides about a mail that this worker may send.
fn due(queued: &QueuedMail, leaving: Leaving, hint: &Hint, now: Timestamp) -> NextStep {
    if queued.deadline <= now {
        return NextStep::Settle(Settle::Expired(leaving));
    }
    match queued.scheduled_at {
        Some(at) if at > now => {
            let rest = ahead(at, now);
            if rest <= HINT_DELAY_MAX || !hint.released.is_empty() {
                NextStep::Wait(by_hint(rest))
            } else {
                NextStep::Wait(Wait::Standing)
            }
        }
        _ => NextStep::Send(leaving),
    }
}

/// Decides about a mail whose last attempt is another worker's.
fn of_another(row: &MessageRecord, hint: &Hint, now: Timestamp) -> NextStep {
    let known_until = row.lease_until().checked_add(UNKNOWN_AFTER).unwrap_or(Timestamp::MAX);
    match row.nonce {
        Some(nonce) if known_until <= now => NextStep::Settle(Settle::Unknown { nonce }),
        // What the hint releases must not be forgotten while the row may still change.
        _ if !hint.released.is_empty() => NextStep::Wait(by_hint(ahead(known_until, now))),
        _ => NextStep::Wait(Wait::Standing),
    }
}

fn by_hint(rest: Duration) -> Wait {
    Wait::Hint(whole_seconds(rest.clamp(Duration::from_secs(1), HINT_DELAY_MAX)))
}

#[cfg(test)]
mod tests;
