//! The role of the SES API: it lacks no permission, has none that is never used, and an operation whose permission is
//! missing sends nothing and says that Okite is at fault.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::queue::WhenBusy;
use domain::stream::Stream;
use domain::suppression::SuppressionReason;
use local_aws::calls::Call;
use local_aws::template::{Permission, Stack};
use okite::application::{APPLICATION, TEMPLATE};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{ANNA, BOTH, Caller, DOOR, Raw, SesAnswer, Version};
use super::outcomes::{INTERNAL, sent};
use crate::feedback::events::{block, bounce, hard_bounce, just_now};
use crate::subscription::Subscription;
use crate::support::{Okite, eventually};
use crate::suppressions::reconciliation::suppress_at_ses;

const QUEUEING: &str = "ok_queueingdoor_secret";
const BULK: &str = "ok_bulkdoor_secret";

async fn clear_faults(okite: &Okite) {
    okite.local(Method::DELETE, "faults", &Value::Null).await;
}

/// Has a mailbox be full again and again, so that bulk mail to it looks for deliveries.
async fn bounce_softly(okite: &Okite) {
    for number in 0..3 {
        let sent = Caller::of(DOOR)
            .send(okite, Version::V2, &Raw::new("Full").to(&["full@example.net"]))
            .await;
        let recipients = json!([{ "emailAddress": "full@example.net", "action": "failed", "status": "4.2.2" }]);
        let mut event = just_now(bounce("Transient", "MailboxFull", &recipients, number));
        event["mail"]["tags"] = json!({ "okite_id": [sent.okite_id()] });
        assert_eq!(okite.publish(&event).await, (1, 0));
    }
}

/// Makes the SES API do everything that it can do.
async fn exercise(okite: &Okite) {
    let door = Caller::of(DOOR);
    for version in BOTH {
        door.send(okite, version, &Raw::new("Hello")).await.message_id();
    }
    let simple = json!({
        "FromEmailAddress": "a@example.com", "Destination": { "ToAddresses": [ANNA] },
        "Content": { "Simple": { "Subject": { "Data": "Hi" }, "Body": { "Text": { "Data": "Hi" } } } },
    });
    let path = "/v2/email/outbound-emails";
    door.call(okite, Method::POST, path, &simple).await.message_id();
    // A storm of blocks is looked for, and so are deliveries of mail that bounced softly.
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    okite.publish(&just_now(block("blocked@example.net", 2))).await;
    okite
        .until_suppressed("blocked@example.net", SuppressionReason::Blocked)
        .await;
    bounce_softly(okite).await;
    let people = ["blocked@example.net", "full@example.net", ANNA];
    Caller::of(BULK)
        .send(okite, Version::V2, &Raw::new("Bulk").to(&people))
        .await
        .message_id();
    // A key that is taken over, one that is freed, and one whose mail is unknown until an event settles it.
    let rejected = json!({ "operation": "SendEmail", "error": "MessageRejected", "message": "No" });
    let stuck = json!({ "operation": "DeleteItem", "times": 9, "error": "InternalServerError" });
    for faults in [vec![rejected.clone()], vec![rejected, stuck]] {
        for fault in faults {
            okite.fault(fault).await;
        }
        let caller = Caller::invocation("again");
        assert_eq!(caller.send(okite, Version::V1, &Raw::new("Again")).await.status, 400);
        clear_faults(okite).await;
    }
    Caller::invocation("again")
        .send(okite, Version::V1, &Raw::new("Again"))
        .await
        .message_id();
    // Mail that waits.
    for (version, when_busy) in [(Version::V1, WhenBusy::Queue), (Version::V2, WhenBusy::Wait)] {
        okite.account(json!({ "max_24_hour_send": 0 })).await;
        okite.report().await;
        let caller = Caller::of(QUEUEING).with("okite-when-busy", when_busy.as_str());
        let status = caller.send(okite, version, &Raw::new("Queued")).await.status;
        assert_eq!(status == 200, when_busy == WhenBusy::Queue);
    }
    okite.account(json!({ "max_24_hour_send": 50_000 })).await;
    okite.report().await;
    let lost = Caller::of(DOOR).with("idempotency-key", "lost");
    okite.fault(json!({ "operation": "SendEmail", "kill": "before" })).await;
    assert_eq!(lost.send(okite, Version::V1, &Raw::new("Lost")).await.status, 500);
    okite.advance(Duration::from_hours(1)).await;
    let unknown = lost.send(okite, Version::V1, &Raw::new("Lost")).await;
    okite.publish(&sent(&unknown.okite_id())).await;
    lost.send(okite, Version::V1, &Raw::new("Lost")).await.message_id();
    // The list, the account and the identities.
    let addresses = "/v2/email/suppression/addresses";
    let put = json!({ "EmailAddress": "put@example.net", "Reason": "BOUNCE" });
    assert_eq!(door.call(okite, Method::PUT, addresses, &put).await.status, 200);
    suppress_at_ses(okite, "put@example.net", "BOUNCE").await;
    assert_eq!(door.call(okite, Method::GET, addresses, &Value::Null).await.status, 200);
    for method in [Method::GET, Method::DELETE] {
        let one = format!("{addresses}/put@example.net");
        assert_eq!(door.call(okite, method, &one, &Value::Null).await.status, 200);
    }
    for action in [
        "GetSendQuota",
        "GetSendStatistics",
        "ListIdentities",
        "GetAccountSendingEnabled",
    ] {
        assert_eq!(door.act(okite, &format!("Action={action}")).await.status, 200);
    }
    // An event for a webhook that SQS does not take, and one that it takes.
    Subscription::start(okite).await;
    let people = [ANNA, "gone@example.net"];
    for _ in 0..2 {
        let left_out = Raw::new("Left out").to(&people);
        door.send(okite, Version::V2, &left_out).await.message_id();
        clear_faults(okite).await;
    }
    guess_keys(okite).await;
}

