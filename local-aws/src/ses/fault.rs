//! Faults that somebody asked for: an error, a delay, a cut connection, for some calls or some time.
//!
//! Nothing in here knows SES. A fault names an operation; each call of it takes the oldest fault that
//! is still in force, and a service carries out what it finds.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What goes wrong, in the shape of `POST /_local/faults`.
///
/// Exactly one of `error`, `delay_ms`, `drop` and `unprocessed`; `times` or `for_ms` say for how
/// long, and without either it happens once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Fault {
    /// The operation it happens to, such as `SendEmail`.
    pub operation: String,
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
    /// The call is carried out later.
    Delay(Duration),
    /// The connection is cut without an answer.
    Drop(Moment),
    /// A part of a batch comes back undone (`DynamoDB` only).
    Unprocessed,
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
    /// For so long from when it was added.
    For(Duration),
}

/// The fault as it is written in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    operation: String,
    times: Option<u32>,
    for_ms: Option<u64>,
    error: Option<String>,
    message: Option<String>,
    delay_ms: Option<u64>,
    drop: Option<Moment>,
    unprocessed: Option<bool>,
}

impl TryFrom<Written> for Fault {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        if written.operation.is_empty() {
            return Err("`operation` must name an operation");
        }
        let span = match (written.times, written.for_ms) {
            (Some(_), Some(_)) => return Err("give `times` or `for_ms`, not both"),
            (Some(0), None) | (None, Some(0)) => {
                return Err("`times` and `for_ms` must be at least 1");
            }
            (Some(times), None) => Span::Times(times),
            (None, Some(milliseconds)) => Span::For(Duration::from_millis(milliseconds)),
            (None, None) => Span::Times(1),
        };
        if written.message.is_some() && written.error.is_none() {
            return Err("`message` goes with `error`");
        }
        if written.error.as_deref().is_some_and(|code| !is_type(code)) {
            return Err("`error` must be an error type, such as TooManyRequestsException");
        }
        if written.unprocessed == Some(false) {
            return Err("`unprocessed` can only be true");
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
        let unprocessed = written.unprocessed.map(|_| Effect::Unprocessed);
        let mut effects = [error, delay, written.drop.map(Effect::Drop), unprocessed]
            .into_iter()
            .flatten();
        match (effects.next(), effects.next()) {
            (Some(effect), None) => Ok(Self {
                operation: written.operation,
                effect,
                span,
            }),
            _ => Err("give exactly one of `error`, `delay_ms`, `drop` and `unprocessed`"),
        }
    }
}

/// An error type goes into a header: letters, digits and little else.
fn is_type(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._#:-".contains(&b))
}

/// The faults in force, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    active: Vec<Active>,
}

#[derive(Clone, Debug)]
struct Active {
    operation: String,
    effect: Effect,
    left: Left,
}

#[derive(Clone, Copy, Debug)]
enum Left {
    Calls(u32),
    Until(Timestamp),
}

impl Faults {
    /// Puts a fault into force.
    pub fn add(&mut self, fault: Fault, now: Timestamp) {
        let left = match fault.span {
            Span::Times(times) => Left::Calls(times),
            Span::For(time) => Left::Until(
                SignedDuration::try_from(time)
                    .ok()
                    .and_then(|time| now.checked_add(time).ok())
                    .unwrap_or(Timestamp::MAX),
            ),
        };
        self.active.push(Active {
            operation: fault.operation,
            effect: fault.effect,
            left,
        });
    }

    /// Takes what happens to a call made now, if anything does.
    pub fn take(&mut self, operation: &str, now: Timestamp) -> Option<Effect> {
        self.active.retain(|active| match active.left {
            Left::Calls(calls) => calls > 0,
            Left::Until(end) => now < end,
        });
        let active = self.active.iter_mut().find(|active| active.operation == operation)?;
        if let Left::Calls(calls) = &mut active.left {
            *calls -= 1;
        }
        Some(active.effect.clone())
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        self.active.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn fault(written: Value) -> Fault {
        serde_json::from_value(written).unwrap()
    }

    fn faults(written: Value) -> Faults {
        let mut faults = Faults::default();
        faults.add(fault(written), at(0));
        faults
    }

    #[test]
    fn happens_once_when_nothing_says_how_often() {
        let mut faults = faults(json!({"operation": "SendEmail", "delay_ms": 5}));
        let delay = Some(Effect::Delay(Duration::from_millis(5)));
        assert_eq!(faults.take("SendEmail", at(0)), delay);
        assert_eq!(faults.take("SendEmail", at(0)), None);
    }

    #[test]
    fn happens_so_many_times_to_its_own_operation() {
        let mut faults = faults(json!({"operation": "SendEmail", "times": 2, "drop": "before"}));
        assert_eq!(faults.take("GetAccount", at(0)), None);
        for _ in 0..2 {
            let cut = Some(Effect::Drop(Moment::Before));
            assert_eq!(faults.take("SendEmail", at(0)), cut);
        }
        assert_eq!(faults.take("SendEmail", at(0)), None);
    }

    #[test]
    fn happens_for_so_long_by_the_time_it_is_told() {
        let mut faults = faults(json!({"operation": "SendEmail", "for_ms": 100, "drop": "after"}));
        for milliseconds in [0, 50, 99] {
            assert!(faults.take("SendEmail", at(milliseconds)).is_some());
        }
        assert!(faults.take("SendEmail", at(100)).is_none());
    }

    #[test]
    fn carries_the_error_with_its_text() {
        let written = json!({"operation": "SendEmail", "error": "Odd", "message": "why"});
        assert_eq!(
            fault(written).effect,
            Effect::Error {
                code: "Odd".to_owned(),
                message: "why".to_owned()
            }
        );
    }

    #[test]
    fn clearing_ends_all() {
        let mut faults = faults(json!({"operation": "SendEmail", "times": 9, "drop": "after"}));
        faults.clear();
        assert_eq!(faults.take("SendEmail", at(0)), None);
    }

    #[test]
    fn refuses_what_is_not_exactly_one_effect_or_contradicts_itself() {
        for written in [
            json!({"operation": "SendEmail"}),
            json!({"operation": "SendEmail", "error": "X", "delay_ms": 1}),
            json!({"operation": "SendEmail", "drop": "during"}),
            json!({"operation": "SendEmail", "delay_ms": 1, "times": 1, "for_ms": 1}),
            json!({"operation": "SendEmail", "delay_ms": 1, "times": 0}),
            json!({"operation": "SendEmail", "delay_ms": -1}),
            json!({"operation": "SendEmail", "delay_ms": 1, "message": "m"}),
            json!({"operation": "SendEmail", "unprocessed": false}),
            json!({"operation": "SendEmail", "error": "two words"}),
            json!({"operation": "", "delay_ms": 1}),
            json!({"operation": "SendEmail", "delay_ms": 1, "delay": 1}),
            json!({"delay_ms": 1}),
        ] {
            assert!(serde_json::from_value::<Fault>(written.clone()).is_err(), "{written}");
        }
    }
}
