//! The events of Okite's own doing about the emails of a request: that one waits, or that a recipient is suppressed.
//!
//! They are emitted together before the answer, once every row is settled. A request that dies before has no answer,
//! and the request that repeats it is answered from the rows and emits the same events. An answer does not fail because
//! an event cannot be emitted: the mail is sent, or waits, all the same.
//!
//! An email that is refused at once has no event: its caller is told so, and may send it again.

use std::sync::{Mutex, PoisonError};

use aws::NewMessage;
use domain::recipient::RecipientOutcome;
use domain::record::{MessageRecord, RecordedMail, RecordedRecipient, SenderState};
use domain::webhook::WebhookEvent;
use emitter::Emitter;
use jiff::Timestamp;

use crate::{Deadlines, NotSent};

/// The events of a request.
#[derive(Debug)]
pub(crate) struct OwnEvents {
    /// Whether anybody can hear of them.
    are_emitted: bool,
    events: Mutex<Vec<WebhookEvent>>,
}

impl OwnEvents {
    /// Begins without events.
    pub(crate) fn new(emitter: Option<&Emitter>) -> Self {
        Self {
            are_emitted: emitter.is_some(),
            events: Mutex::default(),
        }
    }

    /// Adds the events about an email that its record answers for.
    pub(crate) fn add_recorded(&self, record: &MessageRecord, now: Timestamp) {
        if self.are_emitted {
            self.add(record.waiting_events());
            self.add(record.end_events(now));
        }
    }

    /// Adds the events about an email that was accepted into the queue.
    pub(crate) fn add_waiting(&self, waiting: impl FnOnce() -> MessageRecord) {
        if self.are_emitted {
            self.add(waiting().waiting_events());
        }
    }

    /// Adds the events about an email that was attempted, or that no recipient is left for. `outcome` has SES's id of
    /// it, if it was sent.
    pub(crate) fn add_attempted(
        &self,
        message: &NewMessage<'_>,
        outcomes: &[RecipientOutcome],
        outcome: Result<Option<&str>, &NotSent>,
    ) {
        let written = match outcome {
            Ok(Some(_)) => SenderState::Sending,
            Ok(None) => SenderState::Suppressed,
            Err(NotSent::Unknown { .. }) => SenderState::Unknown,
            Err(_) => return,
        };
        let is_any_suppressed = outcomes.iter().any(|outcome| outcome.status.suppression().is_some());
        if !self.are_emitted || !is_any_suppressed {
            return;
        }
        let record = MessageRecord {
            ses_id: outcome.ok().flatten().map(str::to_owned),
            mail: RecordedMail::from(message.mail),
            recipients: outcomes.iter().map(RecordedRecipient::from).collect(),
            ..MessageRecord::new(message.id, written, message.created_at)
        };
        self.add(record.end_events(message.attempt_at));
    }

    fn add(&self, events: Vec<WebhookEvent>) {
        let mut all = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(events);
    }

    /// Emits them, if there is time.
    pub(crate) async fn emit(self, emitter: Option<&Emitter>, deadlines: &Deadlines) {
        let events = self.events.into_inner().unwrap_or_else(PoisonError::into_inner);
        emit_before_answering(emitter, &events, deadlines).await;
    }
}

/// Emits events that tell of the same as an answer, before it, if there is time. A failure is logged for an alarm.
pub(crate) async fn emit_before_answering(emitter: Option<&Emitter>, events: &[WebhookEvent], deadlines: &Deadlines) {
    let Some(emitter) = emitter.filter(|_| !events.is_empty()) else {
        return;
    };
    let emission = emitter.emit_or_log(events, deadlines.now());
    if deadlines.before_answering(emission).await.is_err() {
        let count = events.len();
        tracing::error!(
            cause = "not_emitted",
            count,
            "events for webhooks were not emitted: no time was left"
        );
    }
}
