//! Compares the calls of the functions with the permissions of their roles: none is missing, and none is unused.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::stream::Stream;
use domain::suppression::SuppressionReason;
use domain::webhook::EventKind;
use jiff::Timestamp;
use local_aws::calls::Call;
use local_aws::template::{Permission, Stack};
use okite::application::{APPLICATION, TEMPLATE};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::batch;
use crate::feedback::events::{block, bounce, hard_bounce, just_now};
use crate::sending::idempotency::delivery;
use crate::subscription::Subscription;
use crate::support::{Answer, KEY, Okite, email, eventually};
use crate::suppressions::reconciliation::{set_register, suppress_at_ses};

const BULK_KEY: &str = "ok_bulk_role";

/// Makes the functions do everything that they can do.
async fn exercise(okite: &Okite) {
    // Before the guesses at keys, after which a process does not know a new one for ten seconds.
    okite.put_key_of(BULK_KEY, Stream::Bulk).await;
    okite.send(&email(json!(["anna@example.net", "bob@example.net"]))).await;
    okite.send(&email("bounce@simulator.amazonses.com")).await;
    okite
        .until_suppressed("bounce@simulator.amazonses.com", SuppressionReason::Bounce)
        .await;
    okite.send(&email("bounce@simulator.amazonses.com")).await;
    // Mail to the simulator counts for nothing.
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    okite.publish(&just_now(block("blocked@example.net", 2))).await;
    okite.send(&email("blocked@example.net")).await;
    // At three tries it fails, and goes to the queue; out of it, it is handled.
    okite
        .fault(json!({"operation": "UpdateItem", "table": "SuppressionsTable", "times": 3, "error": "ValidationException"}))
        .await;
    assert_eq!(okite.publish(&hard_bounce("later@example.net", 1)).await, (0, 1));
    okite
        .until_suppressed("later@example.net", SuppressionReason::Bounce)
        .await;
    okite
        .fault(json!({"operation": "SendEmail", "error": "MessageRejected", "message": "No"}))
        .await;
    let mail = email("anna@example.net");
    okite.post_keyed("k", &mail).await.refused(422, "validation_error");
    okite.post_keyed("k", &mail).await;
    okite.post_keyed("k", &mail).await;
    for _ in 0..2 {
        batch::post(okite, &batch::emails(2), &[batch::KEYED]).await;
    }
    okite.report().await;
    let sent = okite.send(&email("anna@example.net")).await;
    let ses_id = &okite.outbox().await.pop().unwrap()["ses_message_id"];
    let shown = okite.get(&format!("/emails/{}", ses_id.as_str().unwrap())).await;
    assert_eq!(shown.body["id"], sent["id"]);
    // One is added to our list, the other taken off SES's.
    suppress_at_ses(okite, "dead@example.net", "BOUNCE").await;
    suppress_at_ses(okite, "lifted@example.net", "BOUNCE").await;
    set_register(okite, "lifted@example.net", "lifted_at", 4_000_000_000_000).await;
    okite
        .local(Method::POST, "clock", &json!({ "advance_ms": 700_000 }))
        .await;
    okite.pass_over_ses_list().await.unwrap();
    okite.report().await;
    let id = okite.suppress("by-hand@example.net").await;
    okite.get("/suppressions").await;
    okite.delete(&format!("/suppressions/{id}")).await;
    okite.delete("/suppressions/gone@example.net").await;
    okite.get("/quota").await;
    okite.get("/emails?to=anna@example.net").await;
    okite.get("/emails").await;
    guess_keys(okite).await;
    // A mark of today has the verified domains asked for, and a brake is recorded and told.
    okite.publish(&just_now(hard_bounce("gone@example.org", 9))).await;
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
    okite.report().await;
    exercise_queue(okite).await;
    exercise_ses_api(okite).await;
    exercise_webhooks(okite).await;
}

