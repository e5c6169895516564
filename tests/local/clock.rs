//! Setting the clock forward makes an hour or a day pass at once, for the services and for the functions.

use std::time::Duration;

use domain::suppression::SuppressionReason;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Okite, assert_status, assert_suppressed, email, eventually};

const GOOD: &str = "success@simulator.amazonses.com";
const BOUNCE: &str = "bounce@simulator.amazonses.com";

impl Okite {
    pub(crate) async fn advance(&self, by: Duration) {
        let answer = self.ask_to_advance(u64::try_from(by.as_millis()).unwrap().into()).await;
        assert_eq!((answer.status, &answer.body), (204, &Value::Null));
    }

    async fn ask_to_advance(&self, milliseconds: Value) -> Answer {
        let body = json!({ "advance_ms": milliseconds });
        self.local(Method::POST, "clock", &body).await
    }

    /// The time that the reporter is told.
    pub(crate) async fn time_of_a_function(&self) -> Timestamp {
        self.report().await["at"].as_str().unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn the_quota_is_free_again_after_24_hours() {
    let sent = async |okite: &Okite| okite.report().await["account"]["sent_last_24_hours"].as_f64();
    let okite = Okite::start().await.refusing().await;
    okite.account(json!({ "max_24_hour_send": 1 })).await;
    okite.send(&email("a@example.net")).await;
    okite.advance(Duration::from_hours(23)).await;
    assert_eq!(sent(&okite).await, Some(1.0));
    let answer = okite.post(&email("b@example.net")).await;
    answer.refused(429, "daily_quota_exceeded");
    okite.advance(Duration::from_hours(1)).await;
    assert_eq!(sent(&okite).await, Some(0.0));
    okite.send(&email("b@example.net")).await;
}

#[tokio::test]
async fn an_address_of_the_mailbox_simulator_is_free_again_after_an_hour() {
    let okite = Okite::start().await;
    okite.send(&email(BOUNCE)).await;
    okite.until_suppressed(BOUNCE, SuppressionReason::Bounce).await;
    okite.advance(Duration::from_mins(59)).await;
    assert_suppressed(&okite.send(&email(json!([BOUNCE, GOOD]))).await, BOUNCE, "bounce");
    okite.advance(Duration::from_mins(1)).await;
    assert_status(&okite.send(&email(BOUNCE)).await, BOUNCE, "accepted");
}

#[tokio::test]
async fn every_caller_gets_the_same_time() {
    let okite = Okite::start().await;
    let before = okite.time_of_a_function().await;
    okite.advance(Duration::from_hours(48)).await;
    let later = before + SignedDuration::from_hours(48);
    let at = |text: &Value| text.as_str().unwrap().parse::<Timestamp>().unwrap();

    let id = okite.send(&email(BOUNCE)).await["id"].clone();
    let row = okite.message(&id).await;
    let created_at = row["created_at"].as_n().unwrap().parse::<i64>().unwrap();
    assert!(created_at >= later.as_millisecond(), "{created_at}");
    // A UUIDv7 begins with its time.
    let id: uuid::Uuid = id.as_str().unwrap().parse().unwrap();
    let (seconds, _) = id.get_timestamp().unwrap().to_unix();
    assert!(i64::try_from(seconds).unwrap() >= later.as_second(), "{id}");
    assert!(at(&okite.outbox().await[0]["at"]) >= later);
    okite.until_suppressed(BOUNCE, SuppressionReason::Bounce).await;
    assert!(okite.registers(BOUNCE).await.bounce_at.unwrap() >= later);
    assert!(okite.time_of_a_function().await >= later);
}

#[tokio::test]
async fn a_request_under_way_goes_on_and_the_next_one_gets_the_new_time() {
    let okite = Okite::start().await;
    let before = okite.time_of_a_function().await;
    okite
        .fault(json!({ "operation": "SendEmail", "delay_ms": 1_000 }))
        .await;
    let mail = email(GOOD);
    let advanced = async {
        eventually("the mail is on its way", async || !okite.messages().await.is_empty()).await;
        okite.advance(Duration::from_hours(24)).await;
    };
    tokio::join!(okite.send(&mail), advanced);
    okite.send(&mail).await;
    let mut created: Vec<i64> = okite
        .messages()
        .await
        .iter()
        .map(|row| row["created_at"].as_n().unwrap().parse().unwrap())
        .collect();
    created.sort_unstable();
    let later = (before + SignedDuration::from_hours(24)).as_millisecond();
    assert!(created[0] < later && later <= created[1], "{created:?}");
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn an_invocation_has_the_time_that_it_has_however_far_the_clock_went() {
    let okite = Okite::start_with(|settings| settings.timeout = Some(Duration::from_millis(14_500))).await;
    okite.advance(Duration::from_hours(24)).await;
    // Of 14.5 s sending and settling may take 13.
    okite
        .fault(json!({ "operation": "BatchGetItem", "delay_ms": 1_800 }))
        .await;
    okite.post(&email(GOOD)).await.refused(503, "service_unavailable");
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn a_fault_ends_by_the_same_clock() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "SendEmail", "for_ms": 3_600_000, "drop": "before" }))
        .await;
    okite.post(&email(GOOD)).await.refused(500, "application_error");
    okite.advance(Duration::from_hours(1)).await;
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn a_time_that_makes_no_sense_is_refused() {
    let okite = Okite::start().await;
    for milliseconds in [json!(-1), json!(1.5), json!("1 h"), json!(null), json!(u64::MAX)] {
        let answer = okite.ask_to_advance(milliseconds.clone()).await;
        assert_eq!(answer.status, 400, "{milliseconds}: {answer:?}");
        assert_ne!(answer.body["message"], json!(""), "{milliseconds}: {answer:?}");
    }
    okite.send(&email(GOOD)).await;
}
