//! The answers about each end that a mail may come to, in both versions.

use std::time::Duration;

use domain::queue::WhenBusy;
use futures_util::future::join;
use local_aws::RunSettings;
use local_aws::data_dir::DataDir;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{ANNA, BOB, BOTH, Caller, DOOR, IMPATIENT, Raw, SesAnswer, Version, sdk_mail};
use crate::support::{Okite, email, eventually};

const REFUSING: &str = "ok_refusingdoor_secret";
const QUEUEING: &str = "ok_queueingdoor_secret";

const THROTTLED: [(u16, &str); 2] = [(400, "Throttling"), (429, "TooManyRequestsException")];
const UNAVAILABLE: [(u16, &str); 2] = [(503, "ServiceUnavailable"), (503, "ServiceUnavailableException")];
pub(super) const INTERNAL: [(u16, &str); 2] = [(500, "InternalFailure"), (500, "InternalServiceErrorException")];
const PAUSED: [(u16, &str); 2] = [(400, "AccountSendingPausedException"), (400, "SendingPausedException")];
pub(super) const INVALID: [(u16, &str); 2] = [(400, "InvalidParameterValue"), (400, "BadRequestException")];

/// Has a request give up waiting after some seconds.
fn impatient(settings: &mut RunSettings) {
    settings.timeout = Some(IMPATIENT);
}

fn door() -> Caller {
    Caller::of(DOOR)
}

/// The times that an answer asks its caller to wait, in seconds and in milliseconds.
#[track_caller]
fn retry_after(answer: &SesAnswer) -> (Option<u64>, Option<u64>) {
    let number = |name| answer.header(name).map(|text| text.parse().unwrap());
    (number("retry-after"), number("x-amz-retry-after"))
}

fn tag<'a>(mail: &'a Value, name: &str) -> Option<&'a str> {
    let mut tags = mail["tags"].as_array().unwrap().iter();
    tags.find(|tag| tag["name"] == name)?["value"].as_str()
}

/// A `Send` event of an email, as SES publishes it.
pub(super) fn sent(id: &str) -> Value {
    json!({ "eventType": "Send", "mail": { "messageId": "m-7", "tags": { "okite_id": [id] } } })
}

/// Has nothing left of the quota.
async fn use_quota_up(okite: &Okite) {
    okite.account(json!({ "max_24_hour_send": 1 })).await;
    okite.report().await;
    okite.send(&email("success@simulator.amazonses.com")).await;
}

#[tokio::test]
async fn an_accepted_mail_has_the_id_that_ses_gave_it() {
    let okite = Okite::door().await;
    for version in BOTH {
        let answer = door().send(&okite, version, &Raw::new("Hello")).await;
        let mail = okite.outbox().await.pop().unwrap();
        assert_eq!(answer.message_id(), mail["ses_message_id"].as_str().unwrap());
        assert_eq!(answer.okite_id(), tag(&mail, "okite_id").unwrap());
        assert_eq!(answer.header("x-okite-suppressed"), None);
        let row = okite.message(&json!(answer.okite_id())).await;
        assert_eq!(row["ses_id"].as_s().unwrap(), &answer.message_id());
    }
    let sent = sdk_mail(&okite.sdk(DOOR, 1), "SDK").send().await.unwrap();
    let mail = okite.outbox().await.pop().unwrap();
    assert_eq!(sent.message_id(), mail["ses_message_id"].as_str());
    assert_eq!(okite.outbox().await.len(), 3);
}

