//! The gate: it paces mail under the account's rate, holds it back by quota or brake, and names a retry time.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::stream::Stream;
use domain::suppression::SuppressionReason;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite, email, eventually};

const BULK_KEY: &str = "ok_bulk_for_newsletters_and_the_like";

/// So many mailboxes that take any mail.
fn people(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("success+{number}@simulator.amazonses.com"))
        .collect()
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A number of the gate.
async fn gate(okite: &Okite, name: &str) -> i64 {
    let gate = okite
        .item("USAGE_TABLE", &[("pk", "gate#us-east-1"), ("sk", "gate")])
        .await
        .unwrap();
    gate[name].as_n().unwrap().parse().unwrap()
}

/// Sets the account and has the reporter see it.
async fn account(okite: &Okite, patch: Value) {
    okite.account(patch).await;
    okite.report().await;
}

/// Checks an answer to a request that the gate held back, and returns its message.
#[track_caller]
fn held_back<'a>(answer: &'a Answer, status: u16, name: &str, retry_after: &str) -> &'a str {
    assert_eq!(answer.header("retry-after"), Some(retry_after), "{answer:?}");
    let message = answer.refused(status, name);
    assert!(
        message.to_lowercase().contains("nothing was sent") && !message.contains('@'),
        "{message}"
    );
    message
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_mail_above_the_rate_is_refused_with_the_rate_and_retry_after() {
    let okite = Okite::start().await.refusing().await;
    account(&okite, json!({ "max_send_rate": 1 })).await;
    okite.send(&email(people(50))).await;
    // 50 recipients take 52.6 s of slots, less the 2 s that a send may wait, and what the test takes.
    for _ in 0..2 {
        let answer = okite.post(&email("a@example.net")).await;
        let message = answer.refused(429, "rate_limit_exceeded");
        assert!(message.contains("0.95 recipients a second"), "{message}");
        assert!((20..=51).contains(&retry_after(&answer)), "{answer:?}");
    }
    assert_eq!(okite.outbox().await.len(), 1);
    assert_eq!(gate(&okite, "granted").await, 50);
}

