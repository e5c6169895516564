//! What the adapters are run against: DynamoDB with the template's tables, and a server that answers as it is told.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::{ApiKeys, BrakeChanges, Claims, Deliveries, Marks, Messages, Outbox, Suppressions, Usage, Webhooks};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::address::Mailbox;
use domain::message::{Email, EmailParts, Mail};
use domain::recipient::ResolvedRecipients;
use jiff::Timestamp;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::template::{Stack, StackContext};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub(crate) const REGION: &str = "us-east-1";
/// The template that is deployed.
const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));

/// A DynamoDB item, raw.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A time, so many milliseconds after one that all tests share.
pub(crate) fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().unwrap()
}

pub(crate) fn number(item: &Item, name: &str) -> i64 {
    item[name].as_n().unwrap().parse().unwrap()
}

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The key of the row of a message.
pub(crate) fn row_key(id: Uuid) -> [(&'static str, String); 2] {
    [
        ("pk", format!("mail#{}", id.as_bytes()[15] % 8)),
        ("sk", id.to_string()),
    ]
}

/// What a function is configured with, but for an endpoint of ours.
pub(crate) fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDTEST", "test", None, None, "tests");
    config_without_credentials(endpoint)
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub(crate) fn config_without_credentials(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new(REGION))
        .http_client(aws::http_client())
        .endpoint_url(endpoint)
        .build()
}

