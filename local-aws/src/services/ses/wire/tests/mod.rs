//! The API over real sockets.

mod raw;

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::middleware::Middleware;
use crate::services::ses::tests::fresh;
use crate::services::ses::{PublishedEvent, SesSettings};

struct Server {
    ses: Arc<Ses>,
    events: UnboundedReceiver<PublishedEvent>,
    middleware: Middleware,
    url: String,
    client: Client,
    _stop: DropGuard,
}

async fn start(settings: SesSettings) -> Server {
    let (sender, events) = unbounded_channel();
    let ses = Ses::new(settings, fresh(), sender).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let middleware = Middleware::default();
    let router = ses.router(&middleware);
    tokio::spawn(crate::server::serve(listener, router, None, stop.clone()));
    Server {
        ses,
        events,
        middleware,
        url,
        client: Client::new(),
        _stop: stop.drop_guard(),
    }
}

async fn production() -> Server {
    start(crate::services::ses::tests::settings()).await
}

impl Server {
    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.url))
            .header("authorization", "AWS4-HMAC-SHA256 Credential=local")
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.call(Method::GET, path)).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        answer(self.call(Method::PUT, path).json(&body)).await
    }

    fn sending(&self, to: &str) -> RequestBuilder {
        self.call(Method::POST, "/v2/email/outbound-emails").json(&json!({
            "FromEmailAddress": "ada@example.com",
            "Destination": {"ToAddresses": [to]},
            "ReplyToAddresses": ["help@example.com"],
            "ConfigurationSetName": "shop",
            "EmailTags": [{"Name": "shop_id", "Value": "m-1"}],
            "Content": {"Simple": {
                "Subject": {"Data": "Hi", "Charset": "UTF-8"},
                "Body": {"Html": {"Data": "<p>Hello</p>", "Charset": "UTF-8"}},
                "Headers": [{"Name": "X-A", "Value": "v"}],
                "Attachments": [{
                    "FileName": "a.pdf",
                    "RawContent": "JVBERg==",
                    "ContentType": "application/pdf",
                    "ContentId": "a1",
                    "ContentTransferEncoding": "BASE64",
                }],
            }},
        }))
    }

    async fn send(&self, to: &str) -> Answer {
        answer(self.sending(to)).await
    }

    fn fault(&self, fault: Value) {
        self.middleware.faults.add(serde_json::from_value(fault).unwrap());
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    error: Option<String>,
    body: Value,
}

async fn answer(request: RequestBuilder) -> Answer {
    read(request.send().await.unwrap()).await
}

async fn read(response: Response) -> Answer {
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let error = response.headers().get("x-amzn-errortype");
    Answer {
        status: response.status().as_u16(),
        error: error.map(|value| value.to_str().unwrap().to_owned()),
        body: response.json().await.unwrap(),
    }
}

fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.error.as_deref(), Some(error));
    assert!(answer.body["message"].is_string());
}

#[tokio::test]
async fn accepts_a_mail_and_shows_it_in_the_outbox_as_it_was_sent() {
    let mut server = production().await;
    let answer = server.send("Bob <success+a@simulator.amazonses.com>").await;
    assert_eq!(answer.status, 200);
    let message_id = &answer.body["MessageId"];
    let mut outbox = serde_json::to_value(server.ses.outbox()).unwrap();
    outbox[0]["at"].take();
    assert_eq!(
        outbox,
        json!([{
            "ses_message_id": message_id,
            "raw": false,
            "envelope": null,
            "from": "ada@example.com",
            "to": ["Bob <success+a@simulator.amazonses.com>"],
            "cc": [],
            "bcc": [],
            "reply_to": ["help@example.com"],
            "subject": "Hi",
            "text": null,
            "html": "<p>Hello</p>",
            "headers": {"X-A": "v"},
            "attachments": [{
                "filename": "a.pdf",
                "content_type": "application/pdf",
                "content_id": "a1",
                "content": "JVBERg==",
            }],
            "tags": [{"name": "shop_id", "value": "m-1"}],
            "at": null,
        }])
    );
    let event = server.events.recv().await.unwrap().event;
    assert_eq!(&event["mail"]["messageId"], message_id);
}

