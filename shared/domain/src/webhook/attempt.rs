//! One request to an endpoint, and the decision that follows it.

use std::time::Duration;

use jiff::Timestamp;

/// The attempts of a delivery that are kept, the newest ones.
pub const ATTEMPTS_KEPT: usize = 20;
/// The most bytes of an answer that are kept.
pub const ANSWER_MAX: usize = 4_096;

/// One request to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began. It distinguishes the attempt from the others of the delivery.
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The failure in words, if there was no answer.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
    /// The beginning of the answer's body, at most [`ANSWER_MAX`] bytes.
    pub answer: String,
}

/// The decision that follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAttempt {
    /// The endpoint has the event.
    Delivered,
    /// The delivery comes again as a message of SQS.
    InQueue,
    /// The sweep hands the delivery over at this time.
    WakeAt(Timestamp),
    /// There is no further attempt.
    Failed,
    /// The attempt was a probe before the delivery was due. It is kept in the log and changes nothing else.
    AsBefore,
}
