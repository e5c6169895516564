//! The event about a change of the brake.

use super::{AccountEvent, EventId, EventKind, EventSubject, WebhookEvent};
use crate::address::without_addresses;
use crate::brake::BrakeChange;

impl WebhookEvent {
    /// Makes the event about a change of the brake in `region`. Returns `None` for an override that leaves the brake
    /// where it is. It replaces addresses in an operator's text, because the event goes to applications.
    #[must_use]
    pub fn of_brake(change: &BrakeChange, region: &str) -> Option<Self> {
        if change.from == change.to {
            return None;
        }
        let (kind, id) = (EventKind::AccountBrakeChanged.as_str(), change.id.to_string());
        Some(Self {
            id: EventId::of(change.at, &[region, kind, &id]),
            created_at: change.at,
            subject: EventSubject::Account(AccountEvent::BrakeChanged {
                from: change.from.as_str().to_owned(),
                to: change.to.as_str().to_owned(),
                by: without_addresses(&change.by),
                why: without_addresses(&change.why),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use crate::brake::Brake;

    #[test]
    fn a_change_has_one_event_and_an_override_that_changes_nothing_has_none() {
        let change = BrakeChange {
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            id: Uuid::from_u128(7),
            from: Brake::None,
            to: Brake::Bulk,
            by: "anna".to_owned(),
            why: "asked by anna@example.org".to_owned(),
            figures: Value::Null,
        };
        let event = WebhookEvent::of_brake(&change, "eu-west-1").unwrap();
        assert_eq!(
            (event.kind(), event.created_at),
            (EventKind::AccountBrakeChanged, change.at)
        );
        assert_eq!(WebhookEvent::of_brake(&change, "eu-west-1").unwrap(), event);
        let EventSubject::Account(AccountEvent::BrakeChanged { why, .. }) = &event.subject else {
            panic!("{event:?}")
        };
        assert_eq!(why, "asked by [address]");
        let another = BrakeChange {
            id: Uuid::from_u128(8),
            ..change.clone()
        };
        let another = WebhookEvent::of_brake(&another, "eu-west-1").unwrap();
        assert_ne!(another.id, event.id);
        let stays = BrakeChange {
            from: Brake::Bulk,
            ..change
        };
        assert_eq!(WebhookEvent::of_brake(&stays, "eu-west-1"), None);
    }
}
