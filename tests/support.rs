//! An Okite of a test's own: AWS in this process, the functions in processes of their own, in memory and on free ports.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws::{ApiKeys, Suppressions};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use domain::address::EmailAddress;
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission};
use domain::hex::hex;
use domain::queue::WhenBusy;
use domain::stream::Stream;
use domain::suppression::{Registers, SuppressionReason};
use jiff::Timestamp;
use local_aws::services::lambda::{InvokeError, Program};
use local_aws::{LocalAws, REGION, RunSettings};
use okite::application::APPLICATION;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::api::openapi;

/// The key in events/, which every Okite of a test accepts.
pub(crate) const KEY: &str = "ok_local_this_key_works_with_okite_up_only";
/// Where nothing listens.
pub(crate) const CLOSED: &str = "http://127.0.0.1:1";
/// How long anything may take at the very most.
const DEADLINE: Duration = Duration::from_secs(30);

/// An attribute by its name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The functions: those that cargo-lambda built in the folder that `OKITE_TEST_BOOTSTRAPS` names, or else those that
/// were built with the tests.
fn program() -> Program {
    match std::env::var_os("OKITE_TEST_BOOTSTRAPS") {
        Some(folder) => Program::Bootstraps(folder.into()),
        None => Program::ByName {
            path: env!("CARGO_BIN_EXE_run-function").into(),
            arguments: Vec::new(),
        },
    }
}

/// The configuration of a client of a simulated service.
fn sdk_config(endpoint: &str) -> aws_config::SdkConfig {
    aws_config::SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "local", None, None, "tests",
        )))
        .http_client(aws::http_client())
        .build()
}

/// A running Okite. Everything of it ends with the test.
pub(crate) struct Okite {
    pub(crate) local: LocalAws,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    http: reqwest::Client,
}

