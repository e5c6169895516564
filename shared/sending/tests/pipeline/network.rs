//! The network between one request and AWS, which loses, delays and refuses calls as a test asks for.
//!
//! A fault counts calls, not the SDK's attempts at them: an attempt carries the id of its call, so a fault may befall
//! one attempt or all of them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use aws::Messages;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use domain::record::DeliveryState;
use jiff::{SignedDuration, Timestamp};
use local_aws::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::EVENTS;

/// The least time after which a mail is looked at again.
const HOURS: SignedDuration = SignedDuration::from_hours(6);
/// Every attempt of a call.
pub(crate) const ALL: u32 = u32::MAX;

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The service refuses it: HTTP status, error type, text.
    Refused(u16, &'static str, &'static str),
    /// The connection is cut before the service reads it.
    CutBefore,
    /// The connection is cut after the service has carried it out.
    CutAfter,
    /// The connection is cut, and the service carries it out later: see [`Shared::carry_out_late`].
    Late,
    /// The service reads it after the test has let it go on: see [`Shared::reached`].
    Waits,
    /// The process ends before the service reads it.
    DiesBefore,
    /// The process ends after the service has carried it out.
    DiesAfter,
    /// The work panics.
    Panics,
}

/// Which calls a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// Any call of DynamoDB.
    Store,
    /// An operation of DynamoDB on a row of a message.
    Row(&'static str),
    /// An operation of DynamoDB on the gate.
    Gate(&'static str),
    /// An operation of DynamoDB on a claim.
    Claim(&'static str),
    /// A transaction over a row and its entry.
    Transaction,
    /// A write of the parts of a content.
    Parts,
    /// A hint to SQS, or several in one call.
    Hint,
    /// Events for webhooks to SQS.
    Event,
    /// Any call on a table of webhooks: the endpoints, or the deliveries that SQS does not take.
    Webhooks,
    /// The question how full a queue of SQS is.
    Depth,
    /// An operation of DynamoDB on an entry of a mail that waits.
    Entry(&'static str),
    /// The write that an attempt was refused.
    Refusal,
    /// An operation of DynamoDB whose request has this text.
    Saying(&'static str, &'static str),
    /// Any call of SES.
    Ses,
    /// The mail at this place of the request.
    Mail(usize),
}

/// A fault: from the call after `skip` others on, for so many calls, and so many attempts of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) on: On,
    pub(crate) skip: u32,
    pub(crate) calls: u32,
    pub(crate) attempts: u32,
    pub(crate) fate: Fate,
}

impl Fault {
    /// Befalls every call.
    pub(crate) fn always(on: On, fate: Fate) -> Self {
        Self::at(on, 0, ALL, fate)
    }

    /// Befalls all attempts of so many calls.
    pub(crate) fn at(on: On, skip: u32, calls: u32, fate: Fate) -> Self {
        let attempts = ALL;
        Self {
            on,
            skip,
            calls,
            attempts,
            fate,
        }
    }
}

/// A call, as the network sees it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The operation of DynamoDB, or `SendEmail`.
    pub(crate) operation: String,
    pub(crate) body: Value,
}

impl Call {
    fn read(request: &HttpRequest) -> Self {
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let target = request.headers().get("x-amz-target");
        let operation = target.and_then(|target| target.split('.').next_back());
        Self {
            operation: operation.unwrap_or("SendEmail").to_owned(),
            body,
        }
    }

    fn is_hint(&self) -> bool {
        self.operation.starts_with("SendMessage") && !self.is_event()
    }

    pub(crate) fn is_event(&self) -> bool {
        let url = self.body["QueueUrl"].as_str().unwrap_or_default();
        self.operation.starts_with("SendMessage") && url.ends_with(&format!("/{EVENTS}"))
    }

    pub(crate) fn is_on_webhooks(&self) -> bool {
        let table = self.body["TableName"].as_str().unwrap_or_default();
        table.contains("WebhooksTable") || table.contains("DeliveriesTable")
    }

    fn is_depth(&self) -> bool {
        self.operation == "GetQueueAttributes"
    }

    fn is_mail(&self) -> bool {
        self.operation == "SendEmail"
    }

    /// The subject of the mail.
    pub(crate) fn subject(&self) -> &str {
        self.body["Content"]["Simple"]["Subject"]["Data"]
            .as_str()
            .unwrap_or_default()
    }

    /// Our id of the mail.
    fn id(&self) -> Option<Uuid> {
        let tags = self.body["EmailTags"].as_array()?;
        let tag = tags.iter().find(|tag| tag["Name"] == "okite_id")?;
        tag["Value"].as_str()?.parse().ok()
    }

    fn is_on(&self, on: On) -> bool {
        match on {
            On::Store => !self.is_mail() && !self.is_hint() && !self.is_event() && !self.is_depth(),
            On::Event => self.is_event(),
            On::Webhooks => self.is_on_webhooks(),
            On::Hint => self.is_hint(),
            On::Depth => self.is_depth(),
            On::Entry(operation) => self.operation == operation && self.body["Key"].to_string().contains("\"entry\""),
            On::Refusal => self.operation == "UpdateItem" && self.body.to_string().contains(":refused"),
            On::Saying(operation, text) => self.operation == operation && self.body.to_string().contains(text),
            On::Transaction => self.operation == "TransactWriteItems",
            On::Parts => self.operation == "BatchWriteItem" && self.body.to_string().contains("\"content\""),
            On::Row(operation) => self.operation == operation && self.body["Item"].to_string().contains("\"mail#"),
            On::Gate(operation) => self.operation == operation && self.body["Key"].to_string().contains("gate#"),
            On::Claim(operation) => {
                let keys = self.body["Key"].to_string() + &self.body["Item"].to_string();
                self.operation == operation && keys.contains("claim")
            }
            On::Ses => self.is_mail(),
            On::Mail(place) => self.is_mail() && self.subject().ends_with(&format!("/{place}")),
        }
    }
}

/// A mail that SES took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Which request it came from.
    pub(crate) request: u32,
    pub(crate) id: Uuid,
    pub(crate) ses_id: String,
    pub(crate) subject: String,
    /// When SES took it.
    pub(crate) at: Timestamp,
    /// The mails of hours before whose records did not say then that they were sent.
    pub(crate) unsettled: Vec<Uuid>,
}