/// Makes requests about webhooks, and has every function emit events that SQS takes and events that it does not.
async fn exercise_webhooks(okite: &Okite) {
    okite
        .account(json!({ "max_send_rate": 14, "enforcement_status": "HEALTHY" }))
        .await;
    okite.report().await;
    let ask = async |method: Method, path: &str, body: &Value| {
        let request = okite.request(method, path).bearer_auth(KEY);
        let answer = Answer::of(if body.is_null() { request } else { request.json(body) }).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer.body
    };
    let all: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    // Nothing listens there.
    let webhook = json!({ "endpoint": "http://127.0.0.1:9/hook", "events": all });
    let id = ask(Method::POST, "/webhooks", &webhook).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/webhooks/{id}");
    ask(Method::GET, "/webhooks", &Value::Null).await;
    ask(Method::PATCH, &path, &json!({ "status": "enabled" })).await;
    ask(Method::POST, &format!("{path}/signing-secret/rotate"), &Value::Null).await;
    okite.advance(Duration::from_mins(1)).await;
    for sqs_fails in [false, true] {
        if sqs_fails {
            Subscription::refuse_in_sqs(okite).await;
        }
        emit_everywhere(okite, sqs_fails).await;
        okite.local(Method::DELETE, "faults", &Value::Null).await;
    }
    let events = format!("{path}/events");
    eventually("a delivery is attempted again", async || {
        okite.advance(Duration::from_secs(5)).await;
        let listed = ask(Method::GET, &events, &Value::Null).await;
        listed["data"].as_array().unwrap().len() > 3
    })
    .await;
    let event = ask(Method::GET, &events, &Value::Null).await["data"][0]["id"].clone();
    let event = format!("{events}/{}", event.as_str().unwrap());
    ask(Method::POST, &format!("{event}/replay"), &Value::Null).await;
    ask(Method::GET, &format!("{event}/attempts"), &Value::Null).await;
    // The sweep fails what waits for an endpoint that is disabled.
    okite.advance(Duration::from_mins(1)).await;
    sweep(okite).await;
    ask(Method::PATCH, &path, &json!({ "status": "disabled" })).await;
    okite.advance(Duration::from_mins(1)).await;
    sweep(okite).await;
    ask(Method::DELETE, &path, &Value::Null).await;
    hand_over_what_sqs_refused(okite, &ask).await;
    // A listener whose time is over is deleted by the sweep.
    Subscription::listen_until(okite, Timestamp::UNIX_EPOCH).await;
    okite.advance(Duration::from_mins(1)).await;
    sweep(okite).await;
    // An endpoint that is gone is disabled, and what waits for it fails.
    let gone = json!({ "endpoint": gone_for_good().await, "events": ["suppression.added"] });
    let id = ask(Method::POST, "/webhooks", &gone).await["id"].clone();
    okite.advance(Duration::from_mins(1)).await;
    okite.suppress("gone-for-good@example.net").await;
    let path = format!("/webhooks/{}", id.as_str().unwrap());
    eventually("the endpoint is disabled", async || {
        ask(Method::GET, &path, &Value::Null).await["status"] == "disabled"
    })
    .await;
}

/// Has the sweep hand over an event that SQS did not take. The endpoint is new: one that failed too often is parked,
/// and the sweep hands over a probe for it without asking how full the queue is.
async fn hand_over_what_sqs_refused(okite: &Okite, ask: &impl AsyncFn(Method, &str, &Value) -> Value) {
    let webhook = json!({ "endpoint": "http://127.0.0.1:9/new", "events": ["suppression.added"] });
    ask(Method::POST, "/webhooks", &webhook).await;
    let asks = |call: &Call| {
        call.function == "sender" && call.action == "sqs:GetQueueAttributes" && call.resource.ends_with("-WebhookQueue")
    };
    okite.advance(Duration::from_mins(1)).await;
    Subscription::refuse_in_sqs(okite).await;
    okite.suppress("not-taken-by-sqs@example.net").await;
    okite.local(Method::DELETE, "faults", &Value::Null).await;
    eventually("the sweep asks how full the queue is", async || {
        okite.advance(Duration::from_mins(1)).await;
        sweep(okite).await;
        okite.local.calls.seen().iter().any(asks)
    })
    .await;
}

/// Starts a server that answers every request with 410, and returns its URL.
async fn gone_for_good() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head).await;
            let answer = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    url
}

