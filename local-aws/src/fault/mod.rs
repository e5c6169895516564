//! Faults that somebody asked for: an error, a delay, a cut connection, a killed function, for some calls or some time.
//!
//! A fault names an operation of a service; each call of it takes the oldest fault that is in force ([`Faults`]),
//! and `Faults::befall` does to the call what the fault says. What only one service can do, an error in its own shape
//! and a batch that comes back in part, is the service's to do.

mod befall;
mod faults;

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

pub(crate) use befall::cut;
pub use faults::{Call, Faults};

use crate::{cloudwatch, dynamodb, ses, sns};

/// What goes wrong, in the shape of `POST /_local/faults`. If the value exists, it can happen.
///
/// Exactly one of `error`, `delay_ms`, `drop`, `kill` and `unprocessed`. `times` or `for_ms` say for how long, and without
/// either it happens once; `skip` says how many calls pass before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Fault {
    /// The operation it happens to, such as `SendEmail`.
    pub operation: String,
    /// The only table of `DynamoDB` that it happens on, by its logical id: `MessagesTable`.
    pub table: Option<String>,
    /// How many calls pass before it begins.
    pub skip: u32,
    /// What happens.
    pub effect: Effect,
    /// For how long.
    pub span: Span,
}

/// What a fault does to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call is refused with a typed error.
    Error {
        /// The error's type.
        code: String,
        /// Its text.
        message: String,
    },
    /// The call is carried out so much later, whether its caller still waits or not.
    Delay(Duration),
    /// The connection is cut without an answer.
    Drop(Moment),
    /// The process that called is killed. A call from outside of Lambda has none and is left alone.
    Kill(Moment),
    /// So many keys or items of a batch come back undone, the last ones first (`DynamoDB` only).
    Unprocessed(usize),
}

/// When a connection is cut, or a process killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Before the call is carried out.
    Before,
    /// After it was carried out, so that only the answer is lost.
    After,
}

/// For how long a fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// For so many calls.
    Times(u32),
    /// For so long from when it was added, by the clock of [`crate::clock`].
    For(Duration),
}

/// The fault as it is written in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    operation: String,
    table: Option<String>,
    skip: Option<u32>,
    times: Option<u32>,
    for_ms: Option<u64>,
    error: Option<String>,
    message: Option<String>,
    delay_ms: Option<u64>,
    drop: Option<Moment>,
    kill: Option<Moment>,
    unprocessed: Option<Value>,
}

impl TryFrom<Written> for Fault {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let of_dynamodb = dynamodb::OPERATIONS.contains(&written.operation.as_str());
        if !of_dynamodb && !others().any(|operation| operation == written.operation) {
            return Err(unknown_operation(&written.operation));
        }
        if written.table.is_some() && !of_dynamodb {
            return Err("`table` goes with an operation of DynamoDB".to_owned());
        }
        let span = span(written.times, written.for_ms)?;
        if written.message.is_some() && written.error.is_none() {
            return Err("`message` goes with `error`".to_owned());
        }
        if written.error.as_deref().is_some_and(|code| !is_type(code)) {
            return Err("`error` must be an error type, such as ThrottlingException".to_owned());
        }
        let error = written.error.map(|code| Effect::Error {
            message: written
                .message
                .unwrap_or_else(|| format!("{code}, as a fault asked for.")),
            code,
        });
        let delay = written
            .delay_ms
            .map(|milliseconds| Effect::Delay(Duration::from_millis(milliseconds)));
        let (drop, kill) = (written.drop.map(Effect::Drop), written.kill.map(Effect::Kill));
        let unprocessed = written
            .unprocessed
            .map(|undone| unprocessed(&written.operation, &undone))
            .transpose()?;
        let mut effects = [error, delay, drop, kill, unprocessed].into_iter().flatten();
        match (effects.next(), effects.next()) {
            (Some(effect), None) => Ok(Self {
                operation: written.operation,
                table: written.table,
                skip: written.skip.unwrap_or(0),
                effect,
                span,
            }),
            _ => Err("give exactly one of `error`, `delay_ms`, `drop`, `kill` and `unprocessed`".to_owned()),
        }
    }
}

/// The operations of all services but `DynamoDB`.
fn others() -> impl Iterator<Item = &'static str> {
    let all = ses::OPERATIONS.into_iter().chain(sns::OPERATIONS);
    all.chain(cloudwatch::OPERATIONS)
}

fn unknown_operation(operation: &str) -> String {
    let mut message = format!("there is no operation {operation:?} here; SES has");
    for (names, after) in [
        (&ses::OPERATIONS[..], "; SNS has"),
        (&sns::OPERATIONS[..], "; CloudWatch has"),
        (&cloudwatch::OPERATIONS[..], "; DynamoDB has"),
        (&dynamodb::OPERATIONS[..], ""),
    ] {
        // Writing to a string does not fail.
        let _ = write!(message, " {}{after}", names.join(", "));
    }
    message
}

fn span(times: Option<u32>, for_ms: Option<u64>) -> Result<Span, String> {
    match (times, for_ms) {
        (Some(_), Some(_)) => Err("give `times` or `for_ms`, not both".to_owned()),
        (Some(0), None) | (None, Some(0)) => Err("`times` and `for_ms` must be at least 1".to_owned()),
        (Some(times), None) => Ok(Span::Times(times)),
        (None, Some(milliseconds)) => Ok(Span::For(Duration::from_millis(milliseconds))),
        (None, None) => Ok(Span::Times(1)),
    }
}

