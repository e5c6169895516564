//! Raw mail: the bytes stay as they are, the envelope says who receives them, and the header says who may not send.

use std::time::Duration;

use domain::queue::WhenBusy;
use local_aws::data_dir::DataDir;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{ANNA, BOB, BOTH, Caller, DOOR, Raw, Version};
use super::outcomes::INVALID;
use crate::functions::processes::take_again;
use crate::support::{Okite, eventually, within};

const LIMITED: &str = "ok_limiteddoor_secret";

/// A message with everything that a program may want to write anew: unusual folds, spaces at the ends of lines, bytes
/// above 127, both kinds of line ends, a body without an end of line, and fields that recipients must not see.
const MESSAGE: &[u8] = b"Received: from a by b;\r\n\tMon, 1 Jan 2026 00:00:00 +0000\r\n\
From:  Acme <hello@example.com> \r\n\
To: anna@example.net,\r\n  bob@example.net\r\n\
Bcc: hidden@example.net,\r\n also-hidden@example.net\r\n\
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
X-SES-MESSAGE-TAGS: shop=17, team=a\r\n\
DKIM-Signature: v=1; a=rsa-sha256; bh=abc;\r\n b=def\r\n\
x-ses-source-x: y\r\n\
X-Tag: news\r\n\
\r\n\
Hello   \r\n.\r\nX-SES-CONFIGURATION-SET: none\r\nBcc: body@example.net\n\xe4\xf6\xfc\x00 \r\n\r\n\r\nend";

/// The same without the fields that recipients must not see.
const SHOWN: &[u8] = b"Received: from a by b;\r\n\tMon, 1 Jan 2026 00:00:00 +0000\r\n\
From:  Acme <hello@example.com> \r\n\
To: anna@example.net,\r\n  bob@example.net\r\n\
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
DKIM-Signature: v=1; a=rsa-sha256; bh=abc;\r\n b=def\r\n\
X-Tag: news\r\n\
\r\n\
Hello   \r\n.\r\nX-SES-CONFIGURATION-SET: none\r\nBcc: body@example.net\n\xe4\xf6\xfc\x00 \r\n\r\n\r\nend";

fn door() -> Caller {
    Caller::of(DOOR)
}

/// The tags of a mail, without Okite's own.
fn tags(mail: &Value) -> Vec<(&str, &str)> {
    let tags = mail["tags"].as_array().unwrap().iter();
    let pairs = tags.map(|tag| (tag["name"].as_str().unwrap(), tag["value"].as_str().unwrap()));
    pairs.filter(|(name, _)| !name.starts_with("okite_")).collect()
}

