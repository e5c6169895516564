//! Functions that are killed at any step of a mail that waits. The mail goes out once, or it is `unknown` and went out
//! once at most. Nothing of it is left in the outbox but parts that no row names, and those lapse.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use local_aws::calls::Call;
use reqwest::Method;
use serde_json::{Value, json};

use super::{SIX_MINUTES, numbered, people, without_room};
use crate::functions::processes::{kill, processes};
use crate::sending::faults::assert_died;
use crate::support::{Item, Okite, email, eventually, within};

/// Longer than the lease of a request.
const LEASE: Duration = Duration::from_secs(36);
/// How long the parts of a content are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(45 * 24);
/// Longer than any test, in milliseconds of the clock that tests set forward.
const FOR_GOOD: u64 = 100 * 24 * 3_600_000;

/// An email that is due in five minutes, and told from the others.
fn scheduled(number: usize) -> Value {
    let mut mail = numbered(number);
    mail["scheduled_at"] = json!("in 5 min");
    mail
}

fn is_entry(item: &Item) -> bool {
    item["part"].as_s().unwrap() == "entry"
}

impl Okite {
    /// Puts a fault of the calls of a function into force.
    async fn fault_of(&self, function: &str, fault: &Value) {
        let mut fault = fault.clone();
        fault["function"] = json!(function);
        self.fault(fault).await;
    }

    /// Waits until a fault holds a call of an operation.
    async fn until_held(&self, operation: &str) {
        eventually("the call is held", async || {
            let held = self.local(Method::GET, "held", &Value::Null).await.body;
            held.as_array()
                .unwrap()
                .iter()
                .any(|call| call["operation"] == operation)
        })
        .await;
    }

    /// Lets the held calls be carried out.
    async fn release(&self) {
        assert_eq!(self.local(Method::DELETE, "held", &Value::Null).await.status, 204);
    }

    /// Has no event of SES come to the table of messages.
    async fn lose_events(&self) {
        for operation in ["PutItem", "UpdateItem"] {
            let lost = json!({ "operation": operation, "table": "MessagesTable", "for_ms": FOR_GOOD,
                               "error": "InternalServerError" });
            self.fault_of("feedback", &lost).await;
        }
    }

    async fn kill_all_of(&self, function: &str) {
        for pid in processes(self, function) {
            kill(pid).await;
        }
    }

    /// Waits until a fault has killed a worker, and nobody works on its mail.
    async fn until_worker_died(&self) {
        eventually("a worker was killed", async || {
            let faults = self.faults().await;
            let is_killed = faults
                .as_array()
                .unwrap()
                .iter()
                .all(|fault| fault.get("kill").is_none());
            is_killed && self.is_at_rest().await
        })
        .await;
    }

    /// The items of the mails that wait.
    async fn outbox_items(&self) -> Vec<Item> {
        let scan = self.dynamodb.scan().table_name(self.variable("OUTBOX_TABLE"));
        within(scan.consistent_read(true).send()).await.unwrap().items.unwrap()
    }

