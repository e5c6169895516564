//! The table of API keys.

use std::collections::BTreeSet;

use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission};
use domain::queue::WhenBusy;
use domain::stream::Stream;
use jiff::Timestamp;

use crate::support::{Store, at, closed_port, s, text};

const TABLE: &str = "ApiKeysTable";

fn record(key: &ApiKey) -> ApiKeyRecord {
    ApiKeyRecord {
        id: key.id().to_owned(),
        secret_sha256: key.secret_hash(),
        secret_access_key: None,
        name: "Web shop, größere Kundschaft".to_owned(),
        permission: KeyPermission::Sending,
        stream: Stream::Bulk,
        from_domains: vec!["example.com".to_owned(), "xn--bcher-kva.example".to_owned()],
        when_busy: WhenBusy::Refuse,
        topic: None,
        created_at: at(0),
    }
}

fn key() -> ApiKey {
    ApiKey::from_random([0xa1; 8], [0xb2; 32])
}

#[tokio::test]
async fn a_key_comes_back_as_it_was_put() {
    let store = Store::start().await;
    let record = record(&key());
    store.api_keys().put(&record).await.unwrap();
    let found = store.api_keys().get(key().id()).await.unwrap().unwrap();
    assert_eq!(found, record);
    assert!(found.admits(&key()));
}

#[tokio::test]
async fn only_a_key_with_aws_credentials_has_a_secret_access_key() {
    let store = Store::start().await;
    let plain = record(&key());
    store.api_keys().put(&plain).await.unwrap();
    let item = store.item(TABLE, &[("id", key().id())]).await.unwrap();
    assert!(!item.contains_key("secret_access_key"), "{item:?}");
    let record = plain.with_aws_credentials(&key());
    store.api_keys().put(&record).await.unwrap();
    let item = store.item(TABLE, &[("id", key().id())]).await.unwrap();
    assert_eq!(text(&item, "secret_access_key"), key().secret_access_key());
    assert_eq!(store.api_keys().get(key().id()).await.unwrap(), Some(record));
}