/// What all networks of a world share.
#[derive(Debug)]
pub(crate) struct Shared {
    clock: Clock,
    pub(crate) connector: SharedHttpConnector,
    pub(crate) messages: Messages,
    pub(crate) accepted: Mutex<Vec<Accepted>>,
    /// Mails that SES was asked to send without a row.
    pub(crate) without_row: Mutex<Vec<String>>,
    /// A call waits.
    pub(crate) reached: Notify,
    /// It goes on.
    pub(crate) go_on: Notify,
    late: Mutex<Vec<(u32, HttpRequest)>>,
    /// Calls that go on although their request may have ended.
    going_on: Mutex<Vec<JoinHandle<()>>>,
}

impl Shared {
    pub(crate) fn new(connector: SharedHttpConnector, messages: Messages, clock: Clock) -> Self {
        Self {
            clock,
            connector,
            messages,
            accepted: Mutex::default(),
            without_row: Mutex::default(),
            reached: Notify::new(),
            go_on: Notify::new(),
            late: Mutex::default(),
            going_on: Mutex::default(),
        }
    }

    /// Lets the calls end that go on although their request may have ended.
    pub(crate) async fn end_calls(&self) {
        let going_on = std::mem::take(&mut *self.going_on.lock().unwrap());
        for call in going_on {
            call.await.unwrap();
        }
    }

    /// Carries out what was to be carried out later.
    pub(crate) async fn carry_out_late(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        self.end_calls().await;
        for (number, request) in late {
            // A condition may fail.
            let _ = self.carry_out(number, request).await;
        }
    }

    /// Carries a call out, even if its request ends meanwhile.
    async fn carry_out_in_any_case(
        self: Arc<Self>,
        number: u32,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let (sender, answer) = oneshot::channel();
        let shared = Arc::clone(&self);
        let call = tokio::spawn(async move {
            // The request may have ended.
            let _ = sender.send(shared.carry_out(number, request).await);
        });
        self.going_on.lock().unwrap().push(call);
        answer.await.unwrap()
    }

    async fn carry_out(&self, number: u32, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let call = Call::read(&request);
        if call.is_mail() && self.messages.get(call.id().unwrap()).await.unwrap().is_none() {
            self.without_row.lock().unwrap().push(call.subject().to_owned());
        }
        let unsettled = if call.is_mail() {
            self.unsettled().await
        } else {
            Vec::new()
        };
        let answer = self.connector.call(request).await?;
        if !call.is_mail() || !answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = read(answer.into_body()).await;
        let told: Value = serde_json::from_slice(&body).unwrap();
        self.accepted.lock().unwrap().push(Accepted {
            request: number,
            id: call.id().unwrap(),
            ses_id: told["MessageId"].as_str().unwrap().to_owned(),
            subject: call.subject().to_owned(),
            at: self.clock.now(),
            unsettled,
        });
        Ok(HttpResponse::new(status, SdkBody::from(body)))
    }
}

