//! The reason why there was no answer, from the chain of errors of the client.

use std::error::Error;
use std::io;

use domain::webhook::judgement::AttemptError;
use hyper_util::client::legacy;

use super::connector::NoConnection;

/// Returns why there was no answer.
pub(super) fn of(error: &legacy::Error) -> AttemptError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(NoConnection(reason)) = error.downcast_ref() {
            return *reason;
        }
        if is_tls(error) {
            return AttemptError::Tls;
        }
        cause = error.source();
    }
    if error.is_connect() {
        // A server that closes the connection in the middle of a handshake.
        AttemptError::Tls
    } else {
        AttemptError::NoAnswer
    }
}

/// Returns whether an error is one of TLS. An error of the system hides what it wraps from `source`, layer by layer.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.is_some_and(|wrapped| is_tls(wrapped))
}
