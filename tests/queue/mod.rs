//! Mail that waits, from the request to SES: hints, the sweep, deadlines, and processes that are killed.

mod kills;
mod no_hints;

use std::time::Duration;

use domain::stream::Stream;
use jiff::Timestamp;
use local_aws::data_dir::DataDir;
use reqwest::Method;
use serde_json::{Value, json};

use crate::alarms::{counted, counts};
use crate::support::{Okite, email, email_with, eventually, within};

const HINTS: &str = "okite-TransactionalHintQueue";
const DEAD_LETTERS: &str = "okite-TransactionalHintDeadLetterQueue";
const BULK_KEY: &str = "ok_bulk_waits";
/// The visibility timeout of the queues of hints.
const SIX_MINUTES: Duration = Duration::from_mins(6);
/// How often a message is received before it is given up.
const TRIES: usize = 10;
/// How many slots are taken before a mail has to wait.
const TAKEN: usize = 50;

fn people(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("success+{number}@simulator.amazonses.com"))
        .collect()
}

/// An email that is told from the others.
fn numbered(number: usize) -> Value {
    email_with("subject", format!("Number {number}"))
}

/// An Okite that has no room now: all slots of the next seconds are taken, and a request does not wait for one.
async fn without_room(rate: u32) -> Okite {
    let okite = Okite::start_with(|settings| {
        settings
            .parameters
            .insert("PermitWaitSeconds".to_owned(), "0".to_owned());
    })
    .await;
    okite.account(json!({ "max_send_rate": rate })).await;
    okite.report().await;
    okite.send(&email(people(TAKEN))).await;
    okite
}

