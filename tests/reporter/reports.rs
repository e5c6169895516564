//! The quota reporter: its report, and the gate that it sets.

use std::collections::BTreeSet;

use aws::{OverrideInGate, Usage};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::brake::Brake;
use domain::brake::BrakeOverride;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Item, Okite, email, eventually};

async fn gate(okite: &Okite) -> Option<Item> {
    okite
        .item("USAGE_TABLE", &[("pk", "gate#us-east-1"), ("sk", "gate")])
        .await
}

async fn latest(okite: &Okite) -> Option<Item> {
    okite
        .item("USAGE_TABLE", &[("pk", "report#us-east-1"), ("sk", "latest")])
        .await
}

/// Starts, and waits for the report that comes by itself, so that it does not fall into what a test does.
async fn start() -> Okite {
    let okite = Okite::start().await;
    eventually("the first report is kept", async || latest(&okite).await.is_some()).await;
    okite
}

fn number(item: &Item, name: &str) -> i64 {
    item[name].as_n().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_report_is_made_at_the_start_by_itself() {
    let okite = start().await;
    let report: Value = serde_json::from_str(latest(&okite).await.unwrap()["report"].as_s().unwrap()).unwrap();
    assert_eq!(report["verdict"], "healthy");
    eventually("the gate is set", async || gate(&okite).await.is_some()).await;
}

#[tokio::test]
async fn the_report_has_the_agreed_shape() {
    let okite = start().await;
    let mut report = okite.report().await;
    let at = report["at"].take();
    assert!(at.as_str().unwrap().parse::<Timestamp>().is_ok(), "{at}");
    let next_at = report["suppression_list"]["next_at"].take();
    assert!(next_at.as_str().unwrap() > at.as_str().unwrap(), "{next_at}");
    // The rest is held to its shape by the crate's own tests, and by the contract in docs/openapi.json.
    let names: BTreeSet<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "at",
        "region",
        "account",
        "verdict",
        "reasons",
        "quota",
        "rate",
        "rates",
        "headroom",
        "advice",
        "brake",
        "troubles",
        "suppression_list",
    ];
    assert_eq!(names, BTreeSet::from(wanted));
    assert_eq!(
        (&report["region"], &report["verdict"]),
        (&json!("us-east-1"), &json!("healthy"))
    );
    assert_eq!(
        report["account"],
        json!({
            "max_24_hour_send": 50_000.0,
            "sent_last_24_hours": 0.0,
            "remaining": 50_000.0,
            "max_send_rate": 14.0,
            "production_access": true,
            "sending_enabled": true,
            "enforcement_status": "HEALTHY",
        })
    );
    assert_eq!(
        report["suppression_list"],
        json!({
            "running": false,
            "last_finished_at": null,
            "next_at": null,
            "listed": 0,
            "added": 0,
            "lifted": 0,
            "unreadable": 0,
            "trouble": null,
        })
    );
}

#[tokio::test]
async fn sent_recipients_are_subtracted_and_the_mailbox_simulator_is_not() {
    let okite = start().await;
    okite
        .send(&email(json!([
            "a@example.net",
            "b@example.net",
            "success@simulator.amazonses.com"
        ])))
        .await;
    let account = okite.report().await["account"].clone();
    assert_eq!(account["sent_last_24_hours"].as_f64(), Some(2.0));
    assert_eq!(account["remaining"].as_f64(), Some(49_998.0));
}

#[tokio::test]
async fn changes_of_the_account_show_in_the_next_report() {
    let okite = start().await;
    okite
        .account(json!({ "max_24_hour_send": 1000, "max_send_rate": 2.5, "production_access": false }))
        .await;
    let report = okite.report().await;
    assert_eq!(report["account"]["remaining"].as_f64(), Some(1000.0));
    assert_eq!(report["account"]["max_send_rate"].as_f64(), Some(2.5));
    assert_eq!(report["account"]["production_access"], false);
    let kept = latest(&okite).await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(kept["report"].as_s().unwrap()).unwrap(),
        report
    );

    okite.account(json!({ "max_24_hour_send": -1 })).await;
    let account = okite.report().await["account"].clone();
    assert_eq!(
        (account["max_24_hour_send"].as_f64(), &account["remaining"]),
        (Some(-1.0), &Value::Null)
    );
}

#[tokio::test]
async fn the_verdict_follows_the_accounts_standing_at_aws() {
    let okite = start().await;
    for (change, verdict, brake) in [
        (json!({ "enforcement_status": "PROBATION" }), "warn", 0),
        (json!({ "enforcement_status": "SHUTDOWN" }), "brake_all", 2),
        (json!({ "enforcement_status": "HEALTHY" }), "healthy", 0),
        (json!({ "sending_enabled": false }), "warn", 0),
    ] {
        okite.account(change.clone()).await;
        let report = okite.report().await;
        assert_eq!(report["verdict"], verdict, "{change}");
        assert_eq!(number(&gate(&okite).await.unwrap(), "brake"), brake, "{change}");
    }
}

