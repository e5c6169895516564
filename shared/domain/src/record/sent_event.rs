//! SES's event `Send`, made from the row of a message.
//!
//! The row says that SES took a mail, and when. The event would cost two writes to say it once more, so it is written
//! only if the row does not say it.

use super::{MessageRecord, RecordedEvent};

/// SES's type of the event.
pub const SEND: &str = "Send";

impl MessageRecord {
    /// Adds the event `Send` if the row says that SES took the message and the events that were read do not.
    pub fn add_sent_event(&mut self) {
        let Some(sent_at) = self.sent_at.filter(|_| self.ses_id.is_some()) else {
            return;
        };
        if self.events.iter().any(|event| event.kind == SEND) {
            return;
        }
        // Our time is that of SES's answer. What happened to the mail since has SES's time, and may seem earlier.
        let first = self.events.iter().map(|event| event.at).fold(sent_at, Ord::min);
        let at = first.max(self.attempt_at.unwrap_or(self.created_at).min(sent_at));
        self.events.push(RecordedEvent {
            kind: SEND.to_owned(),
            at,
            recipient: None,
            subtype: None,
            diagnostic: None,
            bounce_reason: None,
            forwarded: false,
            engagement: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::super::SenderState;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// A mail whose attempt began at 10 and that SES took at 12, with these events.
    fn sent(events: &[(&str, i64)]) -> MessageRecord {
        let event = |&(kind, seconds): &(&str, i64)| RecordedEvent {
            kind: kind.to_owned(),
            at: at(seconds),
            recipient: None,
            subtype: None,
            diagnostic: None,
            bounce_reason: None,
            forwarded: false,
            engagement: None,
        };
        MessageRecord {
            attempt_at: Some(at(10)),
            ses_id: Some("s".to_owned()),
            sent_at: Some(at(12)),
            events: events.iter().map(event).collect(),
            ..MessageRecord::new(Uuid::nil(), SenderState::Sending, at(5))
        }
    }

    #[test]
    fn the_row_of_a_sent_mail_makes_the_event_at_the_time_of_sess_answer() {
        for events in [&[][..], &[("Delivery", 20)]] {
            let mut record = sent(events);
            record.add_sent_event();
            let added = record.events.last().unwrap();
            assert_eq!((added.kind.as_str(), added.at), (SEND, at(12)));
            assert_eq!(record.events.len(), events.len() + 1);
        }
    }

    #[test]
    fn the_event_is_no_later_than_others_and_no_earlier_than_the_attempt() {
        for (delivered, shown) in [(11, 11), (9, 10), (0, 10)] {
            let mut record = sent(&[("Delivery", delivered)]);
            record.add_sent_event();
            assert_eq!(record.events[1].at, at(shown), "{delivered}");
        }
        // An attempt that began after the answer: two clocks.
        let mut record = sent(&[]);
        record.attempt_at = Some(at(13));
        record.add_sent_event();
        assert_eq!(record.events[0].at, at(12));
    }

    #[test]
    fn an_event_of_ses_is_not_doubled_and_a_row_that_says_less_makes_none() {
        let mut known = sent(&[("Send", 11)]);
        let mut unsettled = sent(&[]);
        unsettled.sent_at = None;
        let mut without_id = sent(&[]);
        without_id.ses_id = None;
        for record in [&mut known, &mut unsettled, &mut without_id] {
            let before = record.clone();
            record.add_sent_event();
            assert_eq!(*record, before);
        }
    }
}