impl Okite {
    /// Runs the sweep, and returns its figures.
    pub(crate) async fn sweep(&self) -> Value {
        let answer = self.local(Method::POST, "schedules/SweepSchedule", &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The state of an email, and its reason.
    async fn state_of(&self, sent: &Value) -> (Value, Value) {
        let shown = self.get(&format!("/emails/{}", sent["id"].as_str().unwrap())).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        (shown.body["okite_state"].clone(), shown.body["okite_reason"].clone())
    }

    /// How many items the table of the mails that wait has.
    async fn waiting_items(&self) -> i32 {
        let scan = self.dynamodb.scan().table_name(self.variable("OUTBOX_TABLE"));
        within(scan.consistent_read(true).send()).await.unwrap().count()
    }

    /// How many mails with a subject SES took.
    async fn taken(&self, subject: &str) -> usize {
        let outbox = self.outbox().await;
        outbox.iter().filter(|mail| mail["subject"] == subject).count()
    }

    /// A count of a queue of hints.
    async fn count_of(&self, queue: &str, what: &str) -> u64 {
        let queues = self.local(Method::GET, "queues", &Value::Null).await.body;
        let mut queues = queues.as_array().unwrap().iter();
        let found = queues.find(|found| found["name"] == queue).unwrap();
        found[what].as_u64().unwrap()
    }

    /// How many hints SQS has.
    async fn hints(&self) -> u64 {
        let queues = self.local(Method::GET, "queues", &Value::Null).await.body;
        let mut queues = queues.as_array().unwrap().iter();
        let found = queues.find(|found| found["name"] == HINTS).unwrap();
        ["visible", "in_flight", "delayed"]
            .map(|what| found[what].as_u64().unwrap())
            .iter()
            .sum()
    }

    /// Whether no worker is at work, and none is about to be.
    async fn is_at_rest(&self) -> bool {
        self.count_of(HINTS, "visible").await == 0 && self.count_of(HINTS, "being_handled").await == 0
    }

    /// Queues an email whose hint is lost.
    async fn queue_without_hint(&self, mail: &Value) -> Value {
        self.fault(json!({ "operation": "SendMessage", "error": "InternalError" }))
            .await;
        let sent = self.send(mail).await;
        assert_eq!(self.state_of(&sent).await.0, "queued");
        assert_eq!(self.local(Method::GET, "faults", &Value::Null).await.body, json!([]));
        sent
    }

    /// Lets the time pass after which the sweep looks after a mail that acceptance has hinted, and by then there is
    /// room.
    async fn until_due(&self) {
        self.advance(Duration::from_mins(3)).await;
        self.report().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_without_room_is_queued_and_goes_out_once_at_its_rate() {
    const MAILS: usize = 20;
    let okite = without_room(10).await;
    let mut sent = Vec::new();
    for number in 0..MAILS {
        sent.push(okite.send(&numbered(number)).await);
    }
    // Each of them may have left by now: the first had no room, and its row tells so for good.
    assert!(okite.message(&sent[0]["id"]).await.contains_key("queued_at"));
    eventually("all mails have left", async || okite.outbox().await.len() == MAILS + 1).await;
    for number in 0..MAILS {
        assert_eq!(okite.taken(&format!("Number {number}")).await, 1);
    }
    // At 95 % of the rate, the last slot is that long after the first. A burst of a second is free.
    let outbox = okite.outbox().await;
    let at = |mail: &Value| mail["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let first = outbox.iter().map(at).min().unwrap();
    let last = outbox.iter().map(at).max().unwrap();
    let slots = i32::try_from(TAKEN + MAILS - 1).unwrap();
    let seconds = f64::from(slots) / 9.5 - 1.0;
    assert!(
        last.duration_since(first).as_secs_f64() >= seconds - 0.1,
        "{first} {last}"
    );
    eventually("nothing waits", async || okite.waiting_items().await == 0).await;
    for sent in sent {
        assert_eq!(okite.state_of(&sent).await, (json!("sent"), Value::Null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_finds_a_mail_whose_hint_was_lost() {
    let okite = without_room(1).await;
    okite.queue_without_hint(&numbered(1)).await;
    assert_eq!(okite.sweep().await["transactional"]["handed_over"], 0);
    okite.until_due().await;
    assert_eq!(okite.sweep().await["transactional"]["handed_over"], 1);
    eventually("it has left", async || okite.taken("Number 1").await == 1).await;
    eventually("nothing waits", async || okite.waiting_items().await == 0).await;
    assert_eq!(okite.sweep().await["transactional"]["handed_over"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_mail_leaves_by_the_sweep_alone() {
    let okite = without_room(1).await;
    okite.put_key_of_queue(BULK_KEY, Stream::Bulk).await;
    let answer = okite.post_with(BULK_KEY, &numbered(1)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    okite.until_due().await;
    assert_eq!(okite.taken("Number 1").await, 0);
    let swept = okite.sweep().await;
    assert_eq!(
        (&swept["bulk"]["due"], &swept["bulk"]["handed_over"]),
        (&json!(1), &json!(1))
    );
    eventually("it has left", async || okite.taken("Number 1").await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_later_every_mail_has_an_end_and_nothing_is_left() {
    let okite = without_room(1).await;
    okite.put_key_of_queue(BULK_KEY, Stream::Bulk).await;
    let queued = okite.queue_without_hint(&numbered(0)).await;
    let later = |number| {
        let mut mail = numbered(number);
        mail["scheduled_at"] = json!("in 29 days");
        mail
    };
    let transactional = okite.send(&later(1)).await;
    let bulk = okite.post_with(BULK_KEY, &later(2)).await.body;
    assert_eq!(okite.state_of(&bulk).await.0, "scheduled");
    okite.advance(Duration::from_hours(29 * 24 + 1)).await;
    okite.report().await;
    eventually("nothing waits", async || {
        okite.sweep().await;
        okite.waiting_items().await == 0
    })
    .await;
    assert_eq!(okite.state_of(&queued).await, (json!("failed"), json!("expired")));
    for sent in [&transactional, &bulk] {
        assert_eq!(okite.state_of(sent).await, (json!("sent"), Value::Null));
    }
    let taken = async |number| okite.taken(&format!("Number {number}")).await;
    assert_eq!((taken(0).await, taken(1).await, taken(2).await), (0, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_before_it_sends_loses_and_doubles_nothing() {
    let okite = without_room(1).await;
    let sent = okite.queue_without_hint(&numbered(1)).await;
    okite.until_due().await;
    // Nobody else asks for a permit.
    okite
        .fault(json!({ "operation": "UpdateItem", "table": "UsageTable", "kill": "before" }))
        .await;
    okite.sweep().await;
    eventually("a worker was killed", async || {
        okite.local(Method::GET, "faults", &Value::Null).await.body == json!([]) && okite.is_at_rest().await
    })
    .await;
    assert_eq!(
        (okite.taken("Number 1").await, okite.state_of(&sent).await.0),
        (0, json!("queued"))
    );
    okite.advance(SIX_MINUTES).await;
    eventually("it has left", async || okite.taken("Number 1").await == 1).await;
    eventually("nothing waits", async || okite.waiting_items().await == 0).await;
    assert_eq!(okite.state_of(&sent).await.0, "sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_after_ses_took_the_mail_sends_it_no_second_time() {
    let okite = without_room(1).await;
    let sent = okite.queue_without_hint(&numbered(1)).await;
    okite.until_due().await;
    okite.fault(json!({ "operation": "SendEmail", "kill": "after" })).await;
    okite.sweep().await;
    eventually("the event of SES settles it", async || {
        okite.state_of(&sent).await.0 == "sent" && okite.is_at_rest().await
    })
    .await;
    okite.advance(SIX_MINUTES).await;
    eventually("nothing waits", async || okite.waiting_items().await == 0).await;
    assert_eq!(okite.taken("Number 1").await, 1);
}

/// An hour after the end of the lease, the queue gives up the mail that waited.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_shown_alike_whether_the_mail_waited_or_not() {
    let okite = without_room(1).await;
    let waited = okite.queue_without_hint(&numbered(1)).await;
    okite.until_due().await;
    let lost = json!({ "operation": "SendEmail", "drop": "before" });
    okite.fault(lost.clone()).await;
    okite.sweep().await;
    eventually("a worker has tried", async || {
        okite.state_of(&waited).await.0 == "sending" && okite.is_at_rest().await
    })
    .await;
    okite.advance(Duration::from_mins(2)).await;
    okite.report().await;
    okite.fault(lost).await;
    let direct = okite.post(&email_with("subject", "Direct")).await;
    direct.refused(500, "application_error");
    for hours in [0, 2] {
        okite
            .advance(Duration::from_hours(hours) + Duration::from_mins(2))
            .await;
        okite.sweep().await;
        // The worker deletes what waits once it has given the mail up.
        let is_given_up = hours > 0;
        eventually("the worker has looked", async || {
            okite.is_at_rest().await && (okite.waiting_items().await == 0) == is_given_up
        })
        .await;
        for sent in [&waited, &direct.body] {
            let shown = okite.get(&format!("/emails/{}", sent["id"].as_str().unwrap())).await;
            let shown = shown.body;
            assert_eq!(shown["last_event"], "queued", "{hours} {shown}");
            assert_eq!(shown["okite_state"], "unknown", "{hours} {shown}");
            assert_eq!(shown["okite_reason"], Value::Null, "{hours} {shown}");
            assert_eq!(shown["recipients"][0]["status"], "unknown", "{hours} {shown}");
        }
    }
    assert_eq!((okite.taken("Number 1").await, okite.taken("Direct").await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_no_hint_ends_in_the_dead_letter_queue_and_holds_nothing_up() {
    let okite = without_room(1).await;
    let queue = okite.variable("TRANSACTIONAL_QUEUE_URL");
    let send = okite.sqs().send_message().queue_url(queue).message_body("hello");
    within(send.send()).await.unwrap();
    okite.queue_without_hint(&numbered(1)).await;
    okite.until_due().await;
    okite.sweep().await;
    eventually("the mail has left", async || okite.taken("Number 1").await == 1).await;
    for _ in 0..=TRIES {
        eventually("all was received and handled", async || okite.is_at_rest().await).await;
        if okite.count_of(HINTS, "in_flight").await == 0 {
            break;
        }
        okite.advance(SIX_MINUTES).await;
    }
    eventually("it is given up", async || {
        okite.count_of(DEAD_LETTERS, "visible").await == 1
    })
    .await;
    assert_eq!(okite.count_of(HINTS, "in_flight").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_befalls_mail_that_waits_sets_off_its_alarm_and_no_other() {
    const ALARMS: [&str; 4] = [
        "QueueFailedAlarm",
        "QueueUnknownAlarm",
        "SenderBrokenAlarm",
        "SenderFailsAlarm",
    ];
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "error".to_owned());
        // No event settles what SES did not answer.
        settings
            .parameters
            .insert("DeliveryEvents".to_owned(), "false".to_owned());
    })
    .await;
    let told = || ALARMS.map(|alarm| counted(folder.path(), alarm));
    let schedule = async |at: &str, deadline: &str| {
        let mut mail = numbered(1);
        (mail["scheduled_at"], mail["okite_deadline"]) = (json!(at), json!(deadline));
        okite.send(&mail).await;
        okite.advance(Duration::from_mins(61)).await;
        okite.report().await;
    };
    schedule("in 1 hour", "1s").await;
    assert_eq!(okite.sweep().await["transactional"]["expired"], 1);
    assert_eq!(told(), [1, 0, 0, 0]);
    // A worker whose hint comes too late settles it itself.
    schedule("in 5 min", "1s").await;
    eventually("the worker tells", async || told() == [2, 0, 0, 0]).await;
    schedule("in 1 hour", "1d").await;
    for (error, counts) in [
        // One line for each stream.
        ("AccessDeniedException", [2, 0, 2, 0]),
        ("InternalServerError", [2, 0, 2, 2]),
    ] {
        let fault = json!({ "operation": "Query", "table": "OutboxTable", "for_ms": 60_000, "error": error });
        okite.fault(fault).await;
        okite.sweep().await;
        okite.local(Method::DELETE, "faults", &Value::Null).await;
        assert_eq!(told(), counts, "{error}");
    }
    for (error, counts) in [("AccessDenied", [2, 0, 3, 2]), ("InternalError", [2, 0, 3, 2])] {
        let fault = json!({ "operation": "SendMessageBatch", "for_ms": 60_000, "error": error });
        okite.fault(fault).await;
        assert_eq!(okite.sweep().await["transactional"]["handed_over"], 0, "{error}");
        okite.local(Method::DELETE, "faults", &Value::Null).await;
        assert_eq!(told(), counts, "{error}");
    }
    okite.fault(json!({ "operation": "SendEmail", "drop": "after" })).await;
    okite.sweep().await;
    eventually("it is told", async || told() == [2, 1, 3, 2]).await;
    // No fault makes the work panic.
    assert!(counts("SenderFailsAlarm", "panicked"));
}

#[tokio::test]
async fn an_event_that_is_neither_a_batch_nor_a_sweep_is_refused() {
    let okite = Okite::start().await;
    for event in [json!({}), json!({ "task": "report" }), json!({ "Records": [] })] {
        let refused = okite.invoke("sender", &event).await.unwrap_err().to_string();
        assert!(refused.contains("UnknownEvent"), "{refused}");
    }
}
