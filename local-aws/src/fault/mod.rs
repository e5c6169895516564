//! Injected faults: an error, a delay, a held call, a cut connection or a killed function, for a number of calls or a
//! span of time.
//!
//! A fault names an operation of a service. Each call of the operation takes the oldest fault in force ([`Faults`]),
//! and `Faults::apply` does to the call what the fault says. The service itself writes the error in its own shape and
//! answers a batch in part.

mod apply;
mod faults;
mod held;

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use apply::cut;
pub use faults::Faults;
pub use held::HeldCall;

use crate::catalogue::{AwsService, BATCH_OPERATIONS};

/// A fault, in the shape of `POST /_local/faults`. A value of this type is valid.
///
/// It has exactly one of `error`, `delay_ms`, `hold`, `drop`, `kill`, `proxy_status` and `unprocessed`. `times` or
/// `for_ms` limits it; without either it applies once. `skip` is the number of calls that pass before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Fault {
    /// The operation that it applies to, such as `SendEmail`.
    pub operation: String,
    /// The logical id of the only DynamoDB table that it applies to: `OrdersTable`. It applies to every table without
    /// one.
    pub table: Option<String>,
    /// The name of the only function that it applies to the calls of. It applies to every caller without one.
    pub function: Option<String>,
    /// The number of calls that pass before it begins.
    pub skip: u32,
    /// Its effect on a call.
    pub effect: Effect,
    /// How long it stays in force.
    pub span: FaultSpan,
}

/// The effect of a fault on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The service answers with an error.
    Error {
        /// The type of the error, such as `ThrottlingException`.
        code: String,
        /// The text of the error.
        message: String,
    },
    /// The service carries the call out after this delay, even if the caller has given up.
    Delay(Duration),
    /// The call is held until it is released, even if the caller has given up.
    Hold(Moment),
    /// The service cuts the connection without an answer.
    Drop(Moment),
    /// The service carries the call out, and a proxy before it answers with this HTTP status and a page of HTML.
    Proxy(u16),
    /// The calling process is killed. A call from outside Lambda has no such process and takes no such fault.
    Kill(Moment),
    /// DynamoDB or SQS leaves this many keys, items or entries of a batch undone, the last ones first.
    Unprocessed(usize),
}

/// When a fault holds a call, cuts the connection or kills the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Before the service carries the call out.
    Before,
    /// After the service has carried it out, so that only the answer is lost.
    After,
}

/// A call of an operation, as faults see it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Called<'a> {
    pub(crate) operation: &'a str,
    /// The logical ids of its DynamoDB tables.
    pub(crate) tables: &'a [String],
    /// The function that makes it, or with whose role a service makes it.
    pub(crate) function: Option<&'a str>,
    /// The Lambda environment that it comes from.
    pub(crate) environment: Option<Uuid>,
}

/// How long a fault stays in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultSpan {
    /// For this number of calls.
    Times(u32),
    /// For this long after it was added, by the clock of [`crate::clock`].
    For(Duration),
}

/// The longest delay of a call, an hour in milliseconds. No function of Lambda runs for longer than 15 minutes.
const DELAY_MS_MAX: u64 = 3_600_000;

/// A fault in JSON, not yet validated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
struct Written {
    operation: String,
    table: Option<String>,
    function: Option<String>,
    skip: Option<u32>,
    times: Option<u32>,
    for_ms: Option<u64>,
    error: Option<String>,
    message: Option<String>,
    delay_ms: Option<u64>,
    hold: Option<Moment>,
    drop: Option<Moment>,
    kill: Option<Moment>,
    proxy_status: Option<u16>,
    unprocessed: Option<Value>,
}

impl TryFrom<Written> for Fault {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let service = AwsService::of(&written.operation).ok_or_else(|| unknown_operation(&written.operation))?;
        if written.table.is_some() && service != AwsService::Dynamodb {
            return Err("`table` requires an operation of DynamoDB".to_owned());
        }
        let span = span(written.times, written.for_ms)?;
        if written.message.is_some() && written.error.is_none() {
            return Err("`message` requires `error`".to_owned());
        }
        if written.error.as_deref().is_some_and(|code| !is_type(code)) {
            return Err("`error` must be the type of an error, such as ThrottlingException".to_owned());
        }
        let error = written.error.map(|code| Effect::Error {
            message: written
                .message
                .unwrap_or_else(|| format!("{code}, injected by a fault.")),
            code,
        });
        if written.delay_ms.is_some_and(|milliseconds| milliseconds > DELAY_MS_MAX) {
            return Err(format!("`delay_ms` must be at most {DELAY_MS_MAX}"));
        }
        let delay = written
            .delay_ms
            .map(|milliseconds| Effect::Delay(Duration::from_millis(milliseconds)));
        let hold = written.hold.map(Effect::Hold);
        let (drop, kill) = (written.drop.map(Effect::Drop), written.kill.map(Effect::Kill));
        if written
            .proxy_status
            .is_some_and(|status| !(300..=599).contains(&status))
        {
            return Err("`proxy_status` must be an HTTP status from 300 to 599".to_owned());
        }
        let proxy = written.proxy_status.map(Effect::Proxy);
        let unprocessed = written
            .unprocessed
            .map(|undone| unprocessed(&written.operation, &undone))
            .transpose()?;
        let mut effects = [error, delay, hold, drop, kill, proxy, unprocessed]
            .into_iter()
            .flatten();
        match (effects.next(), effects.next()) {
            (Some(effect), None) => Ok(Self {
                operation: written.operation,
                table: written.table,
                function: written.function,
                skip: written.skip.unwrap_or(0),
                effect,
                span,
            }),
            _ => Err(
                "set exactly one of `error`, `delay_ms`, `hold`, `drop`, `kill`, `proxy_status` and `unprocessed`"
                    .to_owned(),
            ),
        }
    }
}