impl Okite {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut RunSettings)) -> Self {
        let okite = Self::start_unchecked(change).await;
        within(okite.local.healthy()).await.unwrap();
        okite
    }

    /// Has the usual key refuse mail for which there is no room, as tests of the refusals need it.
    pub(crate) async fn refusing(self) -> Self {
        self.put_key_when_busy(KEY, WhenBusy::Refuse).await;
        self
    }

    /// Starts without waiting for the send API, which may not come up.
    pub(crate) async fn start_unchecked(change: impl FnOnce(&mut RunSettings)) -> Self {
        let mut settings = RunSettings::new(APPLICATION, program());
        settings.retries = vec![Duration::from_millis(10); 2];
        // A test that sets the clock forward runs a schedule when it means to.
        settings.repeats_schedules = false;
        // The functions write to the terminal of the test run: LOG_LEVEL=info shows their lines.
        let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "off".to_owned());
        settings.environment.insert("LOG_LEVEL".to_owned(), level);
        // A webhook of a test leads to this machine.
        let loopback = ("ALLOW_LOOPBACK_WEBHOOKS".to_owned(), "true".to_owned());
        settings.environment.extend([loopback]);
        change(&mut settings);
        let local = within(LocalAws::start(settings)).await.unwrap();
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws::behavior_version())
            .region(Region::new(REGION))
            .endpoint_url(&local.dynamodb_url)
            .credentials_provider(Credentials::new("test", "local", None, None, "tests"))
            .http_client(aws::http_client())
            .build();
        let okite = Self {
            local,
            dynamodb: aws_sdk_dynamodb::Client::from_conf(config),
            http: reqwest::Client::builder().timeout(DEADLINE).build().unwrap(),
        };
        okite.put_key(KEY, &[]).await;
        okite
    }

    /// Makes an API key for mail from `from_domains`, or from anywhere.
    pub(crate) async fn put_key(&self, key: &str, from_domains: &[&str]) {
        self.put_record(key, |record| {
            record.from_domains = from_domains.iter().map(|&domain| domain.to_owned()).collect();
        })
        .await;
    }

    /// Makes an API key for mail of `stream` from anywhere, which refuses mail for which there is no room.
    pub(crate) async fn put_key_of(&self, key: &str, stream: Stream) {
        self.put_record(key, |record| {
            record.stream = stream;
            record.when_busy = WhenBusy::Refuse;
        })
        .await;
    }

    /// Makes an API key for mail of `stream` from anywhere, which waits if there is no room.
    pub(crate) async fn put_key_of_queue(&self, key: &str, stream: Stream) {
        self.put_record(key, |record| record.stream = stream).await;
    }

    /// Makes an API key with these permissions.
    pub(crate) async fn put_key_for(&self, key: &str, permission: KeyPermission) {
        self.put_record(key, |record| record.permission = permission).await;
    }

    /// Makes an API key with this choice for mail without room.
    pub(crate) async fn put_key_when_busy(&self, key: &str, when_busy: WhenBusy) {
        self.put_record(key, |record| record.when_busy = when_busy).await;
    }

    /// Makes an API key that may not send from the domain of the tests.
    pub(crate) async fn put_foreign_key(&self, key: &str, permission: KeyPermission) {
        self.put_record(key, |record| {
            record.permission = permission;
            record.from_domains = vec!["example.org".to_owned()];
        })
        .await;
    }

    /// Makes an API key with a record that differs from that of a usual one.
    pub(crate) async fn put_record(&self, key: &str, change: impl FnOnce(&mut ApiKeyRecord)) {
        let key = ApiKey::parse(key).unwrap();
        let mut record = ApiKeyRecord {
            id: key.id().to_owned(),
            secret_sha256: key.secret_hash(),
            secret_access_key: None,
            name: "test".to_owned(),
            permission: KeyPermission::Full,
            stream: Stream::Transactional,
            from_domains: Vec::new(),
            when_busy: WhenBusy::default(),
            topic: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        change(&mut record);
        let keys = ApiKeys::new(self.dynamodb.clone(), self.variable("API_KEYS_TABLE").to_owned());
        within(keys.put(&record)).await.unwrap();
    }

    /// A client of the simulated SES.
    pub(crate) fn ses(&self) -> aws_sdk_sesv2::Client {
        aws::sesv2(&sdk_config(&self.local.ses_url))
    }

    /// A client of the simulated SQS.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws::sqs(&sdk_config(&self.local.sqs_url))
    }

    /// The value of a variable that the template gives functions.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let mut environments = self.local.environments.values();
        environments.find_map(|environment| environment.get(name)).unwrap()
    }

    /// A request to the HTTP API, without a key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.local.url))
    }

    /// Posts a body as JSON with the key.
    pub(crate) async fn post_text(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, "/emails").bearer_auth(KEY);
        Answer::of(request.header("content-type", "application/json").body(body)).await
    }

    /// Posts an email with another key.
    pub(crate) async fn post_with(&self, key: &str, email: &Value) -> Answer {
        Answer::of(self.request(Method::POST, "/emails").bearer_auth(key).json(email)).await
    }

    /// Posts an email with an idempotency key.
    pub(crate) async fn post_keyed(&self, key: &str, email: &Value) -> Answer {
        let request = self.request(Method::POST, "/emails").bearer_auth(KEY);
        Answer::of(request.header("idempotency-key", key).json(email)).await
    }

    /// Gets a path with the key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).bearer_auth(KEY)).await
    }

    pub(crate) async fn post(&self, email: &Value) -> Answer {
        self.post_text(email.to_string()).await
    }

    /// Sends an email that is accepted, and returns the answer's body.
    pub(crate) async fn send(&self, email: &Value) -> Value {
        let answer = self.post(email).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.body
    }

    /// The mails that SES accepted, oldest first.
    pub(crate) async fn outbox(&self) -> Vec<Value> {
        let (mut mails, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/_local/outbox?limit=1000{cursor}");
            let answer = Answer::of(self.request(Method::GET, &path)).await;
            assert_eq!(answer.status, 200);
            mails.extend(answer.body["data"].as_array().unwrap().iter().cloned());
            match answer.body["next"].as_str() {
                Some(next) => cursor = format!("&after={next}"),
                None => break,
            }
        }
        mails.reverse();
        mails
    }

    /// Calls a part of `/_local/` with a body.
    pub(crate) async fn local(&self, method: Method, part: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        Answer::of(self.request(method, &format!("/_local/{part}")).body(body)).await
    }

    /// Changes the account.
    pub(crate) async fn account(&self, patch: Value) {
        assert_eq!(self.local(Method::PUT, "account", &patch).await.status, 204);
    }

    /// Puts a fault of SES or DynamoDB into force.
    pub(crate) async fn fault(&self, fault: Value) {
        let answer = self.local(Method::POST, "faults", &fault).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Publishes an event of SES, and tells how many copies were delivered and how many failed.
    pub(crate) async fn publish(&self, event: &Value) -> (u64, u64) {
        self.publish_copies(event, 1).await
    }

    pub(crate) async fn publish_copies(&self, event: &Value, copies: usize) -> (u64, u64) {
        let answer = self.local(Method::POST, &format!("sns?copies={copies}"), event).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let count = |name: &str| answer.body[name].as_u64().unwrap();
        (count("delivered"), count("failed"))
    }

    /// Runs the quota reporter.
    pub(crate) async fn report(&self) -> Value {
        let answer = self.local(Method::POST, "schedule", &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Runs the part of the quota reporter that goes over SES's own suppression list.
    pub(crate) async fn pass_over_ses_list(&self) -> Result<Value, InvokeError> {
        let task = json!({ "source": "okite.schedule", "task": "suppression-list" });
        self.invoke("quota-reporter", &task).await
    }

    /// Calls a function with an event, as `cargo lambda invoke` does.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        let answer = within(self.local.invoke(function, Bytes::from(event.to_string()))).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    /// The item of an address in the suppression list.
    pub(crate) async fn suppression(&self, address: &str) -> Option<Item> {
        let key = suppression_key(address);
        self.item("SUPPRESSIONS_TABLE", &[("address_hash", &key)]).await
    }

    /// What the suppression list holds of an address.
    pub(crate) async fn registers(&self, address: &str) -> Registers {
        let address = EmailAddress::parse(address).unwrap();
        let table = self.variable("SUPPRESSIONS_TABLE").to_owned();
        let found = within(Suppressions::new(self.dynamodb.clone(), table).lookup([&address])).await;
        found.unwrap().remove(address.normalised()).unwrap_or_default()
    }

    /// Waits until a bounce or a complaint put an address on the list.
    pub(crate) async fn until_suppressed(&self, address: &str, reason: SuppressionReason) {
        eventually(&format!("{address} is suppressed: {reason:?}"), async || {
            let registers = self.registers(address).await;
            match reason {
                SuppressionReason::Bounce => registers.bounce_at.is_some(),
                SuppressionReason::Complaint => registers.complaint_at.is_some(),
                SuppressionReason::Blocked => registers.blocked_at.is_some(),
                SuppressionReason::Soft => !registers.soft.is_empty(),
                SuppressionReason::Manual => registers.manual_at.is_some(),
                SuppressionReason::Unreadable => registers.unreadable,
                SuppressionReason::Unsubscribed => !registers.topics.is_empty(),
            }
        })
        .await;
    }

    /// Reads an item of a table that a variable names.
    pub(crate) async fn item(&self, table: &str, key: &[(&str, &str)]) -> Option<Item> {
        let key = key
            .iter()
            .map(|&(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
            .collect();
        let request = self
            .dynamodb
            .get_item()
            .table_name(self.variable(table))
            .set_key(Some(key))
            .consistent_read(true);
        within(request.send()).await.unwrap().item
    }

    /// The rows of all messages, without what else is in their table.
    pub(crate) async fn messages(&self) -> Vec<Item> {
        let mut rows = self.all_messages().await;
        rows.retain(|row| row.contains_key("state"));
        rows
    }

    /// Waits until the function has handled the event `Send` of every mail in the outbox.
    pub(crate) async fn until_sends_are_handled(&self) {
        eventually("all events have come", async || {
            let mut handled = self.handled("Send").await;
            let outbox = self.outbox().await;
            outbox
                .iter()
                .all(|mail| handled.remove(mail["ses_message_id"].as_str().unwrap()))
        })
        .await;
    }

    /// SES's ids of the mails of which an event of a type was handled.
    pub(crate) async fn handled(&self, kind: &str) -> BTreeSet<String> {
        let mut stream = within(self.request(Method::GET, "/_local/events").send())
            .await
            .unwrap();
        let (mut bytes, mut text) = (Vec::new(), String::new());
        // The stream tells what was, and goes on.
        while !text
            .lines()
            .any(|line| line.starts_with("event:") && line.ends_with("ready"))
        {
            bytes.extend(within(stream.chunk()).await.unwrap().unwrap());
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let entries = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let entries = entries.filter_map(|entry| serde_json::from_str::<Value>(entry).ok());
        let of_kind = entries.filter(|entry| entry["event"]["eventType"] == kind && entry["state"] == "handled");
        of_kind
            .filter_map(|entry| Some(entry["event"]["mail"]["messageId"].as_str()?.to_owned()))
            .collect()
    }

    /// How many events of a type are on record.
    pub(crate) async fn count_events(&self, kind: &str) -> usize {
        let of_kind = |row: &&Item| row["sk"].as_s().unwrap().split('#').nth(2) == Some(kind);
        self.all_messages().await.iter().filter(of_kind).count()
    }

    /// All items of the table of messages.
    pub(crate) async fn all_messages(&self) -> Vec<Item> {
        let scan = self.dynamodb.scan().table_name(self.variable("MESSAGES_TABLE"));
        within(scan.consistent_read(true).send()).await.unwrap().items.unwrap()
    }

    /// Takes SES's id out of the row of a message.
    pub(crate) async fn unsettle(&self, id: &Value) {
        let row = self.message(id).await;
        let update = self.dynamodb.update_item().table_name(self.variable("MESSAGES_TABLE"));
        let update = ["pk", "sk"]
            .into_iter()
            .fold(update, |update, name| update.key(name, row[name].clone()));
        within(update.update_expression("REMOVE ses_id").send()).await.unwrap();
    }

    /// The row of a message.
    pub(crate) async fn message(&self, id: &Value) -> Item {
        let is_row = |item: &Item| item["sk"].as_s().is_ok_and(|sk| id == sk.as_str());
        self.all_messages().await.into_iter().find(is_row).unwrap()
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    /// The JSON, or `null` if there is no body.
    pub(crate) body: Value,
}

impl Answer {
    /// Sends a request, and compares the API's answer with docs/openapi.json.
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let request = request.build_split();
        let asked = request.1.as_ref().unwrap();
        let (method, path) = (asked.method().clone(), asked.url().path().to_owned());
        let sent = asked.body().and_then(reqwest::Body::as_bytes).map(<[u8]>::to_vec);
        let answer = Self::executed(request).await;
        if !path.starts_with("/_local/") {
            openapi::check(&method, &path, sent.as_deref(), answer.status, &answer.body);
        }
        answer
    }

    /// Sends a request to version 2 of the SES API, which AWS documents.
    pub(crate) async fn of_ses(request: RequestBuilder) -> Self {
        Self::executed(request.build_split()).await
    }

    async fn executed((client, request): (reqwest::Client, reqwest::Result<reqwest::Request>)) -> Self {
        let answer = client.execute(request.unwrap()).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        Self { status, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that this is an error in the contract's shape, and returns its message.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, name: &str) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.body["statusCode"], status, "{self:?}");
        assert_eq!(self.body["name"], name, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let message = self.body["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{self:?}");
        message
    }
}

/// An email to `to` that nothing is wrong with.
pub(crate) fn email(to: impl Into<Value>) -> Value {
    json!({ "from": "Acme <hello@example.com>", "to": to.into(), "subject": "Hello", "text": "It works." })
}

/// The same with one field replaced.
pub(crate) fn email_with(field: &str, value: impl Into<Value>) -> Value {
    let mut email = email("success@simulator.amazonses.com");
    email[field] = value.into();
    email
}

/// The outcome of one recipient in an answer.
#[track_caller]
pub(crate) fn verdict<'a>(body: &'a Value, email: &str) -> &'a Value {
    let recipients = body["recipients"].as_array().unwrap();
    let verdict = recipients.iter().find(|recipient| recipient["email"] == email);
    verdict.unwrap_or_else(|| panic!("{email} is not among {recipients:?}"))
}

/// The key of an address in the suppression list.
pub(crate) fn suppression_key(address: &str) -> String {
    hex(&EmailAddress::parse(address).unwrap().pseudonym_hash())
}

/// Checks the outcome of a recipient that is on the list.
#[track_caller]
pub(crate) fn assert_suppressed(body: &Value, email: &str, reason: &str) {
    let verdict = verdict(body, email);
    assert_eq!(
        (&verdict["status"], &verdict["reason"]),
        (&json!("suppressed"), &json!(reason))
    );
    let since = verdict["since"].as_str().unwrap();
    assert!(since.parse::<Timestamp>().is_ok(), "{since} is not RFC 3339");
}

/// Checks the outcome of a recipient that is not on the list.
#[track_caller]
pub(crate) fn assert_status(body: &Value, email: &str, status: &str) {
    assert_eq!(verdict(body, email), &json!({ "email": email, "status": status }));
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let held = tokio::time::timeout(DEADLINE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(held.await.is_ok(), "it never came to be that {what}");
}

/// Waits for something that must not hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap()
}
