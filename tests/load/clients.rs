//! The clients: each posts one mail after the other for a given time, and records the answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::Arguments;
use crate::ledger::{Outcome, Told};
use crate::stack::Stack;

/// The largest number of mails in one run, however fast they are refused.
const MAILS_MAX: u32 = 200_000;

/// An answer that a client received, and its time.
pub(crate) struct Answer {
    pub(crate) told: Told,
    /// The time of the answer since the beginning of the run.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    retry_after: Option<Duration>,
}

/// Runs the clients, and returns their answers when the last client has its last answer.
pub(crate) async fn send(stack: &Stack, arguments: &Arguments) -> Vec<Answer> {
    let began = Instant::now();
    let end = began + arguments.time();
    let numbers = AtomicU32::new(0);
    let client = async |_| {
        let mut answers = Vec::new();
        while Instant::now() < end {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            if number >= MAILS_MAX {
                break;
            }
            let answer = post(stack, number, arguments.recipients.of(number), began).await;
            let pause = answer.retry_after.filter(|_| !arguments.impatient);
            answers.push(answer);
            if let Some(pause) = pause {
                sleep_until((Instant::now() + pause).min(end)).await;
            }
        }
        answers
    };
    let answers = join_all((0..arguments.clients).map(client)).await;
    answers.into_iter().flatten().collect()
}

/// Sends the mail with this number. The number is in its subject.
async fn post(stack: &Stack, number: u32, recipients: u32, began: Instant) -> Answer {
    let to: Vec<String> = (0..recipients)
        .map(|recipient| format!("success+{number}-{recipient}@simulator.amazonses.com"))
        .collect();
    let email = json!({
        "from": "Load <load@example.com>",
        "to": to,
        "subject": number.to_string(),
        "text": "As fast as it goes.",
        // What is measured is the gate. A mail that waits in the queue is no answer of it.
        "okite_when_busy": "refuse",
    });
    let asked = Instant::now();
    let answer = stack.post(&email).await;
    let retry_after = answer.as_ref().ok().and_then(retry_after);
    let outcome = match answer {
        Ok(answer) => outcome(answer).await,
        Err(error) => Outcome::Unclear(error.to_string()),
    };
    Answer {
        told: Told {
            number,
            recipients,
            outcome,
        },
        at: began.elapsed(),
        took: asked.elapsed(),
        retry_after,
    }
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

async fn outcome(answer: Response) -> Outcome {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    let message = body["message"].as_str().unwrap_or_default();
    match status {
        200 => Outcome::Accepted,
        // A refusal of the gate and one of SES have the same name, because the caller must do the same. If the words
        // of the message change, the ledger does not add up.
        429 if message.starts_with("The sending rate of the Amazon SES account") => Outcome::Throttled,
        429 => Outcome::HeldBack,
        _ => Outcome::Unclear(format!("{status}: {message}")),
    }
}
