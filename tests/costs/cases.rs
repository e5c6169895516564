//! The cases, each carried out against one stack, one after the other.

use std::time::Duration;

use domain::api_key::KeyPermission;
use domain::stream::Stream;
use domain::unsubscribe::Topic;
use local_aws::consumption::Unit;
use local_aws::data_dir::DataDir;
use okite::application::APPLICATION;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::bill::{Bill, measure, used_by};
use crate::ses::client::{Caller, DOOR, Raw, Version};
use crate::support::{Answer, KEY, Okite, email, email_with, eventually};

const BULK_KEY: &str = "ok_bulk_secret";
const LINK: &str = "https://example.com/offer";
/// Letters with six bits each.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const KB: usize = 1_000;

/// A case and its bill.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) bill: Bill,
}

impl Cases {
    /// Returns whether the machine was so busy that an event was handled more than once.
    pub(super) fn are_disturbed(&self) -> bool {
        let repeated = |bill: &Bill| bill.by("feedback", Unit::Invocation) > bill.all(Unit::Publication);
        self.all.iter().any(|case| repeated(&case.bill)) || self.parameters.iter().any(|of| repeated(&of.bill))
    }
}

/// A parameter that saves something, with the bill of a mail.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// What it leaves out.
    pub(super) effect: &'static str,
    pub(super) bill: Bill,
}

/// The bills of all cases.
pub(super) struct Cases {
    pub(super) all: Vec<Case>,
    /// One mail to one recipient, by the default parameters.
    pub(super) simple: Bill,
    /// A batch of 100 mails.
    pub(super) batch: Bill,
    /// The same one mail, where a parameter has another value.
    pub(super) parameters: Vec<Parameter>,
}

/// A stack whose functions log as they do by default, into a folder.
struct Stack {
    okite: Okite,
    _logs: TempDir,
}

impl Stack {
    /// Starts with these parameters, by which SES makes so many events of a mail.
    async fn start(parameters: &[(&str, &str)], events: u32) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let data_dir = DataDir::take(logs.path()).unwrap();
        let okite = Okite::start_with(|settings| {
            let parameters = parameters
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()));
            settings.parameters.extend(parameters);
            settings.environment.remove("LOG_LEVEL");
            settings.data_dir = Some(data_dir);
            settings.counts_units = true;
            // On a busy machine, an invocation takes longer than on AWS.
            settings.timeout = Some(Duration::from_mins(5));
        })
        .await;
        okite.account(json!({ "max_send_rate": 5_000 })).await;
        okite.report().await;
        // What a process reads once is read here.
        one_mail(&okite, &email("anna@example.net"), events).await;
        Self { okite, _logs: logs }
    }
}

/// Returns whether so many events of SES have been handled.
fn events(count: u32) -> impl Fn(&Bill) -> bool {
    move |bill| bill.by("feedback", Unit::Invocation) >= f64::from(count)
}

/// Returns whether so many events of SES have been handled, and Lambda has deleted a message of `function`.
fn events_and_message(count: u32, function: &'static str) -> impl Fn(&Bill) -> bool {
    move |bill| events(count)(bill) && bill.by(function, Unit::QueueRequest) >= 2.0
}

/// An email whose text has so many bytes: random letters, which can be compressed by a quarter at most.
fn sized(bytes: usize) -> Value {
    let mut random = 1_u32;
    let letters = std::iter::repeat_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(LETTERS[usize::try_from(random >> 26).unwrap()])
    });
    let mut email = email("anna@example.net");
    email["text"] = letters.take(bytes).collect::<String>().into();
    email
}

fn people(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("person{number}@example.net")).collect()
}

