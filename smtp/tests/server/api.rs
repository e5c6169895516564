//! The answers of Okite, and what becomes of them when there is none.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use smtp::{Api, ServerSettings};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::support::{Answer, FakeApi, MAIL, Running, error, ok, settings, usual};

const WITHOUT_ID: &str = "From: cron@example.com\r\n\r\nThe job failed";

#[tokio::test]
async fn every_refusal_of_okite_has_an_answer() {
    for (answer, reply) in [
        (
            error(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
            "454 4.7.0 Throttling failure: Maximum sending rate exceeded.",
        ),
        (
            error(429, "TooManyRequestsException", "Daily message quota exceeded."),
            "454 4.7.0 Throttling failure: Daily message quota exceeded.",
        ),
        (error(400, "SendingPausedException", "Stopped."), "451 4.7.1 Stopped."),
        (
            error(400, "MessageRejected", "Email address is not verified."),
            "554 5.6.0 Message rejected: Email address is not verified.",
        ),
        (
            error(400, "BadRequestException", "Missing required header 'From'."),
            "554 5.6.0 Message rejected: Missing required header 'From'.",
        ),
        (
            error(403, "AccessDeniedException", "Not your domain."),
            "550 5.7.1 Not your domain.",
        ),
        (error(413, "", ""), "552 5.3.4 The mail is too large"),
        (
            error(500, "InternalServiceErrorException", "x"),
            "451 4.4.0 It is unknown",
        ),
        (error(409, "ConflictException", "x"), "451 4.4.0 It is unknown"),
        (
            error(503, "ServiceUnavailableException", "x"),
            "451 4.3.0 Okite cannot take mail",
        ),
        (error(404, "", "Not Found"), "451 4.3.5 Okite's API answered with 404"),
        (
            Answer::With(200, vec![], json!("hello")),
            "451 4.4.0 The answer of the API has no MessageId",
        ),
        (
            Answer::With(
                200,
                vec![("x-okite-id", "01".to_owned()), ("x-okite-suppressed", "1".to_owned())],
                json!({"MessageId": "0100"}),
            ),
            "250 2.0.0 Ok 0100, id at Okite 01; no mail to suppressed recipients: 1 of 2",
        ),
    ] {
        let api = FakeApi::start(move |_, _| answer.clone()).await;
        let server = Running::start(&api.url()).await;
        let mut client = server.greeted().await;
        let got = client.sends(&["b@example.net", "c@example.net"], MAIL).await;
        assert!(got.starts_with(reply), "{got:?}, not {reply:?}");
        assert_eq!(api.mails().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_kept_while_okite_is_down() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let server = Running::start(&url).await;
    let mut client = server.greeted().await;
    for mail in [MAIL, WITHOUT_ID] {
        let reply = client.sends(&["b@example.net"], mail).await;
        assert!(reply.starts_with("451 4.3.0 Okite's API cannot be reached"), "{reply}");
    }
}

#[tokio::test]
async fn a_mail_is_accepted_only_after_okites_answer() {
    let go = Arc::new(Semaphore::new(0));
    let when = Arc::clone(&go);
    let api = FakeApi::start(move |_, _| Answer::When(Arc::clone(&when))).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    let sent = tokio::spawn(async move { client.sends(&["b@example.net"], MAIL).await });
    api.arrived().await;
    assert!(!sent.is_finished());
    go.add_permits(1);
    assert!(sent.await.unwrap().starts_with("250 2.0.0"));
}

/// The connection that broke may have been open for long, and closed by the other side.
#[tokio::test]
async fn a_mail_that_okite_would_recognise_is_tried_again_on_a_new_connection() {
    let cut_first = |request: &crate::support::Request, before| if before == 0 { Answer::Cut } else { usual(request) };
    let api = FakeApi::start(cut_first).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    let reply = client.sends(&["b@example.net"], MAIL).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let mails = api.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("idempotency-key"), mails[1].header("idempotency-key"));
    assert_eq!(mails[0].body, mails[1].body);

    let api = FakeApi::start(cut_first).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    let reply = client.sends(&["b@example.net"], WITHOUT_ID).await;
    assert!(reply.starts_with("451 4.4.0"), "{reply}");
    assert_eq!(api.mails().len(), 1);
    assert_eq!(api.mails()[0].header("idempotency-key"), None);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unknown() {
    let api = FakeApi::start(|_, _| Answer::Never).await;
    let settings = settings(&api.url());
    let settings = ServerSettings {
        api: Api::new(api.url().parse().unwrap())
            .unwrap()
            .with_answer_timeout(Duration::from_millis(200)),
        ..settings
    };
    let server = Running::start_with(settings, false).await;
    let mut client = server.greeted().await;
    let reply = client.sends(&["b@example.net"], MAIL).await;
    assert!(reply.starts_with("451 4.4.0"), "{reply}");
    assert_eq!(api.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_that_a_relay_repeats_has_the_same_key() {
    let api = FakeApi::start(|_, _| ok()).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    let repeated = format!("Received: from app by relay; later\r\n{MAIL}");
    let (another, alert) = (MAIL.replace("<1@", "<2@"), WITHOUT_ID);
    for mail in [MAIL, &repeated, &another, alert, alert] {
        let reply = client.sends(&["b@example.net"], mail).await;
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let mails = api.mails();
    let keys: Vec<_> = mails.iter().map(|mail| mail.header("idempotency-key")).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    assert_eq!(keys[3..], [None, None]);
}