#[tokio::test]
async fn the_gate_is_set_by_the_report() {
    let okite = start().await;
    let report = okite.report().await;
    let gate = gate(&okite).await.unwrap();
    let names: BTreeSet<&str> = gate.keys().map(String::as_str).collect();
    let wanted = [
        "pk",
        "sk",
        "next_free_slot",
        "slot_interval",
        "left_all",
        "left_bulk",
        "granted",
        "brake",
        "account_read_at",
        "overridden_at",
    ];
    assert_eq!(names, BTreeSet::from(wanted));
    // 14 a second, less 5 %.
    assert_eq!(number(&gate, "slot_interval"), 75_188);
    assert_eq!((number(&gate, "granted"), number(&gate, "brake")), (0, 0));
    let (all, bulk) = (number(&gate, "left_all"), number(&gate, "left_bulk"));
    assert_eq!((all, bulk), (50_000, 40_000));
    let at: Timestamp = report["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(number(&gate, "account_read_at"), at.as_millisecond());
}

#[tokio::test]
async fn no_report_erases_an_operators_brake() {
    let okite = start().await;
    let key = |name: &str| AttributeValue::S(name.to_owned());
    let put = okite.dynamodb.put_item().table_name(okite.variable("USAGE_TABLE"));
    let put = put.item("pk", key("gate#us-east-1")).item("sk", key("brake_override"));
    put.item("brake_override", key("all")).send().await.unwrap();
    for _ in 0..2 {
        assert_eq!(okite.report().await["verdict"], "healthy");
        assert_eq!(number(&gate(&okite).await.unwrap(), "brake"), 2);
    }
}

#[tokio::test]
async fn an_override_set_during_a_report_is_not_undone_by_it() {
    let okite = start().await;
    okite.report().await;
    let usage = Usage::new(
        okite.dynamodb.clone(),
        okite.variable("USAGE_TABLE").to_owned(),
        "us-east-1".to_owned(),
    );
    let word = BrakeOverride {
        setting: "all".to_owned(),
        at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        ..BrakeOverride::default()
    };
    okite
        .fault(json!({ "operation": "GetAccount", "delay_ms": 1_500 }))
        .await;
    let speak = async {
        // The report has read what operators said, and waits for SES.
        eventually("the account is asked for", async || {
            let faults = okite.local(Method::GET, "faults", &Value::Null).await;
            faults.body.as_array().unwrap().is_empty()
        })
        .await;
        assert!(usage.put_brake_override(&word).await.unwrap());
        let set = usage.set_brake(Brake::All, word.at.unwrap()).await.unwrap();
        assert_eq!(set, OverrideInGate::InForce);
    };
    let (report, ()) = tokio::join!(okite.report(), speak);
    let gate = gate(&okite).await.unwrap();
    assert_eq!(number(&gate, "brake"), 2);
    let at: Timestamp = report["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        number(&gate, "account_read_at"),
        at.as_millisecond(),
        "it was tried once more"
    );
}

#[tokio::test]
async fn a_run_that_cannot_read_the_account_says_so_and_leaves_the_gate() {
    let okite = start().await;
    let good = okite.report().await;
    let before = gate(&okite).await;
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
    okite
        .fault(json!({ "operation": "GetAccount", "error": "TooManyRequestsException", "message": "Rate exceeded" }))
        .await;
    let answer = okite
        .local(Method::POST, "clock", &json!({ "advance_ms": 7 * 60_000 }))
        .await;
    assert_eq!(answer.status, 204);
    let report = okite.report().await;
    let trouble = json!([{ "operation": "GetAccount", "code": "TooManyRequestsException" }]);
    assert_eq!((&report["verdict"], &report["troubles"]), (&json!("warn"), &trouble));
    assert_eq!(report["reasons"][0]["code"], "account_unread");
    // What was known before, with its age.
    assert_eq!((&report["at"], &report["account"]), (&good["at"], &good["account"]));
    let quota = okite.get("/quota").await.body;
    assert_eq!(quota["troubles"], trouble);
    assert!(quota["age_seconds"].as_u64().unwrap() >= 7 * 60, "{quota}");
    assert_eq!(gate(&okite).await, before);
    // And it is over with the next run.
    let report = okite.report().await;
    assert_eq!(
        (&report["verdict"], &report["troubles"]),
        (&json!("brake_all"), &json!([]))
    );
}

#[tokio::test]
async fn a_first_run_that_cannot_read_the_account_fails() {
    let okite = start().await;
    let delete = okite.dynamodb.delete_item().table_name(okite.variable("USAGE_TABLE"));
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let delete = delete.key("pk", key("report#us-east-1")).key("sk", key("latest"));
    delete.send().await.unwrap();
    okite
        .fault(json!({ "operation": "GetAccount", "error": "TooManyRequestsException", "message": "Rate exceeded" }))
        .await;
    let answer = okite.local(Method::POST, "schedule", &Value::Null).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.contains("TooManyRequestsException"), "{message}");
    okite.report().await;
}