/// Has each function emit an event. `again` tells that it did before.
async fn emit_everywhere(okite: &Okite, again: bool) {
    let address = format!("emitted{again}@example.net");
    okite.suppress(&address).await;
    let put = json!({ "EmailAddress": address, "Reason": "BOUNCE" });
    let answer = ses(okite, Method::PUT, "suppression/addresses", &[], Some(&put)).await;
    assert_eq!(answer.status, 200);
    okite
        .publish(&just_now(hard_bounce(&format!("more{again}@example.net"), 77)))
        .await;
    let status = if again { "HEALTHY" } else { "PROBATION" };
    okite.account(json!({ "enforcement_status": status })).await;
    okite.report().await;
    let mut expires = email("anna@example.net");
    expires["scheduled_at"] = json!("in 5 min");
    expires["okite_deadline"] = json!("1s");
    okite.send(&expires).await;
    until_nothing_waits(okite).await;
}

/// Calls version 2 of the SES API, and returns the answer.
async fn ses(okite: &Okite, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
    let request = okite.request(method, &format!("/v2/email/{path}")).bearer_auth(KEY);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::of_ses(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

/// A raw mail for the SES API.
fn raw(to: &[&str]) -> Value {
    let data = STANDARD.encode("From: Acme <hello@example.com>\nSubject: Hello\n\nIt works.\n");
    json!({ "Destination": { "ToAddresses": to }, "Content": { "Raw": { "Data": data } } })
}

/// Sends mail by the SES API that is accepted, repeated, refused, taken over and queued, and makes the calls of its
/// other operations.
async fn exercise_ses_api(okite: &Okite) {
    let send = async |headers: &[(&str, &str)], mail: &Value| {
        ses(okite, Method::POST, "outbound-emails", headers, Some(mail)).await
    };
    let two = raw(&["anna@example.net", "bob@example.net"]);
    let key = [("idempotency-key", "ses")];
    okite
        .fault(json!({ "operation": "SendEmail", "error": "MessageRejected", "message": "No" }))
        .await;
    assert_eq!(send(&key, &two).await.status, 400);
    for _ in 0..2 {
        assert_eq!(send(&key, &two).await.status, 200);
    }
    let simple = json!({
        "FromEmailAddress": "hello@example.com",
        "Destination": { "ToAddresses": ["anna@example.net"] },
        "Content": { "Simple": { "Subject": { "Data": "Hello" }, "Body": { "Text": { "Data": "It works." } } } },
    });
    assert_eq!(send(&[], &simple).await.status, 200);
    // Whether a storm of blocks goes on is looked up for an address that was blocked.
    assert_eq!(send(&[], &raw(&["blocked@example.net"])).await.status, 200);
    // The function ends before SES answers. An event tells that SES took the mail.
    let unsure = [("idempotency-key", "unsure")];
    okite.fault(json!({ "operation": "SendEmail", "kill": "before" })).await;
    assert_eq!(send(&unsure, &two).await.status, 500);
    let id = newest_id(okite).await;
    assert_eq!(okite.publish(&delivery(&id)).await, (1, 0));
    // The function that handled the event died before it had settled the row.
    okite.unsettle(&id).await;
    okite.advance(Duration::from_mins(1)).await;
    assert_eq!(send(&unsure, &two).await.status, 200);

    for (method, path, body, status) in [
        (Method::GET, "account", None, 200),
        (Method::GET, "identities/example.com", None, 200),
        (
            Method::PUT,
            "suppression/addresses",
            Some(json!({ "EmailAddress": "put@example.net", "Reason": "BOUNCE" })),
            200,
        ),
        (Method::GET, "suppression/addresses/put@example.net", None, 200),
        (Method::GET, "suppression/addresses", None, 200),
        (Method::DELETE, "suppression/addresses/put@example.net", None, 200),
    ] {
        let answer = ses(okite, method.clone(), path, &[], body.as_ref()).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    let statistics = okite.request(Method::POST, "/").bearer_auth(KEY);
    let statistics = statistics.header("content-type", "application/x-www-form-urlencoded");
    let statistics = statistics.body("Action=GetSendStatistics").send().await.unwrap();
    assert_eq!(statistics.status(), 200);
    guess_ses_keys(okite).await;

    okite.account(json!({ "max_send_rate": 1 })).await;
    okite.report().await;
    let many: Vec<String> = (0..50).map(|number| format!("{number}@example.net")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let queue = [("okite-when-busy", "queue"), ("idempotency-key", "queued")];
    assert_eq!(send(&[], &raw(&many)).await.status, 200);
    assert_eq!(send(&queue, &two).await.status, 200);
    assert_eq!(send(&queue, &two).await.status, 200);
    until_nothing_waits(okite).await;
}

/// The id of the newest mail.
async fn newest_id(okite: &Okite) -> Value {
    let listed = okite.get("/emails").await;
    listed.body["data"][0]["id"].clone()
}

/// Has mail wait that is called back, is given another time, is sent, expires, and of which SES does not tell whether
/// it took it.
async fn exercise_queue(okite: &Okite) {
    okite.account(json!({ "enforcement_status": "HEALTHY" })).await;
    okite.report().await;
    let to_soft = bounce_softly(okite).await;
    // Whether a storm of blocks goes on is looked up for an address that was blocked.
    let mut mail = email(json!(["anna@example.net", "blocked@example.net"]));
    mail["scheduled_at"] = json!("in 1 hour");
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(okite.send(&mail).await["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(okite.post_with(BULK_KEY, &mail).await.status, 200);
    mail["okite_deadline"] = json!("1s");
    okite.send(&mail).await;
    let cancel = okite.request(Method::POST, &format!("/emails/{}/cancel", ids[0]));
    assert_eq!(Answer::of(cancel.bearer_auth(KEY)).await.status, 200);
    let reschedule = okite.request(Method::PATCH, &format!("/emails/{}", ids[1]));
    let reschedule = reschedule
        .bearer_auth(KEY)
        .json(&json!({ "scheduled_at": "in 30 min" }));
    assert_eq!(Answer::of(reschedule).await.status, 200);
    mail["okite_deadline"] = json!("1d");
    mail["scheduled_at"] = json!("in 5 min");
    okite.send(&mail).await;
    assert_eq!(okite.post_with(BULK_KEY, &to_soft).await.status, 200);
    until_nothing_waits(okite).await;
    // An hour past the lease of its attempt, a worker looks for an event that proves that SES took it.
    mail["to"] = json!("anna@example.net");
    okite.send(&mail).await;
    okite.fault(json!({ "operation": "SendEmail", "drop": "before" })).await;
    okite.advance(Duration::from_mins(10)).await;
    okite.report().await;
    eventually("SES was called", async || {
        sweep(okite).await;
        okite.local(Method::GET, "faults", &Value::Null).await.body == json!([])
    })
    .await;
    until_nothing_waits(okite).await;
}

/// Has the mailbox of an address be full again and again. Returns a mail to it, for later.
async fn bounce_softly(okite: &Okite) -> Value {
    let to = "full@example.net";
    for number in 0..3 {
        let sent = okite.send(&email(to)).await;
        let recipients = json!([{ "emailAddress": to, "action": "failed", "status": "4.2.2" }]);
        let mut event = just_now(bounce("Transient", "MailboxFull", &recipients, number));
        event["mail"]["tags"] = json!({ "okite_id": [sent["id"]] });
        assert_eq!(okite.publish(&event).await, (1, 0));
    }
    let mut mail = email(to);
    mail["scheduled_at"] = json!("in 5 min");
    mail
}

async fn sweep(okite: &Okite) {
    okite.local(Method::POST, "schedules/SweepSchedule", &Value::Null).await;
}

/// Lets more than an hour pass, and sweeps until no mail waits.
async fn until_nothing_waits(okite: &Okite) {
    okite.advance(Duration::from_secs(3_700)).await;
    okite.report().await;
    eventually("nothing waits", async || {
        sweep(okite).await;
        let scan = okite.dynamodb.scan().table_name(okite.variable("OUTBOX_TABLE"));
        scan.send().await.unwrap().count() == 0
    })
    .await;
}

/// Returns whether a function has read the ids of all keys.
fn has_scanned_keys(okite: &Okite, function: &str) -> bool {
    okite.local.calls.seen().iter().any(|call| {
        call.function == function && call.action == "dynamodb:Scan" && call.resource.contains("ApiKeysTable")
    })
}

/// Sends requests with keys that do not exist, until one process has seen enough of them to read the ids of all keys.
async fn guess_keys(okite: &Okite) {
    for guess in 0..1_000 {
        let key = format!("ok_guess{guess}_secret");
        let answer = Answer::of(okite.request(Method::GET, "/quota").bearer_auth(key)).await;
        answer.refused(403, "invalid_api_key");
        if has_scanned_keys(okite, "send-api") {
            return;
        }
    }
}

/// Does the same with the SES API.
async fn guess_ses_keys(okite: &Okite) {
    for guess in 0..1_000 {
        let key = format!("ok_guess{guess}_secret");
        let request = okite.request(Method::GET, "/v2/email/account").bearer_auth(key);
        assert_eq!(Answer::of_ses(request).await.status, 403);
        if has_scanned_keys(okite, "ses-api") {
            return;
        }
    }
}

#[test]
fn functions_that_do_not_set_the_gate_cannot_write_what_is_not_theirs() {
    let allowed = Stack::permissions(TEMPLATE, &APPLICATION.stack_context(BTreeMap::new())).unwrap();
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/okite-UsageTable";
    let may = |function: &str, action: &str, key: &str| {
        let mut permissions = allowed[function].iter();
        permissions.any(|permission| permission.allows(action, table) && permission.allows_key(key))
    };
    let writes = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"];
    for (function, own) in [
        ("feedback", "mark#"),
        ("send-api", "gate#"),
        ("ses-api", "gate#"),
        ("quota-reporter", "gate#"),
        ("sender", "gate#"),
    ] {
        assert!(writes.iter().any(|write| may(function, write, own)), "{function}");
    }
    for write in writes {
        for (function, foreign) in [
            ("feedback", ["gate#", "report#", "brake#"]),
            ("send-api", ["mark#", "report#", "brake#"]),
            ("ses-api", ["mark#", "report#", "brake#"]),
            ("sender", ["mark#", "report#", "brake#"]),
        ] {
            for key in foreign {
                assert!(!may(function, write, key), "{function} {write} {key}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_allows_the_calls_of_its_function_and_no_others() {
    let okite = Okite::start_with(|settings| {
        let loopback = ("ALLOW_LOOPBACK_WEBHOOKS".to_owned(), "true".to_owned());
        settings.environment.extend([loopback]);
    })
    .await;
    exercise(&okite).await;
    let deleted = |call: &&Call| call.action == "sqs:DeleteMessage";
    eventually("what was handled is taken out of each queue", async || {
        okite.local.calls.seen().iter().filter(deleted).count() == 4
    })
    .await;
    let seen = okite.local.calls.seen();

    let allowed = Stack::permissions(TEMPLATE, &APPLICATION.stack_context(BTreeMap::new())).unwrap();
    assert_eq!(allowed.len(), 6);
    let (mut lacking, mut unused) = (Vec::new(), Vec::new());
    for (function, permissions) in &allowed {
        let calls: Vec<_> = seen.iter().filter(|call| call.function == *function).collect();
        assert!(!calls.is_empty(), "{function} called nothing");
        for call in &calls {
            let keys = okite.local.calls.leading_keys(call);
            let allows = |permission: &Permission| {
                permission.allows(&call.action, &call.resource) && keys.iter().all(|key| permission.allows_key(key))
            };
            if !permissions.iter().any(allows) {
                lacking.push(format!("{call:?} {keys:?}"));
            }
        }
        for permission in permissions {
            // Lambda writes the log, not the function.
            let in_use = permission.action.starts_with("logs:")
                // SES may judge a mail with headers or files by it: see the template.
                || (function == "send-api" && permission.action == "ses:SendRawEmail")
                || calls.iter().any(|call| permission.allows(&call.action, &call.resource));
            if !in_use {
                unused.push(format!("{function}: {permission:?}"));
            }
        }
    }
    assert_eq!(lacking, [""; 0], "the roles lack what was done");
    assert_eq!(unused, [""; 0], "the roles allow what was never done");
}