#[tokio::test]
async fn a_burst_above_the_rate_is_spread_out_or_refused_and_nothing_is_lost() {
    // Half a second's burst, so that what a busy machine delays does not pile up to more than SES takes at once.
    let okite = Okite::start_with(|settings| {
        settings
            .parameters
            .insert("PermitBurstSeconds".to_owned(), "0.5".to_owned());
    })
    .await
    .refusing()
    .await;
    let mail = email(people(5));
    let answers = join_all((0..40).map(|_| okite.post(&mail))).await;
    let (sent, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(
        !refused.is_empty() && sent.len() > 1,
        "{} sent, {} refused",
        sent.len(),
        refused.len()
    );
    // A machine that is late brings mails too near to each other, and then SES refuses one that was granted its slots.
    // That slots keep SES's rate is held by the property tests of the arithmetic.
    let by_the_gate = |answer: &&&Answer| {
        let message = answer.refused(429, "rate_limit_exceeded");
        message.contains("recipients a second")
    };
    let (held, by_ses): (Vec<_>, Vec<_>) = refused.iter().partition(by_the_gate);
    for answer in held {
        assert!((1..=4).contains(&retry_after(answer)), "{answer:?}");
    }
    assert_eq!(okite.outbox().await.len(), sent.len());
    let granted = i64::try_from(sent.len() + by_ses.len()).unwrap() * 5;
    assert_eq!(gate(&okite, "granted").await, granted);
}

#[tokio::test]
async fn only_recipients_that_are_left_count() {
    let okite = Okite::start().await;
    let bounced = "bounce@simulator.amazonses.com";
    okite.send(&email(bounced)).await;
    okite.until_suppressed(bounced, SuppressionReason::Bounce).await;
    let mut mail = email(json!(["a@example.net", bounced]));
    mail["cc"] = json!(["b@example.net"]);
    mail["bcc"] = json!(["c@example.net", bounced]);
    okite.send(&mail).await;
    assert_eq!(gate(&okite, "granted").await, 1 + 3);
    // To nobody: the gate is not asked, so that no brake matters either.
    account(&okite, json!({ "enforcement_status": "SHUTDOWN" })).await;
    okite.send(&email(bounced)).await;
    assert_eq!(gate(&okite, "granted").await, 4);
}

#[tokio::test]
async fn a_mail_above_the_quota_never_reaches_ses() {
    let okite = Okite::start().await.refusing().await;
    account(&okite, json!({ "max_24_hour_send": 2 })).await;
    let answer = okite
        .post(&email(json!(["a@example.net", "b@example.net", "c@example.net"])))
        .await;
    held_back(&answer, 429, "daily_quota_exceeded", "300");
    // What the gate refuses leaves no row.
    assert_eq!(okite.messages().await.len(), 0);
    assert_eq!(gate(&okite, "granted").await, 0);
    okite.send(&email(json!(["a@example.net", "b@example.net"]))).await;
    // It is the gate that refuses: SES would take a mail to its own simulator, which does not count.
    for to in ["c@example.net", "success@simulator.amazonses.com"] {
        held_back(&okite.post(&email(to)).await, 429, "daily_quota_exceeded", "300");
    }
    assert_eq!(okite.outbox().await.len(), 1);

    account(&okite, json!({ "max_24_hour_send": 50_000 })).await;
    okite.send(&email("a@example.net")).await;
    account(&okite, json!({ "max_24_hour_send": -1 })).await;
    okite.send(&email("a@example.net")).await;
}

#[tokio::test]
async fn bulk_mail_leaves_a_reserve_to_transactional_mail() {
    let okite = Okite::start().await.refusing().await;
    okite.put_key_of(BULK_KEY, Stream::Bulk).await;
    account(&okite, json!({ "max_24_hour_send": 10 })).await;
    let answer = okite.post_with(BULK_KEY, &email(people(9))).await;
    let message = held_back(&answer, 429, "daily_quota_exceeded", "300");
    assert!(message.contains("reserved for transactional mail"), "{message}");
    assert_eq!(okite.post_with(BULK_KEY, &email(people(8))).await.status, 200);
    okite.send(&email(people(2))).await;
}

#[tokio::test]
async fn while_ses_has_shut_the_account_down_nothing_is_tried() {
    let okite = Okite::start().await.refusing().await;
    account(&okite, json!({ "enforcement_status": "SHUTDOWN" })).await;
    let answer = okite.post(&email("a@example.net")).await;
    let message = held_back(&answer, 503, "service_unavailable", "300");
    assert!(message.contains("AWS has shut"), "{message}");
    assert_eq!(okite.messages().await.len(), 0);
    account(&okite, json!({ "enforcement_status": "HEALTHY" })).await;
    okite.send(&email("a@example.net")).await;
}

#[tokio::test]
async fn an_operator_stops_bulk_mail_and_transactional_mail_passes() {
    let okite = Okite::start().await.refusing().await;
    okite.put_key_of(BULK_KEY, Stream::Bulk).await;
    for (brake, transactional, bulk) in [("bulk", 200, 503), ("all", 503, 503), ("auto", 200, 200)] {
        let put = okite.dynamodb.put_item().table_name(okite.variable("USAGE_TABLE"));
        let put = put.item("pk", s("gate#us-east-1")).item("sk", s("brake_override"));
        put.item("brake_override", s(brake)).send().await.unwrap();
        okite.report().await;
        for (key, status) in [(KEY, transactional), (BULK_KEY, bulk)] {
            let answer = okite.post_with(key, &email("a@example.net")).await;
            assert_eq!(answer.status, status, "{brake} {key}: {answer:?}");
            if status == 503 {
                let message = held_back(&answer, 503, "service_unavailable", "300");
                assert!(message.contains("operator"), "{message}");
            }
        }
    }
    assert_eq!(okite.outbox().await.len(), 3);
}

#[tokio::test]
async fn before_the_first_report_mail_is_paced_at_one_recipient_a_second() {
    let okite = Okite::start().await.refusing().await;
    let delete = okite.dynamodb.delete_item().table_name(okite.variable("USAGE_TABLE"));
    let delete = delete.key("pk", s("gate#us-east-1")).key("sk", s("gate"));
    delete.send().await.unwrap();
    okite.send(&email(people(50))).await;
    okite
        .post(&email("a@example.net"))
        .await
        .refused(429, "rate_limit_exceeded");
    assert_eq!(
        (gate(&okite, "slot_interval").await, gate(&okite, "granted").await),
        (1_052_632, 50)
    );
    okite.report().await;
    assert_eq!(
        (gate(&okite, "slot_interval").await, gate(&okite, "granted").await),
        (75_188, 50)
    );
}

/// Takes slots up to so many seconds from now, as a process whose clock is ahead does.
async fn take_slots(okite: &Okite, seconds: i64) {
    let at = okite.report().await["at"]
        .as_str()
        .unwrap()
        .parse::<Timestamp>()
        .unwrap();
    let slots = at.as_microsecond() + seconds * 1_000_000;
    let update = okite.dynamodb.update_item().table_name(okite.variable("USAGE_TABLE"));
    let update = update.key("pk", s("gate#us-east-1")).key("sk", s("gate"));
    let update = update.update_expression("SET next_free_slot = :slots");
    let update = update.expression_attribute_values(":slots", AttributeValue::N(slots.to_string()));
    update.send().await.unwrap();
}

fn codes(report: &Value) -> Vec<&str> {
    let reasons = report["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_rate_of_nothing_leaves_the_rate_of_the_gate_and_holds_no_later_mail_back() {
    let okite = Okite::start().await.refusing().await;
    account(&okite, json!({ "max_send_rate": 14 })).await;
    okite.account(json!({ "max_send_rate": 0 })).await;
    let report = okite.report().await;
    assert_eq!((codes(&report), &report["verdict"]), (vec!["no_rate"], &json!("warn")));
    assert_eq!(
        report["troubles"],
        json!([{ "operation": "GetAccount", "code": "NotARate" }])
    );
    assert_eq!(gate(&okite, "slot_interval").await, 75_188);
    assert_eq!(okite.get("/quota").await.body["verdict"], "warn");
    // SES throttles it.
    okite.post(&email(people(5))).await.refused(429, "rate_limit_exceeded");
    okite.account(json!({ "max_send_rate": 14 })).await;
    let report = okite.report().await;
    assert_eq!((codes(&report), &report["verdict"]), (vec![], &json!("healthy")));
    okite.send(&email(people(5))).await;
}

#[tokio::test]
async fn slots_that_a_clock_took_hours_ahead_hold_no_mail_back() {
    let okite = Okite::start().await;
    for seconds in [60, 3_600, 5 * 3_600, 24 * 3_600] {
        take_slots(&okite, seconds).await;
        okite.send(&email("a@example.net")).await;
    }
}

#[tokio::test]
async fn a_report_takes_back_slots_that_are_too_far_ahead_and_says_that_mail_was_held_back() {
    let okite = Okite::start().await;
    for seconds in [120, 3_600, 24 * 3_600] {
        take_slots(&okite, seconds).await;
        let report = okite.report().await;
        assert_eq!(
            (codes(&report), &report["verdict"]),
            (vec!["gate_held_back"], &json!("warn"))
        );
        let quota = okite.get("/quota").await;
        assert_eq!(quota.body["reasons"], report["reasons"]);
        let read_at = report["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        assert_eq!(gate(&okite, "next_free_slot").await, read_at.as_microsecond());
        assert_eq!(okite.report().await["verdict"], "healthy");
    }
}

#[tokio::test]
async fn a_higher_rate_holds_for_mail_that_was_refused_at_a_lower_one() {
    let okite = Okite::start().await.refusing().await;
    account(&okite, json!({ "max_send_rate": 1 })).await;
    okite.send(&email(people(50))).await;
    let mail = email("a@example.net");
    okite.post(&mail).await.refused(429, "rate_limit_exceeded");
    account(&okite, json!({ "max_send_rate": 500 })).await;
    eventually("the mail passes", async || okite.post(&mail).await.status == 200).await;
}

#[tokio::test]
async fn answers_tell_the_rate_once_the_gate_was_seen() {
    let okite = Okite::start().await;
    let names = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    // Whether the process read the gate when it started depends on which came first.
    okite.report().await;
    let sent = okite.post(&email(people(50))).await;
    assert_eq!(sent.header(names[0]), Some("13"));
    for answer in [sent, okite.post_text("no JSON").await] {
        let [limit, remaining, reset] = names.map(|name| answer.header(name).unwrap().parse::<i64>().unwrap());
        assert!(
            (0..=limit).contains(&remaining) && (0..=4).contains(&reset),
            "{answer:?}"
        );
    }
}
