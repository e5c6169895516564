//! The sizes of requests and mails at their edges, and what API Gateway does with a request that Lambda does not take.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::client::{BOTH, Caller, DOOR, Raw, SesAnswer, Version};
use super::outcomes::INVALID;
use crate::support::{Okite, eventually};

/// The most bytes of a raw mail in each version.
const MIME_MAX: [(Version, usize); 2] = [(Version::V1, 3_300_000), (Version::V2, 4_400_000)];

/// A message of so many bytes. In version 1, its body is of all bytes at random, which take the most room in a form; in
/// version 2 all take the same, and letters are read faster.
fn message_of(version: Version, bytes: usize) -> Vec<u8> {
    let mut message = Raw::new("Large").mime;
    let mut state: u32 = 1;
    while message.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let random = u8::try_from(state >> 24).unwrap();
        message.push(match version {
            _ if message.len().is_multiple_of(70) => b'\n',
            Version::V1 => random,
            Version::V2 => b'a' + random % 26,
        });
    }
    message
}

async fn send(okite: &Okite, version: Version, mail: &Raw) -> SesAnswer {
    Caller::of(DOOR).send(okite, version, mail).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_mail_of_the_largest_size_passes_and_a_byte_more_is_the_callers_mistake() {
    let okite = Okite::door().await;
    for (version, most) in MIME_MAX {
        let mail = Raw::of(message_of(version, most));
        send(&okite, version, &mail).await.message_id();
        let taken = okite.outbox().await.pop().unwrap();
        assert_eq!(okite.source(&taken).await, mail.mime);
        let answer = send(&okite, version, &Raw::of(message_of(version, most + 1))).await;
        let message = answer.refused(INVALID[0], INVALID[1]);
        assert!(
            message.contains(&most.to_string()) && message.contains(&(most + 1).to_string()),
            "{message}"
        );
    }
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_mail_waits_in_the_queue_and_leaves_as_it_came() {
    let okite = Okite::door().await;
    okite.account(json!({ "max_24_hour_send": 0 })).await;
    okite.report().await;
    let (version, most) = MIME_MAX[1];
    let mail = Raw::of(message_of(version, most));
    let caller = Caller::of(DOOR).with("okite-when-busy", "queue");
    let queued = caller.send(&okite, version, &mail).await;
    assert_eq!(queued.message_id(), queued.okite_id());
    okite.account(json!({ "max_24_hour_send": 1000 })).await;
    okite.report().await;
    okite.advance(Duration::from_mins(61)).await;
    okite.report().await;
    eventually("it has left", async || {
        okite.local(Method::POST, "schedules/SweepSchedule", &Value::Null).await;
        !okite.outbox().await.is_empty()
    })
    .await;
    let [taken] = &okite.outbox().await[..] else {
        panic!("one mail")
    };
    assert_eq!(okite.source(taken).await, mail.mime);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lambda_does_not_take_is_a_413_of_the_gateway_and_no_fault_of_the_server() {
    let okite = Okite::door().await;
    // Lambda takes 6 MB of an event.
    for (version, bytes) in [(Version::V1, 3_600_000), (Version::V2, 5_000_000)] {
        let answer = send(&okite, version, &Raw::of(message_of(version, bytes))).await;
        let body: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(
            (answer.status, body),
            (413, json!({ "message": "Request Entity Too Large" }))
        );
    }
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn fifty_recipients_pass_and_one_more_does_not() {
    let okite = Okite::door().await;
    let people: Vec<String> = (0..51)
        .map(|n| format!("success+{n}@simulator.amazonses.com"))
        .collect();
    for version in BOTH {
        let with = |count: usize| Raw {
            to: people[..count].to_vec(),
            ..Raw::new("Hi")
        };
        send(&okite, version, &with(50)).await.message_id();
        let mail = okite.outbox().await.pop().unwrap();
        assert_eq!(mail["envelope"]["to"].as_array().unwrap().len(), 50);
        let message = send(&okite, version, &with(51)).await.refused(INVALID[0], INVALID[1]);
        assert!(message.contains("50"), "{message}");
        let of_header = |count: usize| {
            let to = people[..count].join(",\r\n ");
            Raw::of(format!("From: a@example.com\r\nTo: {to}\r\nSubject: Hi\r\n\r\nHi"))
        };
        send(&okite, version, &of_header(50)).await.message_id();
        send(&okite, version, &of_header(51))
            .await
            .refused(INVALID[0], INVALID[1]);
    }
    assert_eq!(okite.outbox().await.len(), 4);
}

#[tokio::test]
async fn a_body_that_is_in_no_form_of_the_api_is_the_callers_mistake() {
    let okite = Okite::door().await;
    let door = Caller::of(DOOR);
    for form in [
        "",
        "Action=SendRawEmail",
        "Action=SendRawEmail&RawMessage.Data=%25",
        "Action=a&Action=b",
        "\u{0}",
    ] {
        let answer = door.act(&okite, form).await;
        assert!((400..500).contains(&answer.status), "{form}: {answer:?}");
        assert_eq!(answer.elements("Type"), ["Sender"], "{form}");
    }
    let path = "/v2/email/outbound-emails";
    for body in [
        json!({}),
        json!([]),
        json!({ "Content": 1 }),
        json!({ "Content": { "Raw": { "Data": "%" } } }),
    ] {
        let answer = door.call(&okite, Method::POST, path, &body).await;
        assert!((400..500).contains(&answer.status), "{body}: {answer:?}");
        assert!(answer.header("x-amzn-errortype").is_some(), "{body}: {answer:?}");
    }
    for (method, path, words) in [
        (Method::POST, "/v2/email/outbound-bulk-emails", "SendBulkEmail"),
        (Method::GET, "/v2/email/templates", "Templates"),
        (Method::PUT, "/v2/email/account/sending", "settings"),
    ] {
        let answer = door.call(&okite, method, path, &json!({})).await;
        let message = answer.refused((400, "InvalidAction"), (404, "UnknownOperationException"));
        assert!(message.contains(words), "{message}");
    }
    let answer = door
        .act(&okite, "Action=VerifyEmailAddress&EmailAddress=a%40example.com")
        .await;
    answer.refused((400, "InvalidAction"), (404, "UnknownOperationException"));
}
