//! The reasons why a request has no answer.
//!
//! It matters most whether a request was written. SES may have taken a mail whose request was written, so that mail is
//! never sent again. [`NeverSent`] is the proof that nothing was written, and no other error is.

use std::error::Error;
use std::io;

use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::retry::ErrorKind;

/// No byte of the request was written to any connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NeverSent {
    /// The request cannot be expressed, or its URL names no host that can be called.
    #[error("the request cannot be written: check the endpoint's URL")]
    Unusable,
    /// The host has no address.
    #[error("the name of the endpoint cannot be resolved: {0}")]
    NotResolved(#[source] io::Error),
    /// No address of the host takes connections.
    #[error("no connection to the endpoint could be opened: {0}")]
    NotConnected(#[source] io::Error),
    /// The endpoint does not speak TLS, or its certificate is not trusted.
    #[error("the endpoint failed the TLS handshake: {0}")]
    Tls(#[source] io::Error),
    /// There was no connection in time.
    #[error("no connection to the endpoint was open within the time limit")]
    TooSlow,
    /// A connection that had just been opened was closed.
    #[error("the endpoint closed a new connection: {0}")]
    Closed(#[source] hyper::Error),
}

#[cfg(any(feature = "ses", test))]
impl NeverSent {
    /// Returns whether an error, or a cause of it, is the proof that nothing was written.
    pub(crate) fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::is_cause_of)
    }
}

impl From<NeverSent> for ConnectorError {
    fn from(failure: NeverSent) -> Self {
        match failure {
            NeverSent::Unusable => Self::user(failure.into()),
            NeverSent::TooSlow => Self::timeout(failure.into()),
            NeverSent::NotResolved(_) | NeverSent::NotConnected(_) | NeverSent::Tls(_) | NeverSent::Closed(_) => {
                Self::io(failure.into())
            }
        }
        .never_connected()
    }
}

/// The connection failed after the request, or a part of it, may have been written. The kinds are those of the SDK's
/// own connector, so the SDK retries the same failures.
pub(super) fn lost(error: hyper::Error) -> ConnectorError {
    let is_io = error.is_closed() || error.is_canceled() || has_io_error(&error);
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_user() {
        ConnectorError::user(error.into())
    } else if is_io {
        ConnectorError::io(error.into())
    } else if error.is_incomplete_message() {
        ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
    } else {
        ConnectorError::other(error.into(), None)
    }
}

fn has_io_error(error: &(dyn Error + 'static)) -> bool {
    error.is::<io::Error>() || error.source().is_some_and(has_io_error)
}

/// The body of an answer cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyFailure {
    /// The connection failed.
    #[error("the answer of the endpoint was cut off: {0}")]
    CutOff(#[source] hyper::Error),
    /// The body is larger than any answer of AWS.
    #[error("the answer of the endpoint has more than {max} bytes")]
    TooLarge {
        /// The most bytes that are read.
        max: usize,
    },
}
