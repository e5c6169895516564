//! `okite webhooks events`: the events of a webhook, or one of them with its attempts.

use std::io::Write;

use aws::NewestFrom;
use clap::Args;
use domain::webhook::{Attempt, DeliveryRecord, DeliverySummary, EventId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::execution::{CommandResult, Exit, block_on};
use crate::number::number;
use crate::output::{self, note};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::terminal::{columns, printable};
use crate::webhook_tables::{DeliveriesTable, WebhookError, WebhooksTable};

const HEADER: [&str; 6] = ["EVENT", "TYPE", "STATE", "ATTEMPTS", "CREATED", "NEXT ATTEMPT"];
const ATTEMPTS_HEADER: [&str; 4] = ["AT", "STATUS", "MS", "ANSWER"];
/// The most characters of an answer in the table of attempts.
const ANSWER_SHOWN: usize = 80;

/// List the events of a webhook, newest first, or show one with its attempts
///
/// An event is listed after the first attempt to deliver it, for 14 days. The body of an event holds addresses.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Examples:
  okite webhooks events 01980000-0000-7000-8000-000000000000 --stack okite
  okite webhooks events 01980000-0000-7000-8000-000000000000 msg_01M8900QXT8D3V5K7N9PQRSTVW --stack okite")]
pub(crate) struct EventsCommand {
    /// Id of the webhook, as `okite webhooks list` shows it
    id: String,
    /// Id of an event, as the header `webhook-id` has it
    event: Option<String>,
    /// The most events to list
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = number(1_u16, 1_000))]
    limit: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl EventsCommand {
    pub(crate) fn run(self) -> CommandResult {
        let target = Target::from(self.target);
        block_on(async {
            let (webhooks, deliveries) = (WebhooksTable::of(&target).await, DeliveriesTable::of(&target).await);
            let (deliveries, webhooks) = (deliveries?, webhooks?);
            let id = webhooks.get(&self.id).await?.id;
            let mut output = output::stdout();
            if let Some(event) = &self.event {
                let record = find(&deliveries, &id, event).await?;
                if self.json {
                    writeln!(output, "{:#}", record_json(&record))?;
                } else {
                    write!(output, "{}", record_text(&record))?;
                }
                return Ok(Exit::Success);
            }
            let events = list(&deliveries, &id, self.limit.into()).await?;
            if self.json {
                let all: Value = events.iter().map(summary_json).collect();
                writeln!(output, "{all:#}")?;
            } else if events.is_empty() {
                note!("The webhook {id} has no events. `okite webhooks test {id}` delivers a sample.");
            } else {
                write!(output, "{}", columns(HEADER, events.iter().map(row)))?;
            }
            Ok(Exit::Success)
        })
    }
}

/// Finds an event of a webhook.
pub(super) async fn find(table: &DeliveriesTable, webhook: &str, event: &str) -> Result<DeliveryRecord, WebhookError> {
    let unknown = || WebhookError::UnknownEvent {
        id: webhook.to_owned(),
        event: printable(event),
    };
    let event = EventId::parse(event).ok_or_else(unknown)?;
    let found = retry_throttled(async || table.deliveries.get(webhook, &event).await).await;
    found.map_err(|error| table.error(&error))?.ok_or_else(unknown)
}

async fn list(table: &DeliveriesTable, webhook: &str, limit: usize) -> Result<Vec<DeliverySummary>, WebhookError> {
    let page = retry_throttled(async || table.deliveries.list(webhook, &NewestFrom::Newest, limit).await).await;
    Ok(page.map_err(|error| table.error(&error))?.deliveries)
}

fn summary_json(summary: &DeliverySummary) -> Value {
    json!({
        "id": summary.event.as_str(),
        "type": summary.kind.as_str(),
        "created_at": summary.created_at,
        "state": summary.state.as_str(),
        "attempts": summary.attempts_made,
        "next_attempt_at": summary.due_at,
    })
}

