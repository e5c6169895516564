//! Events of SES on their way to webhooks: emitted last, again after a crash, and each once however often it comes.
//! SQS takes nothing here, so every delivery waits in its table.

use std::collections::BTreeSet;

use aws::{Created, Deliveries, NewestFrom, Suppressions, Webhooks};
use domain::address::EmailAddress;
use domain::webhook::{Endpoint, EndpointState, EventKind, SigningSecret, Target};
use feedback::{Answer, FeedbackError, State, handle};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::feedback::orders::World;

const ENDPOINT: &str = "01990000-0000-7000-8000-000000000001";
const MESSAGE: &str = "01990000-0000-7000-8000-000000000007";

/// A bounce of a mail to Anna and Bob that only Anna's server refused.
fn bounce(number: u8) -> Value {
    json!({
        "eventType": "Bounce",
        "mail": {
            "messageId": format!("m-{number}"), "timestamp": "2126-05-01T00:00:00.000Z", "source": "ada@example.com",
            "destination": ["Anna@example.org", "bob@example.net"],
            "commonHeaders": {"from": ["Ada <ada@example.com>"], "subject": "Hi"},
            "tags": {"okite_id": [MESSAGE], "ses:from-domain": ["example.com"], "campaign": ["autumn"]},
        },
        "bounce": {
            "bounceType": "Permanent", "bounceSubType": "General", "feedbackId": format!("f-{number}"),
            "timestamp": format!("2126-05-01T00:00:{number:02}.000Z"),
            "bouncedRecipients": [{"emailAddress": "anna@example.org", "diagnosticCode": "550 5.1.1 unknown"}],
        },
    })
}

fn send() -> Value {
    let mut event = bounce(1);
    event["eventType"] = json!("Send");
    event
}

async fn with_endpoint() -> World {
    let world = World::start().await;
    let endpoint = Endpoint {
        id: ENDPOINT.to_owned(),
        target: Target::Url("https://example.com/hook".to_owned()),
        events: EventKind::ALL.into(),
        state: EndpointState::Enabled,
        created_at: now(),
    };
    let webhooks = Webhooks::new(world.dynamodb.clone(), world.config.emitter.webhooks_table.clone());
    let created = webhooks.create(&endpoint, &SigningSecret::from_random([7; 32])).await;
    assert_eq!(created.unwrap(), Created::Done);
    world
}

/// Far ahead: what has expired is swept away once a minute.
fn now() -> Timestamp {
    "2126-06-01T00:00:00Z".parse().unwrap()
}

async fn hand(state: &State, event: &Value) -> Result<Answer, FeedbackError> {
    let call = json!({ "Records": [{ "Sns": { "Message": event.to_string() } }] });
    handle(state, call, now(), || Uuid::from_u128(9)).await
}

/// The kinds and ids of the events that wait for the endpoint, and their bodies.
async fn waiting(world: &World) -> (BTreeSet<(String, String)>, Vec<Value>) {
    let table = world.config.emitter.deliveries_table.clone();
    let deliveries = Deliveries::new(world.dynamodb.clone(), table);
    let page = deliveries.list(ENDPOINT, &NewestFrom::Newest, 100).await.unwrap();
    let (mut events, mut bodies) = (BTreeSet::new(), Vec::new());
    for summary in page.deliveries {
        let record = deliveries.get(ENDPOINT, &summary.event).await.unwrap().unwrap();
        bodies.push(serde_json::from_str(&record.delivery.body).unwrap());
        events.insert((summary.kind.as_str().to_owned(), summary.event.to_string()));
    }
    (events, bodies)
}

async fn kinds(world: &World) -> Vec<String> {
    waiting(world).await.0.into_iter().map(|(kind, _)| kind).collect()
}

/// The function with a table of deliveries that is not there, as if it was killed before it emitted.
fn killed(world: &World) -> State {
    let mut config = world.config.clone();
    "gone".clone_into(&mut config.emitter.deliveries_table);
    State::with_clients(config, world.dynamodb.clone(), world.sqs.clone())
}

