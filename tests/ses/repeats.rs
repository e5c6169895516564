//! Exactly once: however a call's answer is lost, its attempts send one mail, or none and an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_sesv2::error::ProvideErrorMetadata;
use futures_util::future::join_all;
use local_aws::RunSettings;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use super::client::{BOTH, Caller, DOOR, Raw, Version, sdk_at, sdk_mail};
use super::outcomes::{INTERNAL, sent};
use crate::support::{Okite, eventually};

const OTHER_DOOR: &str = "ok_otherdoor_secret";
/// A timeout of the function by which a request looks at a record twice before it gives up.
const HASTY: Duration = Duration::from_millis(14_700);
/// The attempts of an SDK's standard retries.
const ATTEMPTS: u32 = 3;

/// Keeps events but `Send` from making writes, where faults are for those of the sender.
fn without_deliveries(settings: &mut RunSettings) {
    settings
        .parameters
        .insert("DeliveryEvents".to_owned(), "false".to_owned());
}

/// A proxy before a server that carries requests to it, and cuts the connection instead of each of the first answers.
struct Cutter {
    url: String,
    cuts: Arc<AtomicU32>,
}

impl Cutter {
    async fn before(okite: &Okite, cuts: u32) -> Self {
        let server = okite.local.url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cuts = Arc::new(AtomicU32::new(cuts));
        let left = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), Arc::clone(&left)));
            }
        });
        Self { url, cuts }
    }

    fn left(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Carries the bytes of a connection.
async fn carry(client: TcpStream, server: String, cuts: Arc<AtomicU32>) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let requests = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from_server.read(&mut buffer).await?;
        let is_cut = |left: u32| left.checked_sub(1);
        let is_cut = read > 0 && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_cut).is_ok();
        if read == 0 || is_cut {
            requests.abort();
            return Ok(());
        }
        to_client.write_all(&buffer[..read]).await?;
    }
}

#[tokio::test]
async fn an_attempt_after_a_success_gets_its_answer() {
    let okite = Okite::door().await;
    for version in BOTH {
        for header in ["amz-sdk-invocation-id", "aws-sdk-invocation-id", "idempotency-key"] {
            let subject = format!("{version:?} {header}");
            let caller = Caller::of(DOOR).with(header, &subject);
            let first = caller.send(&okite, version, &Raw::new(&subject)).await;
            for attempt in ["attempt=2; max=3", "attempt=3; max=3"] {
                let caller = caller.clone().with("amz-sdk-request", attempt);
                let again = caller.send(&okite, version, &Raw::new(&subject)).await;
                assert_eq!(again.message_id(), first.message_id());
                assert_eq!(again.okite_id(), first.okite_id());
            }
            assert_eq!(okite.taken_with(&subject).await.len(), 1);
        }
    }
}

