//! The consequence of an attempt: of the answer of the receiver, or of an error that came instead of one.

use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver answered.
    Answered {
        /// The status of the answer.
        status: u16,
        /// The wait that it asks for in the header `retry-after`.
        retry_after: Option<Duration>,
    },
    /// There was no answer.
    Failed(AttemptError),
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    /// The guard allows no request to this URL.
    #[error("the URL is not allowed: it must be https to a host of the public internet")]
    NotAllowed,
    /// The name has an address that is not public.
    #[error("the host has an address that does not belong to the public internet")]
    NotPublic,
    /// The name has no address.
    #[error("the host has no address")]
    NotResolved,
    /// The connection was not accepted.
    #[error("the connection was not accepted")]
    NotConnected,
    /// The certificate is not valid, or the two sides do not agree on TLS.
    #[error("TLS failed: the certificate must be valid for the host, with its chain")]
    Tls,
    /// The connection was closed before there was an answer, or the answer is not HTTP.
    #[error("the connection was closed before there was an answer of HTTP/1.1")]
    NoAnswer,
    /// There was no answer in time.
    #[error("there was no answer within 15 seconds")]
    TimedOut,
}

impl AttemptError {
    /// Returns a word by which a log line and the record of an attempt name the error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::NotPublic => "not_public",
            Self::NotResolved => "not_resolved",
            Self::NotConnected => "not_connected",
            Self::Tls => "tls",
            Self::NoAnswer => "no_answer",
            Self::TimedOut => "timed_out",
        }
    }
}

/// The consequence of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The receiver has the event.
    Delivered,
    /// The receiver does not have the event. It is tried again.
    Failed {
        /// The wait that the receiver asks for.
        retry_after: Option<Duration>,
    },
    /// The receiver wants no events any more.
    Gone,
}

impl AttemptOutcome {
    /// Judges the attempt. A redirect is a failure: to follow it would be a request to a URL that nobody registered.
    #[must_use]
    pub fn judge(self) -> Judgement {
        match self {
            Self::Answered { status: 200..=299, .. } => Judgement::Delivered,
            Self::Answered { status: 410, .. } => Judgement::Gone,
            // Too many requests, and unavailable: only with these does the header tell when to come again.
            Self::Answered {
                status: 429 | 503,
                retry_after,
            } => Judgement::Failed { retry_after },
            Self::Answered { .. } | Self::Failed(_) => Judgement::Failed { retry_after: None },
        }
    }

    /// Returns the status of the answer.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(status),
            Self::Failed(_) => None,
        }
    }

    /// Returns why there was no answer.
    #[must_use]
    pub fn error(self) -> Option<AttemptError> {
        match self {
            Self::Answered { .. } => None,
            Self::Failed(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_consequence() {
        let wait = Duration::from_mins(1);
        for status in 0..=999 {
            let judged = AttemptOutcome::Answered {
                status,
                retry_after: Some(wait),
            }
            .judge();
            let expected = match status {
                200..=299 => Judgement::Delivered,
                410 => Judgement::Gone,
                429 | 503 => Judgement::Failed {
                    retry_after: Some(wait),
                },
                _ => Judgement::Failed { retry_after: None },
            };
            assert_eq!(judged, expected, "{status}");
        }
    }

    #[test]
    fn an_attempt_without_an_answer_failed() {
        let outcome = AttemptOutcome::Failed(AttemptError::TimedOut);
        assert_eq!(outcome.judge(), Judgement::Failed { retry_after: None });
        assert_eq!(
            (outcome.status(), outcome.error()),
            (None, Some(AttemptError::TimedOut))
        );
    }
}
