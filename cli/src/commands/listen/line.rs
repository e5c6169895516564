//! The output of one event: a line of text, or a JSON object in a line.

use std::io::{self, Write};

use domain::webhook::{Attempt, Delivery};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::terminal::printable;

/// The output of the command.
pub(super) struct Lines<W> {
    pub(super) output: W,
    /// Whether lines are JSON objects.
    pub(super) json: bool,
}

impl<W: Write> Lines<W> {
    /// Writes the line of an event. `attempt` is that of forwarding it.
    pub(super) fn write(&mut self, delivery: &Delivery, at: Timestamp, attempt: Option<&Attempt>) -> io::Result<()> {
        if self.json {
            writeln!(self.output, "{}", object(delivery, at, attempt))?;
        } else {
            writeln!(self.output, "{}", text(delivery, at, attempt))?;
        }
        self.output.flush()
    }
}

fn object(delivery: &Delivery, at: Timestamp, attempt: Option<&Attempt>) -> Value {
    let mut shown = json!({
        "at": at,
        "type": delivery.kind.as_str(),
        "id": delivery.event.as_str(),
        "payload": body(delivery),
    });
    if let Some(attempt) = attempt {
        shown["status"] = json!(attempt.status);
        shown["error"] = json!(attempt.error);
        shown["duration_ms"] = json!(u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX));
    }
    shown
}

fn text(delivery: &Delivery, at: Timestamp, attempt: Option<&Attempt>) -> String {
    let time = at.strftime("%H:%M:%S");
    let outcome = match attempt {
        Some(attempt) => {
            let status = attempt.status.map(|status| status.to_string());
            let outcome = status.or_else(|| attempt.error.clone()).unwrap_or_default();
            format!("{outcome}  {} ms", attempt.duration.as_millis())
        }
        None => address(&body(delivery)),
    };
    let line = format!("{time}  {:24}  {}  {outcome}", delivery.kind.as_str(), delivery.event);
    printable(line.trim_end())
}

fn body(delivery: &Delivery) -> Value {
    serde_json::from_str(&delivery.body).unwrap_or_default()
}

/// Returns the recipient of an event of a mail, or the address of a suppression.
fn address(payload: &Value) -> String {
    let data = &payload["data"];
    let address = data["to"][0].as_str().or_else(|| data["email"].as_str());
    address.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::webhook::{EventId, EventKind};

    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_millisecond(1_800_000_001_123).unwrap()
    }

    fn delivery() -> Delivery {
        Delivery {
            endpoint: "a".to_owned(),
            event: EventId::of(at(), &["x"]),
            kind: EventKind::EmailBounced,
            created_at: at(),
            body: json!({"type": "email.bounced", "data": {"to": ["anna\u{1b}@example.org"]}}).to_string(),
            attempts: 0,
        }
    }

    fn attempt(status: Option<u16>) -> Attempt {
        Attempt {
            at: at(),
            status,
            error: status.is_none().then(|| "refused".to_owned()),
            duration: Duration::from_millis(12),
            answer: String::new(),
        }
    }

    fn written(json: bool, attempt: Option<&Attempt>) -> String {
        let mut lines = Lines {
            output: Vec::new(),
            json,
        };
        lines.write(&delivery(), at(), attempt).unwrap();
        String::from_utf8(lines.output).unwrap()
    }

    #[test]
    fn a_line_has_the_answer_or_the_recipient() {
        let id = delivery().event;
        let head = format!("08:00:01  email.bounced             {id}");
        for (attempt, end) in [
            (Some(attempt(Some(204))), "204  12 ms"),
            (Some(attempt(None)), "refused  12 ms"),
            (None, "anna\u{fffd}@example.org"),
        ] {
            assert_eq!(written(false, attempt.as_ref()), format!("{head}  {end}\n"));
        }
    }

    #[test]
    fn a_json_line_has_the_body() {
        let line = written(true, Some(&attempt(Some(500))));
        assert_eq!(line.lines().count(), 1);
        let shown: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            [&shown["status"], &shown["error"], &shown["duration_ms"], &shown["type"]],
            [&json!(500), &Value::Null, &json!(12), &json!("email.bounced")]
        );
        assert_eq!(shown["payload"]["data"]["to"][0], "anna\u{1b}@example.org");
        let printed: Value = serde_json::from_str(&written(true, None)).unwrap();
        assert_eq!(printed.get("status"), None);
    }
}