    /// Checks that no entry is left, and that every part that is left lapses.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is a few hours ahead of the machine's"
    )]
    async fn assert_only_lapsing_parts(&self) {
        let latest = Timestamp::now() + KEPT + SignedDuration::from_hours(24);
        for item in self.outbox_items().await {
            assert!(!is_entry(&item));
            let lapses: i64 = item["expires_at"].as_n().unwrap().parse().unwrap();
            assert!(lapses <= latest.as_second(), "{lapses}");
        }
    }

    /// Sweeps until no entry waits.
    async fn until_no_entry(&self) {
        eventually("no mail waits", async || {
            self.sweep().await;
            !self.outbox_items().await.iter().any(is_entry)
        })
        .await;
    }

    /// Has a mail wait whose hint is lost, and that is due now.
    async fn wait_without_hint(&self, mail: &Value) -> Value {
        self.fault_of(
            "send-api",
            &json!({ "operation": "SendMessage", "error": "InternalError" }),
        )
        .await;
        let sent = self.send(mail).await;
        assert_eq!(self.state_of(&sent).await.0, "scheduled");
        self.advance(SIX_MINUTES).await;
        self.report().await;
        sent
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_that_is_killed_at_any_step_loses_and_doubles_nothing() {
    let okite = Okite::start().await;
    for (number, (fault, is_accepted, hints)) in [
        // The content is written.
        (
            json!({ "operation": "BatchWriteItem", "table": "OutboxTable", "kill": "after" }),
            false,
            0,
        ),
        (json!({ "operation": "TransactWriteItems", "kill": "before" }), false, 0),
        (json!({ "operation": "TransactWriteItems", "kill": "after" }), true, 0),
        (json!({ "operation": "SendMessage", "kill": "before" }), true, 0),
        (json!({ "operation": "SendMessage", "kill": "after" }), true, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let (key, mail) = (number.to_string(), scheduled(number));
        okite.fault_of("send-api", &fault).await;
        assert_died(&okite.post_keyed(&key, &mail).await);
        assert_eq!(okite.faults().await, json!([]), "{fault}");
        assert_eq!(okite.hints().await, hints, "{fault}");
        let rows = okite.messages().await.len();
        assert_eq!(rows, number + usize::from(is_accepted), "{fault}");
        if !is_accepted {
            let early = okite.post_keyed(&key, &mail).await;
            early.refused(409, "concurrent_idempotent_requests");
            okite.advance(LEASE).await;
        }
        let sent = okite.post_keyed(&key, &mail).await;
        assert_eq!(sent.status, 200, "{fault}: {sent:?}");
        assert_eq!(okite.state_of(&sent.body).await.0, "scheduled", "{fault}");
        let again = okite.post_keyed(&key, &mail).await;
        assert_eq!((again.status, &again.body["id"]), (200, &sent.body["id"]), "{fault}");
        okite.advance(SIX_MINUTES).await;
        okite.report().await;
        okite.until_no_entry().await;
        assert_eq!(
            okite.state_of(&sent.body).await,
            (json!("sent"), Value::Null),
            "{fault}"
        );
        assert_eq!(okite.taken(&format!("Number {number}")).await, 1, "{fault}");
        eventually("no worker is at work", async || okite.hints().await == 0).await;
    }
    // Each of the two that did not come to the transaction has left its content.
    assert_eq!(okite.waiting_items().await, 2);
    okite.assert_only_lapsing_parts().await;
}

/// Has a function killed while its transaction is on the way to the table: no mail is accepted, and it may be any time.
async fn kill_in_transaction(okite: &Okite, mail: &Value) {
    okite
        .fault_of(
            "send-api",
            &json!({ "operation": "TransactWriteItems", "times": 99, "hold": "before" }),
        )
        .await;
    let killed = async {
        okite.until_held("TransactWriteItems").await;
        okite.kill_all_of("send-api").await;
    };
    let (answer, ()) = tokio::join!(okite.post_keyed("k", mail), killed);
    assert_died(&answer);
    okite.clear_faults().await;
    assert!(!okite.outbox_items().await.iter().any(is_entry));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_outlives_its_function_is_found_by_the_repeated_request() {
    let (okite, mail) = (Okite::start().await, scheduled(1));
    kill_in_transaction(&okite, &mail).await;
    okite.release().await;
    let sent = okite.post_keyed("k", &mail).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(okite.state_of(&sent.body).await.0, "scheduled");
    okite.advance(SIX_MINUTES).await;
    okite.report().await;
    okite.until_no_entry().await;
    assert_eq!((okite.taken("Number 1").await, okite.waiting_items().await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_comes_after_the_repeated_request_queued_the_mail_has_no_effect() {
    let (okite, mail) = (Okite::start().await, scheduled(1));
    kill_in_transaction(&okite, &mail).await;
    okite.advance(LEASE).await;
    let sent = okite.post_keyed("k", &mail).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let entry = async || okite.outbox_items().await.into_iter().find(is_entry);
    let before = (okite.message(&sent.body["id"]).await, entry().await);
    okite.release().await;
    assert_eq!((okite.message(&sent.body["id"]).await, entry().await), before);
    okite.advance(SIX_MINUTES).await;
    okite.report().await;
    okite.until_no_entry().await;
    assert_eq!(okite.taken("Number 1").await, 1);
    okite.assert_only_lapsing_parts().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_comes_after_the_mail_was_sent_sends_it_no_second_time() {
    let (okite, mail) = (without_room(1).await, numbered(1));
    kill_in_transaction(&okite, &mail).await;
    okite.advance(Duration::from_mins(2)).await;
    okite.report().await;
    let sent = okite.post_keyed("k", &mail).await;
    assert_eq!(okite.state_of(&sent.body).await.0, "sent", "{sent:?}");
    okite.release().await;
    okite.assert_only_lapsing_parts().await;
    okite.until_due().await;
    assert_eq!(okite.sweep().await["transactional"]["due"], 0);
    assert_eq!(okite.taken("Number 1").await, 1);
}

/// A step of a worker before or after which it is killed. What follows holds while no event of SES arrives.
struct Step {
    fault: Value,
    /// The state of the mail when the worker is dead.
    state: &'static str,
    /// How many mails SES has taken by then.
    taken: usize,
    /// How many items of the mail the outbox has by then.
    items: i32,
    /// The state in the end.
    end: &'static str,
}

fn steps() -> [Step; 11] {
    let step = |fault, state, taken, items, end| Step {
        fault,
        state,
        taken,
        items,
        end,
    };
    let at = |operation: &str, table: &str, kill: &str| json!({ "operation": operation, "table": table, "kill": kill });
    let settles = |kill: &str| {
        let mut fault = at("UpdateItem", "MessagesTable", kill);
        fault["skip"] = json!(1);
        fault
    };
    let ses = |kill: &str| json!({ "operation": "SendEmail", "kill": kill });
    [
        // The permit.
        step(at("UpdateItem", "UsageTable", "after"), "queued", 0, 2, "sent"),
        // The row becomes `sending`.
        step(at("UpdateItem", "MessagesTable", "before"), "queued", 0, 2, "sent"),
        step(at("UpdateItem", "MessagesTable", "after"), "sending", 0, 2, "unknown"),
        step(ses("before"), "sending", 0, 2, "unknown"),
        step(ses("after"), "sending", 1, 2, "unknown"),
        // The row is settled.
        step(settles("before"), "sending", 1, 2, "unknown"),
        step(settles("after"), "sent", 1, 2, "sent"),
        // The content is deleted, and then the entry.
        step(at("BatchWriteItem", "OutboxTable", "before"), "sent", 1, 2, "sent"),
        step(at("BatchWriteItem", "OutboxTable", "after"), "sent", 1, 1, "sent"),
        step(at("DeleteItem", "OutboxTable", "before"), "sent", 1, 1, "sent"),
        step(at("DeleteItem", "OutboxTable", "after"), "sent", 1, 0, "sent"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_at_any_step_sends_the_mail_at_most_once_and_leaves_nothing() {
    let okite = Okite::start().await;
    okite.lose_events().await;
    for (number, step) in steps().into_iter().enumerate() {
        let (fault, subject) = (&step.fault, format!("Number {number}"));
        let sent = okite.wait_without_hint(&scheduled(number)).await;
        okite.fault_of("sender", fault).await;
        assert_eq!(okite.sweep().await["transactional"]["handed_over"], 1, "{fault}");
        okite.until_worker_died().await;
        let state = async || okite.state_of(&sent).await.0;
        assert_eq!(state().await, step.state, "{fault}");
        assert_eq!(
            (okite.taken(&subject).await, okite.waiting_items().await),
            (step.taken, step.items),
            "{fault}"
        );
        // The hint comes again.
        okite.advance(SIX_MINUTES).await;
        eventually("the hint is worked on", async || okite.hints().await == 0).await;
        assert_eq!(state().await, step.end, "{fault}");
        if step.end == "unknown" {
            // An hour after its lease.
            assert_eq!(okite.waiting_items().await, 2, "{fault}");
            okite.advance(Duration::from_mins(66)).await;
            okite.until_no_entry().await;
            assert_eq!(state().await, "unknown", "{fault}");
        }
        let mails = if step.end == "sent" { 1 } else { step.taken };
        assert_eq!(
            (okite.taken(&subject).await, okite.waiting_items().await),
            (mails, 0),
            "{fault}"
        );
        assert_eq!(okite.hints().await, 0, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_at_its_second_mail_sends_none_of_its_batch_twice() {
    const MAILS: usize = 5;
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 10 })).await;
    okite.lose_events().await;
    okite
        .fault_of(
            "send-api",
            &json!({ "operation": "SendMessage", "times": MAILS, "error": "InternalError" }),
        )
        .await;
    let mut sent = Vec::new();
    for number in 0..MAILS {
        sent.push(okite.send(&scheduled(number)).await);
    }
    okite.advance(SIX_MINUTES).await;
    okite.report().await;
    okite
        .fault_of(
            "sender",
            &json!({ "operation": "SendEmail", "skip": 1, "kill": "after" }),
        )
        .await;
    assert_eq!(okite.sweep().await["transactional"]["handed_over"], MAILS);
    okite.until_worker_died().await;
    okite.advance(SIX_MINUTES).await;
    eventually("all hints are worked on", async || okite.hints().await == 0).await;
    okite.advance(Duration::from_mins(66)).await;
    okite.report().await;
    okite.until_no_entry().await;
    let mut unknown = 0;
    for (number, sent) in sent.iter().enumerate() {
        let taken = okite.taken(&format!("Number {number}")).await;
        match okite.state_of(sent).await.0.as_str() {
            Some("sent") => assert_eq!(taken, 1, "{number}"),
            Some("unknown") => {
                assert!(taken <= 1, "{number}");
                unknown += 1;
            }
            state => panic!("{number} is {state:?}"),
        }
    }
    // The one that SES had just taken; and, as a chunk has two mails at this rate, perhaps the other.
    assert!((1..=2).contains(&unknown), "{unknown}");
    assert_eq!(okite.waiting_items().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_while_it_waits_for_its_slot_has_sent_nothing() {
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 0.2 })).await;
    let sent = okite.wait_without_hint(&scheduled(1)).await;
    // The step before the permit.
    okite
        .fault_of(
            "sender",
            &json!({ "operation": "BatchGetItem", "table": "SuppressionsTable", "times": 99, "hold": "after" }),
        )
        .await;
    okite.sweep().await;
    okite.until_held("BatchGetItem").await;
    okite.clear_faults().await;
    // The next slot is some seconds away, and the worker looks at the brake before it.
    okite.send(&email(people(1))).await;
    okite
        .fault_of(
            "sender",
            &json!({ "operation": "GetItem", "table": "UsageTable", "times": 99, "hold": "before" }),
        )
        .await;
    okite.release().await;
    okite.until_held("GetItem").await;
    let permit = Call {
        function: "sender".to_owned(),
        action: "dynamodb:UpdateItem".to_owned(),
        resource: "arn:aws:dynamodb:us-east-1:000000000000:table/okite-UsageTable".to_owned(),
    };
    assert!(okite.local.calls.count(&permit) > 0);
    okite.kill_all_of("sender").await;
    okite.clear_faults().await;
    okite.release().await;
    okite.until_worker_died().await;
    assert_eq!(okite.state_of(&sent).await.0, "queued");
    assert_eq!((okite.taken("Number 1").await, okite.waiting_items().await), (0, 2));
    okite.advance(SIX_MINUTES).await;
    eventually("it has left", async || okite.taken("Number 1").await == 1).await;
    eventually("nothing waits", async || okite.waiting_items().await == 0).await;
    assert_eq!(okite.state_of(&sent).await.0, "sent");
}
