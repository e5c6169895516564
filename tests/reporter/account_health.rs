//! The reporter's verdict, the brake that follows it, and the notices to the operators.

use aws::Usage;
use domain::brake::BrakeOverride;
use domain::stream::Stream;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::feedback::events::{hard_bounce, just_now};
use crate::support::{KEY, Okite, email, eventually};

const BULK_KEY: &str = "ok_bulk_for_newsletters_and_the_like";

/// An account that sent enough to be judged, when ten are enough.
async fn start() -> Okite {
    let okite = Okite::start_with(|settings| {
        settings
            .parameters
            .insert("JudgedVolumeMin".to_owned(), "10".to_owned());
    })
    .await;
    okite.put_key_of(BULK_KEY, Stream::Bulk).await;
    okite
}

async fn send(okite: &Okite, recipients: usize) {
    for number in 0..recipients {
        okite.send(&email(format!("person{number}@example.net"))).await;
    }
}

/// A hard bounce that came now.
async fn bounced(okite: &Okite, address: &str, second: u8) {
    okite.publish(&just_now(hard_bounce(address, second))).await;
}

async fn notifications(okite: &Okite) -> Vec<Value> {
    let answer = okite.local(Method::GET, "notifications", &Value::Null).await;
    answer.body.as_array().unwrap().clone()
}

fn codes(report: &Value) -> Vec<&str> {
    let reasons = report["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

fn is(report: &Value, verdict: &str, brake: &str) {
    assert_eq!(
        (report["verdict"].as_str(), report["brake"]["level"].as_str()),
        (Some(verdict), Some(brake)),
        "{report}"
    );
}

#[tokio::test]
async fn the_brake_follows_aws_stops_bulk_mail_and_releases_itself() {
    let okite = start().await;
    send(&okite, 10).await;
    okite
        .account(json!({ "bounce_rate": 0.05, "complaint_rate": 0.0 }))
        .await;
    is(&okite.report().await, "brake_bulk", "bulk");
    let held = okite.post_with(BULK_KEY, &email("anna@example.net")).await;
    assert_eq!(held.status, 503, "{held:?}");
    assert_eq!(okite.post_with(KEY, &email("anna@example.net")).await.status, 200);
    // Below the threshold, and not far enough.
    okite.account(json!({ "bounce_rate": 0.04 })).await;
    is(&okite.report().await, "brake_bulk", "bulk");
    okite.account(json!({ "bounce_rate": 0.03 })).await;
    is(&okite.report().await, "warn", "none");
    assert_eq!(okite.post_with(BULK_KEY, &email("anna@example.net")).await.status, 200);
    // One message for each change, however many reports.
    okite.report().await;
    let told = notifications(&okite).await;
    let subjects: Vec<&str> = told.iter().map(|told| told["subject"].as_str().unwrap()).collect();
    let went = |from, to| format!("Okite, us-east-1: the brake went from {from} to {to}");
    assert_eq!(subjects, [went("none", "bulk"), went("bulk", "none")]);
    let message = told[0]["message"].as_str().unwrap();
    assert!(
        message.contains("By: reporter") && message.contains("the bounce rate is 5 % (AWS's figure)"),
        "{message}"
    );
    assert!(!message.contains('@'), "{message}");
}

#[tokio::test]
async fn the_estimate_counts_where_aws_has_no_figure() {
    let okite = start().await;
    let report = okite.report().await;
    assert_eq!(
        report["rates"]["bounce"]["estimate"],
        json!({ "rate": null, "count": 0, "at_least": false, "sent": 0, "days": 1 })
    );
    send(&okite, 20).await;
    bounced(&okite, "gone@example.net", 1).await;
    // The account has verified this domain, and AWS leaves it out.
    bounced(&okite, "gone@example.com", 2).await;
    let report = okite.report().await;
    let estimate = &report["rates"]["bounce"]["estimate"];
    assert_eq!((&estimate["count"], &estimate["sent"]), (&json!(1), &json!(20)));
    is(&report, "brake_bulk", "bulk");
    assert_eq!(codes(&report), ["bounce_rate"]);
    assert_eq!(
        report["headroom"]["bounces"],
        json!({ "warn": 0, "brake": 0, "review": 0, "pause": 1 })
    );
    // AWS's own figure has precedence.
    okite.account(json!({ "bounce_rate": 0.001 })).await;
    let report = okite.report().await;
    is(&report, "healthy", "none");
    assert_eq!(report["rates"]["bounce"]["source"], "aws");
}

#[tokio::test]
async fn a_bad_day_leaves_the_count_after_a_week() {
    let okite = start().await;
    send(&okite, 20).await;
    bounced(&okite, "gone@example.net", 1).await;
    is(&okite.report().await, "brake_bulk", "bulk");
    // Every day mail is sent, and the reporter runs.
    let mut braked = 0;
    for _ in 0..8 {
        for _ in 0..2 {
            let answer = okite
                .local(Method::POST, "clock", &json!({ "advance_ms": 12 * 3_600_000 }))
                .await;
            assert_eq!(answer.status, 204);
            braked += i32::from(okite.report().await["brake"]["level"] == "bulk");
        }
        send(&okite, 1).await;
    }
    let report = okite.report().await;
    is(&report, "healthy", "none");
    assert!((11..=14).contains(&braked), "{braked}");
    assert_eq!(report["rates"]["bounce"]["estimate"]["days"], 7);
    assert_eq!(report["rates"]["bounce"]["estimate"]["count"], 0);
}

#[tokio::test]
async fn a_figure_that_cannot_be_read_keeps_its_level_and_is_reported() {
    let okite = start().await;
    send(&okite, 10).await;
    okite.account(json!({ "bounce_rate": 0.05 })).await;
    is(&okite.report().await, "brake_bulk", "bulk");
    let fault =
        json!({ "operation": "GetMetricStatistics", "error": "InternalServiceFault", "message": "no", "times": 9 });
    okite.fault(fault).await;
    let report = okite.report().await;
    is(&report, "brake_bulk", "bulk");
    assert_eq!(report["troubles"][0]["operation"], "GetMetricStatistics");
    assert_eq!(report["rates"]["bounce"]["aws"], 0.05);
}

#[tokio::test]
async fn an_unpublished_change_is_published_once_with_the_next_report() {
    let okite = start().await;
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
    okite
        .fault(json!({ "operation": "Publish", "error": "InternalError", "message": "no", "for_ms": 600_000 }))
        .await;
    is(&okite.report().await, "brake_all", "all");
    assert_eq!(notifications(&okite).await, [] as [Value; 0]);
    assert_eq!(okite.local(Method::DELETE, "faults", &Value::Null).await.status, 204);
    for _ in 0..2 {
        okite.report().await;
        assert_eq!(notifications(&okite).await.len(), 1);
    }
}

#[tokio::test]
async fn a_lost_record_of_a_change_is_written_again() {
    let okite = start().await;
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
    okite
        .fault(json!({ "operation": "PutItem", "error": "InternalServerError", "message": "no", "for_ms": 600_000 }))
        .await;
    okite.report().await;
    assert_eq!(notifications(&okite).await, [] as [Value; 0]);
    assert_eq!(okite.local(Method::DELETE, "faults", &Value::Null).await.status, 204);
    for _ in 0..2 {
        is(&okite.report().await, "brake_all", "all");
        let told = notifications(&okite).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0]["message"].as_str().unwrap().contains("SHUTDOWN"));
    }
}

