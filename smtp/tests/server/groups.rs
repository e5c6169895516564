//! Mails to more people than SES takes at once.

use std::collections::BTreeSet;

use crate::support::{Answer, FakeApi, MAIL, Request, Running, error, ok, usual};

/// A mail that nothing identifies.
const ANONYMOUS: &str = "From: a@example.com\r\n\r\nHi";

fn people(number: usize) -> Vec<String> {
    (0..number).map(|nth| format!("r{nth:03}@example.net")).collect()
}

async fn send(server: &Running, people: &[String], mail: &str) -> String {
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    server.greeted().await.sends(&people, mail).await
}

fn keys(mails: &[Request]) -> Vec<&str> {
    mails.iter().filter_map(|mail| mail.header("idempotency-key")).collect()
}

#[tokio::test]
async fn five_hundred_people_get_a_mail_in_groups() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let people = people(500);
    let reply = send(&server, &people, MAIL).await;
    assert_eq!(reply, "250 2.0.0 Ok 0100 and 9 more, id at Okite 01");
    let mails = api.mails();
    assert_eq!(mails.len(), 10);
    assert!(mails.iter().all(|mail| mail.recipients().len() == 50));
    let reached: BTreeSet<&str> = mails.iter().flat_map(Request::recipients).collect();
    assert_eq!(reached.len(), 500);
    let keys: BTreeSet<&str> = keys(&mails).into_iter().collect();
    assert_eq!(keys.len(), 10);
}

#[tokio::test]
async fn a_second_attempt_repeats_the_keys_of_the_groups_that_went() {
    let api = refuses_the_second_group(|| error(503, "ServiceUnavailableException", "x")).await;
    let server = Running::start(&api.url()).await;
    let mut people = people(120);
    let reply = send(&server, &people, MAIL).await;
    assert!(
        reply.starts_with("451 4.3.0 50 of 120 recipients are done. Okite cannot"),
        "{reply}"
    );
    assert_eq!(api.mails().len(), 2);
    // The relay may list them in another order.
    people.reverse();
    let reply = send(&server, &people, MAIL).await;
    assert!(reply.starts_with("250 2.0.0 Ok 0100 and 2 more"), "{reply}");
    let mails = api.mails();
    let keys = keys(&mails);
    assert_eq!(keys.len(), 5);
    assert_eq!(keys[..2], keys[2..4]);
}

#[tokio::test]
async fn a_date_identifies_a_mail_to_many() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let dated = format!("Date: now\r\n{ANONYMOUS}");
    send(&server, &people(51), &dated).await;
    assert_eq!(keys(&api.mails()).len(), 2);
    send(&server, &people(50), &dated).await;
    assert_eq!(keys(&api.mails()).len(), 2);
    assert_eq!(api.mails().len(), 3);
}

/// An API that takes every group but the second.
async fn refuses_the_second_group(refusal: fn() -> Answer) -> FakeApi {
    FakeApi::start(move |_, before| if before == 1 { refusal() } else { ok() }).await
}

#[tokio::test]
async fn a_mail_that_nothing_identifies_is_not_sent_again() {
    let api = refuses_the_second_group(|| error(503, "ServiceUnavailableException", "x")).await;
    let server = Running::start(&api.url()).await;
    let reply = send(&server, &people(120), ANONYMOUS).await;
    assert!(
        reply.starts_with(
            "250 2.0.0 Ok 0100 and 1 more, id at Okite 01; 50 of 120 recipients get no mail: Okite cannot"
        ),
        "{reply}"
    );
    assert_eq!(api.mails().len(), 3);
}

#[tokio::test]
async fn nobody_is_told_ok_if_no_group_went() {
    let api = FakeApi::start(|_, _| error(503, "ServiceUnavailableException", "x")).await;
    let server = Running::start(&api.url()).await;
    for mail in [MAIL, ANONYMOUS] {
        let reply = send(&server, &people(120), mail).await;
        assert!(reply.starts_with("451 4.3.0 Okite cannot"), "{reply}");
    }
    assert_eq!(api.mails().len(), 2);
}

#[tokio::test]
async fn a_group_that_is_rejected_for_good_does_not_stop_the_others() {
    let api = refuses_the_second_group(|| error(400, "MessageRejected", "Email address is not verified.")).await;
    let server = Running::start(&api.url()).await;
    let reply = send(&server, &people(120), MAIL).await;
    assert_eq!(
        reply,
        "554 5.6.0 70 of 120 recipients are done. Message rejected: Email address is not verified."
    );
    assert_eq!(api.mails().len(), 3);
}