/// Measures all cases.
pub(super) async fn measure_all() -> Cases {
    let stack = Stack::start(&[("TrackingEvents", "true")], 2).await;
    let okite = &stack.okite;
    let mut all = Vec::new();
    let mut add = |name: &str, bill: Bill| {
        all.push(Case {
            name: name.to_owned(),
            bill,
        });
    };
    let simple = one_mail(okite, &email("anna@example.net"), 2).await;
    add("one mail, one recipient", simple.clone());
    let keyed = email("anna@example.net");
    let post_keyed = async || assert_eq!(okite.post_keyed("order-1", &keyed).await.status, 200);
    add("with `Idempotency-Key`", measure(okite, events(2), post_keyed).await);
    add("the same request again", measure(okite, |_| true, post_keyed).await);
    add("10 kB", one_mail(okite, &sized(10 * KB), 2).await);
    let ten = one_mail(okite, &email(people(10)), 11).await;
    add("50 recipients", one_mail(okite, &email(people(50)), 51).await);
    let batch = batch(okite).await;
    add("a batch of 100", batch.clone());
    add("a raw mail by ses-api", raw(okite).await);
    add("with an unsubscribe link", unsubscribable(okite).await);
    add(
        "a hard bounce",
        one_mail(okite, &email("bounce@simulator.amazonses.com"), 2).await,
    );
    add(
        "a suppressed recipient",
        one_mail(okite, &email("bounce@simulator.amazonses.com"), 0).await,
    );
    add(
        "a complaint",
        one_mail(okite, &email("complaint@simulator.amazonses.com"), 3).await,
    );
    for (name, bill) in visits(okite).await {
        add(name, bill);
    }
    for (name, bytes) in [
        ("scheduled, 1 kB", KB),
        ("scheduled, 10 kB", 10 * KB),
        ("scheduled, 100 kB", 100 * KB),
    ] {
        add(name, scheduled(okite, bytes).await);
    }
    let [one_event, ten_events] = webhooks(okite, &simple, &ten).await;
    add("an event to a webhook, alone", one_event);
    add("an event to a webhook, ten at once", ten_events);
    Cases {
        all,
        simple,
        batch,
        parameters: parameters().await,
    }
}

/// Measures a mail and the events that SES makes of it.
async fn one_mail(okite: &Okite, email: &Value, count: u32) -> Bill {
    measure(okite, events(count), async || {
        okite.send(email).await;
    })
    .await
}

async fn batch(okite: &Okite) -> Bill {
    let batch: Vec<Value> = people(100).into_iter().map(email).collect();
    let request = okite.request(Method::POST, "/emails/batch").bearer_auth(KEY);
    // On a busy machine, the last mails would otherwise be too late, and would wait in the queue.
    let request = request.header("okite-when-busy", "refuse").json(&batch);
    measure(okite, events(200), async || {
        assert_eq!(Answer::of(request).await.status, 200);
    })
    .await
}

