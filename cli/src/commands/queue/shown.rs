//! The queue as text and as JSON.

use aws::Counted;
use domain::pacing::Gate;
use domain::record::WaitsFor;
use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::depth::StreamDepth;
use super::gather::Queue;
use crate::terminal::columns;

const HEADER: [&str; 6] = [
    "STREAM",
    "WAITING",
    "DUE NOW",
    "SCHEDULED",
    "AT WORK",
    "OLDEST DUE SINCE",
];
/// Microseconds in a second.
const SECOND: f64 = 1_000_000.0;

/// Writes the queue for a person.
pub(super) fn text(queue: &Queue) -> String {
    let mut text = format!("The queue of {}:\n\n", queue.target_name);
    text.push_str(&columns(HEADER, queue.streams.iter().map(row)));
    text.push('\n');
    for depth in &queue.streams {
        text.push_str(&reason(depth));
    }
    text.push_str(&gate(queue.gate.as_ref(), queue.now));
    for depth in &queue.streams {
        text.push_str(&dead_letters(depth));
    }
    text
}

fn row(depth: &StreamDepth) -> [String; HEADER.len()] {
    let since = depth.oldest_due_at.and_then(|at| at.round(Unit::Second).ok());
    [
        depth.stream.as_str().to_owned(),
        at_least(depth.total),
        at_least(depth.due),
        at_least(depth.scheduled),
        depth.at_work.to_string(),
        since.map_or_else(|| "-".to_owned(), |at| at.to_string()),
    ]
}

fn at_least(counted: Counted) -> String {
    if counted.has_more {
        format!("at least {}", counted.count)
    } else {
        counted.count.to_string()
    }
}

/// Says why the due mail of a stream waits; nothing if none is due.
fn reason(depth: &StreamDepth) -> String {
    if depth.due.count == 0 {
        return String::new();
    }
    let held_back = match depth.held_back_by {
        Some(WaitsFor::Brake) => "the brake holds it back (`okite brake` shows why)",
        Some(WaitsFor::Quota) => "the quota is used up",
        Some(_) => "it goes out at the sending rate",
        None => "nothing holds it back at the gate",
    };
    let tried: Vec<_> = depth
        .waits_for
        .iter()
        .map(|(cause, count)| format!("{cause} {count}"))
        .collect();
    let tried = if tried.is_empty() {
        String::new()
    } else {
        format!("; after an attempt, of those looked at: {}", tried.join(", "))
    };
    format!("Due {} mail: {held_back}{tried}.\n", depth.stream.as_str())
}

/// Says how many hints no worker could handle; nothing if there are none.
fn dead_letters(depth: &StreamDepth) -> String {
    match depth.dead_letters {
        Some(0) | None => String::new(),
        Some(dead) => format!(
            "The dead-letter queue of {} mail holds {dead}: no worker could handle these hints. The mails themselves \
             still wait.\n",
            depth.stream.as_str()
        ),
    }
}

fn gate(gate: Option<&Gate>, now: Timestamp) -> String {
    let Some(gate) = gate else {
        return "There is no gate yet; the first report creates it.\n".to_owned();
    };
    format!(
        "The gate lets {:.3} recipients a second through, and has {} left, {} for bulk mail. Its next free slot is in \
         {:.1} s.\n",
        rate(gate),
        gate.left_all.max(0),
        gate.left_bulk.max(0),
        next_slot(gate, now)
    )
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown to a thousandth")]
fn rate(gate: &Gate) -> f64 {
    SECOND / gate.slot_interval.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "a time is shown to a tenth of a second")]
fn next_slot(gate: &Gate, now: Timestamp) -> f64 {
    gate.next_free_slot.saturating_sub(now.as_microsecond()).max(0) as f64 / SECOND
}

