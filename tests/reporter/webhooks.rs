//! The events that the quota reporter emits for webhooks: changes of the verdict and of the brake.

use std::time::Duration;

use domain::webhook::EventKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::alarms::counted;
use crate::subscription::Subscription;
use crate::support::Okite;

const OF_THE_ACCOUNT: [EventKind; 2] = [EventKind::AccountVerdictChanged, EventKind::AccountBrakeChanged];

async fn shut_down(okite: &Okite) {
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
}

/// The bodies of the events about the verdict and about the brake.
async fn emitted(subscription: &Subscription) -> [Vec<Value>; 2] {
    let [verdict, brake] = OF_THE_ACCOUNT;
    [subscription.bodies(verdict).await, subscription.bodies(brake).await]
}

#[tokio::test]
async fn each_change_of_the_verdict_and_of_the_brake_is_emitted_once() {
    let okite = Okite::start().await;
    okite.report().await;
    let subscription = Subscription::start(&okite).await;
    for _ in 0..2 {
        okite.report().await;
    }
    assert_eq!(emitted(&subscription).await, [(); 2].map(|()| Vec::<Value>::new()));
    shut_down(&okite).await;
    for _ in 0..2 {
        assert_eq!(okite.report().await.get("verdict_changes"), None);
    }
    let [verdicts, brakes] = emitted(&subscription).await;
    let ([verdict], [brake]) = (&verdicts[..], &brakes[..]) else {
        panic!("{verdicts:?} {brakes:?}")
    };
    assert_eq!(verdict["type"], "account.verdict_changed");
    assert_eq!(verdict["data"], json!({ "from": "healthy", "to": "brake_all" }));
    let brake = &brake["data"];
    assert_eq!(
        (&brake["from"], &brake["to"], &brake["by"]),
        (&json!("none"), &json!("all"), &json!("reporter"))
    );
    assert!(brake["why"].as_str().unwrap().contains("SHUTDOWN"), "{brake}");
    okite.account(json!({ "enforcement_status": "HEALTHY" })).await;
    okite.report().await;
    let [verdicts, brakes] = emitted(&subscription).await;
    assert_eq!((verdicts.len(), brakes.len()), (2, 2));
    assert_eq!(verdicts[0]["data"], json!({ "from": "brake_all", "to": "healthy" }));
}

#[tokio::test]
async fn a_change_that_a_run_stored_and_did_not_emit_is_emitted_by_the_next() {
    let okite = Okite::start().await;
    okite.report().await;
    let subscription = Subscription::start(&okite).await;
    shut_down(&okite).await;
    assert_eq!(okite.local(Method::DELETE, "faults", &Value::Null).await.status, 204);
    okite
        .fault(json!({ "operation": "SendMessageBatch", "times": 1, "kill": "before" }))
        .await;
    let run = json!({ "source": "okite.schedule" });
    okite.invoke("quota-reporter", &run).await.unwrap_err();
    Subscription::refuse_in_sqs(&okite).await;
    for _ in 0..2 {
        okite.report().await;
    }
    let [verdicts, brakes] = emitted(&subscription).await;
    assert_eq!((verdicts.len(), brakes.len()), (1, 1));
    assert_eq!(verdicts[0]["data"], json!({ "from": "healthy", "to": "brake_all" }));
}

#[tokio::test]
async fn a_change_that_nothing_takes_is_logged_for_an_alarm_and_emitted_later() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(local_aws::data_dir::DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "warn".to_owned());
    })
    .await;
    okite.report().await;
    let subscription = Subscription::start(&okite).await;
    shut_down(&okite).await;
    okite
        .fault(json!({
            "operation": "UpdateItem", "table": "DeliveriesTable", "for_ms": 3_600_000, "error": "AccessDeniedException"
        }))
        .await;
    assert_eq!(okite.report().await["verdict"], "brake_all");
    assert_eq!(emitted(&subscription).await, [(); 2].map(|()| Vec::<Value>::new()));
    assert_eq!(counted(folder.path(), "WebhookNotEmittedAlarm"), 2);
    assert_eq!(okite.local(Method::DELETE, "faults", &Value::Null).await.status, 204);
    Subscription::refuse_in_sqs(&okite).await;
    okite.advance(Duration::from_mins(5)).await;
    okite.report().await;
    let [verdicts, brakes] = emitted(&subscription).await;
    assert_eq!((verdicts.len(), brakes.len()), (1, 1));
}