#[tokio::test]
async fn gives_typed_errors_their_status() {
    let server = production().await;
    refused(&server.send("bob").await, 400, "BadRequestException");
    let body = server.call(Method::POST, "/v2/email/outbound-emails").body("{");
    refused(&answer(body).await, 400, "SerializationException");
    let patch = json!({"max_send_rate": 0});
    server.ses.update_account(&serde_json::from_value(patch).unwrap());
    refused(&server.send("bob@example.net").await, 429, "TooManyRequestsException");
}

#[tokio::test]
async fn takes_a_mail_of_several_megabytes() {
    let server = production().await;
    let request = server.call(Method::POST, "/v2/email/outbound-emails").json(&json!({
        "FromEmailAddress": "ada@example.com",
        "Destination": {"ToAddresses": ["bob@example.net"]},
        "Content": {"Simple": {
            "Subject": {"Data": "Hi"},
            "Body": {"Text": {"Data": "a".repeat(4_000_000)}},
        }},
    }));
    assert_eq!(answer(request).await.status, 200);
}

#[tokio::test]
async fn requires_a_signature_except_for_a_warm_up() {
    let server = production().await;
    let unsigned = |path: &str| server.client.get(format!("{}{path}", server.url));
    let account = answer(unsigned("/v2/email/account")).await;
    refused(&account, 403, "MissingAuthenticationTokenException");
    let nowhere = answer(unsigned("/v2/email/nowhere")).await;
    refused(&nowhere, 403, "MissingAuthenticationTokenException");
    refused(&answer(unsigned("/")).await, 404, "UnknownOperationException");
}

#[tokio::test]
async fn refuses_unsupported_operations_by_name() {
    let server = production().await;
    for (method, path) in [
        (Method::GET, "/v2/email/templates"),
        (Method::POST, "/v2/email/outbound-bulk-emails"),
        (Method::DELETE, "/v2/email/identities/example.com"),
        (Method::POST, "/"),
    ] {
        let answer = answer(server.call(method.clone(), path)).await;
        refused(&answer, 404, "UnknownOperationException");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains(&format!("{method} {path}")), "{message}");
    }
}

#[tokio::test]
async fn returns_the_account_and_its_sent_count() {
    let server = production().await;
    server.send("bob@example.net").await;
    server.send("success@simulator.amazonses.com").await;
    let account = server.get("/v2/email/account").await.body;
    assert_eq!(
        account["SendQuota"],
        json!({"Max24HourSend": 50_000, "MaxSendRate": 14.0, "SentLast24Hours": 1})
    );
    assert_eq!(account["ProductionAccessEnabled"], true);
    assert_eq!(account["EnforcementStatus"], "HEALTHY");
    assert_eq!(account["Details"]["ReviewDetails"]["Status"], "GRANTED");
}

#[tokio::test]
async fn switches_sending_off_and_on_for_the_account_and_for_a_configuration_set() {
    let server = production().await;
    for path in ["/v2/email/account/sending", "/v2/email/configuration-sets/shop/sending"] {
        assert_eq!(server.put(path, json!({"SendingEnabled": false})).await.status, 200);
        refused(&server.send("bob@example.net").await, 400, "SendingPausedException");
        assert_eq!(server.put(path, json!({"SendingEnabled": true})).await.status, 200);
        assert_eq!(server.send("bob@example.net").await.status, 200);
    }
    let nowhere = "/v2/email/configuration-sets/nowhere/sending";
    refused(&server.put(nowhere, json!({})).await, 404, "NotFoundException");
}

#[tokio::test]
async fn shows_a_configuration_set_and_where_its_events_go() {
    let server = production().await;
    let set = server.get("/v2/email/configuration-sets/shop").await.body;
    assert_eq!(set["SendingOptions"]["SendingEnabled"], true);
    let path = "/v2/email/configuration-sets/shop/event-destinations";
    assert_eq!(
        server.get(path).await.body["EventDestinations"],
        json!([{
            "Name": "events",
            "Enabled": true,
            "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "DELIVERY_DELAY"],
            "SnsDestination": {"TopicArn": "arn:aws:sns:us-east-1:000000000000:events"},
        }])
    );
}