#[tokio::test]
async fn all_bytes_stay_but_the_fields_that_recipients_must_not_see() {
    let okite = Okite::door().await;
    for version in BOTH {
        let answer = door().send(&okite, version, &Raw::of(MESSAGE)).await;
        let mail = okite.outbox().await.pop().unwrap();
        assert_eq!(answer.message_id(), mail["ses_message_id"].as_str().unwrap());
        assert_eq!(okite.source(&mail).await, SHOWN, "{version:?}");
        let hidden = ["hidden@example.net", "also-hidden@example.net"];
        assert_eq!(mail["envelope"]["to"], json!([ANNA, BOB, hidden[0], hidden[1]]));
        assert_eq!(mail["envelope"]["from"], "hello@example.com");
    }
    // Programs on Unix write LF alone, and some mails have no body.
    for message in [
        "From: a@example.com\nTo: anna@example.net\n\nHi\n",
        "From: a@example.com\nTo: anna@example.net\n",
    ] {
        for version in BOTH {
            door().send(&okite, version, &Raw::of(message)).await.message_id();
            let mail = okite.outbox().await.pop().unwrap();
            assert_eq!(okite.source(&mail).await, message.as_bytes());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bytes_stay_through_the_queue_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = DataDir::take(folder.path()).unwrap();
    let okite = Okite::door_with(|settings| settings.data_dir = Some(data_dir)).await;
    okite
        .put_door_key(DOOR, |record| record.when_busy = WhenBusy::Queue)
        .await;
    okite.account(json!({ "max_24_hour_send": 0 })).await;
    okite.report().await;
    let mut queued = Vec::new();
    for version in BOTH {
        let mail = Raw::of(MESSAGE).to(&[ANNA, BOB]);
        queued.push(door().send(&okite, version, &mail).await.okite_id());
    }
    // A recipient who is suppressed while the mail waits is left out.
    okite.suppress(BOB).await;
    within(okite.local.stop()).await;
    let data_dir = take_again(folder.path()).await;
    let okite = Okite::start_with(|settings| settings.data_dir = Some(data_dir)).await;
    okite.account(json!({ "max_24_hour_send": 1000 })).await;
    okite.report().await;
    okite.advance(Duration::from_mins(61)).await;
    okite.report().await;
    eventually("both have left", async || {
        okite.local(Method::POST, "schedules/SweepSchedule", &Value::Null).await;
        okite.outbox().await.len() == 2
    })
    .await;
    for mail in okite.outbox().await {
        assert_eq!(okite.source(&mail).await, SHOWN);
        assert_eq!(mail["envelope"]["to"], json!([ANNA]));
        assert!(queued.iter().any(|id| mail["id"] == id.as_str()), "{mail}");
        assert_eq!(tags(&mail)[..2], [("shop", "17"), ("team", "a")]);
    }
}

#[tokio::test]
async fn the_envelope_of_the_request_replaces_the_header_and_loses_suppressed_recipients() {
    let okite = Okite::door().await;
    okite.suppress(BOB).await;
    for version in BOTH {
        for (mail, to, suppressed) in [
            (
                Raw::of(MESSAGE).to(&["other@example.net"]),
                json!(["other@example.net"]),
                None,
            ),
            (Raw::of(MESSAGE).to(&[BOB, ANNA]), json!([ANNA]), Some("1")),
            // One person in two spellings is one recipient.
            (
                Raw::of(MESSAGE).to(&[ANNA, "Anna <ANNA@example.NET>"]),
                json!([ANNA]),
                None,
            ),
            (
                Raw::of(MESSAGE),
                json!([ANNA, "hidden@example.net", "also-hidden@example.net"]),
                Some("1"),
            ),
        ] {
            let answer = door().send(&okite, version, &mail).await;
            answer.message_id();
            assert_eq!(answer.header("x-okite-suppressed"), suppressed);
            let mail = okite.outbox().await.pop().unwrap();
            assert_eq!(mail["envelope"]["to"], to);
            assert_eq!(okite.source(&mail).await, SHOWN);
        }
        let taken = okite.outbox().await.len();
        let nobody = Raw::of("From: a@example.com\r\nSubject: Hi\r\n\r\nHi");
        door()
            .send(&okite, version, &nobody)
            .await
            .refused(INVALID[0], INVALID[1]);
        assert_eq!(okite.outbox().await.len(), taken);
    }
}

#[tokio::test]
async fn the_source_of_the_request_is_the_sender() {
    let okite = Okite::door().await;
    for version in BOTH {
        let mail = Raw {
            source: Some("Shop <shop@example.org>".to_owned()),
            ..Raw::of(MESSAGE)
        };
        door().send(&okite, version, &mail).await.message_id();
        let mail = okite.outbox().await.pop().unwrap();
        assert_eq!(mail["envelope"]["from"], "shop@example.org");
        assert_eq!(okite.source(&mail).await, SHOWN);
    }
}

#[tokio::test]
async fn a_key_limited_to_domains_may_name_no_sender_outside_them() {
    let okite = Okite::door().await;
    okite
        .put_door_key(LIMITED, |record| record.from_domains = vec!["example.com".to_owned()])
        .await;
    let with = |field: &str| Raw::of(format!("{field}\r\nTo: anna@example.net\r\nSubject: Hi\r\n\r\nHi"));
    let allowed = [
        with("From: a@example.com\r\nSender: b@example.com\r\nReply-To: c@example.org"),
        with("From: a@shop.example.com\r\nReturn-Path: <>"),
        Raw {
            source: Some("a@example.com".to_owned()),
            feedback: Some("bounces@example.com".to_owned()),
            ..with("From: A <a@EXAMPLE.com>")
        },
    ];
    let refused = [
        with("From: a@example.org"),
        with("From: a@notexample.com"),
        with("From: \"a@example.com\" <a@example.org>"),
        with("From: a@example.com\r\nSender: b@example.org"),
        with("From: a@example.com\r\nReturn-Path: <b@example.org>"),
        with("From: a@example.com\r\nResent-From: b@example.org"),
        with("From: a@example.com\r\nResent-Sender: b@example.org"),
        Raw {
            source: Some("b@example.org".to_owned()),
            ..with("From: a@example.com")
        },
        Raw {
            source: Some("a@example.com".to_owned()),
            ..with("From: b@example.org")
        },
    ];
    let caller = Caller::of(LIMITED);
    for version in BOTH {
        for mail in &allowed {
            caller.send(&okite, version, mail).await.message_id();
        }
        for mail in &refused {
            let answer = caller.send(&okite, version, mail).await;
            let message = answer.refused((403, "AccessDenied"), (403, "AccessDeniedException"));
            assert!(message.contains("example.com"), "{message}");
        }
        // Two senders in one field are no way around it.
        let two = with("From: a@example.com, b@example.org");
        assert!((400..500).contains(&caller.send(&okite, version, &two).await.status));
    }
    let feedback = Raw {
        feedback: Some("b@example.org".to_owned()),
        ..with("From: a@example.com")
    };
    let answer = caller.send(&okite, Version::V2, &feedback).await;
    answer.refused((403, "AccessDenied"), (403, "AccessDeniedException"));
    let form = "Action=SendEmail&Source=a%40example.com&Destination.ToAddresses.member.1=anna%40example.net&\
                Message.Subject.Data=Hi&Message.Body.Text.Data=Hi&ReturnPath=";
    let refused = caller.act(&okite, &format!("{form}b%40example.org")).await;
    refused.refused((403, "AccessDenied"), (403, "AccessDeniedException"));
    caller.act(&okite, &format!("{form}b%40example.com")).await.message_id();
    assert_eq!(okite.outbox().await.len(), 2 * allowed.len() + 1);
}

#[tokio::test]
async fn the_tags_of_the_request_replace_those_of_the_header_and_okites_own_stay() {
    let okite = Okite::door().await;
    for version in BOTH {
        door().send(&okite, version, &Raw::of(MESSAGE)).await.message_id();
        let mail = okite.outbox().await.pop().unwrap();
        assert_eq!(tags(&mail)[..2], [("shop", "17"), ("team", "a")]);
        let given = Raw {
            tags: vec![("campaign", "spring")],
            ..Raw::of(MESSAGE)
        };
        let answer = door().send(&okite, version, &given).await;
        let mail = okite.outbox().await.pop().unwrap();
        assert_eq!(tags(&mail)[0], ("campaign", "spring"));
        assert!(tags(&mail).iter().all(|(name, _)| *name != "shop"), "{mail}");
        assert_eq!(mail["id"], answer.okite_id().as_str());
        for wrong in [("okite_id", "x"), ("a b", "x"), ("a", "")] {
            let mail = Raw {
                tags: vec![wrong],
                ..Raw::of(MESSAGE)
            };
            door()
                .send(&okite, version, &mail)
                .await
                .refused(INVALID[0], INVALID[1]);
        }
    }
    assert_eq!(okite.outbox().await.len(), 4);
}

#[tokio::test]
async fn the_configuration_set_is_okites_or_none() {
    let okite = Okite::door().await;
    let own = okite.variable("CONFIGURATION_SET");
    let in_header = |name: &str| {
        Raw::of(format!(
            "X-SES-CONFIGURATION-SET: {name}\r\n{}",
            String::from_utf8_lossy(&Raw::new("Hi").mime)
        ))
    };
    let in_request = |name: &str| Raw {
        configuration_set: Some(name.to_owned()),
        ..Raw::new("Hi")
    };
    for version in BOTH {
        for mail in [in_header(own), in_request(own)] {
            door().send(&okite, version, &mail).await.message_id();
        }
        for mail in [in_header("theirs"), in_request("theirs")] {
            let answer = door().send(&okite, version, &mail).await;
            let message = answer.refused((400, "ConfigurationSetDoesNotExist"), (404, "NotFoundException"));
            assert!(message.contains(own), "{message}");
        }
    }
    assert_eq!(okite.outbox().await.len(), 4);
}