/// Returns the queue as JSON.
pub(super) fn json(queue: &Queue) -> Value {
    let counted = |counted: Counted| json!({ "count": counted.count, "at_least": counted.has_more });
    let stream = |depth: &StreamDepth| {
        json!({
            "stream": depth.stream.as_str(),
            "waiting": counted(depth.total),
            "due": counted(depth.due),
            "scheduled": counted(depth.scheduled),
            "at_work": depth.at_work,
            "oldest_due_at": depth.oldest_due_at,
            "held_back_by": depth.held_back_by.map(WaitsFor::as_str),
            "waits_for": depth.waits_for,
            "dead_letters": depth.dead_letters,
        })
    };
    let gate = |gate: &Gate| {
        json!({
            "recipients_a_second": rate(gate),
            "left": gate.left_all.max(0),
            "left_for_bulk": gate.left_bulk.max(0),
            "next_slot_in_seconds": next_slot(gate, queue.now),
            "brake": gate.brake.as_str(),
        })
    };
    json!({
        "at": queue.now,
        "streams": queue.streams.iter().map(stream).collect::<Value>(),
        "gate": queue.gate.as_ref().map(gate),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::brake::Brake;
    use domain::stream::Stream;

    use super::*;

    fn queue() -> Queue {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let counted = |count, has_more| Counted { count, has_more };
        let transactional = StreamDepth {
            stream: Stream::Transactional,
            total: counted(3, false),
            due: counted(2, false),
            scheduled: counted(1, false),
            at_work: 0,
            oldest_due_at: Some("2026-01-02T03:00:00.4Z".parse().unwrap()),
            waits_for: BTreeMap::from([("rate", 2)]),
            held_back_by: Some(WaitsFor::Rate),
            dead_letters: Some(1),
        };
        let bulk = StreamDepth {
            stream: Stream::Bulk,
            total: counted(100_000, true),
            due: counted(100_000, true),
            scheduled: counted(0, true),
            oldest_due_at: None,
            waits_for: BTreeMap::new(),
            held_back_by: Some(WaitsFor::Brake),
            dead_letters: None,
            ..transactional.clone()
        };
        Queue {
            target_name: "the stack okite".to_owned(),
            now,
            streams: vec![transactional, bulk],
            gate: Some(Gate {
                next_free_slot: now.as_microsecond() + 250_000,
                slot_interval: 71_429,
                left_all: 40,
                left_bulk: -3,
                brake: Brake::Bulk,
                account_read_at: now,
                transactional_until: 0,
            }),
        }
    }

    #[test]
    fn shows_the_depth_and_the_reason_of_each_stream() {
        let wanted = "\
The queue of the stack okite:

STREAM         WAITING          DUE NOW          SCHEDULED   AT WORK  OLDEST DUE SINCE
transactional  3                2                1           0        2026-01-02T03:00:00Z
bulk           at least 100000  at least 100000  at least 0  0        -

Due transactional mail: it goes out at the sending rate; after an attempt, of those looked at: rate 2.
Due bulk mail: the brake holds it back (`okite brake` shows why).
The gate lets 14.000 recipients a second through, and has 40 left, 0 for bulk mail. Its next free slot is in 0.2 s.
The dead-letter queue of transactional mail holds 1: no worker could handle these hints. The mails themselves still \
wait.
";
        assert_eq!(text(&queue()), wanted);
    }

    #[test]
    fn as_json_a_number_says_whether_it_is_the_least() {
        let shown = json(&queue());
        let [transactional, bulk] = shown["streams"].as_array().unwrap().as_slice() else {
            panic!("{shown}")
        };
        assert_eq!(transactional["waiting"], json!({ "count": 3, "at_least": false }));
        assert_eq!(transactional["waits_for"], json!({ "rate": 2 }));
        assert_eq!(bulk["due"], json!({ "count": 100_000, "at_least": true }));
        assert_eq!(
            (&bulk["held_back_by"], &bulk["dead_letters"]),
            (&json!("brake"), &Value::Null)
        );
        assert_eq!(
            (&shown["gate"]["left_for_bulk"], &shown["gate"]["brake"]),
            (&json!(0), &json!("bulk"))
        );
    }
}
