//! The main purpose: an address that bounced or complained receives no more mail, and the answer to the caller shows
//! it.

use domain::suppression::SuppressionReason;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Okite, assert_status, assert_suppressed, email};

const GOOD: &str = "success@simulator.amazonses.com";

fn tag<'a>(mail: &'a Value, name: &str) -> Option<&'a Value> {
    let mut tags = mail["tags"].as_array().unwrap().iter();
    tags.find(|tag| tag["name"] == name).map(|tag| &tag["value"])
}

#[tokio::test]
async fn a_mail_is_accepted_and_is_in_the_outbox_under_its_id() {
    let okite = Okite::start().await;
    let body = okite.send(&email(GOOD)).await;
    let id: Uuid = body["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(body["recipients"], json!([{ "email": GOOD, "status": "accepted" }]));
    let outbox = okite.outbox().await;
    assert_eq!(outbox.len(), 1);
    assert_eq!(outbox[0]["to"], json!([GOOD]));
    assert_eq!(tag(&outbox[0], "okite_id"), Some(&body["id"]));
    assert_eq!(tag(&outbox[0], "okite_attempt"), Some(&json!("1")));
    assert_eq!(tag(&outbox[0], "okite_stream"), Some(&json!("transactional")));
    let row = okite.message(&body["id"]).await;
    assert_eq!(row["ses_id"].as_s().unwrap(), &outbox[0]["ses_message_id"]);
}

/// Sends to a simulator address, waits for what comes back, and sends again to other spellings of it and to a good one.
async fn is_left_out_next_time(first: &str, then: &str, reason: SuppressionReason) {
    let okite = Okite::start().await;
    let body = okite.send(&email(first)).await;
    assert_status(&body, first, "accepted");
    okite.until_suppressed(first, reason).await;

    let body = okite.send(&email(json!([then, GOOD]))).await;
    assert_suppressed(&body, then, reason.as_str());
    assert_status(&body, GOOD, "accepted");
    let outbox = okite.outbox().await;
    assert_eq!(outbox.len(), 2);
    assert_eq!(outbox[1]["to"], json!([GOOD]));
}

#[tokio::test]
async fn a_bounced_address_is_left_out_in_any_spelling() {
    is_left_out_next_time(
        "bounce@simulator.amazonses.com",
        "Bounce@SIMULATOR.amazonses.com",
        SuppressionReason::Bounce,
    )
    .await;
}

#[tokio::test]
async fn an_address_that_complained_is_left_out_in_any_spelling() {
    is_left_out_next_time(
        "complaint@simulator.amazonses.com",
        "COMPLAINT@simulator.AmazonSES.com",
        SuppressionReason::Complaint,
    )
    .await;
}

#[tokio::test]
async fn an_address_on_the_global_list_of_ses_counts_as_bounced() {
    is_left_out_next_time(
        "suppressionlist@simulator.amazonses.com",
        "SuppressionList@simulator.amazonses.com",
        SuppressionReason::Bounce,
    )
    .await;
}

#[tokio::test]
async fn a_label_makes_another_address() {
    let okite = Okite::start().await;
    okite.send(&email("bounce+a@simulator.amazonses.com")).await;
    okite
        .until_suppressed("bounce+a@simulator.amazonses.com", SuppressionReason::Bounce)
        .await;
    let body = okite
        .send(&email(json!([
            "Bounce+A@simulator.amazonses.com",
            "bounce+b@simulator.amazonses.com",
            "bounce@simulator.amazonses.com",
        ])))
        .await;
    assert_suppressed(&body, "Bounce+A@simulator.amazonses.com", "bounce");
    assert_status(&body, "bounce+b@simulator.amazonses.com", "accepted");
    assert_status(&body, "bounce@simulator.amazonses.com", "accepted");
}

#[tokio::test]
async fn one_mail_may_bring_a_bounce_and_a_complaint_and_each_address_keeps_its_own_reason() {
    let okite = Okite::start().await;
    let (bounce, complaint) = ("bounce@simulator.amazonses.com", "complaint@simulator.amazonses.com");
    okite.send(&email(json!([bounce, complaint, GOOD]))).await;
    okite.until_suppressed(bounce, SuppressionReason::Bounce).await;
    okite.until_suppressed(complaint, SuppressionReason::Complaint).await;
    let body = okite.send(&email(json!([bounce, complaint, GOOD]))).await;
    assert_suppressed(&body, bounce, "bounce");
    assert_suppressed(&body, complaint, "complaint");
    assert_status(&body, GOOD, "accepted");
    assert_eq!(okite.outbox().await[1]["to"], json!([GOOD]));
}

#[tokio::test]
async fn nothing_is_sent_when_every_recipient_is_suppressed() {
    let okite = Okite::start().await;
    let address = "bounce@simulator.amazonses.com";
    okite.send(&email(address)).await;
    okite.until_suppressed(address, SuppressionReason::Bounce).await;
    let body = okite.send(&email(address)).await;
    assert!(body["id"].as_str().unwrap().parse::<Uuid>().is_ok());
    assert_suppressed(&body, address, "bounce");
    assert_eq!(okite.outbox().await.len(), 1);
    assert_eq!(okite.message(&body["id"]).await["state"].as_s().unwrap(), "suppressed");
}

#[tokio::test]
async fn nothing_is_sent_to_cc_when_to_is_empty() {
    let okite = Okite::start().await;
    let address = "bounce@simulator.amazonses.com";
    okite.send(&email(address)).await;
    okite.until_suppressed(address, SuppressionReason::Bounce).await;
    let mut mail = email(address);
    mail["cc"] = json!([GOOD]);
    mail["bcc"] = json!("success+bcc@simulator.amazonses.com");
    let body = okite.send(&mail).await;
    assert_suppressed(&body, address, "bounce");
    assert_status(&body, GOOD, "not_sent");
    assert_status(&body, "success+bcc@simulator.amazonses.com", "not_sent");
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn recipients_are_told_of_in_the_order_given_and_once_each() {
    let okite = Okite::start().await;
    let address = "bounce@simulator.amazonses.com";
    okite.send(&email(address)).await;
    okite.until_suppressed(address, SuppressionReason::Bounce).await;
    let mut mail = email(json!([
        "Anna <Anna@example.net>",
        "anna@EXAMPLE.net",
        "bob@example.net"
    ]));
    mail["cc"] = json!([address, "carol@example.net"]);
    mail["bcc"] = json!(["BOB@example.net", "dave@example.net"]);
    let body = okite.send(&mail).await;
    let told: Vec<_> = body["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|recipient| {
            (
                recipient["email"].as_str().unwrap(),
                recipient["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Anna@example.net", "accepted"),
            ("bob@example.net", "accepted"),
            (address, "suppressed"),
            ("carol@example.net", "accepted"),
            ("dave@example.net", "accepted"),
        ]
    );
    let sent = &okite.outbox().await[1];
    assert_eq!(sent["to"], json!(["Anna <Anna@example.net>", "bob@example.net"]));
    assert_eq!(
        (&sent["cc"], &sent["bcc"]),
        (&json!(["carol@example.net"]), &json!(["dave@example.net"]))
    );
}

#[tokio::test]
async fn mails_sent_at_the_same_time_are_each_sent_once() {
    const MAILS: usize = 40;
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 1000 })).await;
    let mails: Vec<_> = (0..MAILS)
        .map(|n| email(format!("success+{n}@simulator.amazonses.com")))
        .collect();
    let mut sends = Vec::new();
    for mail in &mails {
        sends.push(okite.send(mail));
    }
    let mut ids: Vec<_> = join_all(sends)
        .await
        .into_iter()
        .map(|body| body["id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    let mut to: Vec<_> = okite.outbox().await.iter().map(|mail| mail["to"].to_string()).collect();
    to.sort();
    to.dedup();
    assert_eq!((ids.len(), to.len(), okite.outbox().await.len()), (MAILS, MAILS, MAILS));
}
