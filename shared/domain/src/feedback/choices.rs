//! The choices about topics that SES reports: SES's list management took them, and not a link of Okite.
//!
//! An event `Subscription` says what a person chose, and a bounce `UnsubscribedRecipient` that SES did not send because
//! of an earlier choice. Both are about the topic of the mail, which Okite's tag names. SES has topics of its own in
//! its contact list. One with the name of a topic of Okite is that topic, and any other counts as the topic of the
//! mail.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::event::Mail;
use super::{FeedbackClass, FeedbackEvent, RecipientFact, address, message_event};
use crate::address::EmailAddress;
use crate::suppression::TopicChoice;
use crate::unsubscribe::Topic;
use crate::webhook::WebhookEvent;

/// The tag that carries the topic of a mail.
pub const TOPIC_TAG: &str = "okite_topic";
/// The field that says whether the person left the whole contact list.
const ALL: &str = "unsubscribeAll";
/// The word of SES for a person who left a topic.
const LEFT: &str = "OptOut";
/// The most topics of an event that are read. A contact list of SES has at most 20.
const TOPICS_MAX: usize = 20;

/// A choice of one person about one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedChoice {
    /// The person.
    pub address: EmailAddress,
    /// The topic.
    pub topic: Topic,
    /// The choice, at SES's time and with SES's id of the event as its source.
    pub choice: TopicChoice,
}

impl FeedbackEvent {
    /// Makes the event that a person left a topic, or came back to it. `id` is that of the entry of the list.
    #[must_use]
    pub fn topic_chosen(&self, reported: &ReportedChoice, id: String) -> WebhookEvent {
        let ReportedChoice { address, topic, choice } = reported;
        let okite_id = self.message.as_ref().and_then(|message| message.message_id);
        let source = okite_id
            .map(|id| id.to_string())
            .or_else(|| self.ses_message_id.clone());
        WebhookEvent::of_choice(id, address, topic, choice, source)
    }
}

/// Returns the choices that the facts of a bounce tell of: SES did not send to these people because they left.
pub(super) fn of_facts(mail: &Mail, facts: &[RecipientFact]) -> Vec<ReportedChoice> {
    let left = facts.iter().filter(|fact| fact.class == FeedbackClass::Unsubscribed);
    let choice = |fact: &RecipientFact| ReportedChoice {
        address: fact.address.clone(),
        topic: topic_of(mail),
        choice: TopicChoice {
            at: fact.at,
            is_unsubscribed: true,
            source: fact.feedback_id.clone(),
        },
    };
    left.map(choice).collect()
}

/// Returns the choices of an event `Subscription`.
///
/// Every topic that the person has left now counts, whether the event changed it or not. A topic to which the person
/// came back counts only if the event says that the person had left it before: a preference that SES repeats must not
/// undo a choice that Okite's link took.
///
/// The event does not name the person, so it tells nothing about a mail with several recipients.
pub(super) fn of_subscription(
    mail: &Mail,
    subscription: Option<&Value>,
    at: Timestamp,
    source: &str,
) -> Vec<ReportedChoice> {
    let preferences = |name: &str| subscription.and_then(|subscription| subscription.get(name));
    let Some(now) = preferences("newTopicPreferences").filter(|now| now.is_object()) else {
        return Vec::new();
    };
    let recipients = message_event::only_recipient(mail);
    let mut addresses = recipients.iter().flat_map(|(text, _)| address::read_all(text));
    let (Some(address), None) = (addresses.next(), addresses.next()) else {
        return Vec::new();
    };
    let topic = topic_of(mail);
    let before = preferences("oldTopicPreferences").map(|before| has_left(before, &topic));
    let is_complete = now.get(ALL).is_some_and(Value::is_boolean);
    let had_left = |topic: &Topic| before.as_ref().and_then(|before| before.get(topic)) == Some(&true);
    has_left(now, &topic)
        .into_iter()
        .filter(|(topic, left)| *left || is_complete && had_left(topic))
        .map(|(topic, is_unsubscribed)| ReportedChoice {
            address: address.clone(),
            topic,
            choice: TopicChoice {
                at,
                is_unsubscribed,
                source: source.to_owned(),
            },
        })
        .collect()
}

