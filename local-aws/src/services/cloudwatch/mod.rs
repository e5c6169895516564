//! CloudWatch: what SES says of the account's reputation, and the alarms of the template.
//!
//! | part | what it does |
//! |---|---|
//! | `alarms` | `DescribeAlarms` |
//! | `embedded` | the metrics that functions print, for `/_local/metrics` |
//! | `metrics` | `GetMetricStatistics` |
//! | `wire` | the API on the wire |
//! | `cbor` | what its requests are written in |

mod alarms;
mod cbor;
mod embedded;
mod metrics;
mod wire;

use std::sync::Arc;

use crate::clock::Clock;
use crate::edge::Edge;
use crate::ses::Ses;
use crate::template::Alarm;

pub use embedded::{Metric, Metrics};
pub(crate) use wire::OPERATIONS;

/// CloudWatch, as far as it knows something of the account here.
#[derive(Debug)]
pub struct CloudWatch {
    ses: Arc<Ses>,
    alarms: Vec<Alarm>,
    clock: Clock,
}

impl CloudWatch {
    /// Knows the reputation of an account and the alarms of a stack.
    #[must_use]
    pub fn new(ses: Arc<Ses>, alarms: Vec<Alarm>, clock: Clock) -> Self {
        Self { ses, alarms, clock }
    }

    /// Gives the routes of the API.
    pub fn router(self: Arc<Self>, edge: Edge) -> axum::Router {
        wire::router(self, edge)
    }
}