fn record_json(record: &DeliveryRecord) -> Value {
    let attempts: Value = record.attempts.iter().rev().map(attempt_json).collect();
    json!({
        "id": record.delivery.event.as_str(),
        "type": record.delivery.kind.as_str(),
        "created_at": record.delivery.created_at,
        "state": record.state.as_str(),
        "next_attempt_at": record.due_at,
        "payload": payload(record),
        "attempts": attempts,
    })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "at": attempt.at,
        "status": attempt.status,
        "error": attempt.error,
        "duration_ms": u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        "answer": attempt.answer,
    })
}

fn payload(record: &DeliveryRecord) -> Value {
    serde_json::from_str(&record.delivery.body).unwrap_or_default()
}

fn row(summary: &DeliverySummary) -> [String; HEADER.len()] {
    [
        summary.event.to_string(),
        summary.kind.as_str().to_owned(),
        summary.state.as_str().to_owned(),
        summary.attempts_made.to_string(),
        summary.created_at.to_string(),
        time(summary.due_at),
    ]
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Writes an event for a person: its state, its attempts and its body.
fn record_text(record: &DeliveryRecord) -> String {
    let delivery = &record.delivery;
    let attempts = columns(ATTEMPTS_HEADER, record.attempts.iter().rev().map(attempt_row));
    let next = record.due_at.map(|at| format!(", next attempt at {at}"));
    format!(
        "{}  {}  {}  {}{}\n\n{attempts}\n{:#}\n",
        delivery.event,
        delivery.kind.as_str(),
        delivery.created_at,
        record.state.as_str(),
        next.unwrap_or_default(),
        payload(record)
    )
}

fn attempt_row(attempt: &Attempt) -> [String; ATTEMPTS_HEADER.len()] {
    let answer = attempt.error.as_ref().unwrap_or(&attempt.answer);
    [
        attempt.at.to_string(),
        attempt
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string()),
        attempt.duration.as_millis().to_string(),
        answer.chars().take(ANSWER_SHOWN).collect(),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::webhook::{Delivery, EventDeliveryState, EventKind};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn record() -> DeliveryRecord {
        let attempt = |seconds, status: Option<u16>, answer: &str| Attempt {
            at: at(seconds),
            status,
            error: status.is_none().then(|| "the connection was refused".to_owned()),
            duration: Duration::from_millis(12),
            answer: answer.to_owned(),
        };
        DeliveryRecord {
            delivery: Delivery {
                endpoint: "a".to_owned(),
                event: EventId::of(at(0), &["x"]),
                kind: EventKind::EmailBounced,
                created_at: at(0),
                body: r#"{"type":"email.bounced"}"#.to_owned(),
                attempts: 2,
            },
            state: EventDeliveryState::Waiting,
            attempts: vec![attempt(1, None, ""), attempt(6, Some(500), "no\u{1b}[2J")],
            attempts_made: 2,
            due_at: Some(at(306)),
            wake_at: None,
        }
    }

    #[test]
    fn shows_the_newest_attempt_first_and_the_body_last() {
        let record = record();
        let shown = record_text(&record);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[0].ends_with("email.bounced  2027-01-15T08:00:00Z  waiting, next attempt at 2027-01-15T08:05:06Z")
        );
        assert_eq!(lines[3], "2027-01-15T08:00:06Z  500     12  no\u{fffd}[2J");
        assert_eq!(lines[4], "2027-01-15T08:00:01Z  -       12  the connection was refused");
        assert_eq!(lines[6..], ["{", "  \"type\": \"email.bounced\"", "}"]);
    }

    #[test]
    fn json_has_the_body_as_json() {
        let shown = record_json(&record());
        assert_eq!(shown["payload"], json!({"type": "email.bounced"}));
        assert_eq!(shown["attempts"][1]["status"], Value::Null);
        assert_eq!(shown["next_attempt_at"], "2027-01-15T08:05:06Z");
    }
}