#[tokio::test]
async fn every_permission_stream_and_choice_when_busy_comes_back() {
    let store = Store::start().await;
    for (id, permission, stream, when_busy) in [
        ("1", KeyPermission::Sending, Stream::Transactional, WhenBusy::Queue),
        ("2", KeyPermission::Full, Stream::Bulk, WhenBusy::Wait),
    ] {
        let record = ApiKeyRecord {
            id: id.to_owned(),
            permission,
            stream,
            when_busy,
            from_domains: Vec::new(),
            ..record(&key())
        };
        store.api_keys().put(&record).await.unwrap();
        assert_eq!(store.api_keys().get(id).await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn a_key_of_an_earlier_version_queues() {
    let store = Store::start().await;
    let item = [
        ("id", s("old")),
        ("secret_sha256", s(&key().secret_hash())),
        ("name", s("old")),
        ("permission", s("full")),
        ("stream", s("bulk")),
        ("created_at", s(&at(0).to_string())),
    ];
    store.put(TABLE, item).await;
    let found = store.api_keys().get("old").await.unwrap().unwrap();
    assert_eq!((found.when_busy, found.secret_access_key), (WhenBusy::Queue, None));
}

#[tokio::test]
async fn an_unknown_id_has_no_key() {
    let store = Store::start().await;
    store.api_keys().put(&record(&key())).await.unwrap();
    assert_eq!(store.api_keys().get("unknown").await.unwrap(), None);
}

#[tokio::test]
async fn the_item_has_the_hash_and_not_the_secret() {
    let store = Store::start().await;
    store.api_keys().put(&record(&key())).await.unwrap();
    let item = store.item(TABLE, &[("id", key().id())]).await.unwrap();
    assert_eq!(text(&item, "secret_sha256"), key().secret_hash());
    assert_eq!(text(&item, "permission"), "sending");
    assert_eq!(text(&item, "stream"), "bulk");
    assert_eq!(text(&item, "when_busy"), "refuse");
    assert_eq!(text(&item, "created_at").parse::<Timestamp>().unwrap(), at(0));
    let secret = "b2".repeat(32);
    assert!(key().reveal().ends_with(&secret) && !format!("{item:?}").contains(&secret));
}

#[tokio::test]
async fn putting_a_key_again_replaces_it() {
    let store = Store::start().await;
    store.api_keys().put(&record(&key())).await.unwrap();
    let renamed = ApiKeyRecord {
        name: "new".to_owned(),
        from_domains: Vec::new(),
        ..record(&key())
    };
    store.api_keys().put(&renamed).await.unwrap();
    assert_eq!(store.api_keys().get(key().id()).await.unwrap(), Some(renamed));
}

#[tokio::test]
async fn an_item_that_is_no_key_opens_nothing() {
    let store = Store::start().await;
    store
        .put(TABLE, [("id", s("odd")), ("permission", s("everything"))])
        .await;
    assert_eq!(store.api_keys().get("odd").await.unwrap_err().code, "NotAKey");
}

#[tokio::test]
async fn a_deleted_key_is_unknown() {
    let store = Store::start().await;
    let keys = store.api_keys();
    keys.put(&record(&key())).await.unwrap();
    assert!(keys.contains(key().id()).await.unwrap());
    keys.delete(key().id()).await.unwrap();
    assert!(!keys.contains(key().id()).await.unwrap());
    assert_eq!(keys.get(key().id()).await.unwrap(), None);
}

#[tokio::test]
async fn deleting_a_key_works_though_the_answer_is_lost() {
    let store = Store::start().await;
    store.api_keys().put(&record(&key())).await.unwrap();
    let forgetful = store.losing_an_answer().await;
    forgetful.api_keys().delete(key().id()).await.unwrap();
    assert!(!store.api_keys().contains(key().id()).await.unwrap());
}

#[tokio::test]
async fn an_item_that_is_no_key_can_be_deleted_like_one() {
    let store = Store::start().await;
    store
        .put(TABLE, [("id", s("odd")), ("permission", s("everything"))])
        .await;
    assert!(store.api_keys().contains("odd").await.unwrap());
    store.api_keys().delete("odd").await.unwrap();
    assert!(!store.api_keys().contains("odd").await.unwrap());
}

#[tokio::test]
async fn pages_hold_every_key_once_and_count_foreign_items() {
    let store = Store::start().await;
    let keys = store.api_keys();
    let ids: Vec<String> = (0..7).map(|number| format!("key{number}")).collect();
    for id in &ids {
        let record = ApiKeyRecord {
            id: id.clone(),
            ..record(&key())
        };
        keys.put(&record).await.unwrap();
    }
    store
        .put(TABLE, [("id", s("odd")), ("permission", s("everything"))])
        .await;
    let (mut seen, mut unreadable, mut pages, mut after) = (Vec::new(), 0, 0, None);
    loop {
        let page = keys.page(after.as_deref(), 3).await.unwrap();
        assert!(page.keys.len() + page.unreadable <= 3);
        seen.extend(page.keys.into_iter().map(|key| key.id));
        unreadable += page.unreadable;
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(pages >= 3, "{pages} pages");
    assert_eq!((seen.len(), unreadable), (7, 1));
    assert_eq!(BTreeSet::from_iter(seen), ids.into_iter().collect());
}

#[tokio::test]
async fn all_ids_are_read_at_once_while_they_fit() {
    let store = Store::start().await;
    let keys = store.api_keys();
    keys.put(&record(&key())).await.unwrap();
    store.put(TABLE, [("id", s("odd"))]).await;
    let wanted = [key().id().to_owned(), "odd".to_owned()];
    assert_eq!(keys.all_ids().await.unwrap(), Some(wanted.into_iter().collect()));
    // Together they have more than the megabyte that one request reads.
    for number in 0..4 {
        let id = format!("large{number}");
        store
            .put(TABLE, [("id", s(&id)), ("name", s(&"n".repeat(350_000)))])
            .await;
    }
    assert_eq!(keys.all_ids().await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_and_not_an_unknown_key() {
    let keys = Store::at(&closed_port().await).api_keys();
    assert_eq!(keys.get("a1").await.unwrap_err().operation, "GetItem");
    assert_eq!(keys.put(&record(&key())).await.unwrap_err().operation, "PutItem");
    assert_eq!(keys.contains("a1").await.unwrap_err().operation, "GetItem");
    assert_eq!(keys.delete("a1").await.unwrap_err().operation, "DeleteItem");
    assert_eq!(keys.page(None, 1).await.unwrap_err().operation, "Scan");
    assert_eq!(keys.all_ids().await.unwrap_err().operation, "Scan");
}
