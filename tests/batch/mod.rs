//! `POST /emails/batch`: each email has an outcome of its own, and a batch that was cut off is resumed and never sent
//! twice.

mod days;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::feedback::events::hard_bounce;
use crate::sending::idempotency::delivery;
use crate::support::{Answer, KEY, Okite, assert_suppressed, email, eventually};

/// The emails of a batch, each to a mailbox of its own that takes any mail.
pub(crate) fn emails(count: usize) -> Vec<Value> {
    (0..count).map(|number| email(to(number))).collect()
}

fn to(number: usize) -> String {
    format!("success+{number}@simulator.amazonses.com")
}

/// Posts a batch with headers.
pub(crate) async fn post(okite: &Okite, emails: &[Value], headers: &[(&str, &str)]) -> Answer {
    let mut request = okite.request(Method::POST, "/emails/batch").bearer_auth(KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.json(emails)).await
}

const PERMISSIVE: (&str, &str) = ("x-batch-validation", "permissive");
pub(crate) const KEYED: (&str, &str) = ("idempotency-key", "newsletter-7");

/// An account whose rate no test here reaches.
async fn fast() -> Okite {
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 500 })).await;
    okite.report().await;
    okite
}

/// How many mails each recipient got.
async fn received(okite: &Okite) -> BTreeMap<String, usize> {
    let mut received = BTreeMap::new();
    for mail in okite.outbox().await {
        *received.entry(mail["to"][0].as_str().unwrap().to_owned()).or_default() += 1;
    }
    received
}

fn unverified(number: usize) -> Value {
    let mut email = email(to(number));
    email["from"] = json!("a@not-verified.example");
    email
}

