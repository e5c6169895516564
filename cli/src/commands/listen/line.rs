//! The output of one event that was forwarded: a line of text, or a JSON object in a line.

use std::io::{self, Write};

use domain::webhook::{Attempt, Delivery};
use serde_json::json;

use crate::event_feed::event_json;
use crate::terminal::printable;

/// Writes the line of an event.
pub(super) fn write(output: &mut impl Write, json: bool, delivery: &Delivery, attempt: &Attempt) -> io::Result<()> {
    if json {
        let mut shown = event_json(delivery, attempt.at);
        shown["status"] = json!(attempt.status);
        shown["error"] = json!(attempt.error);
        shown["duration_ms"] = json!(u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX));
        writeln!(output, "{shown}")?;
    } else {
        writeln!(output, "{}", text(delivery, attempt))?;
    }
    output.flush()
}

fn text(delivery: &Delivery, attempt: &Attempt) -> String {
    let time = attempt.at.strftime("%H:%M:%S");
    let status = attempt.status.map(|status| status.to_string());
    let outcome = status.or_else(|| attempt.error.clone()).unwrap_or_default();
    let duration = attempt.duration.as_millis();
    let line = format!(
        "{time}  {:24}  {}  {outcome}  {duration} ms",
        delivery.kind.as_str(),
        delivery.event
    );
    printable(&line)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::webhook::{EventId, EventKind};
    use jiff::Timestamp;
    use serde_json::Value;

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
            error: status.is_none().then(|| "refused\u{1b}".to_owned()),
            duration: Duration::from_millis(12),
            answer: String::new(),
        }
    }

    fn written(json: bool, attempt: &Attempt) -> String {
        let mut output = Vec::new();
        write(&mut output, json, &delivery(), attempt).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_line_has_the_answer() {
        let id = delivery().event;
        let head = format!("08:00:01  email.bounced             {id}");
        for (attempt, end) in [
            (attempt(Some(204)), "204  12 ms"),
            (attempt(None), "refused\u{fffd}  12 ms"),
        ] {
            assert_eq!(written(false, &attempt), format!("{head}  {end}\n"));
        }
    }

    #[test]
    fn a_json_line_has_the_answer_and_the_body() {
        let line = written(true, &attempt(Some(500)));
        assert_eq!(line.lines().count(), 1);
        let shown: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            [&shown["status"], &shown["error"], &shown["duration_ms"], &shown["type"]],
            [&json!(500), &Value::Null, &json!(12), &json!("email.bounced")]
        );
        assert_eq!(shown["payload"]["data"]["to"][0], "anna\u{1b}@example.org");
    }
}
