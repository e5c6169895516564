//! `okite webhooks test`: delivers a sample event to one webhook, and shows the endpoint's answer.

use std::time::Duration;

use clap::Args;
use domain::webhook::{Attempt, Delivery, Endpoint, EndpointState, EventDeliveryState, EventId, EventKind};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::sample::sample;
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::terminal::printable;
use crate::webhook_tables::{DeliveriesTable, WebhookError, WebhooksTable, hand_over, parse_event};

/// How long the command waits for the first attempt: longer than an endpoint has for its answer.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The most characters of an answer that are shown.
const ANSWER_SHOWN: usize = 200;

/// Deliver a sample event to one webhook and show the answer of its endpoint
///
/// The event goes to this webhook alone, whether or not the webhook wants events of this kind. It is signed like any
/// other. Exits with 0 if the endpoint answers with a 2xx status within 20 seconds. Other answers are retried later,
/// like those to any event.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Example:
  okite webhooks test 01980000-0000-7000-8000-000000000000 --event email.bounced --stack okite")]
pub(crate) struct TestCommand {
    /// Id of the webhook, as `okite webhooks list` shows it
    id: String,
    /// Kind of the sample event
    #[arg(long, default_value = "email.delivered", value_parser = parse_event)]
    event: EventKind,
    /// Print a JSON object with the event's id and the answer
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl TestCommand {
    pub(crate) fn run(self) -> CommandResult {
        let target = Target::from(self.target);
        block_on(async {
            let (event, result) = test(&self.id, self.event, &target).await?;
            if self.json {
                say!("{:#}", result_json(&event, result.as_ref()))?;
            }
            let Some((state, attempt)) = result else {
                let patience = PATIENCE.as_secs();
                return Err(Failure::new(format!(
                    "the event {event} was not attempted within {patience} seconds. `okite webhooks events {id} {event}` \
                     shows its attempts later",
                    id = self.id
                )));
            };
            let answer = described(&attempt);
            if state == EventDeliveryState::Delivered {
                note!("The endpoint took the event {event}: {answer}.");
                Ok(Exit::Success)
            } else {
                Err(Failure::new(format!(
                    "the endpoint did not take the event {event}: {answer}"
                )))
            }
        })
    }
}

/// Delivers a sample. Returns its id, and the state after the first attempt if there was one in time.
async fn test(
    id: &str,
    kind: EventKind,
    target: &Target,
) -> Result<(EventId, Option<(EventDeliveryState, Attempt)>), WebhookError> {
    let deliveries = DeliveriesTable::of(target).await?;
    let webhooks = WebhooksTable::of(target).await?;
    let endpoint = webhooks.get_with_url(id).await?;
    if endpoint.state == EndpointState::Disabled {
        return Err(WebhookError::Disabled { id: endpoint.id });
    }
    let event = put(&endpoint, kind, target, &webhooks, &deliveries).await?;
    if !hand_over(target, id, &event).await? {
        note!("The queue took no message. The event is delivered within two minutes.");
    }
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let found = retry_throttled(async || deliveries.deliveries.get(id, &event).await).await;
        let found = found.map_err(|error| deliveries.error(&error))?;
        if let Some((state, attempt)) = found.and_then(|found| Some((found.state, found.attempts.last()?.clone()))) {
            return Ok((event, Some((state, attempt))));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok((event, None))
}

/// Puts a sample into the table, from where it is delivered.
#[expect(clippy::disallowed_methods, reason = "the command makes the id")]
async fn put(
    endpoint: &Endpoint,
    kind: EventKind,
    target: &Target,
    webhooks: &WebhooksTable,
    deliveries: &DeliveriesTable,
) -> Result<EventId, WebhookError> {
    let now = target.now();
    let event = sample(kind, Uuid::now_v7(), now);
    let delivery = Delivery {
        endpoint: endpoint.id.clone(),
        event: event.id.clone(),
        kind,
        created_at: event.created_at,
        body: emitter::payload(&event, &webhooks.resolved.region()?),
        attempts: 0,
    };
    let put = retry_throttled(async || deliveries.deliveries.put_waiting(&delivery, now, now).await).await;
    put.map_err(|error| deliveries.error(&error))?;
    Ok(event.id)
}

fn result_json(event: &EventId, result: Option<&(EventDeliveryState, Attempt)>) -> serde_json::Value {
    json!({
        "event": event.as_str(),
        "state": result.map_or(EventDeliveryState::Waiting, |(state, _)| *state).as_str(),
        "status": result.and_then(|(_, attempt)| attempt.status),
        "error": result.and_then(|(_, attempt)| attempt.error.clone()),
        "duration_ms": result.map(|(_, attempt)| u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX)),
        "answer": result.map(|(_, attempt)| attempt.answer.clone()),
    })
}

/// Describes an attempt for a person.
fn described(attempt: &Attempt) -> String {
    let milliseconds = attempt.duration.as_millis();
    let Some(status) = attempt.status else {
        let error = attempt.error.as_deref().unwrap_or("there was no answer");
        return format!("{} ({milliseconds} ms)", printable(error));
    };
    let answer: String = attempt.answer.chars().take(ANSWER_SHOWN).collect();
    let answer = if answer.is_empty() {
        String::new()
    } else {
        format!(": {}", printable(&answer))
    };
    format!("status {status} after {milliseconds} ms{answer}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn attempt(status: Option<u16>, error: Option<&str>, answer: &str) -> Attempt {
        Attempt {
            at: Timestamp::UNIX_EPOCH,
            status,
            error: error.map(str::to_owned),
            duration: Duration::from_millis(12),
            answer: answer.to_owned(),
        }
    }

    #[test]
    fn describes_an_answer_and_the_lack_of_one() {
        for (attempt, words) in [
            (attempt(Some(204), None, ""), "status 204 after 12 ms"),
            (
                attempt(Some(500), None, "no\nway"),
                "status 500 after 12 ms: no\u{fffd}way",
            ),
            (attempt(None, Some("timed out"), ""), "timed out (12 ms)"),
        ] {
            assert_eq!(described(&attempt), words);
        }
    }

    #[test]
    fn json_says_so_if_there_was_no_attempt() {
        let event = EventId::of(Timestamp::UNIX_EPOCH, &["x"]);
        let shown = result_json(&event, None);
        assert_eq!([&shown["state"], &shown["status"]], [&json!("waiting"), &json!(null)]);
        let result = (EventDeliveryState::Delivered, attempt(Some(200), None, "ok"));
        let shown = result_json(&event, Some(&result));
        assert_eq!(
            [&shown["state"], &shown["duration_ms"]],
            [&json!("delivered"), &json!(12)]
        );
    }
}