#[tokio::test]
async fn a_batch_is_answered_in_the_order_it_came_and_each_email_is_sent_once() {
    let okite = fast().await;
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    let mut batch = emails(60);
    batch[41] = email("Gone@example.net");
    let answer = post(&okite, &batch, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = answer.body["data"].as_array().unwrap();
    assert_eq!((data.len(), answer.body.get("errors")), (60, None));
    for (number, item) in data.iter().enumerate() {
        if number == 41 {
            assert_suppressed(item, "Gone@example.net", "bounce");
        } else {
            assert_eq!(
                item["recipients"],
                json!([{ "email": to(number), "status": "accepted" }])
            );
        }
    }
    // On a busy machine, the queue sends the last ones.
    eventually("all are sent", async || received(&okite).await.len() == 59).await;
    let received = received(&okite).await;
    assert!(received.values().all(|count| *count == 1));
    for (number, last_event) in [(0, "sent"), (41, "failed"), (59, "sent")] {
        let shown = okite
            .get(&format!("/emails/{}", data[number]["id"].as_str().unwrap()))
            .await;
        assert_eq!(shown.body["to"], batch[number].get("to").map(|to| json!([to])).unwrap());
        assert!(
            shown.body["last_event"] == last_event || last_event == "sent",
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn an_invalid_email_refuses_a_strict_batch_and_is_named_by_its_index() {
    let okite = fast().await;
    for (wrong, status, name) in [
        (json!({ "from": "a@example.com" }), 422, "missing_required_field"),
        (json!("no object"), 422, "validation_error"),
        (json!(null), 422, "validation_error"),
    ] {
        let mut batch = emails(3);
        batch[1] = wrong;
        let answer = post(&okite, &batch, &[("x-batch-validation", "strict")]).await;
        let message = answer.refused(status, name);
        assert!(message.contains("Email 1 of the batch"), "{message}");
    }
    assert_eq!(okite.outbox().await.len(), 0);
    assert_eq!(okite.messages().await.len(), 0);
}

#[tokio::test]
async fn a_permissive_batch_sends_what_can_be_sent() {
    let okite = fast().await;
    let mut batch = emails(5);
    batch[1] = json!({ "from": "a@example.com" });
    batch[3] = unverified(3);
    let answer = post(&okite, &batch, &[PERMISSIVE]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told: Vec<_> = answer.body["data"].as_array().unwrap().iter().collect();
    let emails: Vec<_> = told
        .iter()
        .map(|item| item["recipients"][0]["email"].as_str().unwrap())
        .collect();
    assert_eq!(emails, [to(0), to(2), to(4)]);
    let errors: Vec<_> = answer.body["errors"].as_array().unwrap().iter().collect();
    let summary: Vec<_> = errors
        .iter()
        .map(|error| (&error["index"], &error["statusCode"], &error["name"]))
        .collect();
    assert_eq!(
        summary,
        [
            (&json!(1), &json!(422), &json!("missing_required_field")),
            (&json!(3), &json!(403), &json!("validation_error")),
        ]
    );
    assert!(
        errors
            .iter()
            .all(|error| error["message"].as_str().is_some_and(|text| !text.contains('@')))
    );
    assert_eq!(received(&okite).await.len(), 3);
}

#[tokio::test]
async fn in_a_strict_batch_places_agree_though_an_email_was_refused() {
    let okite = fast().await;
    let mut batch = emails(3);
    batch[1] = unverified(1);
    let answer = post(&okite, &batch, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = answer.body["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    assert_eq!(
        (&data[1]["error"]["statusCode"], data[0].get("error")),
        (&json!(403), None)
    );
    assert_eq!(answer.body["errors"][0]["index"], 1);
    let shown = okite.get(&format!("/emails/{}", data[1]["id"].as_str().unwrap())).await;
    assert_eq!(shown.body["last_event"], "failed");
}

#[tokio::test]
async fn a_batch_of_which_nothing_can_be_sent_is_refused_as_one_email_is() {
    let okite = fast().await;
    let answer = post(&okite, &[unverified(0), unverified(1)], &[KEYED]).await;
    answer.refused(403, "validation_error");
    // The key remembers no refusal, so the batch may be corrected.
    assert_eq!(post(&okite, &emails(2), &[KEYED]).await.status, 200);
    assert_eq!(received(&okite).await.len(), 2);
    let answer = post(&okite, &[json!({}), json!([])], &[PERMISSIVE]).await;
    assert_eq!((answer.status, answer.body["data"].as_array().unwrap().len()), (200, 0));
}

#[tokio::test]
async fn an_email_that_wants_all_recipients_or_none_is_refused_by_itself() {
    let okite = fast().await;
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    let mut batch = emails(3);
    batch[1]["to"] = json!([to(1), "gone@example.net"]);
    batch[1]["okite_on_suppressed"] = json!("reject");
    batch[2]["to"] = json!([to(2), "gone@example.net"]);
    let answer = post(&okite, &batch, &[PERMISSIVE]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let error = &answer.body["errors"][0];
    assert_eq!((&error["index"], &error["statusCode"]), (&json!(1), &json!(422)));
    assert_suppressed(error, "gone@example.net", "bounce");
    assert_suppressed(&answer.body["data"][1], "gone@example.net", "bounce");
    let received = received(&okite).await;
    assert_eq!(received.keys().collect::<Vec<_>>(), [&to(0), &to(2)]);
    let none = post(&okite, &batch[1..], &[("okite-on-suppressed", "reject")]).await;
    none.refused(422, "validation_error");
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_refused_and_nothing_is_sent() {
    let okite = fast().await;
    post(&okite, &[], &[]).await.refused(422, "validation_error");
    let message = post(&okite, &emails(101), &[]).await;
    assert!(message.refused(422, "validation_error").contains("101"));
    let object = okite
        .request(Method::POST, "/emails/batch")
        .bearer_auth(KEY)
        .json(&email(to(1)));
    Answer::of(object).await.refused(422, "validation_error");
    let text = okite.request(Method::POST, "/emails/batch").bearer_auth(KEY).body("[");
    Answer::of(text).await.refused(400, "validation_error");
    let mode = post(&okite, &emails(1), &[("x-batch-validation", "lax")]).await;
    mode.refused(422, "invalid_parameter");
    let mut with_file = emails(2);
    with_file[1]["attachments"] = json!([{ "filename": "a.txt", "content": "aGk=" }]);
    let message = post(&okite, &with_file, &[]).await;
    assert!(message.refused(422, "validation_error").contains("Email 1"));
    Answer::of(okite.request(Method::POST, "/emails/batch").json(&emails(1)))
        .await
        .refused(401, "missing_api_key");
    Answer::of(okite.request(Method::DELETE, "/emails/batch"))
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(okite.outbox().await.len(), 0);
}

#[tokio::test]
async fn a_repeated_batch_is_answered_as_before_and_sends_nothing() {
    let okite = fast().await;
    let batch = emails(30);
    let first = post(&okite, &batch, &[KEYED]).await;
    assert_eq!(first.status, 200, "{first:?}");
    let again = post(&okite, &batch, &[KEYED]).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    post(&okite, &emails(29), &[KEYED])
        .await
        .refused(409, "invalid_idempotent_request");
    assert_eq!(okite.outbox().await.len(), 30);
}

#[tokio::test]
async fn the_refused_emails_of_a_batch_are_sent_by_the_next_request_and_no_others() {
    let okite = fast().await;
    let batch = emails(30);
    okite
        .fault(json!({ "operation": "SendEmail", "skip": 10, "times": 3, "error": "MessageRejected", "message": "No" }))
        .await;
    let first = post(&okite, &batch, &[KEYED, PERMISSIVE]).await;
    assert_eq!(first.body["errors"].as_array().unwrap().len(), 3, "{first:?}");
    assert_eq!(okite.outbox().await.len(), 27);
    post(&okite, &emails(29), &[KEYED])
        .await
        .refused(409, "invalid_idempotent_request");
    let again = post(&okite, &batch, &[KEYED, PERMISSIVE]).await;
    assert_eq!(
        (again.status, again.body["errors"].as_array().unwrap().len()),
        (200, 0),
        "{again:?}"
    );
    assert_eq!(again.body["data"].as_array().unwrap().len(), 30);
    let received = received(&okite).await;
    assert!(received.len() == 30 && received.values().all(|count| *count == 1));
}

#[tokio::test]
async fn a_batch_that_was_cut_off_is_resumed_and_sends_nothing_twice() {
    // One chunk is complete when the function dies. It has one email if the function has not read the gate yet.
    for (operation, skip, moment) in [
        ("SendEmail", 35, "after"),
        ("SendEmail", 35, "before"),
        // Only a mail to several is written by this operation, and no event of SES.
        ("BatchWriteItem", 31, "after"),
        ("BatchWriteItem", 31, "before"),
        ("BatchGetItem", 2, "before"),
    ] {
        let okite = fast().await;
        let mut batch = emails(70);
        for email in &mut batch {
            email["cc"] = json!("success+cc@simulator.amazonses.com");
        }
        okite
            .fault(json!({ "operation": operation, "skip": skip, "kill": moment }))
            .await;
        let died = post(&okite, &batch, &[KEYED]).await;
        assert_eq!(died.status, 500, "{operation} {moment}: {died:?}");
        let sent = okite.outbox().await.len();
        assert!((1..70).contains(&sent), "{operation} {moment}: {sent}");
        post(&okite, &batch, &[KEYED])
            .await
            .refused(409, "concurrent_idempotent_requests");
        okite.advance(Duration::from_secs(36)).await;

        let answer = post(&okite, &batch, &[KEYED]).await;
        assert_eq!(answer.status, 200, "{operation} {moment}: {answer:?}");
        let received = received(&okite).await;
        assert!(
            received.values().all(|count| *count == 1),
            "{operation} {moment}: {received:?}"
        );
        // For a chunk with rows it is unknown which mails were sent, until SES's events arrive. All others were sent.
        let unsettled = answer.body["errors"].as_array().map_or(0, Vec::len);
        assert!(
            unsettled <= 25 && received.len() >= 70 - unsettled,
            "{operation} {moment}: {unsettled}, {}: {answer:?}",
            received.len()
        );
        let data = answer.body["data"].as_array().unwrap();
        for (number, item) in data.iter().enumerate() {
            assert!(
                item.get("error").is_some() || received.contains_key(&to(number)),
                "{number}"
            );
        }
    }
}

#[tokio::test]
async fn a_batch_that_is_still_at_work_is_a_conflict_to_its_repeats() {
    let okite = fast().await;
    okite
        .fault(json!({ "operation": "SendEmail", "times": 5, "delay_ms": 1_500 }))
        .await;
    let batch = emails(5);
    let slow = post(&okite, &batch, &[KEYED]);
    let repeated = async {
        eventually("its mails are on their way", async || okite.messages().await.len() >= 5).await;
        let answer = post(&okite, &batch, &[KEYED]).await;
        answer.refused(409, "concurrent_idempotent_requests");
        assert!(answer.header("retry-after").is_some());
    };
    let (first, ()) = tokio::join!(slow, repeated);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(post(&okite, &batch, &[KEYED]).await.body, first.body);
    assert_eq!(received(&okite).await.values().sum::<usize>(), 5);
}

#[tokio::test]
async fn an_unknown_batch_is_a_conflict_until_an_event_settles_it() {
    let okite = fast().await;
    okite
        .fault(json!({ "operation": "SendEmail", "times": 2, "drop": "before" }))
        .await;
    let batch = emails(2);
    let first = post(&okite, &batch, &[KEYED]).await;
    let errors = first.body["errors"].as_array().unwrap();
    assert!(
        errors
            .iter()
            .all(|error| error["statusCode"] == 500 && error["id"].is_string()),
        "{first:?}"
    );
    okite.advance(Duration::from_secs(36)).await;
    let again = post(&okite, &batch, &[KEYED]).await;
    again.refused(409, "concurrent_idempotent_requests");
    assert!(
        again.header("retry-after").is_some() && again.body["id"] == errors[0]["id"],
        "{again:?}"
    );
    // A delivery proves that the mail was sent.
    for error in errors {
        okite.publish(&delivery(&error["id"])).await;
    }
    let known = post(&okite, &batch, &[KEYED]).await;
    let ids: Vec<_> = known.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|email| &email["id"])
        .collect();
    let first_ids: Vec<_> = errors.iter().map(|error| &error["id"]).collect();
    assert_eq!((known.status, ids), (200, first_ids), "{known:?}");
    assert_eq!(okite.outbox().await.len(), 0);
}

#[tokio::test]
async fn emails_without_time_at_the_rate_are_a_429_and_the_rest_is_sent() {
    let okite = Okite::start().await.refusing().await;
    okite.account(json!({ "max_send_rate": 1 })).await;
    okite.report().await;
    okite.send(&email(to(99))).await;
    // Twice what fits is not refused as a whole, for suppressed recipients take no slots.
    let answer = post(&okite, &emails(25), &[PERMISSIVE]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = answer.body["data"].as_array().unwrap().len();
    let errors = answer.body["errors"].as_array().unwrap();
    assert!((5..=16).contains(&sent) && sent + errors.len() == 25, "{sent}");
    assert!(
        errors
            .iter()
            .all(|error| error["name"] == "rate_limit_exceeded" && error["retry_after"].as_u64() >= Some(1))
    );
    assert_eq!(okite.outbox().await.len(), sent + 1);
}

#[tokio::test]
async fn a_store_that_is_down_sends_nothing_and_says_so() {
    let okite = fast().await;
    for operation in ["BatchGetItem", "PutItem"] {
        okite
            .fault(json!({ "operation": operation, "times": 100, "error": "ValidationException", "message": "x" }))
            .await;
        let answer = post(&okite, &emails(3), &[KEYED]).await;
        answer.refused(503, "service_unavailable");
        assert_eq!(answer.header("retry-after"), Some("5"));
        okite.local(Method::DELETE, "faults", &Value::Null).await;
    }
    assert_eq!(okite.outbox().await.len(), 0);
    assert_eq!(post(&okite, &emails(3), &[KEYED]).await.status, 200);
    assert_eq!(received(&okite).await.len(), 3);
}

#[tokio::test]
async fn rows_that_come_back_undone_are_written_by_the_next_round() {
    let okite = fast().await;
    okite
        .fault(json!({ "operation": "BatchWriteItem", "unprocessed": 7 }))
        .await;
    let mut batch = emails(3);
    for (number, email) in batch.iter_mut().enumerate() {
        email["cc"] = json!([to(10 + number), to(20 + number), to(30 + number)]);
    }
    assert_eq!(post(&okite, &batch, &[]).await.status, 200);
    assert_eq!(received(&okite).await.len(), 3);
    for number in [0, 11, 22, 32] {
        let found = okite
            .get(&format!("/emails?to=success%2B{number}@simulator.amazonses.com"))
            .await;
        assert_eq!(found.body["data"].as_array().unwrap().len(), 1, "{number}");
    }
}

#[tokio::test]
async fn a_batch_is_paced_under_the_rate() {
    let okite = Okite::start().await;
    let began = std::time::Instant::now();
    assert_eq!(post(&okite, &emails(40), &[]).await.status, 200);
    // On a busy machine, the queue sends the last ones.
    eventually("all are sent", async || received(&okite).await.len() == 40).await;
    // 14 are sent at once and 26 at 13.3 a second. SES, which is as strict, throttled none.
    assert!(began.elapsed() >= Duration::from_millis(1_500));
}

#[tokio::test]
async fn a_batch_that_can_never_fit_is_refused_with_the_number_that_fits() {
    let okite = Okite::start().await.refusing().await;
    okite.account(json!({ "max_send_rate": 1 })).await;
    okite.report().await;
    okite.send(&email(to(0))).await;
    let answer = post(&okite, &emails(100), &[KEYED]).await;
    let message = answer.refused(422, "validation_error");
    assert!(
        message.contains("at most 15 recipients") || message.contains("at most 14 recipients"),
        "{message}"
    );
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn emails_above_the_quota_are_refused_and_the_rest_is_sent() {
    let okite = Okite::start().await.refusing().await;
    okite
        .account(json!({ "max_24_hour_send": 60, "max_send_rate": 500 }))
        .await;
    okite.report().await;
    let left = okite
        .item("USAGE_TABLE", &[("pk", "gate#us-east-1"), ("sk", "gate")])
        .await
        .unwrap()["left_all"]
        .as_n()
        .unwrap()
        .parse::<usize>()
        .unwrap();
    assert!((1..=60).contains(&left), "{left}");
    let answer = post(&okite, &emails(100), &[PERMISSIVE, KEYED]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["data"].as_array().unwrap().len(), left);
    let errors = answer.body["errors"].as_array().unwrap();
    assert!(
        errors
            .iter()
            .all(|error| error["name"] == "daily_quota_exceeded" && error["retry_after"] == 300)
    );
    assert_eq!(received(&okite).await.len(), left);
}