#[tokio::test]
async fn suppressed_recipients_are_left_out_and_counted_and_nobody_left_is_a_success_too() {
    let okite = Okite::door().await;
    for version in BOTH {
        okite.suppress(BOB).await;
        let some = door().send(&okite, version, &Raw::new("Some").to(&[ANNA, BOB])).await;
        let mail = okite.outbox().await.pop().unwrap();
        assert_eq!(some.message_id(), mail["ses_message_id"].as_str().unwrap());
        assert_eq!(some.header("x-okite-suppressed"), Some("1"));
        assert_eq!(mail["envelope"]["to"], json!([ANNA]));
        let taken = okite.outbox().await.len();
        let caller = Caller::invocation(&format!("nobody-{version:?}"));
        let nobody = caller.send(&okite, version, &Raw::new("Nobody").to(&[BOB])).await;
        assert_eq!(nobody.message_id(), nobody.okite_id());
        assert_eq!(nobody.header("x-okite-suppressed"), Some("1"));
        assert_eq!(okite.delete(&format!("/suppressions/{BOB}")).await.status, 200);
        // The suppression is lifted, and the repeated request is still answered as the first one was.
        let again = caller.send(&okite, version, &Raw::new("Nobody").to(&[BOB])).await;
        assert_eq!(again.message_id(), nobody.message_id());
        assert_eq!(again.header("x-okite-suppressed"), Some("1"));
        assert_eq!(okite.outbox().await.len(), taken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_mail_has_an_id_of_okite_and_leaves_when_there_is_room() {
    let okite = Okite::door().await;
    okite
        .put_door_key(QUEUEING, |record| record.when_busy = WhenBusy::Queue)
        .await;
    use_quota_up(&okite).await;
    let mut ids = Vec::new();
    for version in BOTH {
        let caller = Caller::of(QUEUEING).with("amz-sdk-invocation-id", &format!("{version:?}"));
        let mail = Raw::new(&format!("{version:?}"));
        let queued = caller.send(&okite, version, &mail).await;
        assert_eq!(queued.message_id(), queued.okite_id());
        assert_eq!(
            caller.send(&okite, version, &mail).await.message_id(),
            queued.okite_id()
        );
        ids.push(queued.okite_id());
    }
    // The header goes before the key.
    for (key, header, is_queued) in [
        (DOOR, "queue", true),
        (QUEUEING, "refuse", false),
        (QUEUEING, "queue-unless-refused", true),
        (DOOR, "queue-unless-refused", true),
    ] {
        let caller = Caller::of(key).with("okite-when-busy", header);
        let answer = caller.send(&okite, Version::V2, &Raw::new("Header")).await;
        assert_eq!(answer.status, if is_queued { 200 } else { 429 }, "{key} {header}");
    }
    let unknown = Caller::of(DOOR).with("okite-when-busy", "later");
    let answer = unknown.send(&okite, Version::V2, &Raw::new("Header")).await;
    assert!(answer.refused(INVALID[0], INVALID[1]).contains("okite-when-busy"));
    assert_eq!(okite.outbox().await.len(), 1);
    okite.account(json!({ "max_24_hour_send": 1000 })).await;
    okite.report().await;
    okite.advance(Duration::from_mins(61)).await;
    okite.report().await;
    eventually("all have left", async || {
        okite.local(Method::POST, "schedules/SweepSchedule", &Value::Null).await;
        okite.outbox().await.len() == 6
    })
    .await;
    for (version, id) in BOTH.into_iter().zip(ids) {
        let [mail] = &okite.taken_with(&format!("{version:?}")).await[..] else {
            panic!("one mail of {version:?}")
        };
        assert_eq!(tag(mail, "okite_id"), Some(id.as_str()));
    }
}

#[tokio::test]
async fn a_mail_above_the_rate_is_throttled_with_both_times_and_waits_if_its_key_says_so() {
    let okite = Okite::door_with(|settings| {
        settings.timeout = Some(Duration::from_secs(20));
        settings
            .parameters
            .insert("PermitWaitSeconds".to_owned(), "0".to_owned());
    })
    .await;
    okite
        .put_door_key(REFUSING, |record| record.when_busy = WhenBusy::Refuse)
        .await;
    okite.account(json!({ "max_send_rate": 10 })).await;
    okite.report().await;
    let people: Vec<String> = (0..30)
        .map(|n| format!("success+{n}@simulator.amazonses.com"))
        .collect();
    okite.send(&email(people)).await;
    for version in BOTH {
        let answer = Caller::of(REFUSING).send(&okite, version, &Raw::new("Refused")).await;
        let message = answer.refused(THROTTLED[0], THROTTLED[1]);
        assert_eq!(message, "Maximum sending rate exceeded.");
        let (seconds, milliseconds) = retry_after(&answer);
        let (seconds, milliseconds) = (seconds.unwrap(), milliseconds.unwrap());
        assert_eq!(seconds, milliseconds.div_ceil(1000).max(1));
        assert!(milliseconds <= 3_000, "{answer:?}");
    }
    for version in BOTH {
        let answer = door().send(&okite, version, &Raw::new("Waited")).await;
        assert!(!answer.message_id().is_empty());
    }
    assert_eq!(okite.taken_with("Refused").await.len(), 0);
    assert_eq!(okite.taken_with("Waited").await.len(), 2);
    // At a slow rate, there is no slot within the time that a request may wait.
    okite.account(json!({ "max_send_rate": 1 })).await;
    okite.report().await;
    let people: Vec<String> = (0..50)
        .map(|n| format!("success+{n}@simulator.amazonses.com"))
        .collect();
    let mut many = email(people);
    many["okite_when_busy"] = json!("refuse");
    // The slots of the mails before have to pass first. If this one waited in the queue, it would take none.
    eventually("there is room", async || okite.post(&many).await.status == 200).await;
    let answer = door().send(&okite, Version::V1, &Raw::new("Refused")).await;
    answer.refused(THROTTLED[0], THROTTLED[1]);
}

#[tokio::test]
async fn the_used_up_quota_is_throttling_too_and_names_no_time() {
    let okite = Okite::door().await;
    use_quota_up(&okite).await;
    for version in BOTH {
        let answer = door().send(&okite, version, &Raw::new("Refused")).await;
        assert_eq!(
            answer.refused(THROTTLED[0], THROTTLED[1]),
            "Daily message quota exceeded."
        );
        assert_eq!(retry_after(&answer), (None, None));
    }
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn the_brake_and_a_pause_of_ses_are_its_pause() {
    let okite = Okite::door().await;
    let fault = json!({ "operation": "SendEmail", "error": "SendingPausedException", "message": "Paused", "times": 2 });
    okite.fault(fault).await;
    for version in BOTH {
        let answer = door().send(&okite, version, &Raw::new("Paused")).await;
        answer.refused(PAUSED[0], PAUSED[1]);
        assert_eq!(retry_after(&answer), (None, None));
    }
    let fault = json!({ "operation": "SendEmail", "error": "AccountSuspendedException", "message": "x", "times": 2 });
    okite.fault(fault).await;
    for version in BOTH {
        let answer = door().send(&okite, version, &Raw::new("Suspended")).await;
        answer.refused(PAUSED[0], (400, "AccountSuspendedException"));
    }
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
    okite.report().await;
    for version in BOTH {
        let answer = door().send(&okite, version, &Raw::new("Braked")).await;
        assert!(answer.refused(PAUSED[0], PAUSED[1]).contains("brake"));
    }
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_refusal_of_ses_keeps_its_code_and_is_remembered_by_no_id() {
    let okite = Okite::door().await;
    let rejected = json!({ "operation": "SendEmail", "error": "MessageRejected", "message": "No" });
    for version in BOTH {
        okite.fault(rejected.clone()).await;
        let caller = Caller::invocation(&format!("{version:?}"));
        let answer = caller.send(&okite, version, &Raw::new("Rejected")).await;
        answer.refused((400, "MessageRejected"), (400, "MessageRejected"));
        // An application may correct its mail.
        let answer = caller.send(&okite, version, &Raw::new("Corrected")).await;
        assert!(!answer.message_id().is_empty());
        let foreign = Raw {
            source: Some("a@nobody.test".to_owned()),
            ..Raw::new("Foreign")
        };
        let answer = door().send(&okite, version, &foreign).await;
        let message = answer.refused((400, "MessageRejected"), (400, "MessageRejected"));
        assert!(message.starts_with("Email address is not verified. "), "{message}");
    }
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn while_a_table_is_down_nothing_is_sent_and_the_caller_may_come_again() {
    let okite = Okite::door().await;
    let tables = [
        ("GetItem", "ApiKeysTable"),
        ("BatchGetItem", "SuppressionsTable"),
        ("PutItem", "MessagesTable"),
    ];
    for (operation, table) in tables {
        for version in BOTH {
            for (error, expected) in [
                ("InternalServerError", UNAVAILABLE),
                ("AccessDeniedException", INTERNAL),
            ] {
                let fault = json!({ "operation": operation, "table": table, "for_ms": 3_600_000, "error": error });
                okite.fault(fault).await;
                let caller = Caller::invocation(&format!("{operation} {version:?} {error}"));
                let answer = caller.send(&okite, version, &Raw::new("Down")).await;
                answer.refused(expected[0], expected[1]);
                let after = if expected == UNAVAILABLE {
                    (Some(5), Some(5_000))
                } else {
                    (None, None)
                };
                assert_eq!(retry_after(&answer), after, "{operation} {error}");
                okite.local(Method::DELETE, "faults", &Value::Null).await;
            }
        }
    }
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_attempt_waits_for_the_end_of_an_earlier_one() {
    let okite = Okite::door().await;
    for version in BOTH {
        okite
            .fault(json!({ "operation": "SendEmail", "delay_ms": 1_500 }))
            .await;
        let (caller, mail) = (Caller::invocation(&format!("{version:?}")), Raw::new("Hello"));
        let second = async {
            eventually("the first one is at work", async || {
                okite.local(Method::GET, "faults", &Value::Null).await.body == json!([])
            })
            .await;
            caller.send(&okite, version, &mail).await
        };
        let (first, second) = join(caller.send(&okite, version, &mail), second).await;
        assert_eq!(first.message_id(), second.message_id());
        assert_eq!(first.okite_id(), second.okite_id());
    }
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn an_attempt_does_not_wait_for_ever() {
    let okite = Okite::door_with(impatient).await;
    // The function dies with the key.
    let killed = json!({ "operation": "BatchGetItem", "table": "SuppressionsTable", "kill": "before" });
    for version in BOTH {
        okite.fault(killed.clone()).await;
        let (caller, mail) = (Caller::invocation(&format!("{version:?}")), Raw::new("Hello"));
        assert_eq!(caller.send(&okite, version, &mail).await.status, 500);
        let waited = caller.send(&okite, version, &mail).await;
        let message = waited.refused(UNAVAILABLE[0], UNAVAILABLE[1]);
        assert!(message.contains("earlier request"), "{message}");
        assert_eq!(retry_after(&waited), (Some(5), Some(5_000)));
    }
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    okite.advance(Duration::from_secs(36)).await;
    for version in BOTH {
        let caller = Caller::invocation(&format!("{version:?}"));
        assert_eq!(caller.send(&okite, version, &Raw::new("Hello")).await.status, 200);
    }
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_mail_is_an_error_with_its_id_until_an_event_settles_it() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::door_with(|settings| {
        impatient(settings);
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "warn".to_owned());
    })
    .await;
    for version in BOTH {
        okite.fault(json!({ "operation": "SendEmail", "drop": "before" })).await;
        let (caller, mail) = (Caller::invocation(&format!("{version:?}")), Raw::new("Hello"));
        let unknown = caller.send(&okite, version, &mail).await;
        let message = unknown.refused(INTERNAL[0], INTERNAL[1]);
        assert!(message.contains("not known"), "{message}");
        let id = unknown.okite_id();
        assert_eq!(okite.publish(&sent(&id)).await, (1, 0));
        let known = caller.send(&okite, version, &mail).await;
        assert_eq!((known.message_id(), known.okite_id()), ("m-7".to_owned(), id));
    }
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    // No table was slow: the request looked at the record as long as there was time for that.
    let log = std::fs::read_to_string(folder.path().join("logs/ses-api.log")).unwrap();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let caused_by = |cause: &str| lines.iter().filter(|line| line["cause"] == cause).count();
    assert_eq!((caused_by("ambiguous_send"), caused_by("store")), (2, 0), "{log}");
}

#[tokio::test]
async fn an_unknown_mail_without_an_id_of_the_call_is_an_error_at_once() {
    let okite = Okite::door().await;
    for version in BOTH {
        okite.fault(json!({ "operation": "SendEmail", "drop": "before" })).await;
        let answer = door().send(&okite, version, &Raw::new("Hello")).await;
        answer.refused(INTERNAL[0], INTERNAL[1]);
        assert!(!answer.okite_id().is_empty());
    }
}

#[tokio::test]
async fn another_mail_under_the_same_id_is_refused() {
    let okite = Okite::door().await;
    for version in BOTH {
        let caller = Caller::invocation(&format!("{version:?}"));
        assert_eq!(caller.send(&okite, version, &Raw::new("Hello")).await.status, 200);
        for other in [
            Raw::new("Hello!"),
            Raw::new("Hello").to(&[BOB]),
            Raw {
                tags: vec![("shop", "1")],
                ..Raw::new("Hello")
            },
            Raw {
                source: Some("b@example.com".to_owned()),
                ..Raw::new("Hello")
            },
        ] {
            let answer = caller.send(&okite, version, &other).await;
            let message = answer.refused(INVALID[0], INVALID[1]);
            assert!(message.contains("another mail"), "{message}");
        }
    }
    assert_eq!(okite.outbox().await.len(), 2);
}
