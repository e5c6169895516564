//! The events for webhooks about changes of the list that a caller made.

use domain::address::EmailAddress;
use domain::suppression::{Suppression, SuppressionEntry, SuppressionReason, mail_of};
use domain::webhook::{SuppressionChange, SuppressionEvent, WebhookEvent};
use jiff::Timestamp;
use uuid::Uuid;

use crate::evidence;

/// Makes the event that a caller suppressed an address at `at`. `id` is that of the entry.
#[must_use]
pub fn added(id: Uuid, address: &EmailAddress, reason: SuppressionReason, at: Timestamp) -> WebhookEvent {
    let change = SuppressionEvent {
        id: id.to_string(),
        email: address.normalised().to_owned(),
        change: SuppressionChange::Added,
        reason,
        topic: None,
        since: at,
        source_id: None,
    };
    WebhookEvent::of_suppression(change, at)
}

/// Makes the event that a caller lifted a suppression at `at`.
#[must_use]
pub fn removed(entry: &SuppressionEntry, suppression: Suppression, at: Timestamp) -> WebhookEvent {
    let source = evidence(entry, suppression.reason).map(|evidence| evidence.source.as_str());
    let change = SuppressionEvent {
        id: entry.id.to_string(),
        email: entry.address.normalised().to_owned(),
        change: SuppressionChange::Removed,
        reason: suppression.reason,
        topic: None,
        since: suppression.since,
        source_id: source.and_then(mail_of).map(str::to_owned),
    };
    WebhookEvent::of_suppression(change, at)
}

#[cfg(test)]
mod tests {
    use domain::suppression::{Register, RegisterEvidence, Registers};
    use domain::webhook::EventSubject;

    use super::*;

    #[test]
    fn an_event_about_a_lift_names_the_mail_that_led_to_the_suppression() {
        let reason = SuppressionReason::Bounce;
        let evidence = RegisterEvidence {
            address: "Anna@Example.net".to_owned(),
            subtype: String::new(),
            diagnostic: None,
            bounce_reason: None,
            source: "f-1#m-1".to_owned(),
        };
        let entry = SuppressionEntry {
            id: Uuid::from_u128(7),
            address: EmailAddress::parse("Anna@Example.net").unwrap(),
            registers: Registers::default(),
            soft_bounces: Vec::new(),
            evidence: [(Register::from(reason), evidence)].into(),
        };
        let since = Timestamp::UNIX_EPOCH;
        let event = removed(
            &entry,
            Suppression { reason, since },
            Timestamp::from_second(60).unwrap(),
        );
        let EventSubject::Suppression(change) = event.subject else {
            panic!("{event:?}")
        };
        assert_eq!((change.id, change.since), (entry.id.to_string(), since));
        assert_eq!(
            (change.email.as_str(), change.source_id.as_deref()),
            ("anna@example.net", Some("m-1"))
        );
    }
}
