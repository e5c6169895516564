//! `okite emails`: shows emails, changes those that wait, lists the unknown ones and settles them.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::*;
use crate::waiting::ToWait;

async fn emails(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command.arg("emails").args(arguments).arg("--data-dir").arg(data_dir);
    finished(&mut command).await
}

impl Up {
    /// Posts an email under an idempotency key.
    async fn post_keyed(&self, key: &str) -> (u16, Value) {
        let request = self.http.post(format!("{}/emails", self.url())).bearer_auth(KEY);
        let request = request.header("idempotency-key", key).json(&email("anna@example.net"));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Sends an email under a key, whose outcome is unknown. Returns its id.
    async fn send_without_an_answer(&self, key: &str, drop: &str) -> String {
        self.local("faults", &json!({ "operation": "SendEmail", "drop": drop }))
            .await;
        let (status, body) = self.post_keyed(key).await;
        assert_eq!(status, 500, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    async fn advance_seconds(&self, seconds: u64) {
        let answer = self.local("clock", &json!({ "advance_ms": seconds * 1_000 })).await;
        assert_eq!(answer.status(), 204);
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.url())).bearer_auth(KEY);
        request.send().await.unwrap().json().await.unwrap()
    }
}

/// Returns the ids that `okite emails unknown --json` lists.
async fn unknown(data_dir: &Path, since: &str) -> Vec<String> {
    let output = emails(&["unknown", "--json", "--since", since], data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = listed.as_array().unwrap().iter();
    listed.map(|email| email["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_the_emails_whose_outcome_is_unknown_and_no_others() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    up.send("bob@example.net").await;
    let id = up.send_without_an_answer("k", "before").await;
    // Its request might still be running.
    assert_eq!(unknown(&data_dir, "7d").await, [] as [String; 0]);
    up.advance_seconds(36).await;
    assert_eq!(unknown(&data_dir, "7d").await, [id.as_str()]);
    let output = emails(&["unknown"], &data_dir).await;
    let table = text(&output.stdout);
    assert!(
        table.contains(&id) && table.contains("anna@example.net") && table.contains("Hello"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 2, "{table}");
    up.advance_seconds(3 * 3_600).await;
    assert_eq!(unknown(&data_dir, "2h").await, [] as [String; 0]);
    assert_eq!(unknown(&data_dir, "4h").await, [id.as_str()]);
    // A delivery is proof enough.
    let delivery = json!({
        "eventType": "Delivery", "mail": { "messageId": "m-7", "tags": { "okite_id": [id] } },
        "delivery": { "recipients": ["anna@example.net"] },
    });
    assert_eq!(up.local("sns", &delivery).await.status(), 200);
    assert_eq!(unknown(&data_dir, "7d").await, [] as [String; 0]);
    let output = emails(&["unknown"], &data_dir).await;
    assert!(
        output.status.success() && text(&output.stderr).contains("No email in this period has an unknown outcome"),
        "{output:?}"
    );
    let output = emails(&["settle", &id, "--not-sent"], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("recorded as sent"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn an_email_that_was_not_sent_goes_out_with_the_next_request_of_its_key() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.send_without_an_answer("k", "before").await;
    let output = emails(&["settle", &id, "--not-sent"], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("may still be sending"),
        "{}",
        text(&output.stderr)
    );
    up.advance_seconds(26 * 3_600).await;
    assert_eq!(up.post_keyed("k").await.0, 409);
    for said in ["is recorded as not sent", "recorded as not sent already"] {
        let output = emails(&["settle", &id, "--not-sent"], &data_dir).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    let output = emails(&["settle", &id, "--sent"], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("cannot be settled as sent"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(up.outbox().await, json!([]));
    let (status, body) = up.post_keyed("k").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(up.post_keyed("k").await, (200, body));
    assert_eq!(up.outbox().await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_email_that_was_sent_answers_the_next_request_of_its_key() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.send_without_an_answer("k", "before").await;
    up.advance_seconds(26 * 3_600).await;
    for _ in 0..2 {
        let output = emails(&["settle", &id, "--sent"], &data_dir).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(up.get(&format!("/emails/{id}")).await["last_event"], "sent");
    let (status, body) = up.post_keyed("k").await;
    assert_eq!((status, body["id"].as_str()), (200, Some(id.as_str())));
    assert_eq!(up.outbox().await, json!([]));
}

#[tokio::test]
async fn shows_an_email_as_the_api_does() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.send("success@simulator.amazonses.com").await["id"].clone();
    let id = id.as_str().unwrap();
    let path = format!("/emails/{id}");
    eventually("it is delivered", async || {
        (up.get(&path).await["last_event"] == "delivered").then_some(())
    })
    .await;
    let wanted = up.get(&path).await;
    let ses_id = wanted["message_id"].as_str().unwrap();
    for id in [id, ses_id] {
        let output = emails(&["show", id, "--json"], &data_dir).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), wanted);
    }
    let output = emails(&["show", id], &data_dir).await;
    let shown = text(&output.stdout);
    for part in [
        id,
        ses_id,
        "sent",
        "delivered",
        "Hello",
        "success@simulator.amazonses.com",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn an_email_that_waited_is_found_by_sess_id_in_the_whole_table() {
    const SES_ID: &str = "0100019b0a1b2c3d-00000000-0000-0000-0000-000000000000-000000";
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    for number in 0..3 {
        up.send(&format!("person-{number}@example.net")).await;
    }
    let id = up.put_in_queue(ToWait::default()).await;
    up.messages().accepted(id, SES_ID, up.now()).await.unwrap();
    let output = emails(&["show", SES_ID, "--json"], &data_dir).await;
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["id"], id.to_string());
    for words in ["whole table", "read units", "USD"] {
        assert!(errors.contains(words), "{words}: {errors}");
    }
    let output = emails(
        &["show", "0100019b0a1b2c3d-1a2b3c4d-0000-0000-0000-000000000000-000000"],
        &data_dir,
    )
    .await;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors.contains("read units") && errors.contains("there is no email"),
        "{errors}"
    );
    // For a part of an id, no table is searched.
    let output = emails(&["show", "0100019b0a1b2c3d"], &data_dir).await;
    let errors = text(&output.stderr);
    assert!(
        !errors.contains("read units") && errors.contains("there is no email"),
        "{errors}"
    );
}

#[tokio::test]
async fn an_email_that_waits_is_shown_and_cancelled_and_may_be_cancelled_again() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.put_in_queue(ToWait::default()).await;
    let name = id.to_string();
    let shown = emails(&["show", &name], &data_dir).await;
    let shown = text(&shown.stdout);
    for line in [
        "state         scheduled\n",
        "waits for     its time\n",
        "\nscheduled at  ",
        "\ndeadline      ",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    for _ in 0..2 {
        let output = emails(&["cancel", &name], &data_dir).await;
        let errors = text(&output.stderr);
        assert!(
            output.status.success() && errors.contains("It will not be sent."),
            "{errors}"
        );
        assert!(up.outbox_table().entry(id).await.unwrap().is_none());
    }
    let shown = emails(&["show", &name], &data_dir).await;
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("state         canceled\n") && !shown.contains("waits for"),
        "{shown}"
    );
    let output = emails(&["reschedule", &name, "in 1 hour"], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("is canceled and does not wait any more"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn an_email_that_waits_gets_another_time() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.put_in_queue(ToWait::default()).await;
    let name = id.to_string();
    let waits_until = async || {
        let record = up.messages().get(id).await.unwrap().unwrap();
        let entry = up.outbox_table().entry(id).await.unwrap().unwrap();
        let scheduled_at = record.queued.unwrap().scheduled_at;
        assert_eq!(scheduled_at, Some(entry.wake_at));
        entry.wake_at
    };
    let begun = up.now();
    let output = emails(&["reschedule", &name, "in 2 hours"], &data_dir).await;
    let errors = text(&output.stderr);
    assert!(
        output.status.success() && errors.contains("is scheduled for"),
        "{errors}"
    );
    let ahead = waits_until().await.duration_since(begun).as_secs();
    assert!((7_200..7_300).contains(&ahead), "{ahead}");
    for time in ["tomorrow", "in 31 days", "2020-01-01T00:00:00Z"] {
        let output = emails(&["reschedule", &name, time], &data_dir).await;
        assert_eq!(output.status.code(), Some(1), "{time}");
        assert!(
            text(&output.stderr).contains("cannot be sent at that time"),
            "{}",
            text(&output.stderr)
        );
        assert!(waits_until().await.duration_since(begun).as_secs() >= 7_200);
    }
}

#[tokio::test]
async fn an_email_that_is_being_sent_is_neither_cancelled_nor_settled_until_its_lease_is_over() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.put_in_queue(ToWait::default()).await;
    let name = id.to_string();
    let output = emails(&["settle", &name, "--sent"], &data_dir).await;
    assert!(
        text(&output.stderr).contains("waits in the queue"),
        "{}",
        text(&output.stderr)
    );
    up.begin_sending(id).await;
    let output = emails(&["cancel", &name], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("is sending and does not wait any more"),
        "{}",
        text(&output.stderr)
    );
    // The lease of a request is over, that of the worker is not.
    up.advance_seconds(45).await;
    assert_eq!(unknown(&data_dir, "7d").await, [] as [String; 0]);
    up.advance_seconds(20).await;
    assert_eq!(unknown(&data_dir, "7d").await, [name.as_str()]);
    let output = emails(&["settle", &name, "--sent"], &data_dir).await;
    assert!(
        text(&output.stderr).contains("may still be sending"),
        "{}",
        text(&output.stderr)
    );
    // Until then, a worker may take it up again.
    up.advance_seconds(60 * 60).await;
    let output = emails(&["settle", &name, "--not-sent"], &data_dir).await;
    assert!(
        text(&output.stderr).contains("cannot be settled as not sent"),
        "{}",
        text(&output.stderr)
    );
    let output = emails(&["settle", &name, "--sent"], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(unknown(&data_dir, "7d").await, [] as [String; 0]);
    assert_eq!(up.outbox().await, json!([]));
}

#[tokio::test]
async fn an_email_that_stays_unknown_after_the_queue_gave_it_up_is_listed() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.put_in_queue(ToWait::default()).await;
    let nonce = up.begin_sending(id).await;
    up.messages().give_up(id, nonce).await.unwrap();
    up.advance_seconds(120).await;
    assert_eq!(unknown(&data_dir, "7d").await, [id.to_string()]);
}

#[tokio::test]
async fn names_the_cause_of_an_error() {
    let (_folder, data_dir) = folder();
    let nobody = "01980000-0000-7000-8000-000000000000";
    for arguments in [
        &["settle", nobody][..],
        &["settle", nobody, "--sent", "--not-sent"],
        &["settle", "odd", "--sent"],
        &["unknown", "--since", "yesterday"],
    ] {
        let output = emails(arguments, &data_dir).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let mut command = okite();
    let output = finished(command.args(["emails", "cancel", nobody, "--table", "t", "--region", "us-east-1"])).await;
    assert!(text(&output.stderr).contains("--stack"), "{}", text(&output.stderr));
    let output = emails(&["unknown"], &data_dir).await;
    assert!(
        text(&output.stderr).contains("no `okite up` runs"),
        "{}",
        text(&output.stderr)
    );
    let _up = Up::start(&data_dir, &[]).await;
    for (arguments, said) in [
        (&["show", nobody][..], "no email with the id"),
        (&["settle", nobody, "--sent"], "no email with the id"),
        (&["cancel", nobody], "no email with the id"),
        (&["reschedule", nobody, "in 1 hour"], "no email with the id"),
        (&["show", "a b"], "is not an email id"),
    ] {
        let output = emails(arguments, &data_dir).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}
