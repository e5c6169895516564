//! The state of a message in Okite's own terms, which are finer than those of the Resend API.

use jiff::Timestamp;

use super::{DeliveryState, FailedReason, MessageRecord, WaitsFor};

/// The state of a message, as `okite_state` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OkiteState {
    /// It waits for room.
    Queued,
    /// It waits for its time.
    Scheduled,
    /// An attempt is under way.
    Sending,
    /// An attempt was made, and it is not known whether SES accepted it.
    Unknown,
    /// SES accepted it.
    Sent,
    /// No recipient was left to send to.
    Suppressed,
    /// It was not sent and will not be.
    Failed,
    /// Its caller called it back.
    Canceled,
}

impl OkiteState {
    /// Returns the name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Suppressed => "suppressed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

impl From<DeliveryState> for OkiteState {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Queued => Self::Queued,
            DeliveryState::Scheduled(_) => Self::Scheduled,
            DeliveryState::Sending(_) => Self::Sending,
            DeliveryState::Unknown => Self::Unknown,
            DeliveryState::Sent => Self::Sent,
            DeliveryState::Suppressed => Self::Suppressed,
            DeliveryState::Refused | DeliveryState::Failed => Self::Failed,
            DeliveryState::Canceled => Self::Canceled,
        }
    }
}

impl MessageRecord {
    /// Computes `okite_state` and `okite_reason`. A mail has a reason if it failed, or if it still waits after an
    /// attempt that came to nothing.
    #[must_use]
    pub fn okite_state(&self, now: Timestamp) -> (OkiteState, Option<&'static str>) {
        let state = OkiteState::from(self.state(now));
        let waits_for = self.queued.as_ref().and_then(|queued| queued.waits_for);
        let reason = match state {
            OkiteState::Failed => self.failed.map(FailedReason::as_str),
            OkiteState::Queued => waits_for.map(WaitsFor::as_str),
            _ => None,
        };
        (state, reason)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::super::{LastEvent, QueuedMail, SenderState};
    use super::*;
    use crate::idempotency::LEASE;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn record(written: SenderState) -> MessageRecord {
        MessageRecord {
            attempt: 1,
            attempt_at: Some(at(0)),
            queued: Some(QueuedMail {
                queued_at: at(0),
                content_nonce: Uuid::nil(),
                scheduled_at: None,
                deadline: at(100),
                waits_for: None,
                rescheduled_at: None,
                ended_at: None,
                claim_id: None,
            }),
            ..MessageRecord::new(Uuid::nil(), written, at(0))
        }
    }

    fn queued(scheduled_at: Option<Timestamp>, waits_for: Option<WaitsFor>) -> MessageRecord {
        let mut record = record(SenderState::Queued);
        if let Some(queued) = &mut record.queued {
            (queued.scheduled_at, queued.waits_for) = (scheduled_at, waits_for);
        }
        record
    }

    #[test]
    fn each_state_has_its_name_its_reason_and_its_event() {
        let failed = MessageRecord {
            failed: Some(FailedReason::Expired),
            ..record(SenderState::Failed)
        };
        let sent = MessageRecord {
            ses_id: Some("s".to_owned()),
            ..record(SenderState::Unknown)
        };
        for (record, now, state, reason, event) in [
            (queued(None, None), at(0), "queued", None, LastEvent::Queued),
            (
                queued(None, Some(WaitsFor::Rate)),
                at(0),
                "queued",
                Some("rate"),
                LastEvent::Queued,
            ),
            (
                queued(Some(at(5)), None),
                at(4),
                "scheduled",
                None,
                LastEvent::Scheduled,
            ),
            (queued(Some(at(5)), None), at(5), "queued", None, LastEvent::Queued),
            // Past its deadline it is queued until somebody has settled it.
            (queued(None, None), at(200), "queued", None, LastEvent::Queued),
            (failed, at(0), "failed", Some("expired"), LastEvent::Failed),
            (
                record(SenderState::Canceled),
                at(0),
                "canceled",
                None,
                LastEvent::Canceled,
            ),
            (record(SenderState::Refused), at(0), "failed", None, LastEvent::Failed),
            (
                record(SenderState::Suppressed),
                at(0),
                "suppressed",
                None,
                LastEvent::Failed,
            ),
            (record(SenderState::Unknown), at(0), "unknown", None, LastEvent::Queued),
            (record(SenderState::Sending), at(0), "sending", None, LastEvent::Queued),
            (
                record(SenderState::Sending),
                at(0) + LEASE,
                "unknown",
                None,
                LastEvent::Queued,
            ),
            (sent, at(0), "sent", None, LastEvent::Sent),
        ] {
            let (shown, why) = record.okite_state(now);
            assert_eq!((shown.as_str(), why), (state, reason), "{record:?}");
            assert_eq!(record.last_event(now), event, "{record:?}");
        }
    }

    #[test]
    fn a_worker_has_the_lease_that_its_row_names() {
        let record = MessageRecord {
            lease_until: Some(at(65)),
            ..record(SenderState::Sending)
        };
        assert_eq!(record.state(at(64)), DeliveryState::Sending(at(65)));
        assert_eq!(record.state(at(65)), DeliveryState::Unknown);
        assert_eq!(record.lease_until() + SignedDuration::ZERO, at(65));
    }
}
