//! `okite feedback`: keeps unhandled events and moves them back.

mod redrive_in_aws;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::permissions::{is_aws_own_message, section, without};
use crate::support::*;

impl Up {
    /// Returns how many messages of a queue are visible, and how many are in flight.
    async fn queue(&self, name: &str) -> (u64, u64) {
        let queue = self.queue_state(name).await;
        (queue["visible"].as_u64().unwrap(), queue["in_flight"].as_u64().unwrap())
    }

    async fn queue_state(&self, name: &str) -> Value {
        let answer = self.http.get(format!("{}/_local/queues", self.url())).send().await;
        let queues: Value = answer.unwrap().json().await.unwrap();
        let mut queues = queues.as_array().unwrap().iter();
        queues.find(|queue| queue["name"] == name).unwrap().clone()
    }

    /// Publishes a bounce whose writes fail for `for_ms` milliseconds, so that it goes to the retry queue.
    async fn fail_a_bounce(&self, for_ms: u64) {
        let fault = json!({ "operation": "UpdateItem", "for_ms": for_ms, "error": "ValidationException" });
        assert_eq!(self.local("faults", &fault).await.status(), 204);
        let bounce = json!({
            "eventType": "Bounce",
            "bounce": { "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": "gone@example.net" }] },
        });
        let answer: Value = self.local("sns", &bounce).await.json().await.unwrap();
        assert_eq!(answer, json!({ "delivered": 0, "failed": 1 }));
        eventually("it was received", async || {
            (self.queue("okite-FeedbackRetryQueue").await == (0, 1)).then_some(())
        })
        .await;
    }

    async fn advance(&self, minutes: u64) {
        let answer = self.local("clock", &json!({ "advance_ms": minutes * 60_000 })).await;
        assert_eq!(answer.status(), 204);
    }

    /// Waits until the bounce suppresses its address.
    async fn until_it_is_suppressed(&self) {
        eventually("the bounce suppresses", async || {
            let status = self.send("gone@example.net").await["recipients"][0]["status"].clone();
            (status == "suppressed").then_some(())
        })
        .await;
    }
}

/// Runs `okite feedback redrive`.
async fn redrive(data_dir: &Path) -> Output {
    finished(okite().args(["feedback", "redrive", "--data-dir"]).arg(data_dir)).await
}

#[tokio::test]
async fn an_event_in_the_retry_queue_survives_a_kill_and_is_handled_at_the_next_start() {
    let (_folder, data_dir) = folder();
    let mut up = Up::start(&data_dir, &[]).await;
    up.fail_a_bounce(60_000).await;
    up.signal("KILL");
    up.ended().await;
    let up = Up::start(&data_dir, &[]).await;
    up.until_it_is_suppressed().await;
    eventually("the queue is empty", async || {
        (up.queue("okite-FeedbackRetryQueue").await == (0, 0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn redrive_moves_events_of_the_dead_letter_queue() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let nothing = redrive(&data_dir).await;
    assert!(nothing.status.success(), "{}", text(&nothing.stderr));
    assert!(text(&nothing.stdout).contains("is empty"), "{}", text(&nothing.stdout));

    up.fail_a_bounce(3 * 60 * 60_000).await;
    for _ in 0..12 {
        up.advance(6).await;
        eventually("it was received and handled", async || {
            let queue = up.queue_state("okite-FeedbackRetryQueue").await;
            (queue["visible"] == 0 && queue["being_handled"] == 0).then_some(())
        })
        .await;
    }
    eventually("it was given up", async || {
        (up.queue("okite-FeedbackDeadLetterQueue").await == (1, 0)).then_some(())
    })
    .await;
    let cleared = up
        .http
        .delete(format!("{}/_local/faults", up.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(cleared.status(), 204);
    // The other actions that docs/CLI.md names are SQS's own: it judges them as it moves events, which no fault shows.
    for action in [
        "sqs:GetQueueAttributes",
        "sqs:ListDeadLetterSourceQueues",
        "sqs:ListMessageMoveTasks",
        "sqs:StartMessageMoveTask",
    ] {
        assert!(
            section("feedback redrive").contains(&format!("`{action}`")),
            "docs/CLI.md: {action}"
        );
        let (code, printed) = without(&up, action, None, &["feedback", "redrive"]).await;
        assert!(code == 1 && is_aws_own_message(&printed), "{action}: {printed}");
    }
    let output = redrive(&data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.starts_with("Moved") && said.contains(": 1.") && said.contains("queue: 0."),
        "{said}"
    );
    up.until_it_is_suppressed().await;
    assert_eq!(up.queue("okite-FeedbackDeadLetterQueue").await, (0, 0));
}

#[tokio::test]
async fn names_the_remedy_without_a_running_okite_up() {
    let (_folder, data_dir) = folder();
    let never = redrive(&data_dir).await;
    let mut up = Up::start(&data_dir, &[]).await;
    up.signal("KILL");
    up.ended().await;
    for output in [never, redrive(&data_dir).await] {
        assert_eq!(output.status.code(), Some(1));
        let errors = text(&output.stderr);
        for words in ["okite up", "--data-dir", "--stack"] {
            assert!(errors.contains(words), "{errors}");
        }
        assert!(output.stdout.is_empty());
    }
}
