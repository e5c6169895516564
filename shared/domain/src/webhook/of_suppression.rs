//! The events about changes of the suppression list.

use jiff::Timestamp;

use super::{EventId, EventSubject, SuppressionChange, SuppressionEvent, WebhookEvent};
use crate::address::EmailAddress;
use crate::suppression::SuppressionReason;

impl WebhookEvent {
    /// Makes the event that an address was suppressed at `at`. `source_id` is the id of the mail that led to it, if a
    /// mail did.
    #[must_use]
    pub fn suppressed(
        address: &EmailAddress,
        reason: SuppressionReason,
        source_id: Option<&str>,
        at: Timestamp,
    ) -> Self {
        Self::of_suppression(address, SuppressionChange::Added, reason, source_id, at)
    }

    /// Makes the event that a suppression for `reason` was lifted at `at`.
    #[must_use]
    pub fn lifted(address: &EmailAddress, reason: SuppressionReason, at: Timestamp) -> Self {
        Self::of_suppression(address, SuppressionChange::Removed, reason, None, at)
    }

    fn of_suppression(
        address: &EmailAddress,
        change: SuppressionChange,
        reason: SuppressionReason,
        source_id: Option<&str>,
        at: Timestamp,
    ) -> Self {
        let mut event = Self {
            id: EventId::of(at, &[]),
            created_at: at,
            subject: EventSubject::Suppression(SuppressionEvent {
                email: address.normalised().to_owned(),
                change,
                reason: Some(reason.as_str().to_owned()),
                source_id: source_id.map(str::to_owned),
            }),
        };
        let identity = [
            source_id.unwrap_or_default(),
            event.kind().as_str(),
            address.normalised(),
            reason.as_str(),
        ];
        event.id = EventId::of(at, &identity);
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::EventKind;

    #[test]
    fn an_event_has_the_normalised_address_and_an_id_of_its_own() {
        let at: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let anna = EmailAddress::parse("Anna@Example.net").unwrap();
        let bob = EmailAddress::parse("bob@example.net").unwrap();
        let bounce = SuppressionReason::Bounce;
        let event = WebhookEvent::suppressed(&anna, bounce, None, at);
        assert_eq!(event.kind(), EventKind::SuppressionAdded);
        let EventSubject::Suppression(subject) = &event.subject else {
            panic!("{event:?}")
        };
        assert_eq!(
            (subject.email.as_str(), subject.reason.as_deref()),
            ("anna@example.net", Some("bounce"))
        );
        assert_eq!(event, WebhookEvent::suppressed(&anna, bounce, None, at));
        let lifted = WebhookEvent::lifted(&anna, bounce, at);
        assert_eq!(lifted.kind(), EventKind::SuppressionRemoved);
        for other in [
            lifted,
            WebhookEvent::suppressed(&bob, bounce, None, at),
            WebhookEvent::suppressed(&anna, SuppressionReason::Complaint, None, at),
            WebhookEvent::suppressed(&anna, bounce, Some("m-1"), at),
        ] {
            assert_ne!(other.id, event.id, "{other:?}");
        }
    }
}
