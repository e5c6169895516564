//! The log of mail that is held back: one line for each request and cause.

use domain::pacing::Throttled;
use domain::ses_error::SesRefusal;

use crate::{Busy, NotSent, Receipt};

/// Logs why emails of a request are held back, each cause once. An alarm compares the lines of the cause `rate` with
/// the number of requests. A batch whose emails are refused is answered with 200, so its answer shows nothing.
pub(crate) fn log_refusals(outcomes: &[Option<Result<Receipt, NotSent>>]) {
    let mut logged: Vec<&str> = Vec::new();
    for outcome in outcomes.iter().flatten() {
        let Err(NotSent::Busy(busy)) = outcome else { continue };
        let Some(cause) = cause(*busy).filter(|cause| !logged.contains(cause)) else {
            continue;
        };
        logged.push(cause);
        match busy {
            Busy::Gate(Throttled::Rate { retry_after, .. }) => tracing::warn!(
                cause,
                retry_after_seconds = retry_after.as_secs(),
                "the gate refused mail"
            ),
            Busy::Gate(Throttled::Quota { reserved }) => tracing::warn!(cause, reserved, "the gate refused mail"),
            Busy::Gate(Throttled::Brake(brake)) => {
                tracing::warn!(cause, brake = brake.as_str(), "the gate refused mail");
            }
            Busy::Ses(refusal) => tracing::warn!(cause, ?refusal, "SES refused mail"),
        }
    }
}

/// Returns the cause in the log. Returns `None` for a refusal of SES that is logged where it is received.
fn cause(busy: Busy) -> Option<&'static str> {
    match busy {
        Busy::Gate(Throttled::Rate { .. }) | Busy::Ses(SesRefusal::RateExceeded | SesRefusal::AccountLimit) => {
            Some("rate")
        }
        Busy::Gate(Throttled::Quota { .. }) => Some("quota"),
        Busy::Gate(Throttled::Brake(_)) => Some("brake"),
        Busy::Ses(_) => None,
    }
}
