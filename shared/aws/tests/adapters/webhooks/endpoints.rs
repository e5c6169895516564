//! Endpoints: made, read, changed, disabled and deleted.

use aws::Created;
use domain::webhook::{
    DisabledBecause, ENDPOINTS_MAX, EndpointChange, EndpointHealth, EndpointState, EventKind, FAILURES_TO_PARK, Target,
};
use futures_util::future::join_all;
use serde_json::json;

use super::{TABLE, URL, endpoint, listener, secret, with_endpoint};
use crate::support::{Answer, Fake, Store, at, closed_port, n, number, s, text};

/// Reads the count of endpoints.
async fn counted(store: &Store) -> i64 {
    let item = store.item(TABLE, &[("id", "count"), ("item", "endpoints")]).await;
    item.map_or(0, |item| number(&item, "count"))
}

#[tokio::test]
async fn an_endpoint_comes_back_as_it_was_made() {
    let store = Store::start().await;
    let webhooks = store.webhooks();
    let (url, listener) = (endpoint("a"), listener("b", at(60_000)));
    for endpoint in [&url, &listener] {
        assert_eq!(webhooks.create(endpoint, &secret(1)).await.unwrap(), Created::Done);
        assert_eq!(webhooks.get(&endpoint.id).await.unwrap().as_ref(), Some(endpoint));
    }
    assert_eq!(webhooks.list().await.unwrap(), [url, listener]);
    assert_eq!(webhooks.get("c").await.unwrap(), None);
}

#[tokio::test]
async fn the_partition_that_emitters_read_has_no_secret() {
    let store = with_endpoint().await;
    let item = store.item(TABLE, &[("id", "endpoints"), ("item", "a")]).await.unwrap();
    assert_eq!(text(&item, "state"), "enabled");
    assert_eq!(number(&item, "created_at"), at(7).as_millisecond());
    assert!(!format!("{item:?}").contains("whsec_"), "{item:?}");
    let item = store.item(TABLE, &[("id", "a"), ("item", "secret")]).await.unwrap();
    assert_eq!(text(&item, "current"), secret(1).reveal());
}

#[tokio::test]
async fn the_21st_endpoint_is_not_made() {
    let store = Store::start().await;
    let webhooks = store.webhooks();
    for number in 0..ENDPOINTS_MAX {
        let created = webhooks.create(&endpoint(&number.to_string()), &secret(1)).await;
        assert_eq!(created.unwrap(), Created::Done);
    }
    assert_eq!(
        webhooks.create(&endpoint("more"), &secret(1)).await.unwrap(),
        Created::TooMany
    );
    assert_eq!(webhooks.get("more").await.unwrap(), None);
    assert_eq!(webhooks.secrets("more").await.unwrap(), None);
    // A deletion makes room for one, and only the first deletion does.
    assert!(webhooks.delete("3").await.unwrap());
    assert!(!webhooks.delete("3").await.unwrap());
    assert_eq!(
        webhooks.create(&endpoint("more"), &secret(1)).await.unwrap(),
        Created::Done
    );
    assert_eq!(
        webhooks.create(&endpoint("even more"), &secret(1)).await.unwrap(),
        Created::TooMany
    );
    assert_eq!(webhooks.list().await.unwrap().len(), ENDPOINTS_MAX);
}

#[tokio::test]
async fn endpoints_made_at_once_do_not_exceed_the_limit() {
    let store = Store::start().await;
    let webhooks = store.webhooks();
    for number in 3..ENDPOINTS_MAX {
        webhooks
            .create(&endpoint(&number.to_string()), &secret(1))
            .await
            .unwrap();
    }
    let new: Vec<_> = (0..8).map(|number| endpoint(&format!("new{number}"))).collect();
    let first = secret(1);
    let created = join_all(new.iter().map(|endpoint| webhooks.create(endpoint, &first))).await;
    let done = created.iter().filter(|created| matches!(created, Ok(Created::Done)));
    assert_eq!(done.count(), 3, "{created:?}");
    assert_eq!(webhooks.list().await.unwrap().len(), ENDPOINTS_MAX);
}