/// The client of DynamoDB with all the time that a busy machine needs: how slow a store is must not decide a test.
fn patient(client: &aws_sdk_dynamodb::Client) -> aws_sdk_dynamodb::Client {
    let long = Duration::from_mins(10);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(long)
        .read_timeout(long)
        .operation_attempt_timeout(long)
        .operation_timeout(long);
    let config = client.config().to_builder().timeout_config(timeouts.build());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// An address that refuses connections.
pub(crate) async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// An address that leaves connections waiting, for as long as this lives.
pub(crate) struct FullPort {
    pub(crate) endpoint: String,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

pub(crate) async fn full_port() -> FullPort {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    // Nobody accepts them, so the queue is full before long.
    while let Ok(connected) = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        waiting.push(connected.unwrap());
    }
    FullPort {
        endpoint: format!("http://{address}"),
        _listener: listener,
        _waiting: waiting,
    }
}

/// The template, as it is run on one machine.
pub(crate) fn stack() -> Stack {
    let context = StackContext {
        region: REGION.to_owned(),
        account_id: "000000000000".to_owned(),
        stack_name: "okite".to_owned(),
        parameters: BTreeMap::new(),
    };
    Stack::read(TEMPLATE, &context).unwrap()
}

/// DynamoDB, empty, with the tables of the template.
pub(crate) struct Store {
    endpoint: String,
    client: aws_sdk_dynamodb::Client,
    tables: HashMap<String, String>,
    environment: BTreeMap<String, String>,
    _stop: Option<DropGuard>,
}

impl Store {
    pub(crate) async fn start() -> Self {
        let database = Dynamodb::open(None, &stack().tables).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(database.serve(listener, Middleware::default(), stop.clone()));
        Self {
            _stop: Some(stop.drop_guard()),
            ..Self::at(&endpoint)
        }
    }

    /// Whatever answers at `endpoint`, by the same table names.
    pub(crate) fn at(endpoint: &str) -> Self {
        let client = patient(&aws::dynamodb(&config(endpoint)));
        let stack = stack();
        let environment = stack.functions[0].environment.clone();
        let tables = stack
            .tables
            .into_iter()
            .map(|table| (table.logical_id, table.name))
            .collect();
        Self {
            endpoint: endpoint.to_owned(),
            client,
            tables,
            environment,
            _stop: None,
        }
    }

    /// The same database, reached over a network that loses the first answer after the request was carried out.
    pub(crate) async fn losing_an_answer(&self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let target = self.endpoint.trim_start_matches("http://").to_owned();
        tokio::spawn(lose_the_first_answer(listener, target));
        Self::at(&endpoint)
    }

    /// The same database, reached over a network on which the first answer waits until `meanwhile` has happened.
    pub(crate) async fn interrupted_by(&self, meanwhile: impl Future<Output = ()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let target = self.endpoint.trim_start_matches("http://").to_owned();
        tokio::spawn(hold_the_first_answer(listener, target, meanwhile));
        Self::at(&endpoint)
    }

    pub(crate) fn client(&self) -> &aws_sdk_dynamodb::Client {
        &self.client
    }

    /// The physical name of a table, by the variable in which the template hands it to every function.
    fn named(&self, variable: &str) -> String {
        self.environment[variable].clone()
    }

    /// The physical name of a table, by its name in the template.
    pub(crate) fn table(&self, logical_id: &str) -> String {
        self.tables[logical_id].clone()
    }

    pub(crate) fn suppressions(&self) -> Suppressions {
        Suppressions::new(self.client.clone(), self.named(Suppressions::TABLE_VARIABLE))
    }

    pub(crate) fn claims(&self) -> Claims {
        Claims::new(self.client.clone(), self.named(Messages::TABLE_VARIABLE))
    }

    pub(crate) fn messages(&self) -> Messages {
        Messages::new(self.client.clone(), self.named(Messages::TABLE_VARIABLE))
    }

    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::new(self.client.clone(), self.table("OutboxTable"))
    }

    pub(crate) fn webhooks(&self) -> Webhooks {
        Webhooks::new(self.client.clone(), self.table("WebhooksTable"))
    }

    pub(crate) fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.client.clone(), self.table("DeliveriesTable"))
    }

    pub(crate) fn marks(&self) -> Marks {
        Marks::new(self.client.clone(), self.named(Usage::TABLE_VARIABLE))
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::new(
            self.client.clone(),
            self.named(Usage::TABLE_VARIABLE),
            REGION.to_owned(),
        )
    }

    pub(crate) fn brake_changes(&self) -> BrakeChanges {
        BrakeChanges::new(
            self.client.clone(),
            self.named(Usage::TABLE_VARIABLE),
            REGION.to_owned(),
        )
    }

    pub(crate) fn api_keys(&self) -> ApiKeys {
        ApiKeys::new(self.client.clone(), self.named(ApiKeys::TABLE_VARIABLE))
    }

    /// Reads one item as it is.
    pub(crate) async fn item(&self, logical_id: &str, key: &[(&str, &str)]) -> Option<Item> {
        let key = key.iter().map(|(name, value)| ((*name).to_owned(), s(value))).collect();
        let read = self
            .client
            .get_item()
            .table_name(self.table(logical_id))
            .consistent_read(true)
            .set_key(Some(key));
        read.send().await.unwrap().item
    }

    /// Writes one item as it is.
    pub(crate) async fn put<'a>(&self, logical_id: &str, item: impl IntoIterator<Item = (&'a str, AttributeValue)>) {
        let item = item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.client
            .put_item()
            .table_name(self.table(logical_id))
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
    }

    /// Deletes an item.
    pub(crate) async fn delete(&self, logical_id: &str, key: &[(&str, &str)]) {
        let key = key.iter().map(|(name, value)| ((*name).to_owned(), s(value))).collect();
        let delete = self.client.delete_item().table_name(self.table(logical_id));
        delete.set_key(Some(key)).send().await.unwrap();
    }

    /// Reads the row of a message.
    pub(crate) async fn row(&self, id: Uuid) -> Option<Item> {
        let [(pk, partition), (sk, id)] = row_key(id);
        self.item("MessagesTable", &[(pk, &partition), (sk, &id)]).await
    }

    /// Counts the items of a table.
    pub(crate) async fn count(&self, logical_id: &str) -> i32 {
        self.client
            .scan()
            .table_name(self.table(logical_id))
            .consistent_read(true)
            .send()
            .await
            .unwrap()
            .count()
    }
}

async fn lose_the_first_answer(listener: TcpListener, target: String) {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut database = TcpStream::connect(&target).await.unwrap();
    let request = read_request(&mut client).await.unwrap().unwrap();
    database.write_all(&request.raw).await.unwrap();
    database.read_u8().await.unwrap();
    drop((client, database));
    pass_on(listener, &target).await;
}

