//! API keys as passwords, and what wrong ones cost.

use futures_util::future::join_all;
use smtp::ServerSettings;

use crate::support::{Answer, FakeApi, KEY, MAIL, Running, error, plain, settings, usual};

/// A server that wants a key from everybody.
async fn strict(api: &FakeApi) -> Running {
    let settings = ServerSettings {
        default_key: None,
        ..settings(&api.url())
    };
    Running::start_with(settings, false).await
}

#[tokio::test]
async fn a_mail_is_sent_with_the_clients_key() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = strict(&api).await;
    let mut client = server.greeted().await;
    client.says("MAIL FROM:<a@example.com>", "530 5.7.0").await;
    client.says(&plain(KEY), "235 2.7.0").await;
    let reply = client.sends(&["b@example.net"], MAIL).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let requests = api.requests();
    assert_eq!(
        (requests[0].method.as_str(), requests[0].path.as_str()),
        ("GET", "/v2/email/account")
    );
    assert_eq!(requests[1].header("authorization"), Some("Bearer ok_1_secret"));
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn where_keys_are_optional_a_given_one_counts() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    client.says(&plain("ok_2_other"), "535 5.7.8").await;
    client.says(&plain(KEY), "235 2.7.0").await;
}

#[tokio::test]
async fn a_key_is_asked_about_once_however_many_give_it() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = strict(&api).await;
    for (key, reply) in [(KEY, "235 2.7.0"), ("ok_2_wrong", "535 5.7.8")] {
        let clients = (0..20).map(|_| async {
            let mut client = server.greeted().await;
            client.says(&plain(key), reply).await;
        });
        join_all(clients).await;
    }
    assert_eq!(api.requests().len(), 2);
}

#[tokio::test]
async fn what_is_no_key_costs_no_request() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = strict(&api).await;
    let mut client = server.greeted().await;
    client.says(&plain("password"), "535 5.7.8").await;
    client.says(&plain("ok_"), "535 5.7.8").await;
    client.says(&plain(""), "421 4.7.0").await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(api.requests().len(), 0);
    let metrics = server.server.metrics_text();
    assert!(
        metrics.contains("okite_smtp_authentications_total{result=\"refused\"} 3\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_checked_is_asked_about_again() {
    let api = FakeApi::start(|request, before| {
        if before == 0 {
            error(503, "ServiceUnavailableException", "x")
        } else {
            usual(request)
        }
    })
    .await;
    let server = strict(&api).await;
    let mut client = server.greeted().await;
    client.says(&plain(KEY), "454 4.7.0").await;
    client.says(&plain(KEY), "235 2.7.0").await;
}

#[tokio::test]
async fn a_key_that_may_not_read_the_account_may_send() {
    let api = FakeApi::start(|request, _| {
        if request.is_mail() {
            usual(request)
        } else {
            error(403, "AccessDeniedException", "No.")
        }
    })
    .await;
    let server = strict(&api).await;
    let mut client = server.greeted().await;
    client.says(&plain(KEY), "235 2.7.0").await;
}

#[tokio::test]
async fn a_revoked_key_is_forgotten() {
    let api = FakeApi::start(|_, before| {
        if before == 0 {
            Answer::With(200, vec![], serde_json::json!({}))
        } else {
            error(403, "UnrecognizedClientException", "The key is unknown.")
        }
    })
    .await;
    let server = strict(&api).await;
    let mut client = server.greeted().await;
    client.says(&plain(KEY), "235 2.7.0").await;
    let reply = client.sends(&["b@example.net"], MAIL).await;
    assert!(reply.starts_with("451 4.7.8"), "{reply}");
    let mut client = server.greeted().await;
    client.says(&plain(KEY), "535 5.7.8").await;
    assert_eq!(api.requests().len(), 3);
}
