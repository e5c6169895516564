//! The table of API keys.

use jiff::Timestamp;
use shared::api_key::{ApiKey, ApiKeyRecord, Permission};
use shared::stream::Stream;

use super::support::{Store, at, closed_port, s, text};

const TABLE: &str = "ApiKeysTable";

fn record(key: &ApiKey) -> ApiKeyRecord {
    ApiKeyRecord {
        id: key.id().to_owned(),
        secret_sha256: key.secret_hash(),
        name: "Web shop, größere Kundschaft".to_owned(),
        permission: Permission::Sending,
        stream: Stream::Bulk,
        from_domains: vec!["example.com".to_owned(), "xn--bcher-kva.example".to_owned()],
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
async fn every_permission_and_stream_comes_back() {
    let store = Store::start().await;
    for (id, permission, stream) in [
        ("1", Permission::Sending, Stream::Transactional),
        ("2", Permission::Full, Stream::Bulk),
    ] {
        let record = ApiKeyRecord {
            id: id.to_owned(),
            permission,
            stream,
            from_domains: Vec::new(),
            ..record(&key())
        };
        store.api_keys().put(&record).await.unwrap();
        assert_eq!(store.api_keys().get(id).await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn an_unknown_id_is_nobodys_key() {
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
async fn a_store_that_is_down_is_an_error_and_not_an_unknown_key() {
    let keys = Store::at(&closed_port().await).api_keys();
    assert_eq!(keys.get("a1").await.unwrap_err().operation, "GetItem");
    assert_eq!(keys.put(&record(&key())).await.unwrap_err().operation, "PutItem");
}
