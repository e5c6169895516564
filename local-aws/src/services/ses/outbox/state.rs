//! The state of a mail: what SES has published about it so far.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state of a mail, from harmless to grave. The names are those of `last_event` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// SES accepted the mail.
    Sent,
    /// The receiving server accepted it.
    Delivered,
    /// A recipient opened it.
    Opened,
    /// A recipient followed a link of it.
    Clicked,
    /// The receiving server temporarily does not accept it.
    DeliveryDelayed,
    /// SES could not send it.
    Failed,
    /// The receiving server rejected it.
    Bounced,
    /// A recipient reported it as spam.
    Complained,
}

impl MailState {
    /// All states, in their order.
    pub(crate) const ALL: [Self; 8] = [
        Self::Sent,
        Self::Delivered,
        Self::Opened,
        Self::Clicked,
        Self::DeliveryDelayed,
        Self::Failed,
        Self::Bounced,
        Self::Complained,
    ];

    /// Returns the name, as JSON has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Opened => "opened",
            Self::Clicked => "clicked",
            Self::DeliveryDelayed => "delivery_delayed",
            Self::Failed => "failed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    fn of_event(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "Send" => Self::Sent,
            "Delivery" => Self::Delivered,
            "Open" => Self::Opened,
            "Click" => Self::Clicked,
            "DeliveryDelay" => Self::DeliveryDelayed,
            "Reject" | "Rendering Failure" => Self::Failed,
            "Bounce" => Self::Bounced,
            "Complaint" => Self::Complained,
            _ => return None,
        })
    }

    fn is_final(self) -> bool {
        !matches!(self, Self::Sent | Self::DeliveryDelayed)
    }

    /// Returns the state after another event about the same recipient. A final event goes before a delay, and the worst
    /// final event counts, because a complaint follows a delivery.
    fn then(self, next: Self) -> Self {
        match (self.is_final(), next.is_final()) {
            (true, false) => self,
            (false, true) => next,
            (true, true) | (false, false) => self.max(next),
        }
    }
}

/// An event that SES published about a mail, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailNews {
    /// SES's id of the mail.
    pub(crate) ses_message_id: String,
    pub(crate) state: MailState,
    /// The recipients that it is about; none if it is about the mail.
    pub(crate) recipients: Vec<String>,
}

impl MailNews {
    /// Reads the JSON of an event in either form that SES publishes; nothing if it is no such event.
    pub(crate) fn read(event: &Value) -> Option<Self> {
        let kind = event["eventType"].as_str().or(event["notificationType"].as_str())?;
        let state = MailState::of_event(kind)?;
        let listed = match state {
            MailState::Delivered => &event["delivery"]["recipients"],
            MailState::Bounced => &event["bounce"]["bouncedRecipients"],
            MailState::Complained => &event["complaint"]["complainedRecipients"],
            MailState::DeliveryDelayed => &event["deliveryDelay"]["delayedRecipients"],
            _ => &Value::Null,
        };
        let address = |each: &Value| each.as_str().or(each["emailAddress"].as_str()).map(str::to_owned);
        Some(Self {
            ses_message_id: event["mail"]["messageId"].as_str()?.to_owned(),
            state,
            recipients: listed.as_array().into_iter().flatten().filter_map(address).collect(),
        })
    }
}

/// What is known of a mail, by its recipients. The empty name stands for the mail itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MailProgress(Vec<(String, MailState)>);

impl MailProgress {
    /// Returns the state of the mail: of all recipients, the worst counts.
    pub(crate) fn state(&self) -> MailState {
        let states = self.0.iter().map(|(_, state)| *state);
        states.max().unwrap_or(MailState::Sent)
    }

    /// Adds an event about a recipient, and returns whether it changed anything.
    pub(crate) fn add(&mut self, recipient: &str, state: MailState) -> bool {
        match self.0.iter_mut().find(|(known, _)| known == recipient) {
            Some((_, known)) => {
                let next = known.then(state);
                std::mem::replace(known, next) != next
            }
            // Every mail in the outbox was sent.
            None if state == MailState::Sent => false,
            None => {
                self.0.push((recipient.to_owned(), state));
                true
            }
        }
    }

    /// Lists what is known of each recipient.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = (&str, MailState)> {
        self.0.iter().map(|(recipient, state)| (recipient.as_str(), *state))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_worst_of_all_recipients_counts() {
        use MailState::{Bounced, Clicked, Complained, Delivered, DeliveryDelayed, Opened, Sent};
        for (events, state) in [
            (&[][..], Sent),
            (&[("", Sent), ("a", Delivered)], Delivered),
            (&[("a", DeliveryDelayed), ("a", Delivered)], Delivered),
            (&[("a", Delivered), ("a", DeliveryDelayed)], Delivered),
            (&[("a", Delivered), ("b", DeliveryDelayed)], DeliveryDelayed),
            (&[("a", Delivered), ("", Opened), ("", Clicked), ("", Opened)], Clicked),
            (&[("a", Bounced), ("b", Delivered)], Bounced),
            (&[("a", Complained), ("a", Delivered)], Complained),
        ] {
            let mut progress = MailProgress::default();
            for (recipient, state) in events {
                progress.add(recipient, *state);
            }
            assert_eq!(progress.state(), state, "{events:?}");
        }
    }

    #[test]
    fn reads_events_in_both_forms() {
        let news = |event: Value| MailNews::read(&event).map(|news| (news.state, news.recipients.join(",")));
        let told = |state, recipients: &str| Some((state, recipients.to_owned()));
        for (event, expected) in [
            (
                json!({"eventType": "Delivery", "mail": {"messageId": "m"}, "delivery": {"recipients": ["a", "b"]}}),
                told(MailState::Delivered, "a,b"),
            ),
            (
                json!({"notificationType": "Bounce", "mail": {"messageId": "m"},
                       "bounce": {"bouncedRecipients": [{"emailAddress": "a"}]}}),
                told(MailState::Bounced, "a"),
            ),
            (
                json!({"eventType": "Open", "mail": {"messageId": "m"}}),
                told(MailState::Opened, ""),
            ),
            (
                json!({"eventType": "Bounce", "mail": {"messageId": "m"}, "bounce": 7}),
                told(MailState::Bounced, ""),
            ),
            (json!({"eventType": "Bounce", "bounce": {}}), None),
            (json!({"eventType": "Subscription", "mail": {"messageId": "m"}}), None),
            (json!("hello"), None),
        ] {
            assert_eq!(news(event.clone()), expected, "{event}");
        }
    }

    #[test]
    fn names_are_those_of_the_json() {
        for state in MailState::ALL {
            assert_eq!(json!(state), json!(state.name()));
        }
    }

    proptest! {
        /// Events may come in any order, and twice.
        #[test]
        fn the_order_of_events_does_not_matter(
            events in proptest::collection::vec((0..3_usize, 0..MailState::ALL.len()), 0..12),
            turn in 0..12_usize,
        ) {
            let after = |events: &[(usize, usize)]| {
                let mut progress = MailProgress::default();
                for (recipient, state) in events {
                    progress.add(["", "a", "b"][*recipient], MailState::ALL[*state]);
                }
                progress.state()
            };
            let mut turned = events.clone();
            turned.rotate_left(turn.checked_rem(events.len()).unwrap_or(0));
            turned.extend(events.iter().copied().take(3));
            prop_assert_eq!(after(&events), after(&turned));
        }
    }
}