/// Calls with keys that do not exist, until one process has seen enough of them to read the ids of all keys.
async fn guess_keys(okite: &Okite) {
    let scan = |call: &Call| call.function == "ses-api" && call.action == "dynamodb:Scan";
    for guess in 0..1_000 {
        let caller = Caller::of(&format!("ok_guess{guess}_secret"));
        assert_eq!(caller.act(okite, "Action=GetSendQuota").await.status, 403);
        if okite.local.calls.seen().iter().any(scan) {
            return;
        }
    }
}

async fn with_keys() -> Okite {
    let okite = Okite::door().await;
    okite
        .put_door_key(QUEUEING, |record| record.when_busy = WhenBusy::Queue)
        .await;
    okite
        .put_door_key(BULK, |record| {
            record.stream = Stream::Bulk;
            record.when_busy = WhenBusy::Refuse;
        })
        .await;
    okite
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_allows_the_calls_of_the_ses_api_and_no_others() {
    let okite = with_keys().await;
    exercise(&okite).await;
    let seen = okite.local.calls.seen();
    let allowed = Stack::permissions(TEMPLATE, &APPLICATION.stack_context(BTreeMap::new())).unwrap();
    let permissions = &allowed["ses-api"];
    let calls: Vec<&Call> = seen.iter().filter(|call| call.function == "ses-api").collect();
    let is_allowed = |call: &&&Call| {
        let keys = okite.local.calls.leading_keys(call);
        let allows = |permission: &Permission| {
            permission.allows(&call.action, &call.resource) && keys.iter().all(|key| permission.allows_key(key))
        };
        permissions.iter().any(allows)
    };
    let lacking: Vec<&&Call> = calls.iter().filter(|call| !is_allowed(call)).collect();
    assert!(lacking.is_empty(), "the role lacks {lacking:?}");
    // Lambda writes the log.
    let granted = permissions
        .iter()
        .filter(|permission| !permission.action.starts_with("logs:"));
    let unused: Vec<&Permission> = granted
        .filter(|permission| !calls.iter().any(|call| permission.allows(&call.action, &call.resource)))
        .collect();
    assert!(
        unused.is_empty(),
        "the SES API never does what its role allows: {unused:?}"
    );
}

/// The requests that need a statement of the role.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Send,
    Queue,
    Quota,
    Statistics,
    Identities,
    List,
    Put,
    Get,
    Delete,
}

