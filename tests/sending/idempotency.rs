//! `Idempotency-Key`: a repeated request receives the first request's answer, and no mail is sent twice.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite, email, eventually};

const OTHER_KEY: &str = "ok_other_secret";

fn mail(subject: &str) -> Value {
    let mut mail = email("anna@example.net");
    mail["subject"] = json!(subject);
    mail
}

/// Seconds until the caller should come again.
fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").unwrap().parse().unwrap()
}

/// Gives the account, and so the gate, a rate that no test here reaches.
async fn fast() -> Okite {
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 5000 })).await;
    okite.report().await;
    okite
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_sends_nothing() {
    let okite = Okite::start().await;
    let mut mail = mail("Hello");
    mail["to"] = json!(["Anna <anna@example.net>", "gone@example.net"]);
    let event = json!({"eventType": "Complaint", "mail": {"messageId": "m"}, "complaint": {
        "feedbackId": "f", "timestamp": "2026-01-01T00:00:00Z", "complainedRecipients": [{"emailAddress": "gone@example.net"}]}});
    okite.publish(&event).await;
    let first = okite.post_keyed("order-7", &mail).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.body["recipients"][1]["status"], "suppressed");
    for _ in 0..3 {
        let again = okite.post_keyed("order-7", &mail).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
    }
    // The same in another order and with other spaces.
    let reordered = format!(
        "{{ \"subject\": \"Hello\",  \"text\": {}, \"to\": {}, \"from\": {} }}",
        mail["text"], mail["to"], mail["from"]
    );
    let request = okite.request(reqwest::Method::POST, "/emails").bearer_auth(KEY);
    let again = Answer::of(request.header("Idempotency-Key", "order-7").body(reordered)).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_mail_without_remaining_recipients_is_remembered_too() {
    let okite = Okite::start().await;
    let event = json!({"eventType": "Complaint", "mail": {"messageId": "m"}, "complaint": {
        "feedbackId": "f", "timestamp": "2026-01-01T00:00:00Z", "complainedRecipients": [{"emailAddress": "anna@example.net"}]}});
    okite.publish(&event).await;
    let first = okite.post_keyed("k", &mail("Hello")).await;
    let again = okite.post_keyed("k", &mail("Hello")).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(okite.outbox().await.len(), 0);
    assert_eq!(okite.messages().await.len(), 1);
}