#[tokio::test]
async fn a_creation_that_collides_with_another_is_tried_again() {
    let reasons = ["TransactionConflict", "None", "None", "None"].map(|code| json!({ "Code": code }));
    let canceled = json!({ "message": "canceled", "CancellationReasons": reasons });
    let table = Fake::start(move |before, _| {
        if before < 2 {
            let kind = vec![("x-amzn-ErrorType", "TransactionCanceledException".to_owned())];
            Answer::Reply(400, kind, canceled.to_string())
        } else {
            Answer::ok("{}")
        }
    })
    .await;
    let webhooks = Store::at(&table.endpoint).webhooks();
    assert_eq!(
        webhooks.create(&endpoint("a"), &secret(1)).await.unwrap(),
        Created::Done
    );
    assert_eq!(table.requests().len(), 3);
}

#[tokio::test]
async fn an_id_is_used_once() {
    let store = with_endpoint().await;
    let again = store.webhooks().create(&endpoint("a"), &secret(2)).await;
    assert_eq!(again.unwrap_err().code, "EndpointExists");
    assert_eq!(counted(&store).await, 1);
    let secrets = store.webhooks().secrets("a").await.unwrap().unwrap();
    assert_eq!(secrets.current, secret(1));
}

#[tokio::test]
async fn an_endpoint_whose_answer_is_lost_is_made_and_deleted_once() {
    let store = Store::start().await;
    let created = store
        .losing_an_answer()
        .await
        .webhooks()
        .create(&endpoint("a"), &secret(1))
        .await;
    assert_eq!(created.unwrap(), Created::Done);
    assert_eq!(counted(&store).await, 1);
    assert!(store.losing_an_answer().await.webhooks().delete("a").await.unwrap());
    assert_eq!((counted(&store).await, store.count(TABLE).await), (0, 1));
}

#[tokio::test]
async fn nothing_of_a_deleted_endpoint_is_left() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    let health = webhooks.health("a").await.unwrap().unwrap();
    webhooks.rotate("a", &secret(2), at(0)).await.unwrap();
    assert!(webhooks.delete("a").await.unwrap());
    // Calls that are still under way find nothing, and leave nothing.
    assert_eq!(
        webhooks
            .failed("a", &super::health::failure(1), FAILURES_TO_PARK, &health)
            .await
            .unwrap(),
        None
    );
    assert!(!webhooks.disable_gone("a", URL).await.unwrap());
    assert_eq!(webhooks.rotate("a", &secret(3), at(0)).await.unwrap(), None);
    for state in [EndpointState::Enabled, EndpointState::Disabled] {
        let change = EndpointChange {
            state: Some(state),
            ..EndpointChange::default()
        };
        assert_eq!(webhooks.update("a", &change).await.unwrap(), None);
    }
    // Only the count.
    assert_eq!(store.count(TABLE).await, 1);
}

#[tokio::test]
async fn an_owner_changes_the_parts_that_it_names() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    let mut expected = endpoint("a");
    assert_eq!(
        webhooks.update("a", &EndpointChange::default()).await.unwrap(),
        Some(expected.clone())
    );
    let changes = [
        EndpointChange {
            url: Some("https://example.net/".to_owned()),
            ..EndpointChange::default()
        },
        EndpointChange {
            events: Some([EventKind::EmailSent].into()),
            ..EndpointChange::default()
        },
        EndpointChange {
            state: Some(EndpointState::Disabled),
            ..EndpointChange::default()
        },
    ];
    for change in changes {
        if let Some(url) = &change.url {
            expected.target = Target::Url(url.clone());
        }
        expected.events = change.events.clone().unwrap_or(expected.events);
        expected.state = change.state.unwrap_or(expected.state);
        assert_eq!(webhooks.update("a", &change).await.unwrap(), Some(expected.clone()));
        assert_eq!(webhooks.get("a").await.unwrap(), Some(expected.clone()));
    }
    assert_eq!(webhooks.update("b", &EndpointChange::default()).await.unwrap(), None);
}