impl Shared {
    /// The mails that SES took hours ago and whose records do not say so. A mail whose record has lapsed is none of
    /// them.
    async fn unsettled(&self) -> Vec<Uuid> {
        let now = self.clock.now();
        let accepted: Vec<Uuid> = {
            let accepted = self.accepted.lock().unwrap();
            // A key allows no second mail of the same hours, settled or not.
            let earlier = accepted.iter().filter(|mail| now.duration_since(mail.at) >= HOURS);
            earlier.map(|mail| mail.id).collect()
        };
        let mut unsettled = Vec::new();
        for id in accepted {
            let record = self.messages.read(id).await.unwrap();
            if record.is_some_and(|record| record.state(now) != DeliveryState::Sent) {
                unsettled.push(id);
            }
        }
        unsettled
    }
}

async fn read(body: SdkBody) -> Vec<u8> {
    aws_smithy_types::byte_stream::ByteStream::new(body)
        .collect()
        .await
        .unwrap()
        .to_vec()
}

/// The network of one request.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    shared: Arc<Shared>,
    number: u32,
    faults: Arc<Vec<Fault>>,
    seen: Arc<Mutex<Seen>>,
    /// The process has ended.
    pub(crate) is_dead: CancellationToken,
}

#[derive(Debug, Default)]
struct Seen {
    is_open: bool,
    calls: Vec<Call>,
    /// The fault of each call by its id, and how many attempts it has befallen.
    befallen: HashMap<String, (Option<usize>, u32)>,
    /// How many calls each fault could have befallen.
    counts: HashMap<usize, u32>,
    /// Whether a fault has befallen a call on a table of webhooks.
    may_lack_events: bool,
}

impl Network {
    pub(crate) fn new(shared: Arc<Shared>, number: u32, faults: Vec<Fault>) -> Self {
        Self {
            shared,
            number,
            faults: Arc::new(faults),
            seen: Arc::default(),
            is_dead: CancellationToken::new(),
        }
    }

    /// Lets every call through, uncounted, until [`Self::close`].
    pub(crate) fn open(&self) {
        self.seen.lock().unwrap().is_open = true;
    }

    pub(crate) fn close(&self) {
        self.seen.lock().unwrap().is_open = false;
    }

    /// The calls so far; each once, however often the SDK tried.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.seen.lock().unwrap().calls.clone()
    }

    /// Whether events may be lost: a table of webhooks did not answer.
    pub(crate) fn may_lack_events(&self) -> bool {
        self.seen.lock().unwrap().may_lack_events
    }

    /// What befalls this attempt.
    fn fate(&self, id: &str, call: &Call) -> Option<Fate> {
        let mut seen = self.seen.lock().unwrap();
        if seen.is_open {
            return None;
        }
        if !seen.befallen.contains_key(id) {
            let mut befalls = None;
            for (place, fault) in self.faults.iter().enumerate().filter(|(_, fault)| call.is_on(fault.on)) {
                let count = seen.counts.entry(place).or_default();
                let is_in_force = (fault.skip..fault.skip.saturating_add(fault.calls)).contains(count);
                *count += 1;
                if is_in_force && befalls.is_none() {
                    befalls = Some(place);
                }
            }
            seen.may_lack_events |= befalls.is_some() && call.is_on_webhooks();
            seen.befallen.insert(id.to_owned(), (befalls, 0));
            seen.calls.push(call.clone());
        }
        let (place, attempts) = seen.befallen.get_mut(id)?;
        let fault = &self.faults[(*place)?];
        *attempts += 1;
        (*attempts <= fault.attempts).then_some(fault.fate)
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let network = self.clone();
        HttpConnectorFuture::new(async move {
            let call = Call::read(&request);
            let id = request.headers().get("amz-sdk-invocation-id").unwrap().to_owned();
            let (shared, number) = (Arc::clone(&network.shared), network.number);
            let cut = || ConnectorError::io(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)));
            match network.fate(&id, &call) {
                // SES's answers are counted even if nobody waits for them.
                None if call.is_mail() => shared.carry_out_in_any_case(number, request).await,
                None => shared.carry_out(number, request).await,
                Some(Fate::Refused(status, code, text)) => {
                    let body = json!({ "__type": code, "message": text }).to_string();
                    let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                    answer.headers_mut().insert("x-amzn-errortype", code);
                    Ok(answer)
                }
                Some(Fate::Waits) => {
                    shared.reached.notify_one();
                    shared.go_on.notified().await;
                    shared.carry_out(number, request).await
                }
                Some(Fate::Panics) => panic!("as a test wants it"),
                Some(Fate::CutBefore) => Err(cut()),
                Some(Fate::CutAfter) => {
                    shared.carry_out_in_any_case(number, request).await?;
                    Err(cut())
                }
                Some(Fate::Late) => {
                    shared.late.lock().unwrap().push((number, request));
                    Err(cut())
                }
                Some(Fate::DiesBefore) => {
                    network.is_dead.cancel();
                    std::future::pending().await
                }
                Some(Fate::DiesAfter) => {
                    shared.carry_out_in_any_case(number, request).await?;
                    network.is_dead.cancel();
                    std::future::pending().await
                }
            }
        })
    }
}
