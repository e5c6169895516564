//! CloudWatch: the account's reputation as SES publishes it, the numbers of messages in queues, and the alarms of the
//! template.
//!
//! | module | contents |
//! |---|---|
//! | `wire`, `cbor`, `error` | requests, answers and errors |
//! | `operations` | `DescribeAlarms` and `GetMetricStatistics` |
//! | `embedded_metrics` | the metrics that functions print, for `/_local/metrics` |

mod cbor;
mod embedded_metrics;
mod error;
mod operations;
mod wire;

use std::sync::Arc;

use crate::clock::Clock;
use crate::middleware::Middleware;
use crate::services::ses::Ses;
use crate::services::sqs::Sqs;
use crate::template::Alarm;

pub use embedded_metrics::{PrintedMetric, PrintedMetrics};

use wire::CloudWatchWire;

/// CloudWatch, for one account and one stack.
///
/// It has AWS's own name, as the adapter or value of the product that plays the other side has.
#[derive(Debug)]
pub struct CloudWatch {
    ses: Arc<Ses>,
    sqs: Arc<Sqs>,
    alarms: Vec<Alarm>,
    clock: Clock,
}

impl CloudWatch {
    /// Serves the reputation of the account of `ses`, the numbers of messages in the queues of `sqs`, and the alarms of
    /// a stack.
    #[must_use]
    pub fn new(ses: Arc<Ses>, sqs: Arc<Sqs>, alarms: Vec<Alarm>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            ses,
            sqs,
            alarms,
            clock,
        })
    }

    /// Returns the routes of the API.
    pub fn router(self: Arc<Self>, middleware: &Middleware) -> axum::Router {
        middleware.router(Arc::new(CloudWatchWire(self)))
    }
}