fn unknown_operation(operation: &str) -> String {
    let mut message = format!("no service has the operation {operation:?}");
    for service in AwsService::ALL {
        // Writing to a string does not fail.
        let _ = write!(message, "; {} has {}", service.name(), service.operations().join(", "));
    }
    message
}

fn span(times: Option<u32>, for_ms: Option<u64>) -> Result<FaultSpan, String> {
    match (times, for_ms) {
        (Some(_), Some(_)) => Err("set `times` or `for_ms`, not both".to_owned()),
        (Some(0), None) | (None, Some(0)) => Err("`times` and `for_ms` must be at least 1".to_owned()),
        (Some(times), None) => Ok(FaultSpan::Times(times)),
        (None, Some(milliseconds)) => Ok(FaultSpan::For(Duration::from_millis(milliseconds))),
        (None, None) => Ok(FaultSpan::Times(1)),
    }
}

/// Reads how much of a batch stays unprocessed: `true` means all of it.
fn unprocessed(operation: &str, undone: &Value) -> Result<Effect, String> {
    if !BATCH_OPERATIONS.contains(&operation) {
        return Err(format!(
            "`unprocessed` requires {}, not {operation}",
            BATCH_OPERATIONS.join(" or ")
        ));
    }
    let count = match undone {
        Value::Bool(true) => Some(usize::MAX),
        undone => undone.as_u64().and_then(|count| usize::try_from(count).ok()),
    };
    match count {
        None | Some(0) => {
            Err("`unprocessed` must be true or the number of keys, items or entries, which is 1 or more".to_owned())
        }
        Some(count) => Ok(Effect::Unprocessed(count)),
    }
}

/// Checks an error type, which is sent in a header: letters, digits and a few other characters.
fn is_type(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._#:-".contains(&b))
}

/// Writes the shape that [`Fault`] is read from.
impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut written = match &self.effect {
            Effect::Error { code, message } => json!({ "error": code, "message": message }),
            Effect::Delay(delay) => json!({ "delay_ms": milliseconds(*delay) }),
            Effect::Hold(moment) => json!({ "hold": moment }),
            Effect::Drop(moment) => json!({ "drop": moment }),
            Effect::Kill(moment) => json!({ "kill": moment }),
            Effect::Proxy(status) => json!({ "proxy_status": status }),
            Effect::Unprocessed(usize::MAX) => json!({ "unprocessed": true }),
            Effect::Unprocessed(count) => json!({ "unprocessed": count }),
        };
        written["operation"] = json!(self.operation);
        if let Some(table) = &self.table {
            written["table"] = json!(table);
        }
        if let Some(function) = &self.function {
            written["function"] = json!(function);
        }
        if self.skip > 0 {
            written["skip"] = json!(self.skip);
        }
        match self.span {
            FaultSpan::Times(times) => written["times"] = json!(times),
            FaultSpan::For(time) => written["for_ms"] = json!(milliseconds(time)),
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
    fn all_or_some_of_a_batch_stay_unprocessed() {
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
            json!({"operation": "GetItem", "function": "worker", "times": 1, "hold": "after"}),
            json!({"operation": "SendEmail", "times": 1, "proxy_status": 503}),
            json!({"operation": "BatchGetItem", "times": 1, "unprocessed": true}),
            json!({"operation": "BatchGetItem", "times": 1, "unprocessed": 7}),
        ] {
            assert_eq!(serde_json::to_value(fault(written.clone())).unwrap(), written);
        }
    }

    #[test]
    fn refuses_no_effect_several_effects_and_contradictions() {
        for written in [
            json!({"operation": "SendEmail"}),
            json!({"operation": "SendEmail", "error": "X", "delay_ms": 1}),
            json!({"operation": "SendEmail", "drop": "after", "kill": "after"}),
            json!({"operation": "SendEmail", "drop": "during"}),
            json!({"operation": "SendEmail", "kill": true}),
            json!({"operation": "SendEmail", "hold": "during"}),
            json!({"operation": "SendEmail", "hold": "after", "kill": "after"}),
            json!({"operation": "SendEmail", "proxy_status": 200}),
            json!({"operation": "SendEmail", "proxy_status": 600}),
            json!({"operation": "SendEmail", "delay_ms": 1, "times": 1, "for_ms": 1}),
            json!({"operation": "SendEmail", "delay_ms": 1, "times": 0}),
            json!({"operation": "SendEmail", "delay_ms": 1, "skip": -1}),
            json!({"operation": "SendEmail", "delay_ms": -1}),
            json!({"operation": "SendEmail", "delay_ms": 3_600_001}),
            json!([]),
            json!({"operation": "SendEmail", "delay_ms": 1, "message": "m"}),
            json!({"operation": "SendEmail", "delay_ms": 1, "table": "OrdersTable"}),
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
    fn the_error_for_an_unknown_operation_lists_the_known_ones() {
        let written = json!({"operation": "PutItems", "delay_ms": 1});
        let refusal = serde_json::from_value::<Fault>(written).unwrap_err().to_string();
        assert!(
            refusal.contains("\"PutItems\"") && refusal.contains("SendEmail") && refusal.contains("PutItem,"),
            "{refusal}"
        );
    }
}