#[tokio::test]
async fn each_recipient_of_an_event_is_an_event_of_its_own() {
    let world = with_endpoint().await;
    hand(&world.state, &send()).await.unwrap();
    let (_, bodies) = waiting(&world).await;
    let to: BTreeSet<_> = bodies.iter().map(|body| body["data"]["to"].to_string()).collect();
    assert_eq!(
        to,
        [r#"["Anna@example.org"]"#, r#"["bob@example.net"]"#]
            .map(str::to_owned)
            .into()
    );
    hand(&world.state, &bounce(2)).await.unwrap();
    let (events, bodies) = waiting(&world).await;
    let kinds: Vec<_> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["email.bounced", "email.sent", "email.sent", "suppression.added"]
    );
    let of = |kind: &str| bodies.iter().find(|body| body["type"] == kind).unwrap();
    let data = &of("email.bounced")["data"];
    assert_eq!(
        (&data["email_id"], &data["from"]),
        (&json!(MESSAGE), &json!("Ada <ada@example.com>"))
    );
    assert_eq!(
        (&data["to"], &data["tags"]),
        (&json!(["Anna@example.org"]), &json!({"campaign": "autumn"}))
    );
    assert_eq!(data["bounce"]["diagnosticCode"], "550 5.1.1 unknown");
    let data = &of("suppression.added")["data"];
    assert_eq!(
        (&data["email"], &data["source_id"]),
        (&json!("anna@example.org"), &json!(MESSAGE))
    );
    let entry = Suppressions::new(world.dynamodb.clone(), world.suppressions_table.clone());
    let entry = entry.get(&EmailAddress::parse("anna@example.org").unwrap()).await;
    assert_eq!(data["id"], entry.unwrap().unwrap().id.to_string());
}

#[tokio::test]
async fn an_event_whose_emission_failed_is_written_and_emitted_when_it_comes_again() {
    let world = with_endpoint().await;
    let killed = killed(&world);
    for _ in 0..2 {
        let error = hand(&killed, &bounce(2)).await.unwrap_err();
        assert!(matches!(error, FeedbackError::NotEmitted(_)), "{error}");
        assert!(!error.to_string().contains("anna"), "{error}");
    }
    assert_eq!(kinds(&world).await, Vec::<String>::new());
    // Nothing waited for it.
    let list = Suppressions::new(world.dynamodb.clone(), world.suppressions_table.clone());
    let anna = EmailAddress::parse("anna@example.org").unwrap();
    assert!(list.get(&anna).await.unwrap().unwrap().registers.bounce_at.is_some());
    hand(&world.state, &bounce(2)).await.unwrap();
    assert_eq!(kinds(&world).await, ["email.bounced", "suppression.added"]);
}

#[tokio::test]
async fn a_failed_emission_of_a_later_bounce_suppresses_nobody_anew() {
    let world = with_endpoint().await;
    hand(&world.state, &bounce(2)).await.unwrap();
    hand(&killed(&world), &bounce(3)).await.unwrap_err();
    for _ in 0..2 {
        hand(&world.state, &bounce(3)).await.unwrap();
    }
    assert_eq!(
        kinds(&world).await,
        ["email.bounced", "email.bounced", "suppression.added"]
    );
}

#[tokio::test]
async fn copies_in_any_order_are_the_same_events() {
    let mut found = Vec::new();
    for order in [[0, 1, 2, 0], [2, 2, 1, 0], [1, 0, 2, 1]] {
        let world = with_endpoint().await;
        let mut classic = bounce(2);
        let kind = classic["eventType"].take();
        classic["notificationType"] = kind;
        classic["mail"]["tags"] = Value::Null;
        let events = [send(), bounce(2), classic];
        for number in order {
            hand(&world.state, &events[number]).await.unwrap();
        }
        let (events, _) = waiting(&world).await;
        assert_eq!(events.len(), 4, "{events:?}");
        found.push(events);
    }
    assert!(found.iter().all(|events| *events == found[0]), "{found:?}");
}

#[tokio::test]
async fn nothing_is_emitted_as_long_as_nobody_listens() {
    let world = World::start().await;
    hand(&world.state, &bounce(2)).await.unwrap();
    // An emission would fail.
    hand(&killed(&world), &bounce(3)).await.unwrap();
    assert_eq!(kinds(&world).await, Vec::<String>::new());
}