#[tokio::test]
async fn keeps_the_suppression_list() {
    let server = production().await;
    let addresses = "/v2/email/suppression/addresses";
    for (address, reason) in [("a+x@example.net", "BOUNCE"), ("b@example.net", "COMPLAINT")] {
        let put = json!({"EmailAddress": address, "Reason": reason});
        assert_eq!(server.put(addresses, put).await.status, 200);
    }
    let one = format!("{addresses}/a%2Bx%40example.net");
    let found = server.get(&one).await.body;
    assert_eq!(found["SuppressedDestination"]["EmailAddress"], "a+x@example.net");
    assert_eq!(found["SuppressedDestination"]["Reason"], "BOUNCE");
    assert!(found["SuppressedDestination"]["LastUpdateTime"].is_f64());

    let first = server.get(&format!("{addresses}?PageSize=1")).await.body;
    let token = first["NextToken"].as_str().unwrap();
    let second = server
        .get(&format!("{addresses}?PageSize=1&NextToken={token}"))
        .await
        .body;
    let summaries = &second["SuppressedDestinationSummaries"];
    assert_eq!(summaries[0]["EmailAddress"], "b@example.net");
    assert_eq!(second["NextToken"], Value::Null);
    let path = format!("{addresses}?Reason=COMPLAINT&StartDate=2020-01-01T00%3A00%3A00Z");
    let complaints = server.get(&path).await.body;
    assert_eq!(
        complaints["SuppressedDestinationSummaries"].as_array().unwrap().len(),
        1
    );
    let old = server
        .get(&format!("{addresses}?EndDate=2020-01-01T00%3A00%3A00Z"))
        .await
        .body;
    assert_eq!(old["SuppressedDestinationSummaries"], json!([]));

    let deleted = answer(server.call(Method::DELETE, &one)).await;
    assert_eq!(deleted.status, 200);
    refused(&server.get(&one).await, 404, "NotFoundException");
    let again = answer(server.call(Method::DELETE, &one)).await;
    refused(&again, 404, "NotFoundException");
    let bad = server
        .put(addresses, json!({"EmailAddress": "a@b.c", "Reason": "X"}))
        .await;
    refused(&bad, 400, "BadRequestException");
    let bad = server.get(&format!("{addresses}?StartDate=yesterday")).await;
    refused(&bad, 400, "BadRequestException");
}

#[tokio::test]
async fn refuses_the_suppression_list_in_the_sandbox() {
    let server = start(SesSettings {
        production_access: false,
        ..crate::services::ses::tests::settings()
    })
    .await;
    let addresses = "/v2/email/suppression/addresses";
    refused(&server.get(addresses).await, 400, "BadRequestException");
    let put = json!({"EmailAddress": "a@example.net", "Reason": "BOUNCE"});
    refused(&server.put(addresses, put).await, 400, "BadRequestException");
}

