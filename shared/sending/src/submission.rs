//! The values that a front hands to the pipeline and gets back.

use std::time::Duration;

use domain::idempotency::RequestKey;
use domain::message::Mail;
use domain::queue::WhenBusy;
use domain::recipient::{OnSuppressed, RecipientOutcome};
use domain::record::{DeliveryState, MessageRecord, RecordedRecipient};
use domain::stream::Stream;
use jiff::Timestamp;
use uuid::Uuid;

use crate::NotSent;

/// One email to be sent.
#[derive(Debug)]
pub struct Submission {
    /// Its place in the request, from 0: its id follows that of the first email by so much, see
    /// [`domain::idempotency::nth_id`].
    pub place: usize,
    /// The mail, with its envelope.
    pub mail: Mail,
    /// The consequence of a suppressed recipient for the others.
    pub on_suppressed: OnSuppressed,
    /// The caller's choice if there is no room for it now.
    pub when_busy: WhenBusy,
    /// When the caller wants it to be sent. A time that is not after the request's arrival is now.
    pub scheduled_at: Option<Timestamp>,
    /// When it becomes `failed` if it waits and is not sent. It is after `scheduled_at`. Without one, the deployment's
    /// default counts: see [`domain::queue::DeadlineDefaults`].
    pub deadline: Option<Timestamp>,
    /// Whether it is too late for it, so that only an earlier request can have attempted it: one of these times is
    /// over, or that of another email which it is not sent without. Its record answers for it then; without one, it is
    /// invalid, and is never attempted.
    pub is_too_late: bool,
}

impl Submission {
    /// Returns whether it is to be sent later than at `now`.
    pub(crate) fn is_scheduled(&self, now: Timestamp) -> bool {
        self.scheduled_at.is_some_and(|at| at > now)
    }
}

/// The common parts of all submissions of one request.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The id of the API key.
    pub key_id: &'a str,
    /// The stream that the mail belongs to.
    pub stream: Stream,
    /// The request's idempotency key; without one, a repeated request sends again.
    pub key: Option<RequestKey>,
    /// How many emails the request's body has. Some may be invalid and not be submitted, and have a record all the
    /// same: headers and the rights of the API key also decide which are valid, and these may change between two
    /// requests.
    pub emails: usize,
    /// How long the emails may wait for their slots.
    pub patience: Patience,
    /// The new ids of the request.
    pub ids: Ids,
}

/// How long emails may wait for their slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// At most this long, counted from when the gate is asked. SES's throttling counts against the same time.
    Within(Duration),
    /// As long as the invocation leaves time to send; each email may then be throttled for the deployment's usual wait.
    UntilDeadline,
}

/// The new ids of one request.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// The id of the first message that the request may make (`UUIDv7`).
    pub message: Uuid,
    /// Marks the writes of this request; retry delays are drawn from it.
    pub nonce: Uuid,
}

/// An email that Okite answers for: it was sent, had nobody left to go to, or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Our id of the email.
    pub id: Uuid,
    /// Its outcome.
    pub became: Became,
    /// SES's id of it; `None` if it is not sent, or if SES's id is not on record yet.
    pub ses_id: Option<String>,
    /// The outcome for each recipient, in the order To, Cc, Bcc.
    pub recipients: Vec<RecordedRecipient>,
}

/// The outcome of an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// SES accepted it.
    Sent,
    /// Every recipient on the To line is suppressed, so nothing was sent.
    Suppressed,
    /// It is in the queue, or was in it: a repeated request is answered so whatever became of the mail since, unless it
    /// was sent or its recipients were suppressed. Its record says more.
    Queued,
    /// It waits for this time.
    Scheduled(Timestamp),
}

impl Receipt {
    /// Makes the receipt of an email that was sent, or that has no recipient left if there is no `ses_id`.
    pub(crate) fn new(id: Uuid, ses_id: Option<String>, recipients: &[RecipientOutcome]) -> Self {
        let became = if ses_id.is_some() {
            Became::Sent
        } else {
            Became::Suppressed
        };
        Self {
            ses_id,
            ..Self::waiting(id, became, recipients)
        }
    }

    /// Makes the receipt of an email that waits.
    pub(crate) fn waiting(id: Uuid, became: Became, recipients: &[RecipientOutcome]) -> Self {
        Self {
            id,
            became,
            ses_id: None,
            recipients: recipients.iter().map(RecordedRecipient::from).collect(),
        }
    }

    /// Makes the receipt of an email that a record answers for.
    pub(crate) fn of(record: &MessageRecord, now: Timestamp) -> Self {
        let became = match record.state(now) {
            DeliveryState::Sent => Became::Sent,
            DeliveryState::Suppressed => Became::Suppressed,
            DeliveryState::Scheduled(at) => Became::Scheduled(at),
            DeliveryState::Queued
            | DeliveryState::Sending(_)
            | DeliveryState::Refused
            | DeliveryState::Failed
            | DeliveryState::Canceled
            | DeliveryState::Unknown => Became::Queued,
        };
        Self {
            id: record.id,
            became,
            ses_id: record.ses_id.clone(),
            recipients: record.recipients.clone(),
        }
    }
}

/// The outcomes of a request's emails.
#[derive(Debug)]
pub struct Outcomes {
    /// The id of the email at place 0; a repeated request has that of the first one.
    pub first: Uuid,
    /// One outcome for each submission, in their order.
    pub each: Vec<Result<Receipt, NotSent>>,
}
