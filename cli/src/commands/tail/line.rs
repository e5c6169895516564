//! The output of one event: a line of text, or a JSON object in a line.

use std::io::{self, Write};

use domain::webhook::Delivery;
use jiff::Timestamp;

use crate::event_feed::{body, event_json};
use crate::terminal::printable;

/// Writes the line of an event that was read at `at`.
pub(super) fn write(output: &mut impl Write, json: bool, delivery: &Delivery, at: Timestamp) -> io::Result<()> {
    if json {
        writeln!(output, "{}", event_json(delivery, at))?;
    } else {
        writeln!(output, "{}", text(delivery, at))?;
    }
    output.flush()
}

/// Returns the time, the kind, whom or what the event is about, and the id of the email.
fn text(delivery: &Delivery, at: Timestamp) -> String {
    let time = at.strftime("%H:%M:%S");
    let data = &body(delivery)["data"];
    let word = |name: &str| data[name].as_str();
    let about = match (data["to"][0].as_str().or_else(|| word("email")), word("to")) {
        (Some(address), _) => address.to_owned(),
        (None, Some(to)) => format!("{} -> {to}", word("from").unwrap_or("none")),
        (None, None) => String::new(),
    };
    let email = word("email_id").unwrap_or_default();
    let line = format!("{time}  {:24}  {about:32}  {email}", delivery.kind.as_str());
    printable(line.trim_end())
}

#[cfg(test)]
mod tests {
    use domain::webhook::{EventId, EventKind};
    use serde_json::{Value, json};

    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_millisecond(1_800_000_001_123).unwrap()
    }

    fn written(json: bool, kind: EventKind, data: &Value) -> String {
        let delivery = Delivery {
            endpoint: "a".to_owned(),
            event: EventId::of(at(), &["x"]),
            kind,
            created_at: at(),
            body: json!({ "type": kind.as_str(), "data": data }).to_string(),
            attempts: 0,
        };
        let mut output = Vec::new();
        write(&mut output, json, &delivery, at()).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_line_says_whom_or_what_the_event_is_about() {
        for (kind, data, line) in [
            (
                EventKind::EmailBounced,
                json!({ "email_id": "01980000", "to": ["anna\u{1b}@example.org"] }),
                "08:00:01  email.bounced             anna\u{fffd}@example.org                 01980000\n",
            ),
            (
                EventKind::SuppressionAdded,
                json!({ "id": "1", "email": "anna@example.org" }),
                "08:00:01  suppression.added         anna@example.org\n",
            ),
            (
                EventKind::AccountVerdictChanged,
                json!({ "from": null, "to": "warn" }),
                "08:00:01  account.verdict_changed   none -> warn\n",
            ),
        ] {
            assert_eq!(written(false, kind, &data), line);
        }
    }

    #[test]
    fn a_json_line_has_the_body() {
        let line = written(true, EventKind::EmailSent, &json!({ "to": ["anna@example.org"] }));
        assert_eq!(line.lines().count(), 1);
        let shown: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&shown["type"], &shown["payload"]["data"]["to"][0]),
            (&json!("email.sent"), &json!("anna@example.org"))
        );
        assert_eq!(shown.get("status"), None);
    }
}
