//! The values that a front hands to the pipeline and gets back.

use std::time::Duration;

use domain::idempotency::RequestKey;
use domain::message::Email;
use domain::recipient::{OnSuppressed, RecipientOutcome};
use domain::record::{MessageRecord, RecordedRecipient};
use domain::stream::Stream;
use uuid::Uuid;

use crate::NotSent;

/// One email to be sent.
#[derive(Debug)]
pub struct Submission {
    /// Its place in the request, from 0: its id follows that of the first email by so much, see
    /// [`domain::idempotency::nth_id`].
    pub place: usize,
    /// The email.
    pub email: Email,
    /// The consequence of a suppressed recipient for the others.
    pub on_suppressed: OnSuppressed,
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

/// An email that was sent, or that had nobody left to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Our id of the email.
    pub id: Uuid,
    /// SES's id of it; `None` if every recipient on the To line is suppressed, so that nothing was sent, or if SES's id
    /// is not on record yet.
    pub ses_id: Option<String>,
    /// The outcome for each recipient, in the order To, Cc, Bcc.
    pub recipients: Vec<RecordedRecipient>,
}

impl Receipt {
    pub(crate) fn new(id: Uuid, ses_id: Option<String>, recipients: &[RecipientOutcome]) -> Self {
        Self {
            id,
            ses_id,
            recipients: recipients.iter().map(RecordedRecipient::from).collect(),
        }
    }
}

impl From<&MessageRecord> for Receipt {
    fn from(record: &MessageRecord) -> Self {
        Self {
            id: record.id,
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