#[tokio::test]
async fn another_body_with_the_same_key_is_refused() {
    let okite = Okite::start().await;
    okite.post_keyed("k", &mail("Hello")).await;
    let answer = okite.post_keyed("k", &mail("Hello!")).await;
    answer.refused(409, "invalid_idempotent_request");
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_the_api_key_that_it_came_with() {
    let okite = Okite::start().await;
    okite.put_key(OTHER_KEY, &[]).await;
    okite.post_keyed("k", &mail("Hello")).await;
    let request = okite.request(reqwest::Method::POST, "/emails").bearer_auth(OTHER_KEY);
    let answer = Answer::of(request.header("idempotency-key", "k").json(&mail("Another"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let okite = Okite::start().await.refusing().await;
    let first = okite.post_keyed("k", &mail("Hello")).await;
    okite.advance(Duration::from_hours(23)).await;
    assert_eq!(okite.post_keyed("k", &mail("Hello")).await.body, first.body);
    okite.advance(Duration::from_hours(1)).await;
    let anew = okite.post_keyed("k", &mail("Another")).await;
    assert_eq!(anew.status, 200);
    assert_ne!(anew.body["id"], first.body["id"]);
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn the_key_of_an_email_that_may_wait_is_forgotten_a_day_after_its_deadline() {
    let okite = Okite::start().await;
    let mut first = mail("Hello");
    first["okite_deadline"] = json!("10h");
    assert_eq!(okite.post_keyed("k", &first).await.status, 200);
    okite.advance(Duration::from_hours(33)).await;
    let answer = okite.post_keyed("k", &mail("Another")).await;
    answer.refused(409, "invalid_idempotent_request");
    okite.advance(Duration::from_hours(1)).await;
    assert_eq!(okite.post_keyed("k", &mail("Another")).await.status, 200);
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn a_key_remembers_no_refusal() {
    let okite = fast().await.refusing().await;
    let refusals = [
        (
            json!({"operation": "SendEmail", "error": "MessageRejected", "message": "No"}),
            422,
        ),
        (
            json!({"operation": "SendEmail", "error": "SendingPausedException", "message": "Paused"}),
            503,
        ),
        (
            json!({"operation": "SendEmail", "error": "AccountSuspendedException", "message": "x"}),
            403,
        ),
        (
            json!({"operation": "SendEmail", "error": "NotFoundException", "message": "x"}),
            500,
        ),
        (
            json!({"operation": "BatchGetItem", "times": 9, "error": "InternalServerError", "message": "x"}),
            503,
        ),
        (
            json!({"operation": "UpdateItem", "table": "UsageTable", "times": 9, "error": "InternalServerError", "message": "x"}),
            503,
        ),
    ];
    for (n, (fault, status)) in refusals.into_iter().enumerate() {
        let key = format!("k{n}");
        okite.fault(fault.clone()).await;
        assert_eq!(okite.post_keyed(&key, &mail(&key)).await.status, status, "{fault}");
        okite.local(reqwest::Method::DELETE, "faults", &Value::Null).await;
        let answer = okite.post_keyed(&key, &mail("Another body")).await;
        assert_eq!(answer.status, 200, "{fault}: {answer:?}");
        assert_eq!(okite.outbox().await.len(), n + 1, "{fault}");
    }
}

#[tokio::test]
async fn a_request_that_the_gate_holds_back_may_come_again_with_its_key() {
    let okite = Okite::start().await.refusing().await;
    okite.account(json!({ "max_24_hour_send": 0 })).await;
    okite.report().await;
    okite
        .post_keyed("k", &mail("Hello"))
        .await
        .refused(429, "daily_quota_exceeded");
    okite.account(json!({ "max_24_hour_send": 100 })).await;
    okite.report().await;
    assert_eq!(okite.post_keyed("k", &mail("Hello")).await.status, 200);
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn while_a_request_is_at_work_the_others_wait_for_its_answer() {
    let okite = Okite::start().await;
    okite.fault(json!({"operation": "SendEmail", "delay_ms": 1500})).await;
    let mail = mail("Hello");
    let first = okite.post_keyed("k", &mail);
    let others = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        join_all((0..5).map(|_| okite.post_keyed("k", &mail))).await
    };
    let (first, others) = tokio::join!(first, others);
    assert_eq!(first.status, 200);
    for other in others {
        other.refused(409, "concurrent_idempotent_requests");
        assert!((30..=35).contains(&retry_after(&other)), "{other:?}");
    }
    assert_eq!(okite.post_keyed("k", &mail).await.body, first.body);
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_requests_with_one_key_one_sends() {
    let okite = fast().await;
    let mail = mail("Hello");
    // Lambda runs ten at a time here, API Gateway turns the rest away for the moment; so they come in waves.
    let mut answers = Vec::new();
    for _ in 0..50 {
        answers.extend(join_all((0..20).map(|_| okite.post_keyed("k", &mail))).await);
    }
    assert_eq!(answers.len(), 1_000);
    assert_eq!(okite.outbox().await.len(), 1);
    let accepted: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert!(accepted.len() > 500, "{} answers", accepted.len());
    for answer in &answers {
        match answer.status {
            200 => assert_eq!(answer.body, accepted[0].body),
            503 if answer.body.get("name").is_none() => {}
            _ => {
                answer.refused(409, "concurrent_idempotent_requests");
                assert!(retry_after(answer) >= 1);
            }
        }
    }
    assert_eq!(okite.messages().await.len(), 1);
}

#[tokio::test]
async fn an_event_settles_a_mail_whose_answer_never_came() {
    let okite = Okite::start().await;
    okite.fault(json!({"operation": "SendEmail", "drop": "after"})).await;
    let first = okite.post_keyed("k", &mail("Hello")).await;
    first.refused(500, "application_error");
    eventually("the event has come", async || {
        okite.message(&first.body["id"]).await.contains_key("ses_id")
    })
    .await;
    let again = okite.post_keyed("k", &mail("Hello")).await;
    assert_eq!((again.status, &again.body["id"]), (200, &first.body["id"]));
    assert_eq!(again.body["recipients"][0]["status"], "accepted");
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn without_an_event_the_mail_stays_open_and_its_key_never_sends_again() {
    let okite = Okite::start().await;
    okite.fault(json!({"operation": "SendEmail", "drop": "before"})).await;
    let first = okite.post_keyed("k", &mail("Hello")).await;
    first.refused(500, "application_error");
    let at_work = okite.post_keyed("k", &mail("Hello")).await;
    at_work.refused(409, "concurrent_idempotent_requests");
    for hours in [1, 22] {
        okite.advance(Duration::from_hours(hours)).await;
        let open = okite.post_keyed("k", &mail("Hello")).await;
        let message = open.refused(409, "concurrent_idempotent_requests");
        assert!(message.contains("unknown") && message.contains("new key"), "{message}");
        assert_eq!((&open.body["id"], retry_after(&open)), (&first.body["id"], 60));
    }
    assert_eq!(okite.outbox().await.len(), 0);
    assert_eq!(okite.post_keyed("k2", &mail("Hello")).await.status, 200);
}

/// A delivery of a mail to Anna, as SES publishes it.
pub(crate) fn delivery(id: &Value) -> Value {
    json!({
        "eventType": "Delivery",
        "mail": { "messageId": "m-7", "tags": { "okite_id": [id] } },
        "delivery": { "recipients": ["anna@example.net"] },
    })
}

#[tokio::test]
async fn a_delivery_alone_proves_that_a_mail_of_which_nothing_was_known_was_sent() {
    let okite = Okite::start().await;
    let lost = json!({"operation": "SendEmail", "drop": "before"});
    okite.fault(lost).await;
    let first = okite.post_keyed("k", &mail("Hello")).await;
    assert_eq!(first.status, 500, "{first:?}");
    okite.advance(Duration::from_secs(36)).await;
    let unknown = okite.post_keyed("k", &mail("Hello")).await;
    unknown.refused(409, "concurrent_idempotent_requests");
    assert_eq!(okite.publish(&delivery(&first.body["id"])).await, (1, 0));
    assert!(okite.message(&first.body["id"]).await.contains_key("ses_id"));
    // The event proves it without the row too: its function may have died before it settled the row.
    okite.unsettle(&first.body["id"]).await;
    let known = okite.post_keyed("k", &mail("Hello")).await;
    assert_eq!((known.status, &known.body["id"]), (200, &first.body["id"]));
    let shown = okite
        .get(&format!("/emails/{}", known.body["id"].as_str().unwrap()))
        .await;
    assert_eq!(shown.body["last_event"], "delivered");
    assert_eq!(okite.outbox().await.len(), 0);
}

#[tokio::test]
async fn an_unfinished_request_is_taken_over_after_its_lease() {
    for (fault, sent) in [
        // It had claimed the key.
        (
            json!({"operation": "PutItem", "table": "MessagesTable", "kill": "after"}),
            true,
        ),
        // It had written the message's row.
        (
            json!({"operation": "PutItem", "table": "MessagesTable", "skip": 1, "kill": "after"}),
            false,
        ),
        (json!({"operation": "SendEmail", "kill": "before"}), false),
    ] {
        let okite = Okite::start().await;
        okite.fault(fault.clone()).await;
        assert_eq!(okite.post_keyed("k", &mail("Hello")).await.status, 500, "{fault}");
        let at_work = okite.post_keyed("k", &mail("Hello")).await;
        at_work.refused(409, "concurrent_idempotent_requests");
        assert!(retry_after(&at_work) <= 35);
        okite.advance(Duration::from_secs(36)).await;
        let after = okite.post_keyed("k", &mail("Hello")).await;
        if sent {
            assert_eq!(after.status, 200, "{fault}: {after:?}");
            assert_eq!(okite.outbox().await.len(), 1);
            assert_eq!(okite.post_keyed("k", &mail("Hello")).await.body, after.body);
        } else {
            // It may have been sent, for all that is known.
            after.refused(409, "concurrent_idempotent_requests");
            assert_eq!(okite.outbox().await.len(), 0);
        }
    }
}

/// Has SES refuse a mail, and its key not be freed.
async fn refuse_and_keep(okite: &Okite, key: &str, mail: &Value) {
    let rejected = json!({"operation": "SendEmail", "error": "MessageRejected", "message": "No"});
    let stuck = json!({"operation": "DeleteItem", "times": 9, "error": "InternalServerError", "message": "x"});
    okite.fault(rejected).await;
    okite.fault(stuck).await;
    okite.post_keyed(key, mail).await.refused(422, "validation_error");
    okite.local(reqwest::Method::DELETE, "faults", &Value::Null).await;
}

#[tokio::test]
async fn a_refusal_that_could_not_free_its_key_is_attempted_again() {
    let okite = Okite::start().await;
    refuse_and_keep(&okite, "k", &mail("Hello")).await;
    let second = okite.post_keyed("k", &mail("Hello")).await;
    assert_eq!(second.status, 200);
    let row = okite.message(&second.body["id"]).await;
    assert_eq!(row["attempt"].as_n().unwrap(), "2");
    let [sent] = okite.outbox().await.try_into().unwrap();
    let attempt = sent["tags"]
        .as_array()
        .unwrap()
        .iter()
        .find(|tag| tag["name"] == "okite_attempt")
        .unwrap();
    assert_eq!(attempt["value"], "2");
}

#[tokio::test]
async fn of_two_requests_that_find_a_refusal_one_makes_the_next_attempt() {
    let okite = fast().await;
    refuse_and_keep(&okite, "k", &mail("Hello")).await;
    // The next one takes the key over, and is slow to write its row: the put of its claim passes.
    let slow = json!({"operation": "PutItem", "table": "MessagesTable", "skip": 1, "delay_ms": 1500});
    okite.fault(slow).await;
    let hello = mail("Hello");
    let second = okite.post_keyed("k", &hello);
    let third = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        okite.post_keyed("k", &hello).await
    };
    let (second, third) = tokio::join!(second, third);
    assert_eq!(second.status, 200, "{second:?}");
    third.refused(409, "concurrent_idempotent_requests");
    assert_eq!(okite.post_keyed("k", &hello).await.body, second.body);
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn another_body_is_refused_while_a_refusal_holds_the_key() {
    let okite = fast().await;
    refuse_and_keep(&okite, "k", &mail("Hello")).await;
    let corrected = okite.post_keyed("k", &mail("Corrected")).await;
    corrected.refused(409, "invalid_idempotent_request");
    assert_eq!(okite.post_keyed("k", &mail("Hello")).await.status, 200);
    let [sent] = okite.outbox().await.try_into().unwrap();
    assert_eq!(sent["subject"], "Hello");
}
