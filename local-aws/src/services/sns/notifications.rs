//! The messages on the operators' topic, which is not in the template and has no subscribers here.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// The number of messages that are kept, the newest.
const KEPT: usize = 1_000;

/// A message to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// The ARN of the topic.
    pub topic_arn: String,
    /// The subject of the mail that a subscribed operator gets.
    pub subject: Option<String>,
    /// The text of the message.
    pub message: String,
    /// The time of publication.
    pub at: Timestamp,
}

/// The newest notifications, in memory.
#[derive(Debug, Default)]
pub(super) struct Notifications(Mutex<VecDeque<Notification>>);

impl Notifications {
    pub(super) fn keep(&self, notification: Notification) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(notification);
    }

    /// Lists the messages, oldest first.
    pub(super) fn list(&self) -> Vec<Notification> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_thousand_are_kept_in_their_order() {
        let notifications = Notifications::default();
        for number in 0..=KEPT {
            notifications.keep(Notification {
                topic_arn: "t".to_owned(),
                subject: None,
                message: number.to_string(),
                at: Timestamp::UNIX_EPOCH,
            });
        }
        let kept = notifications.list();
        let ends = (kept[0].message.as_str(), kept[KEPT - 1].message.as_str());
        assert_eq!((kept.len(), ends), (KEPT, ("1", "1000")));
    }
}