#[tokio::test]
async fn a_listener_gets_no_url_and_is_kept_while_it_asks_again() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    webhooks.create(&listener("b", at(10)), &secret(1)).await.unwrap();
    let change = EndpointChange {
        url: Some("https://example.net/".to_owned()),
        ..EndpointChange::default()
    };
    assert_eq!(webhooks.update("b", &change).await.unwrap(), None);
    assert!(webhooks.listen("b", at(20)).await.unwrap());
    assert_eq!(webhooks.get("b").await.unwrap(), Some(listener("b", at(20))));
    // An endpoint with a URL is no listener.
    assert!(!webhooks.listen("a", at(20)).await.unwrap());
    assert!(!webhooks.delete_listener("a", at(20)).await.unwrap());
    assert_eq!(webhooks.get("a").await.unwrap(), Some(endpoint("a")));
    // The sweep has seen the time before.
    assert!(!webhooks.delete_listener("b", at(10)).await.unwrap());
    assert!(webhooks.delete_listener("b", at(20)).await.unwrap());
    assert_eq!(webhooks.list().await.unwrap(), [endpoint("a")]);
    assert!(!webhooks.listen("b", at(30)).await.unwrap());
    assert_eq!(counted(&store).await, 1);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_until_its_owner_enables_it() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    assert!(!webhooks.disable_gone("a", "https://example.com/before").await.unwrap());
    assert_eq!(webhooks.get("a").await.unwrap(), Some(endpoint("a")));
    assert_eq!(webhooks.health("a").await.unwrap(), Some(EndpointHealth::default()));
    assert!(webhooks.disable_gone("a", URL).await.unwrap());
    assert!(!webhooks.disable_gone("a", URL).await.unwrap());
    assert_eq!(webhooks.get("a").await.unwrap().unwrap().state, EndpointState::Disabled);
    let health = webhooks.health("a").await.unwrap().unwrap();
    assert_eq!(health.disabled_because, Some(DisabledBecause::Gone));
    let change = EndpointChange {
        state: Some(EndpointState::Enabled),
        ..EndpointChange::default()
    };
    assert_eq!(webhooks.update("a", &change).await.unwrap(), Some(endpoint("a")));
    assert_eq!(webhooks.health("a").await.unwrap(), Some(EndpointHealth::default()));
}

#[tokio::test]
async fn an_item_that_is_no_endpoint_keeps_no_other_from_its_events() {
    let store = with_endpoint().await;
    let odd = [("id", s("endpoints")), ("item", s("0")), ("state", s("enabled"))];
    store.put(TABLE, odd).await;
    let newer = [
        ("id", s("endpoints")),
        ("item", s("z")),
        ("state", s("enabled")),
        ("url", s("https://example.com/hook")),
        ("created_at", n(at(7).as_millisecond())),
        (
            "events",
            aws_sdk_dynamodb::types::AttributeValue::Ss(
                ["email.bounced", "suppression.added", "email.read"]
                    .map(str::to_owned)
                    .into(),
            ),
        ),
    ];
    store.put(TABLE, newer).await;
    assert_eq!(store.webhooks().list().await.unwrap(), [endpoint("a"), endpoint("z")]);
    assert_eq!(store.webhooks().get("0").await.unwrap_err().code, "NotAnEndpoint");
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error() {
    let webhooks = Store::at(&closed_port().await).webhooks();
    assert_eq!(webhooks.list().await.unwrap_err().operation, "Query");
    assert_eq!(webhooks.get("a").await.unwrap_err().operation, "GetItem");
    let error = webhooks.create(&endpoint("a"), &secret(1)).await.unwrap_err();
    assert_eq!(error.operation, "TransactWriteItems");
    assert_eq!(webhooks.delete("a").await.unwrap_err().operation, "TransactWriteItems");
    assert_eq!(webhooks.listen("a", at(0)).await.unwrap_err().operation, "UpdateItem");
}