async fn hold_the_first_answer(listener: TcpListener, target: String, meanwhile: impl Future<Output = ()>) {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut database = TcpStream::connect(&target).await.unwrap();
    let request = read_request(&mut client).await.unwrap().unwrap();
    database.write_all(&request.raw).await.unwrap();
    let first = database.read_u8().await.unwrap();
    meanwhile.await;
    client.write_u8(first).await.unwrap();
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut database).await });
    pass_on(listener, &target).await;
}

async fn pass_on(listener: TcpListener, target: &str) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut database = TcpStream::connect(target).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut database).await });
    }
}

/// An HTTP request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    raw: Vec<u8>,
    /// Method, path and version.
    pub(crate) line: String,
    /// By lower-case name.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What [`Fake`] does with a request.
pub(crate) enum Answer {
    /// Answers it.
    Reply(u16, Vec<(&'static str, String)>, String),
    /// Answers with a body that is no text.
    Bytes(Vec<u8>),
    /// Writes these bytes and closes the connection.
    Raw(&'static str),
    /// Never answers.
    Silence,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Reply(200, Vec::new(), body.into())
    }

    /// An error as REST-JSON services write it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "message": message }).to_string();
        Self::Reply(status, vec![("x-amzn-ErrorType", code.to_owned())], body)
    }

    /// Closes the connection without a byte.
    pub(crate) fn cut() -> Self {
        Self::Raw("")
    }
}

/// A server that keeps every request and answers as it is told.
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    /// Starts a server whose answers `answer` makes, from how many requests came before and the request.
    pub(crate) async fn start(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept), Arc::clone(&answer)));
            }
        });
        Self { endpoint, requests }
    }

    /// The requests that came so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    requests: Arc<Mutex<Vec<Request>>>,
    answer: Arc<impl Fn(usize, &Request) -> Answer>,
) {
    while let Ok(Some(request)) = read_request(&mut stream).await {
        let answer = {
            let mut requests = requests.lock().unwrap();
            requests.push(request.clone());
            answer(requests.len() - 1, &request)
        };
        match answer {
            Answer::Reply(status, headers, body) => {
                let headers: Vec<String> = headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let head = format!(
                    "HTTP/1.1 {status} Because\r\n{}content-length: {}\r\n\r\n",
                    headers.concat(),
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
            Answer::Bytes(body) => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
            }
            Answer::Raw(bytes) => {
                stream.write_all(bytes.as_bytes()).await.unwrap();
                return;
            }
            Answer::Silence => std::future::pending().await,
        }
    }
}

/// Reads one request that says how long it is; `None` when the peer closed before the next one.
async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut raw = Vec::new();
    let head_end = loop {
        if let Some(end) = raw.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut raw).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(raw[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while raw.len() < head_end + length {
        if stream.read_buf(&mut raw).await? == 0 {
            return Ok(None);
        }
    }
    let body = raw[head_end..].to_vec();
    Ok(Some(Request {
        raw,
        line,
        headers,
        body,
    }))
}

pub(crate) fn mailboxes(texts: &[&str]) -> Vec<Mailbox> {
    texts.iter().map(|text| Mailbox::parse(text).unwrap()).collect()
}

/// A small mail from `acme@example.com` to `anna@example.org`.
pub(crate) fn parts() -> EmailParts {
    EmailParts {
        from: Mailbox::parse("Acme <acme@example.com>").unwrap(),
        to: mailboxes(&["anna@example.org"]),
        cc: Vec::new(),
        bcc: Vec::new(),
        reply_to: Vec::new(),
        subject: "Hello".to_owned(),
        html: None,
        text: Some("Hello Anna".to_owned()),
        headers: Vec::new(),
        tags: Vec::new(),
        attachments: Vec::new(),
    }
}

pub(crate) fn mail(parts: EmailParts) -> Mail {
    Email::new(parts).unwrap().into()
}

/// Everybody that a mail names.
pub(crate) fn everybody(mail: &Mail) -> ResolvedRecipients<'_> {
    let [to, cc, bcc] = mail.lines();
    ResolvedRecipients {
        to: to.iter().collect(),
        cc: cc.iter().collect(),
        bcc: bcc.iter().collect(),
    }
}