impl Asked {
    async fn ask(self, okite: &Okite) -> SesAnswer {
        let door = Caller::of(DOOR);
        let list = "/v2/email/suppression/addresses";
        let one = format!("{list}/gone@example.net");
        match self {
            Self::Send => {
                Caller::invocation("send")
                    .send(okite, Version::V2, &Raw::new("Denied"))
                    .await
            }
            Self::Queue => {
                let caller = Caller::of(QUEUEING).with("amz-sdk-invocation-id", "queue");
                caller.send(okite, Version::V2, &Raw::new("Denied")).await
            }
            Self::Quota => door.act(okite, "Action=GetSendQuota").await,
            Self::Statistics => door.act(okite, "Action=GetSendStatistics").await,
            Self::Identities => door.act(okite, "Action=ListIdentities").await,
            Self::List => door.call(okite, Method::GET, list, &Value::Null).await,
            Self::Put => {
                let put = json!({ "EmailAddress": "put@example.net", "Reason": "BOUNCE" });
                door.call(okite, Method::PUT, list, &put).await
            }
            Self::Get => door.call(okite, Method::GET, &one, &Value::Null).await,
            Self::Delete => door.call(okite, Method::DELETE, &one, &Value::Null).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_permission_nothing_is_sent_and_the_answer_is_that_okite_is_at_fault() {
    let okite = with_keys().await;
    okite.suppress("gone@example.net").await;
    for (operation, table, asked) in [
        ("BatchGetItem", Some("SuppressionsTable"), Asked::Send),
        ("GetItem", Some("SuppressionsTable"), Asked::Get),
        ("UpdateItem", Some("SuppressionsTable"), Asked::Put),
        ("UpdateItem", Some("SuppressionsTable"), Asked::Delete),
        ("Query", Some("SuppressionsTable"), Asked::List),
        ("PutItem", Some("MessagesTable"), Asked::Send),
        ("UpdateItem", Some("UsageTable"), Asked::Send),
        ("GetItem", Some("UsageTable"), Asked::Quota),
        ("Query", Some("UsageTable"), Asked::Statistics),
        ("GetItem", Some("ApiKeysTable"), Asked::Send),
        ("SendEmail", None, Asked::Send),
        ("BatchWriteItem", Some("OutboxTable"), Asked::Queue),
    ] {
        if matches!(asked, Asked::Queue) {
            okite.account(json!({ "max_24_hour_send": 0 })).await;
            okite.report().await;
        }
        // A key that was read is known for half a minute.
        if table == Some("ApiKeysTable") {
            okite.advance(Duration::from_secs(31)).await;
        }
        let mut fault = json!({ "operation": operation, "for_ms": 3_600_000, "error": "AccessDeniedException" });
        if let Some(table) = table {
            fault["table"] = json!(table);
        }
        okite.fault(fault).await;
        let answer = asked.ask(&okite).await;
        answer.refused(INTERNAL[0], INTERNAL[1]);
        assert_eq!(okite.outbox().await, [] as [Value; 0], "{operation} {table:?}");
        clear_faults(&okite).await;
    }
    // Nothing was claimed for good, and nothing changed.
    okite.account(json!({ "max_24_hour_send": 1000 })).await;
    okite.report().await;
    assert_eq!(Asked::Get.ask(&okite).await.status, 200);
    for asked in [Asked::Send, Asked::Queue] {
        asked.ask(&okite).await.message_id();
    }
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_call_of_ses_or_a_hint_the_rest_is_done() {
    let okite = with_keys().await;
    let unlisted = json!({ "operation": "ListEmailIdentities", "for_ms": 3_600_000, "error": "AccessDeniedException" });
    okite.fault(unlisted).await;
    let answer = Asked::Identities.ask(&okite).await;
    assert!(answer.status >= 500, "{answer:?}");
    okite.suppress("gone@example.net").await;
    suppress_at_ses(&okite, "gone@example.net", "BOUNCE").await;
    let kept =
        json!({ "operation": "DeleteSuppressedDestination", "for_ms": 3_600_000, "error": "AccessDeniedException" });
    okite.fault(kept).await;
    // Okite's own list says to whom it sends; a pass over that of SES comes later.
    assert_eq!(Asked::Delete.ask(&okite).await.status, 200);
    assert_eq!(Asked::Get.ask(&okite).await.status, 404);
    okite.account(json!({ "max_24_hour_send": 0 })).await;
    okite.report().await;
    okite
        .fault(json!({ "operation": "SendMessage", "for_ms": 3_600_000, "error": "AccessDenied" }))
        .await;
    let queued = Asked::Queue.ask(&okite).await;
    assert_eq!(queued.message_id(), queued.okite_id());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_needs_the_permission_for_raw_mail_and_keeps_the_mail_until_it_has_it() {
    let okite = with_keys().await;
    okite.account(json!({ "max_24_hour_send": 0 })).await;
    okite.report().await;
    let queued = Asked::Queue.ask(&okite).await;
    okite.account(json!({ "max_24_hour_send": 1000 })).await;
    let denied = json!({ "operation": "SendEmail", "for_ms": 36_000_000, "error": "AccessDeniedException" });
    okite.fault(denied).await;
    let raw = |call: &&Call| call.function == "sender" && call.action == "ses:SendRawEmail";
    let sweep = async || {
        okite.report().await;
        okite.advance(Duration::from_mins(61)).await;
        okite.report().await;
        okite.local(Method::POST, "schedules/SweepSchedule", &Value::Null).await;
    };
    sweep().await;
    eventually("the sender tried", async || {
        okite.local.calls.seen().iter().any(|call| raw(&call))
    })
    .await;
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    clear_faults(&okite).await;
    eventually("it has left", async || {
        sweep().await;
        !okite.outbox().await.is_empty()
    })
    .await;
    let [mail] = &okite.outbox().await[..] else {
        panic!("one mail")
    };
    assert_eq!(mail["id"], queued.okite_id().as_str());
    let allowed = Stack::permissions(TEMPLATE, &APPLICATION.stack_context(BTreeMap::new())).unwrap();
    for call in okite.local.calls.seen().iter().filter(raw) {
        let allows = |permission: &Permission| permission.allows(&call.action, &call.resource);
        assert!(allowed["sender"].iter().any(allows), "{call:?}");
    }
}