/// Reads how much of a batch comes back undone: `true` is all of it.
fn unprocessed(operation: &str, undone: &Value) -> Result<Effect, String> {
    if !dynamodb::is_batch(operation) {
        return Err(format!(
            "`unprocessed` is for BatchGetItem and BatchWriteItem, not for {operation}"
        ));
    }
    let count = match undone {
        Value::Bool(true) => Some(usize::MAX),
        undone => undone.as_u64().and_then(|count| usize::try_from(count).ok()),
    };
    match count {
        None | Some(0) => Err("`unprocessed` must be true, or how many keys or items: 1 or more".to_owned()),
        Some(count) => Ok(Effect::Unprocessed(count)),
    }
}

/// An error type goes into a header: letters, digits and little else.
fn is_type(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._#:-".contains(&b))
}

/// In the shape that it is read in.
impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut written = match &self.effect {
            Effect::Error { code, message } => json!({ "error": code, "message": message }),
            Effect::Delay(delay) => json!({ "delay_ms": milliseconds(*delay) }),
            Effect::Drop(moment) => json!({ "drop": moment }),
            Effect::Kill(moment) => json!({ "kill": moment }),
            Effect::Unprocessed(usize::MAX) => json!({ "unprocessed": true }),
            Effect::Unprocessed(count) => json!({ "unprocessed": count }),
        };
        written["operation"] = json!(self.operation);
        if let Some(table) = &self.table {
            written["table"] = json!(table);
        }
        if self.skip > 0 {
            written["skip"] = json!(self.skip);
        }
        match self.span {
            Span::Times(times) => written["times"] = json!(times),
            Span::For(time) => written["for_ms"] = json!(milliseconds(time)),
        }
        written.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(written: Value) -> Fault {
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn carries_the_error_with_its_text() {
        let written = json!({"operation": "SendEmail", "error": "Odd", "message": "why"});
        let error = Effect::Error {
            code: "Odd".to_owned(),
            message: "why".to_owned(),
        };
        assert_eq!(fault(written).effect, error);
    }

    #[test]
    fn all_or_some_of_a_batch_come_back_undone() {
        for (written, undone) in [(json!(true), usize::MAX), (json!(2), 2)] {
            let written = json!({"operation": "BatchWriteItem", "unprocessed": written});
            assert_eq!(fault(written).effect, Effect::Unprocessed(undone));
        }
    }

    #[test]
    fn is_shown_as_it_is_written() {
        for written in [
            json!({"operation": "PutItem", "table": "T", "skip": 2, "times": 3, "error": "Odd", "message": "why"}),
            json!({"operation": "SendEmail", "times": 1, "kill": "after"}),
            json!({"operation": "GetItem", "for_ms": 600_000, "delay_ms": 5}),
            json!({"operation": "GetItem", "times": 1, "drop": "before"}),
            json!({"operation": "BatchGetItem", "times": 1, "unprocessed": true}),
            json!({"operation": "BatchGetItem", "times": 1, "unprocessed": 7}),
        ] {
            assert_eq!(serde_json::to_value(fault(written.clone())).unwrap(), written);
        }
    }

    #[test]
    fn refuses_what_is_not_exactly_one_effect_or_contradicts_itself() {
        for written in [
            json!({"operation": "SendEmail"}),
            json!({"operation": "SendEmail", "error": "X", "delay_ms": 1}),
            json!({"operation": "SendEmail", "drop": "after", "kill": "after"}),
            json!({"operation": "SendEmail", "drop": "during"}),
            json!({"operation": "SendEmail", "kill": true}),
            json!({"operation": "SendEmail", "delay_ms": 1, "times": 1, "for_ms": 1}),
            json!({"operation": "SendEmail", "delay_ms": 1, "times": 0}),
            json!({"operation": "SendEmail", "delay_ms": 1, "skip": -1}),
            json!({"operation": "SendEmail", "delay_ms": -1}),
            json!({"operation": "SendEmail", "delay_ms": 1, "message": "m"}),
            json!({"operation": "SendEmail", "delay_ms": 1, "table": "MessagesTable"}),
            json!({"operation": "SendEmail", "unprocessed": true}),
            json!({"operation": "PutItem", "unprocessed": true}),
            json!({"operation": "BatchGetItem", "unprocessed": false}),
            json!({"operation": "BatchGetItem", "unprocessed": 0}),
            json!({"operation": "BatchGetItem", "unprocessed": "all"}),
            json!({"operation": "SendEmail", "error": "two words"}),
            json!({"operation": "", "delay_ms": 1}),
            json!({"operation": "SendPostcard", "delay_ms": 1}),
            json!({"operation": "SendEmail", "delay_ms": 1, "delay": 1}),
            json!({"delay_ms": 1}),
        ] {
            assert!(serde_json::from_value::<Fault>(written.clone()).is_err(), "{written}");
        }
    }

    #[test]
    fn an_operation_that_is_not_there_is_told_which_are() {
        let written = json!({"operation": "PutItems", "delay_ms": 1});
        let refusal = serde_json::from_value::<Fault>(written).unwrap_err().to_string();
        assert!(
            refusal.contains("\"PutItems\"") && refusal.contains("SendEmail") && refusal.contains("PutItem,"),
            "{refusal}"
        );
    }
}