#[tokio::test]
async fn creates_identities_pending_and_lists_them_in_both_ways() {
    let server = production().await;
    let create = |name: &str| {
        let body = json!({"EmailIdentity": name});
        answer(server.call(Method::POST, "/v2/email/identities").json(&body))
    };
    let created = create("bob@example.net").await;
    assert_eq!(created.body["IdentityType"], "EMAIL_ADDRESS");
    assert_eq!(created.body["VerifiedForSendingStatus"], false);
    refused(&create("bob@example.net").await, 400, "AlreadyExistsException");

    let found = server.get("/v2/email/identities/bob%40example.net").await.body;
    assert_eq!(found["VerificationStatus"], "PENDING");
    let domain = server.get("/v2/email/identities/example.com").await.body;
    assert_eq!(domain["VerificationStatus"], "SUCCESS");
    let missing = server.get("/v2/email/identities/nowhere.example").await;
    refused(&missing, 404, "NotFoundException");

    let by_query = server.get("/v2/email/identities").await.body;
    let list = server.call(Method::POST, "/v2/email/list-identities");
    let by_body = answer(list.json(&json!({}))).await.body;
    assert_eq!(by_query, by_body);
    let names: Vec<&Value> = by_body["EmailIdentities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identity| &identity["IdentityName"])
        .collect();
    assert_eq!(names, ["bob@example.net", "example.com"]);
}

#[tokio::test]
async fn a_fault_answers_with_its_error_the_given_number_of_times() {
    let server = production().await;
    let error = json!({"operation": "SendEmail", "times": 2, "error": "TooManyRequestsException",
        "message": "Maximum sending rate exceeded."});
    server.fault(error);
    for _ in 0..2 {
        let answer = server.send("bob@example.net").await;
        refused(&answer, 429, "TooManyRequestsException");
        assert_eq!(answer.body["message"], "Maximum sending rate exceeded.");
    }
    assert_eq!(server.send("bob@example.net").await.status, 200);
    assert_eq!(server.ses.outbox().len(), 1);
}

#[tokio::test]
async fn a_cut_before_carries_nothing_out_and_a_cut_after_everything() {
    let server = production().await;
    server.fault(json!({"operation": "SendEmail", "drop": "before"}));
    assert!(server.sending("bob@example.net").send().await.is_err());
    assert!(server.ses.outbox().is_empty());
    server.fault(json!({"operation": "SendEmail", "drop": "after"}));
    assert!(server.sending("bob@example.net").send().await.is_err());
    assert_eq!(server.ses.outbox().len(), 1);
}

#[tokio::test]
async fn a_delay_holds_the_call_up_and_clearing_ends_it() {
    let server = production().await;
    server.fault(json!({"operation": "GetAccount", "for_ms": 600_000, "delay_ms": 60}));
    let started = Instant::now();
    assert_eq!(server.get("/v2/email/account").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(60));
    server.middleware.faults.clear();
    let started = Instant::now();
    assert_eq!(server.get("/v2/email/account").await.status, 200);
    assert!(started.elapsed() < Duration::from_millis(60));
}

/// The head of a signed request.
fn signed(method: Method, path: &str) -> WireRequest {
    let request = Request::builder().method(method).uri(path);
    let (head, ()) = request.header("authorization", "x").body(()).unwrap().into_parts();
    let body = bytes::Bytes::new();
    WireRequest { head, body }
}

#[tokio::test]
async fn serves_every_operation_of_the_catalogue_and_no_other() {
    let server = production().await;
    let wire = SesWire::new(&server.ses);
    let mut names: Vec<&str> = Vec::new();
    for (method, path, name, _) in routes() {
        let path = path.replace(['{', '}'], "");
        assert_eq!(wire.operation(&signed(method, &path)).unwrap().name, name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    assert_eq!(names, AwsService::Ses.operations());
    let unknown = wire.operation(&signed(Method::GET, "/v2/email/templates")).unwrap();
    assert_eq!(unknown.name, "GET /v2/email/templates");
}

#[tokio::test]
async fn names_the_resources_that_iam_checks() {
    let server = production().await;
    let wire = SesWire::new(&server.ses);
    let arn = |resource: &str| format!("arn:aws:ses:us-east-1:000000000000:{resource}");
    let mut mail = signed(Method::POST, "/v2/email/outbound-emails");
    let body = json!({"FromEmailAddress": "Ada <ada@example.com>", "ConfigurationSetName": "shop"});
    mail.body = bytes::Bytes::from(body.to_string());
    assert_eq!(
        wire.operation(&mail).unwrap().resources(),
        [arn("identity/example.com"), arn("configuration-set/shop")]
    );
    let source = "From: Ada <ada@example.org>\nX-SES-CONFIGURATION-SET: other\n\nHi";
    for (members, identity, set) in [
        (json!({}), "identity/example.org", "configuration-set/other"),
        (body, "identity/example.com", "configuration-set/shop"),
    ] {
        let mut body = members;
        body["Content"] = json!({"Raw": {"Data": STANDARD.encode(source)}});
        mail.body = bytes::Bytes::from(body.to_string());
        let operation = wire.operation(&mail).unwrap();
        assert_eq!(operation.name, "SendEmail");
        let allowed_by = [identity, set].map(|resource| Access::new("SendRawEmail", arn(resource)));
        assert_eq!(operation.allowed_by, allowed_by);
    }
    for (path, resource) in [
        ("/v2/email/account", "*".to_owned()),
        ("/v2/email/identities/example.com", arn("identity/example.com")),
        ("/v2/email/configuration-sets/shop", arn("configuration-set/shop")),
    ] {
        let operation = wire.operation(&signed(Method::GET, path)).unwrap();
        assert_eq!(operation.resources(), [resource]);
    }
}