async fn raw(okite: &Okite) -> Bill {
    okite.put_door_key(DOOR, |_| {}).await;
    // The first one opens the connections of ses-api and reads what it caches.
    let send = async |id: &str| {
        let answer = Caller::invocation(id)
            .send(okite, Version::V2, &Raw::new("Hello"))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    measure(okite, events(2), async || send("a").await).await;
    measure(okite, events(2), async || send("b").await).await
}

async fn unsubscribable(okite: &Okite) -> Bill {
    okite
        .put_record(BULK_KEY, |record| {
            record.stream = Stream::Bulk;
            record.permission = KeyPermission::Sending;
            record.topic = Some(Topic::parse("news").unwrap());
        })
        .await;
    let mut mail = email("anna@example.net");
    mail["html"] = json!("<p>Hi</p><a href=\"{{{UNSUBSCRIBE_URL}}}\">Leave</a>");
    mail["text"] = json!("Leave: {{{UNSUBSCRIBE_URL}}}");
    let send = async || assert_eq!(okite.post_with(BULK_KEY, &mail).await.status, 200);
    // The first one reads the secret of the links.
    measure(okite, events(2), send).await;
    measure(okite, events(2), send).await
}

/// Measures an opening and a click, without the mail.
async fn visits(okite: &Okite) -> [(&'static str, Bill); 2] {
    let mut mail = email_with("html", format!("<a href=\"{LINK}\">offer</a>"));
    mail["okite_track"] = json!({ "opens": true, "clicks": true });
    let mut id = Value::Null;
    measure(okite, events(2), async || id = okite.send(&mail).await["id"].clone()).await;
    let visit = async |how: &str, body: Value| {
        let path = format!("outbox/{}/{how}", id.as_str().unwrap());
        assert_eq!(okite.local(Method::POST, &path, &body).await.status, 204);
    };
    [
        (
            "an opening",
            measure(okite, events(1), async || visit("open", json!({})).await).await,
        ),
        (
            "a click",
            measure(okite, events(1), async || visit("click", json!({ "link": LINK })).await).await,
        ),
    ]
}

async fn scheduled(okite: &Okite, bytes: usize) -> Bill {
    let mut mail = sized(bytes);
    mail["scheduled_at"] = json!("in 5 minutes");
    measure(okite, events(2), async || {
        let before = used_by(okite, "sender", Unit::QueueRequest);
        okite.send(&mail).await;
        okite.advance(Duration::from_mins(6)).await;
        // Lambda receives the hint and deletes it.
        eventually("the hint is gone", async || {
            used_by(okite, "sender", Unit::QueueRequest) >= before + 2.0
        })
        .await;
    })
    .await
}

/// Measures what an event to a webhook adds to a mail: an event by itself, and one of ten that come at once.
async fn webhooks(okite: &Okite, simple: &Bill, ten: &Bill) -> [Bill; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(answer_all(connection));
        }
    });
    let mut bills = Vec::new();
    for (kind, mail, count, without) in [
        ("email.delivered", email("anna@example.net"), 2, simple),
        ("email.sent", email(people(10)), 11, ten),
    ] {
        let wanted = json!({ "endpoint": url, "events": [kind] });
        let request = okite.request(Method::POST, "/webhooks").bearer_auth(KEY).json(&wanted);
        let created = Answer::of(request).await;
        assert_eq!(created.status, 201, "{created:?}");
        // Until no process remembers the webhooks that there were before.
        okite.advance(Duration::from_mins(1)).await;
        let measured = async || {
            measure(okite, events_and_message(count, "webhooks"), async || {
                okite.send(&mail).await;
            })
            .await
        };
        // The first one reads the secret.
        measured().await;
        let people = f64::from(u8::try_from(mail["to"].as_array().map_or(1, Vec::len)).unwrap());
        bills.push(measured().await.without(without, people));
        let path = format!("/webhooks/{}", created.body["id"].as_str().unwrap());
        let deleted = Answer::of(okite.request(Method::DELETE, &path).bearer_auth(KEY)).await;
        assert!(deleted.status < 300, "{deleted:?}");
    }
    bills.try_into().unwrap()
}

/// Answers each request of a connection with 200.
async fn answer_all(mut connection: TcpStream) {
    let mut read = Vec::new();
    while let Ok(1..) = connection.read_buf(&mut read).await {
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.unwrap().trim().parse().unwrap();
        if read.len() >= head.len() + 4 + length {
            read.clear();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            if connection.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// Measures one mail where a parameter differs from its default. A parameter that the template lacks is left out.
async fn parameters() -> Vec<Parameter> {
    let mut all = Vec::new();
    for (name, effect) in [
        ("SendEvents", "SES does not report that it took a mail"),
        ("DeliveryEvents", "SES does not report that a server took a mail"),
    ] {
        if APPLICATION.template.contains(&format!("\n  {name}:\n")) {
            let stack = Stack::start(&[(name, "false")], 1).await;
            let bill = one_mail(&stack.okite, &email("anna@example.net"), 1).await;
            all.push(Parameter { name, effect, bill });
        }
    }
    all
}