#[tokio::test]
async fn the_figures_become_metrics() {
    let okite = start().await;
    send(&okite, 20).await;
    bounced(&okite, "gone@example.net", 1).await;
    okite
        .account(json!({ "enforcement_status": "PROBATION", "max_24_hour_send": 40 }))
        .await;
    okite.report().await;
    let metrics = async || okite.local(Method::GET, "metrics", &Value::Null).await.body;
    let value = |metrics: &Value, name: &str| {
        let metrics = metrics.as_array().unwrap();
        let metric = metrics
            .iter()
            .find(|metric| metric["namespace"] == "Okite" && metric["name"] == name)?;
        assert_eq!(
            metric["dimensions"],
            json!({ "FunctionName": "quota-reporter" }),
            "{metric}"
        );
        metric["value"].as_f64()
    };
    eventually("the metrics are there", async || {
        value(&metrics().await, "EnforcementLevel") == Some(1.0)
    })
    .await;
    let metrics = metrics().await;
    for (name, expected) in [
        ("AccountRead", Some(1.0)),
        ("QuotaUsedShare", Some(50.0)),
        ("EnforcementLevel", Some(1.0)),
        ("BrakeLevel", Some(1.0)),
        ("LimitFell", Some(1.0)),
        ("BounceRateEstimate", Some(5.0)),
        ("ComplaintRateEstimate", Some(0.0)),
    ] {
        assert_eq!(value(&metrics, name), expected, "{name}");
    }
}

#[tokio::test]
async fn an_override_reaches_the_gate_though_the_account_cannot_be_read() {
    let okite = start().await.refusing().await;
    okite.report().await;
    // An operator's command that died between its two writes.
    let usage = Usage::new(
        okite.dynamodb.clone(),
        okite.variable("USAGE_TABLE").to_owned(),
        local_aws::REGION.to_owned(),
    );
    let word = BrakeOverride {
        setting: "all".to_owned(),
        by: "anna".to_owned(),
        why: "a bad list".to_owned(),
        at: Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1)),
    };
    assert!(usage.put_brake_override(&word).await.unwrap());
    okite
        .fault(json!({ "operation": "GetAccount", "error": "TooManyRequestsException", "message": "Rate exceeded" }))
        .await;
    let report = okite.report().await;
    assert_eq!(codes(&report), ["account_unread"]);
    assert_eq!(report["brake"], json!({ "level": "all", "set_by": "operator" }));
    assert_eq!(okite.post(&email("anna@example.net")).await.status, 503);
}