#[tokio::test]
async fn an_id_belongs_to_its_api_key_and_an_applications_own_key_goes_first() {
    let okite = Okite::door().await;
    okite.put_door_key(OTHER_DOOR, |_| {}).await;
    let mail = Raw::new("Hello");
    for key in [DOOR, OTHER_DOOR, DOOR] {
        let caller = Caller::of(key).with("amz-sdk-invocation-id", "same");
        assert_eq!(caller.send(&okite, Version::V2, &mail).await.status, 200);
    }
    assert_eq!(okite.outbox().await.len(), 2);
    let own = |id: &str| Caller::invocation(id).with("idempotency-key", "order-7");
    let first = own("a").send(&okite, Version::V2, &mail).await;
    let second = own("b").send(&okite, Version::V2, &mail).await;
    assert_eq!(first.message_id(), second.message_id());
    assert_eq!(okite.outbox().await.len(), 3);
    // Without any, each request is a mail of its own.
    for _ in 0..2 {
        assert_eq!(Caller::of(DOOR).send(&okite, Version::V2, &mail).await.status, 200);
    }
    assert_eq!(okite.outbox().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_whose_answers_are_cut_sends_one_mail_and_gets_its_id() {
    let okite = Okite::door().await;
    for cuts in 0..ATTEMPTS {
        let subject = format!("{cuts} cuts");
        let cutter = Cutter::before(&okite, cuts).await;
        let sent = sdk_mail(&sdk_at(&cutter.url, DOOR, ATTEMPTS), &subject)
            .send()
            .await
            .unwrap();
        assert_eq!(cutter.left(), 0);
        let [mail] = &okite.taken_with(&subject).await[..] else {
            panic!("one mail with {subject}")
        };
        assert_eq!(sent.message_id(), mail["ses_message_id"].as_str());
    }
    // All answers are lost: the application gets an error, and one mail went out.
    let cutter = Cutter::before(&okite, ATTEMPTS).await;
    let lost = sdk_mail(&sdk_at(&cutter.url, DOOR, ATTEMPTS), "Lost").send().await;
    assert!(lost.is_err());
    assert_eq!(okite.taken_with("Lost").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_gets_the_id_of_a_mail_whose_answer_ses_never_gave() {
    let okite = Okite::door().await;
    for fault in [
        json!({ "operation": "SendEmail", "drop": "after" }),
        json!({ "operation": "SendEmail", "kill": "after" }),
        json!({ "operation": "SendEmail", "proxy_status": 502 }),
        json!({ "operation": "UpdateItem", "table": "MessagesTable", "kill": "before" }),
    ] {
        let subject = fault.to_string();
        let subject: String = subject.chars().filter(char::is_ascii_alphanumeric).collect();
        okite.fault(fault).await;
        let sent = sdk_mail(&okite.sdk(DOOR, ATTEMPTS), &subject).send().await.unwrap();
        let [mail] = &okite.taken_with(&subject).await[..] else {
            panic!("one mail with {subject}")
        };
        assert_eq!(sent.message_id(), mail["ses_message_id"].as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_whose_mail_nothing_settles_gets_an_error_and_later_attempts_send_nothing() {
    let okite = Okite::door_with(|settings| settings.timeout = Some(HASTY)).await;
    for (n, fault) in [
        json!({ "operation": "SendEmail", "drop": "before" }),
        json!({ "operation": "SendEmail", "kill": "before" }),
    ]
    .into_iter()
    .enumerate()
    {
        let subject = format!("Lost {n}");
        okite.fault(fault).await;
        let lost = sdk_mail(&okite.sdk(DOOR, ATTEMPTS), &subject).send().await.unwrap_err();
        let code = lost.code().unwrap_or_default().to_owned();
        assert!(
            ["InternalServiceErrorException", "ServiceUnavailableException"].contains(&code.as_str()),
            "{lost:?}"
        );
        assert_eq!(okite.taken_with(&subject).await.len(), 0);
    }
    // The lease is over, and the mail stays unknown: no attempt may send it.
    let caller = Caller::invocation("lost");
    okite.fault(json!({ "operation": "SendEmail", "kill": "before" })).await;
    assert_eq!(caller.send(&okite, Version::V1, &Raw::new("Lost")).await.status, 500);
    okite.advance(Duration::from_hours(1)).await;
    let unknown = caller.send(&okite, Version::V1, &Raw::new("Lost")).await;
    unknown.refused(INTERNAL[0], INTERNAL[1]);
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    // An event that comes while a request waits ends the wait.
    let settled = async {
        eventually("the request asks", async || {
            okite.local(Method::GET, "faults", &Value::Null).await.body == json!([])
        })
        .await;
        okite.publish(&sent(&unknown.okite_id())).await
    };
    okite
        .fault(json!({ "operation": "BatchGetItem", "table": "MessagesTable", "delay_ms": 200 }))
        .await;
    let mail = Raw::new("Lost");
    let (answer, _) = tokio::join!(caller.send(&okite, Version::V1, &mail), settled);
    assert_eq!(answer.message_id(), "m-7");
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_whose_function_dies_at_any_call_sends_once_or_gets_an_error() {
    let okite = Okite::door_with(|settings| {
        without_deliveries(settings);
        settings.timeout = Some(HASTY);
    })
    .await;
    let calls = [
        ("BatchGetItem", "SuppressionsTable", 0),
        ("PutItem", "MessagesTable", 0),
        ("PutItem", "MessagesTable", 1),
        ("UpdateItem", "UsageTable", 0),
        ("UpdateItem", "MessagesTable", 0),
    ];
    for (operation, table, skip) in calls {
        for moment in ["before", "after"] {
            let subject = format!("{operation} {table} {skip} {moment}");
            // No event may be under way, whose write would take the fault.
            okite.until_sends_are_handled().await;
            let fault = json!({ "operation": operation, "table": table, "skip": skip, "kill": moment });
            okite.fault(fault).await;
            let sent = sdk_mail(&okite.sdk(DOOR, 2), &subject).send().await;
            let taken = okite.taken_with(&subject).await;
            assert!(taken.len() <= 1, "{subject}: {taken:?}");
            match sent {
                Ok(sent) => assert_eq!(sent.message_id(), taken[0]["ses_message_id"].as_str(), "{subject}"),
                Err(error) => assert_eq!(taken.len(), 0, "{subject}: {error:?}"),
            }
            okite.local(Method::DELETE, "faults", &Value::Null).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_attempts_at_the_same_time_one_sends() {
    let okite = Okite::door().await;
    for fault in [
        json!({ "operation": "SendEmail", "delay_ms": 700 }),
        json!({ "operation": "SendEmail", "error": "MessageRejected", "message": "No" }),
        json!({ "operation": "SendEmail", "drop": "after" }),
        json!({ "operation": "SendEmail", "kill": "after" }),
        json!({ "operation": "PutItem", "table": "MessagesTable", "times": 2, "drop": "after" }),
        json!({ "operation": "PutItem", "table": "MessagesTable", "times": 2, "delay_ms": 400 }),
        json!({ "operation": "DeleteItem", "table": "MessagesTable", "times": 2, "drop": "after" }),
    ] {
        let subject: String = fault.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        okite.fault(fault).await;
        let mail = Raw::new(&subject);
        // Lambda runs ten at a time here.
        let attempts = (0..9).map(|n| {
            let version = BOTH[0];
            let caller = Caller::invocation(&subject).with("amz-sdk-request", &format!("attempt={n}"));
            let (okite, mail) = (&okite, &mail);
            async move { caller.send(okite, version, mail).await }
        });
        let answers = join_all(attempts).await;
        let taken = okite.taken_with(&subject).await;
        assert_eq!(taken.len(), 1, "{subject}");
        let accepted: Vec<String> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(|answer| answer.message_id())
            .collect();
        assert!(accepted.len() >= 7, "{subject}: {answers:?}");
        assert!(
            accepted
                .iter()
                .all(|id| Some(id.as_str()) == taken[0]["ses_message_id"].as_str()),
            "{subject}"
        );
        okite.local(Method::DELETE, "faults", &Value::Null).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_at_the_same_time_each_sends_once_or_fails_whatever_befalls_them() {
    let okite = Okite::door_with(|settings| {
        without_deliveries(settings);
        settings.timeout = Some(HASTY);
    })
    .await;
    let messages = |operation: &str| json!({ "operation": operation, "table": "MessagesTable" });
    let with = |mut fault: Value, name: &str, value: Value| {
        fault[name] = value;
        fault
    };
    let rounds = [
        vec![
            json!({ "operation": "SendEmail", "skip": 1, "drop": "after" }),
            json!({ "operation": "SendEmail", "skip": 2, "error": "TooManyRequestsException" }),
            with(messages("PutItem"), "drop", json!("after")),
        ],
        vec![
            json!({ "operation": "SendEmail", "skip": 1, "kill": "after" }),
            json!({ "operation": "UpdateItem", "table": "UsageTable", "skip": 2, "kill": "before" }),
            with(messages("UpdateItem"), "drop", json!("before")),
        ],
        vec![
            json!({ "operation": "SendEmail", "delay_ms": 900, "times": 3 }),
            json!({ "operation": "BatchGetItem", "table": "SuppressionsTable", "skip": 3, "kill": "after" }),
            with(messages("PutItem"), "error", json!("ThrottlingException")),
            json!({ "operation": "SendEmail", "skip": 4, "drop": "before" }),
        ],
    ];
    for (round, faults) in rounds.into_iter().enumerate() {
        for fault in faults {
            okite.fault(fault).await;
        }
        let cutter = Cutter::before(&okite, 3).await;
        let calls = (0..8).map(|n| {
            let client = sdk_at(&cutter.url, DOOR, ATTEMPTS);
            async move {
                let subject = format!("Round {round}, call {n}");
                let sent = sdk_mail(&client, &subject).send().await;
                (subject, sent)
            }
        });
        let ended = join_all(calls).await;
        okite.local(Method::DELETE, "faults", &Value::Null).await;
        let accepted = ended.iter().filter(|(_, sent)| sent.is_ok()).count();
        assert!(accepted >= 5, "round {round}: {ended:?}");
        for (subject, sent) in ended {
            let taken = okite.taken_with(&subject).await;
            assert!(taken.len() <= 1, "{subject}: {taken:?}");
            if let Ok(sent) = sent {
                assert_eq!(sent.message_id(), taken[0]["ses_message_id"].as_str(), "{subject}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_mail_whose_acceptance_had_no_answer_is_queued_once() {
    let okite = Okite::door().await;
    okite.account(json!({ "max_24_hour_send": 0 })).await;
    okite.report().await;
    let queued = async |fault: Value, subject: &str| {
        okite.fault(fault).await;
        let caller = Caller::invocation(subject).with("okite-when-busy", "queue");
        let answer = caller.send(&okite, Version::V2, &Raw::new(subject)).await;
        let again = caller.send(&okite, Version::V2, &Raw::new(subject)).await;
        okite.local(Method::DELETE, "faults", &Value::Null).await;
        (answer, again)
    };
    let operation = "TransactWriteItems";
    for (fault, subject) in [
        (json!({ "operation": operation, "drop": "after" }), "once lost"),
        (
            json!({ "operation": operation, "drop": "after", "times": 9 }),
            "always lost",
        ),
        (json!({ "operation": operation, "kill": "after" }), "killed"),
    ] {
        let (first, again) = queued(fault, subject).await;
        assert_eq!(again.message_id(), again.okite_id(), "{subject}: {first:?}");
    }
    okite.account(json!({ "max_24_hour_send": 1000 })).await;
    okite.report().await;
    okite.advance(Duration::from_mins(61)).await;
    okite.report().await;
    eventually("all have left", async || {
        okite.local(Method::POST, "schedules/SweepSchedule", &Value::Null).await;
        let scan = okite.dynamodb.scan().table_name(okite.variable("OUTBOX_TABLE"));
        scan.send().await.unwrap().count() == 0
    })
    .await;
    for subject in ["once lost", "always lost", "killed"] {
        assert_eq!(okite.taken_with(subject).await.len(), 1, "{subject}");
    }
}