/// Returns for each topic of the preferences, and for that of the mail, whether the person has left it.
fn has_left(preferences: &Value, topic: &Topic) -> BTreeMap<Topic, bool> {
    let left_all = preferences.get(ALL).and_then(Value::as_bool) == Some(true);
    let mut all = BTreeMap::from([(topic.clone(), left_all)]);
    let listed = preferences.get("topicSubscriptionStatus").and_then(Value::as_array);
    for status in listed.into_iter().flatten().take(TOPICS_MAX) {
        let text = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or_default();
        let named = Topic::parse(text("topicName")).unwrap_or_else(|_| topic.clone());
        let left = left_all || text("subscriptionStatus").eq_ignore_ascii_case(LEFT);
        // Of several topics of SES that count as one, the one that the person left decides.
        *all.entry(named).or_default() |= left;
    }
    all
}

/// Returns the topic of a mail. One without a tag, or with a tag that Okite did not write, has the topic of mail whose
/// caller named none.
fn topic_of(mail: &Mail) -> Topic {
    let tag = mail.tag(TOPIC_TAG).and_then(Value::as_str);
    tag.and_then(|text| Topic::parse(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Feedback, read};
    use super::*;
    use crate::suppression::TopicChoices;
    use crate::webhook::SuppressionChange;

    fn event(message: &Value) -> FeedbackEvent {
        let received = "2026-03-01T00:00:00Z".parse().unwrap();
        match read(&message.to_string(), received).unwrap() {
            Feedback::Event(event) => *event,
            Feedback::SetUp => panic!("a set-up message"),
        }
    }

    fn mail(tag: &Value, destination: &Value) -> Value {
        json!({"messageId": "m-1", "timestamp": "2026-01-01T00:00:00.000Z", "destination": destination,
               "sendingAccountId": "123456789012", "tags": {"okite_topic": tag}})
    }

    fn subscription(tag: &Value, now: &Value, before: &Value) -> FeedbackEvent {
        event(&json!({
            "eventType": "Subscription",
            "mail": mail(tag, &json!(["Anna <Anna@Example.net>"])),
            "subscription": {
                "contactList": "Readers", "timestamp": "2026-02-01T00:00:00.000Z", "source": "UnsubscribeHeader",
                "newTopicPreferences": now, "oldTopicPreferences": before,
            },
        }))
    }

    /// Returns the topics of an event, with `-` before those that the person left.
    fn told(event: &FeedbackEvent) -> Vec<String> {
        let told = event.choices.iter().map(|reported| {
            let sign = if reported.choice.is_unsubscribed { "-" } else { "+" };
            format!("{sign}{}", reported.topic)
        });
        told.collect()
    }

    #[test]
    fn a_person_leaves_the_topic_of_the_mail_at_the_time_of_ses() {
        let all = json!({"unsubscribeAll": true, "topicSubscriptionStatus": []});
        let event = subscription(&json!(["news"]), &all, &json!({"unsubscribeAll": false}));
        let [reported] = event.choices.as_slice() else {
            panic!("{:?}", event.choices)
        };
        assert_eq!(reported.address.normalised(), "anna@example.net");
        let expected = TopicChoice {
            at: "2026-02-01T00:00:00Z".parse().unwrap(),
            is_unsubscribed: true,
            source: "m-1".to_owned(),
        };
        assert_eq!((reported.topic.as_str(), &reported.choice), ("news", &expected));
        assert!(event.facts.is_empty() && event.marks.is_empty() && event.message.is_none());
        assert!(!event.lists_nobody);
        let webhook = event.topic_chosen(reported, "e-1".to_owned());
        assert_eq!(webhook, event.topic_chosen(reported, "e-1".to_owned()));
        let crate::webhook::EventSubject::Suppression(change) = webhook.subject else {
            panic!("{webhook:?}")
        };
        assert_eq!(change.change, SuppressionChange::Added);
        assert_eq!(
            (change.topic, change.since),
            (Some(reported.topic.clone()), expected.at)
        );
    }

    #[test]
    fn reads_the_preferences_of_a_contact_list() {
        let of = |all: bool, topics: &[(&str, &str)]| {
            let topics = topics
                .iter()
                .map(|(name, status)| json!({"topicName": name, "subscriptionStatus": status}));
            json!({"unsubscribeAll": all, "topicSubscriptionStatus": topics.collect::<Vec<_>>()})
        };
        let none = Value::Null;
        let here = of(false, &[]);
        for (tag, now, before, expected) in [
            // A topic of SES with a name that Okite knows is that topic.
            (
                json!(["news"]),
                of(false, &[("sale", "OptOut")]),
                here.clone(),
                vec!["-sale"],
            ),
            (
                json!(["news"]),
                of(true, &[("sale", "OptIn")]),
                here.clone(),
                vec!["-news", "-sale"],
            ),
            // AWS's example: its topic was left before, and is none of Okite.
            (
                json!(["news"]),
                of(true, &[("ExampleTopicName", "OptOut")]),
                of(false, &[("ExampleTopicName", "OptOut")]),
                vec!["-news"],
            ),
            (
                json!(["news"]),
                of(false, &[("Other", "OptOut"), ("More", "OptIn")]),
                here.clone(),
                vec!["-news"],
            ),
            // Only a topic that was left before is come back to.
            (json!(["news"]), of(false, &[("sale", "OptIn")]), here.clone(), vec![]),
            (
                json!(["news"]),
                of(false, &[("sale", "OptIn")]),
                of(false, &[("sale", "OptOut")]),
                vec!["+sale"],
            ),
            (json!(["news"]), here.clone(), of(true, &[]), vec!["+news"]),
            (json!(["news"]), here.clone(), none.clone(), vec![]),
            // Without a topic, and with a tag that is none.
            (json!([]), of(true, &[]), none.clone(), vec!["-default"]),
            (none.clone(), of(true, &[]), none.clone(), vec!["-default"]),
            (json!(["No Topic"]), of(true, &[]), none.clone(), vec!["-default"]),
            // Other shapes say nothing.
            (json!(["news"]), none.clone(), of(true, &[]), vec![]),
            (json!(["news"]), json!("OptOut"), none.clone(), vec![]),
            (json!(["news"]), json!({}), of(true, &[]), vec![]),
            (
                json!(["news"]),
                json!({"unsubscribeAll": "yes", "topicSubscriptionStatus": 7}),
                none.clone(),
                vec![],
            ),
        ] {
            assert_eq!(
                told(&subscription(&tag, &now, &before)),
                expected,
                "{tag} {now} {before}"
            );
        }
    }

    #[test]
    fn a_mail_to_several_people_tells_of_nobody() {
        let all = json!({"newTopicPreferences": {"unsubscribeAll": true}});
        for destination in [json!(["a@example.net", "b@example.net"]), json!([]), json!(["-"])] {
            let event = event(&json!({
                "eventType": "Subscription", "mail": mail(&json!(["news"]), &destination), "subscription": all,
            }));
            assert_eq!(event.choices, [], "{destination}");
        }
    }

    #[test]
    fn a_mail_that_ses_did_not_send_is_a_choice_of_each_listed_recipient() {
        let bounce = |sub_type: &str| {
            event(&json!({
                "eventType": "Bounce",
                "mail": mail(&json!(["news"]), &json!(["bystander@example.org"])),
                "bounce": {"bounceType": "Permanent", "bounceSubType": sub_type, "feedbackId": "f-1",
                           "timestamp": "2026-02-01T00:00:00.000Z",
                           "bouncedRecipients": [{"emailAddress": "anna@example.net"}]},
            }))
        };
        let unsubscribed = bounce("UnsubscribedRecipient");
        assert_eq!(told(&unsubscribed), ["-news"]);
        let reported = &unsubscribed.choices[0];
        assert_eq!(reported.address.normalised(), "anna@example.net");
        assert_eq!(reported.choice.source, "f-1");
        assert!(!unsubscribed.facts[0].class.suppresses());
        assert_eq!(unsubscribed.marks, []);
        assert_eq!(bounce("General").choices, []);
    }

    fn any_preferences() -> impl Strategy<Value = Value> {
        let status = prop::sample::select(vec!["OptIn", "OptOut", "optout", "?"]);
        let topics = prop::collection::vec(("[a-cA]", status), 0..5);
        (any::<bool>(), topics).prop_map(|(all, topics)| {
            let topics = topics
                .iter()
                .map(|(name, status)| json!({"topicName": name, "subscriptionStatus": status}));
            json!({"unsubscribeAll": all, "topicSubscriptionStatus": topics.collect::<Vec<_>>()})
        })
    }

    proptest! {
        /// Copies and another order lead to the same choices, and nobody who left is subscribed by what SES tells.
        #[test]
        fn neither_order_nor_copies_matter(events in prop::collection::vec((any_preferences(), any_preferences()), 0..4)) {
            let told: Vec<_> = events
                .iter()
                .flat_map(|(now, before)| subscription(&json!(["a"]), now, before).choices)
                .collect();
            let apply = |all: &mut dyn Iterator<Item = &ReportedChoice>| {
                let mut choices = TopicChoices::default();
                for reported in all {
                    choices.add(reported.topic.clone(), reported.choice.clone());
                }
                choices
            };
            prop_assert_eq!(
                apply(&mut told.iter()),
                apply(&mut told.iter().rev().chain(&told))
            );
        }
    }
}
