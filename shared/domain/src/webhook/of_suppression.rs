//! The events about changes of the suppression list.

use jiff::Timestamp;

use crate::address::EmailAddress;
use crate::suppression::{SuppressionReason, TopicChoice};
use crate::unsubscribe::Topic;

use super::{EventId, EventKind, EventSubject, SuppressionChange, SuppressionEvent, WebhookEvent};

impl WebhookEvent {
    /// Makes the event about a change of the suppression list at `at`. Two events about the same change of an address
    /// at the same time have the same id.
    #[must_use]
    pub fn of_suppression(change: SuppressionEvent, at: Timestamp) -> Self {
        let kind = match change.change {
            SuppressionChange::Added => EventKind::SuppressionAdded,
            SuppressionChange::Removed => EventKind::SuppressionRemoved,
        };
        let identity = [
            change.source_id.as_deref().unwrap_or_default(),
            kind.as_str(),
            &change.email,
            change.reason.as_str(),
        ];
        // An event without a topic has the id that it had before there were topics.
        let topic = change.topic.as_ref().map(Topic::as_str);
        let identity: Vec<&str> = identity.into_iter().chain(topic).collect();
        Self {
            id: EventId::of(at, &identity),
            created_at: at,
            subject: EventSubject::Suppression(change),
        }
    }

    /// Makes the event that a person left a topic, or came back to it. `entry` is the id of the person's entry in the
    /// suppression list, and `source_id` the mail that led to the choice.
    #[must_use]
    pub fn of_choice(
        entry: String,
        address: &EmailAddress,
        topic: &Topic,
        choice: &TopicChoice,
        source_id: Option<String>,
    ) -> Self {
        let change = SuppressionEvent {
            id: entry,
            email: address.normalised().to_owned(),
            change: if choice.is_unsubscribed {
                SuppressionChange::Added
            } else {
                SuppressionChange::Removed
            },
            reason: SuppressionReason::Unsubscribed,
            topic: Some(topic.clone()),
            since: choice.at,
            source_id,
        };
        Self::of_suppression(change, choice.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_an_id_of_its_own() {
        let at: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let added = SuppressionEvent {
            id: "0199".to_owned(),
            email: "anna@example.net".to_owned(),
            change: SuppressionChange::Added,
            reason: SuppressionReason::Bounce,
            topic: None,
            since: at,
            source_id: None,
        };
        let id = |change: &SuppressionEvent| WebhookEvent::of_suppression(change.clone(), at).id;
        let event = WebhookEvent::of_suppression(added.clone(), at);
        assert_eq!((event.kind(), event.created_at), (EventKind::SuppressionAdded, at));
        assert_eq!(event.id, id(&added));
        let removed = SuppressionEvent {
            change: SuppressionChange::Removed,
            ..added.clone()
        };
        assert_eq!(
            WebhookEvent::of_suppression(removed.clone(), at).kind(),
            EventKind::SuppressionRemoved
        );
        for other in [
            removed,
            SuppressionEvent {
                email: "bob@example.net".to_owned(),
                ..added.clone()
            },
            SuppressionEvent {
                reason: SuppressionReason::Complaint,
                ..added.clone()
            },
            SuppressionEvent {
                topic: Some(Topic::parse("news").unwrap()),
                ..added.clone()
            },
            SuppressionEvent {
                source_id: Some("m-1".to_owned()),
                ..added.clone()
            },
        ] {
            assert_ne!(id(&other), event.id, "{other:?}");
        }
        let later = WebhookEvent::of_suppression(added, "2026-11-28T12:00:01Z".parse().unwrap());
        assert_ne!(later.id, event.id);
    }
}
