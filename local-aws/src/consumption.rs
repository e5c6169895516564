//! The record of consumption: the quantities that AWS bills, with the function that caused them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes of a message, or of a request of SQS, that are billed as one.
/// <https://aws.amazon.com/sqs/pricing/>
const MESSAGE_CHUNK: usize = 64 * 1024;
/// The bytes of a request of an HTTP API that are billed as one.
/// <https://aws.amazon.com/api-gateway/pricing/>
const REQUEST_CHUNK: usize = 512 * 1024;

/// A quantity that AWS bills, or that the time of an invocation depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A request of an HTTP API, once for each 512 kB of its body.
    HttpRequest,
    /// An invocation that has ended.
    Invocation,
    /// A request of a function to a service.
    Call,
    /// A read unit of DynamoDB. There are halves.
    ReadUnit,
    /// A write unit of DynamoDB.
    WriteUnit,
    /// A message that is published to a topic, once for each 64 kB.
    Publication,
    /// A request of SQS, once for each 64 kB.
    QueueRequest,
    /// A line that a function printed.
    LogLine,
    /// A byte of these lines.
    LogByte,
}

/// The use of one thing by one function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The name of the function. It is empty for what a service does by itself, and for other callers.
    pub by: String,
    /// The unit.
    pub unit: Unit,
    /// The operation of a service's API that it is for. It is empty for everything but calls and their units.
    pub operation: String,
    /// The thing: the logical id of a table or `table/index`, or the name of a queue, a topic, a function or a service.
    pub of: String,
}

/// The consumption so far. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Consumption {
    seen: Arc<Mutex<BTreeMap<Use, f64>>>,
}

impl Consumption {
    /// Returns all that was consumed so far.
    #[must_use]
    pub fn so_far(&self) -> BTreeMap<Use, f64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds to what a function, or a service by itself, consumed.
    pub(crate) fn add(&self, by: Option<&str>, unit: Unit, of: &str, amount: f64) {
        self.add_for(by, unit, ("", of), amount);
    }

    /// Adds to what a function consumed for an operation on a table or a service.
    pub(crate) fn add_for(&self, by: Option<&str>, unit: Unit, (operation, of): (&str, &str), amount: f64) {
        let used = Use {
            by: by.unwrap_or_default().to_owned(),
            unit,
            operation: operation.to_owned(),
            of: of.to_owned(),
        };
        *self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(used)
            .or_default() += amount;
    }

    /// Adds a request of an HTTP API, given the size of its body.
    pub(crate) fn http_request(&self, api: &str, bytes: usize) {
        self.add(None, Unit::HttpRequest, api, chunks(bytes, REQUEST_CHUNK));
    }

    /// Adds a message of a topic.
    pub(crate) fn publication(&self, topic_arn: &str, bytes: usize) {
        self.add(None, Unit::Publication, name(topic_arn), chunks(bytes, MESSAGE_CHUNK));
    }

    /// Adds a request of SQS, given the size of its messages.
    pub(crate) fn queue_request(&self, by: Option<&str>, queue_arn: &str, bytes: usize) {
        self.add(by, Unit::QueueRequest, name(queue_arn), chunks(bytes, MESSAGE_CHUNK));
    }

    /// Adds lines that a function printed.
    pub(crate) fn printed(&self, function: &str, lines: &[u8]) {
        let count = lines.split_inclusive(|byte| *byte == b'\n').count();
        for (unit, amount) in [(Unit::LogLine, count), (Unit::LogByte, lines.len())] {
            self.add(Some(function), unit, function, float(amount));
        }
    }
}

/// Returns how often something of a size is billed: once at least.
fn chunks(bytes: usize, chunk: usize) -> f64 {
    float(bytes.div_ceil(chunk).max(1))
}

/// Returns the last part of an ARN, which is the name.
fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(consumption: &Consumption, by: &str, unit: Unit, of: &str) -> Option<f64> {
        let used = Use {
            by: by.to_owned(),
            unit,
            operation: String::new(),
            of: of.to_owned(),
        };
        consumption.so_far().get(&used).copied()
    }

    #[test]
    fn counts_requests_by_their_size() {
        let consumption = Consumption::default();
        for bytes in [0, 65_536, 65_537] {
            consumption.queue_request(Some("worker"), "arn:aws:sqs:r:0:q", bytes);
            consumption.publication("arn:aws:sns:r:0:t", bytes);
            consumption.http_request("api", bytes);
        }
        assert_eq!(amount(&consumption, "worker", Unit::QueueRequest, "q"), Some(4.0));
        assert_eq!(amount(&consumption, "", Unit::Publication, "t"), Some(4.0));
        assert_eq!(amount(&consumption, "", Unit::HttpRequest, "api"), Some(3.0));
    }

    #[test]
    fn counts_lines_with_their_ends() {
        let consumption = Consumption::default();
        consumption.printed("worker", b"one\ntwo\nlast");
        assert_eq!(amount(&consumption, "worker", Unit::LogLine, "worker"), Some(3.0));
        assert_eq!(amount(&consumption, "worker", Unit::LogByte, "worker"), Some(12.0));
        assert_eq!(amount(&consumption, "other", Unit::LogLine, "other"), None);
    }
}
