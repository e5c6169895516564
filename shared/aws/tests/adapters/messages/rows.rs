//! The rows of messages.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;

use aws::{NewMessage, Put};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::address::{EmailAddress, Mailbox};
use domain::message::raw::{RawEmail, RawEnvelope, RawMessage};
use domain::message::{Attachment, EmailParts, Header, Mail, MailContent, SesOptions, Tag};
use domain::recipient::{RecipientOutcome, RecipientStatus};
use domain::record::{DeliveryState, RecordedMail, SenderState};
use domain::stream::Stream;
use domain::suppression::{Suppression, SuppressionReason};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::support::{Item, Store, at, closed_port, mail, mailboxes, n, parts, row_key, s, text};

pub(super) const TABLE: &str = "MessagesTable";
pub(super) const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
pub(super) const NONCE: Uuid = Uuid::from_u128(7);
pub(super) const SES_ID: &str = "0100018f-1a2b-000000";

pub(super) fn new<'a>(mail: &'a Mail, outcomes: &'a [RecipientOutcome]) -> NewMessage<'a> {
    NewMessage {
        id: ID,
        attempt: 1,
        attempt_at: at(0),
        nonce: NONCE,
        mail,
        outcomes,
        will_be_sent: true,
        stream: Stream::Bulk,
        key_id: "a1b2",
        created_at: at(0),
        expires_at: at(0) + SignedDuration::from_hours(30 * 24),
    }
}

/// An email of which nothing matters.
pub(super) fn any_mail() -> Mail {
    mail(parts())
}

/// The attempt that `sending` makes.
pub(super) fn attempt(mail: &Mail) -> NewMessage<'_> {
    new(mail, &[])
}

fn outcome(address: &str, status: RecipientStatus) -> RecipientOutcome {
    RecipientOutcome {
        address: EmailAddress::parse(address).unwrap(),
        status,
    }
}

async fn row(store: &Store) -> Option<Item> {
    store.row(ID).await
}

/// A database with the row of a message that is being sent.
pub(super) async fn sending() -> Store {
    let store = Store::start().await;
    let mail = mail(parts());
    store.messages().put(&new(&mail, &[])).await.unwrap();
    store
}

#[tokio::test]
async fn the_row_has_the_attributes_that_are_documented() {
    let store = Store::start().await;
    let mail = mail(EmailParts {
        to: mailboxes(&["Anna <Anna@Bücher.example>", "bob@example.org"]),
        cc: mailboxes(&["carol@example.org"]),
        bcc: mailboxes(&["dave@example.org"]),
        reply_to: mailboxes(&["Ünï <help@example.com>"]),
        subject: "Grüße".to_owned(),
        tags: vec![Tag::new("campaign", "spring").unwrap(), Tag::new("a", "b").unwrap()],
        ..parts()
    });
    let bounced = Suppression {
        reason: SuppressionReason::Bounce,
        since: at(-5_000),
    };
    let outcomes = [
        outcome("Anna@Bücher.example", RecipientStatus::Accepted),
        outcome("bob@example.org", RecipientStatus::Suppressed(bounced)),
    ];
    store.messages().put(&new(&mail, &outcomes)).await.unwrap();

    let list = |texts: &[&str]| AttributeValue::L(texts.iter().map(|text| s(text)).collect());
    let map = |entries: &[(&str, AttributeValue)]| {
        AttributeValue::M(
            entries
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        )
    };
    let created = at(0).as_millisecond();
    let expected = [
        ("pk", s("mail#1")),
        ("sk", s(&ID.to_string())),
        ("id", s(&ID.to_string())),
        ("state", s("sending")),
        ("attempt", n(1)),
        ("attempt_at", n(created)),
        ("nonce", s(&NONCE.to_string())),
        ("from", s("Acme <acme@example.com>")),
        ("to", list(&["Anna <Anna@Bücher.example>", "bob@example.org"])),
        ("cc", list(&["carol@example.org"])),
        ("bcc", list(&["dave@example.org"])),
        ("reply_to", list(&["Ünï <help@example.com>"])),
        ("subject", s("Grüße")),
        ("tags", map(&[("campaign", s("spring")), ("a", s("b"))])),
        (
            "recipients",
            AttributeValue::L(vec![
                map(&[("email", s("Anna@Bücher.example")), ("status", s("accepted"))]),
                map(&[
                    ("email", s("bob@example.org")),
                    ("status", s("suppressed")),
                    ("reason", s("bounce")),
                    ("since", n(at(-5_000).as_millisecond())),
                ]),
            ]),
        ),
        ("stream", s("bulk")),
        ("key_id", s("a1b2")),
        ("created_at", n(created)),
        ("expires_at", n(at(0).as_second() + 30 * 24 * 3_600)),
    ];
    let expected: Item = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    assert_eq!(row(&store).await.unwrap(), expected);
}

#[tokio::test]
async fn bodies_files_and_headers_that_no_event_repeats_are_not_stored() {
    let store = Store::start().await;
    let mail = mail(EmailParts {
        text: Some("needle-text".to_owned()),
        html: Some("<p>needle-html</p>".to_owned()),
        headers: vec![Header::new("X-Needle", "needle-header").unwrap()],
        attachments: vec![Attachment::new("needle-file.txt", b"needle-content".to_vec(), None, None).unwrap()],
        ..parts()
    });
    store.messages().put(&new(&mail, &[])).await.unwrap();
    let row = row(&store).await.unwrap();
    assert!(!format!("{row:?}").to_ascii_lowercase().contains("needle"), "{row:?}");
    assert!(!row.values().any(AttributeValue::is_b));
}

#[tokio::test]
async fn the_headers_that_events_repeat_are_stored_if_there_are_any() {
    let store = sending().await;
    assert!(!row(&store).await.unwrap().contains_key("event_headers"));
    let simple = mail(EmailParts {
        headers: vec![
            Header::new("x-metadata", r#"{"name": "Zoë"}"#).unwrap(),
            Header::new("X-Other", "a").unwrap(),
        ],
        ..parts()
    });
    let mime = "From: a@example.com\nTo: b@example.net\nX-TAGS: =?utf-8?q?[=22Z=C3=BCrich=22]?=\nX-Metadata: ";
    let message = RawMessage::read(format!("{mime}{}\n\nHi", "a".repeat(3_000)).into_bytes()).unwrap();
    let raw = Mail {
        content: MailContent::Raw(Box::new(RawEmail::new(message, RawEnvelope::default()).unwrap())),
        options: SesOptions::default(),
        topic: None,
    };
    for (mail, name, value) in [
        (simple, "X-Metadata", r#"{"name": "Zoë"}"#),
        // A value that is too long would be cut, and part of it would be no JSON.
        (raw, "X-Tags", r#"["Zürich"]"#),
    ] {
        let store = Store::start().await;
        store.messages().put(&new(&mail, &[])).await.unwrap();
        let read = store.messages().get(ID).await.unwrap().unwrap().mail;
        assert_eq!(read, RecordedMail::from(&mail));
        assert_eq!(
            read.event_headers,
            BTreeMap::from([(name.to_owned(), value.to_owned())])
        );
    }
}

#[tokio::test]
async fn an_email_with_empty_strings_and_lists_is_stored() {
    let store = Store::start().await;
    let mail = mail(EmailParts {
        subject: String::new(),
        ..parts()
    });
    store.messages().put(&new(&mail, &[])).await.unwrap();
    assert_eq!(text(&row(&store).await.unwrap(), "subject"), "");
}

#[tokio::test]
async fn putting_the_same_write_again_is_a_success() {
    let store = sending().await;
    let mail = mail(parts());
    store.messages().put(&new(&mail, &[])).await.unwrap();
    assert_eq!(store.count(TABLE).await, 1);
}

#[tokio::test]
async fn a_row_of_another_writer_with_the_same_id_stays() {
    let store = sending().await;
    let before = row(&store).await;
    let mail = mail(EmailParts {
        subject: "Another".to_owned(),
        ..parts()
    });
    let other = NewMessage {
        nonce: Uuid::from_u128(8),
        ..new(&mail, &[])
    };
    assert_eq!(store.messages().put(&other).await.unwrap(), Put::Overtaken);
    assert_eq!(row(&store).await, before);
}

#[tokio::test]
async fn a_write_with_a_lost_answer_is_recognised() {
    let store = Store::start().await;
    let mail = mail(parts());
    store
        .losing_an_answer()
        .await
        .messages()
        .put(&new(&mail, &[]))
        .await
        .unwrap();
    assert_eq!(text(&row(&store).await.unwrap(), "state"), "sending");
    store
        .losing_an_answer()
        .await
        .messages()
        .accepted(ID, SES_ID, at(0))
        .await
        .unwrap();
    assert_eq!(text(&row(&store).await.unwrap(), "ses_id"), SES_ID);
}

#[tokio::test]
async fn a_refusal_whose_answer_was_lost_is_written_once() {
    let store = sending().await;
    store
        .losing_an_answer()
        .await
        .messages()
        .refused(&attempt(&any_mail()))
        .await
        .unwrap();
    assert_eq!(text(&row(&store).await.unwrap(), "state"), "refused");
}

#[tokio::test]
async fn a_message_without_remaining_recipients_is_suppressed_and_has_no_attempt() {
    let store = Store::start().await;
    let mail = mail(parts());
    let outcomes = [
        outcome(
            "anna@example.org",
            RecipientStatus::Suppressed(Suppression {
                reason: SuppressionReason::Complaint,
                since: at(-1),
            }),
        ),
        outcome("carol@example.org", RecipientStatus::NotSent),
    ];
    store
        .messages()
        .put(&NewMessage {
            will_be_sent: false,
            ..new(&mail, &outcomes)
        })
        .await
        .unwrap();
    let row = row(&store).await.unwrap();
    assert_eq!(text(&row, "state"), "suppressed");
    assert!(!row.contains_key("attempt") && !row.contains_key("attempt_at") && !row.contains_key("ses_id"));
    let statuses: Vec<&str> = row["recipients"]
        .as_l()
        .unwrap()
        .iter()
        .map(|entry| text(entry.as_m().unwrap(), "status"))
        .collect();
    assert_eq!(statuses, ["suppressed", "not_sent"]);
}

#[tokio::test]
async fn an_accepted_message_has_sess_id_and_the_time_of_the_first_answer() {
    let store = sending().await;
    for milliseconds in [5, 9] {
        store.messages().accepted(ID, SES_ID, at(milliseconds)).await.unwrap();
        let row = row(&store).await.unwrap();
        assert_eq!(
            (text(&row, "ses_id"), &row["sent_at"]),
            (SES_ID, &n(at(5).as_millisecond()))
        );
        let record = store.messages().get(ID).await.unwrap().unwrap();
        assert_eq!(record.sent_at, Some(at(5)));
    }
}

#[tokio::test]
async fn sess_id_is_written_once() {
    let store = sending().await;
    for ses_id in [SES_ID, SES_ID, "another"] {
        store.messages().accepted(ID, ses_id, at(0)).await.unwrap();
        assert_eq!(text(&row(&store).await.unwrap(), "ses_id"), SES_ID);
    }
}

#[tokio::test]
async fn accepting_a_message_that_has_no_row_makes_no_ghost() {
    let store = Store::start().await;
    let error = store.messages().accepted(ID, SES_ID, at(0)).await.unwrap_err();
    assert_eq!(error.operation, "UpdateItem");
    assert_eq!(row(&store).await, None);
}

#[tokio::test]
async fn a_refusal_changes_the_state_and_nothing_else() {
    let store = sending().await;
    let mut expected = row(&store).await.unwrap();
    store.messages().refused(&attempt(&any_mail())).await.unwrap();
    expected.insert("state".to_owned(), s("refused"));
    assert_eq!(row(&store).await.unwrap(), expected);
}

#[tokio::test]
async fn a_refusal_of_another_attempt_changes_nothing() {
    let store = sending().await;
    let before = row(&store).await;
    let mail = any_mail();
    for other in [
        NewMessage {
            attempt: 2,
            ..attempt(&mail)
        },
        NewMessage {
            nonce: Uuid::from_u128(8),
            ..attempt(&mail)
        },
    ] {
        store.messages().refused(&other).await.unwrap();
        assert_eq!(row(&store).await, before);
    }
}

#[tokio::test]
async fn a_message_that_ses_took_is_never_refused() {
    let store = sending().await;
    store.messages().accepted(ID, SES_ID, at(0)).await.unwrap();
    let before = row(&store).await;
    store.messages().refused(&attempt(&any_mail())).await.unwrap();
    assert_eq!(row(&store).await, before);
}

#[tokio::test]
async fn a_late_acceptance_beats_a_refusal() {
    let store = sending().await;
    store.messages().refused(&attempt(&any_mail())).await.unwrap();
    store.messages().accepted(ID, SES_ID, at(0)).await.unwrap();
    assert_eq!(text(&row(&store).await.unwrap(), "ses_id"), SES_ID);
}

#[tokio::test]
async fn refusing_a_message_without_a_row_or_an_attempt_changes_nothing() {
    let store = Store::start().await;
    store.messages().refused(&attempt(&any_mail())).await.unwrap();
    assert_eq!(store.count(TABLE).await, 0);
    let mail = mail(parts());
    store
        .messages()
        .put(&NewMessage {
            will_be_sent: false,
            ..new(&mail, &[])
        })
        .await
        .unwrap();
    store.messages().refused(&attempt(&any_mail())).await.unwrap();
    assert_eq!(text(&row(&store).await.unwrap(), "state"), "suppressed");
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_of_every_operation() {
    let messages = Store::at(&closed_port().await).messages();
    let mail = mail(parts());
    let message = new(&mail, &[]);
    let (put, accepted, refused) = tokio::join!(
        async { messages.put(&message).await.map(drop) },
        messages.accepted(ID, SES_ID, at(0)),
        messages.refused(&message)
    );
    for (failed, operation) in [(put, "PutItem"), (accepted, "UpdateItem"), (refused, "UpdateItem")] {
        let error = failed.unwrap_err();
        assert_eq!((error.operation, error.code.as_str()), (operation, "ConnectionFailed"));
    }
}

#[tokio::test]
async fn a_message_is_read_as_it_was_written() {
    let store = Store::start().await;
    assert_eq!(store.messages().get(ID).await.unwrap(), None);
    let mail = any_mail();
    let bounced = Suppression {
        reason: SuppressionReason::Bounce,
        since: at(-5_000),
    };
    let outcomes = [
        outcome("anna@example.org", RecipientStatus::Accepted),
        outcome("Bob@example.org", RecipientStatus::Suppressed(bounced)),
    ];
    store.messages().put(&new(&mail, &outcomes)).await.unwrap();
    let record = store.messages().get(ID).await.unwrap().unwrap();
    assert_eq!(
        (record.id, record.written, record.attempt),
        (ID, SenderState::Sending, 1)
    );
    assert_eq!((record.attempt_at, record.nonce), (Some(at(0)), Some(NONCE)));
    assert_eq!((record.ses_id.as_deref(), record.created_at), (None, at(0)));
    let told: Vec<_> = record
        .recipients
        .iter()
        .map(|told| {
            (
                told.email.as_str(),
                told.status.as_str(),
                told.reason.as_deref(),
                told.since,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("anna@example.org", "accepted", None, None),
            ("Bob@example.org", "suppressed", Some("bounce"), Some(at(-5_000)))
        ]
    );
}

#[tokio::test]
async fn a_row_that_is_no_message_is_an_error() {
    let store = Store::start().await;
    store
        .put(TABLE, row_key(ID).map(|(name, value)| (name, s(&value))))
        .await;
    let error = store.messages().get(ID).await.unwrap_err();
    assert_eq!(error.code, "NotAMessage");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_unknown_and_holds_up_no_other() {
    let store = sending().await;
    let other = Uuid::from_u128(99);
    let unreadable = row_key(other).map(|(name, value)| (name, s(&value)));
    let unreadable = unreadable.into_iter().chain([("created_at", n(-1))]);
    store.put(TABLE, unreadable).await;
    let found = store.messages().get_all(&[ID, other]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&other].state(at(0)), DeliveryState::Unknown);
    assert_eq!(store.messages().read_all(&[ID, other]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_refused_message_is_attempted_once_more_and_no_other_is() {
    let store = sending().await;
    let mail = any_mail();
    let second = NewMessage {
        attempt: 2,
        attempt_at: at(60_000),
        nonce: Uuid::from_u128(9),
        ..attempt(&mail)
    };
    assert_eq!(store.messages().put(&second).await.unwrap(), Put::Overtaken);
    store.messages().refused(&attempt(&mail)).await.unwrap();
    let third = NewMessage { attempt: 3, ..second };
    assert_eq!(store.messages().put(&third).await.unwrap(), Put::Overtaken);
    assert_eq!(store.messages().put(&second).await.unwrap(), Put::Written);
    // The write of the attempt before comes late, and a copy of this one.
    store.messages().refused(&attempt(&mail)).await.unwrap();
    assert_eq!(store.messages().put(&second).await.unwrap(), Put::Written);
    let rival = NewMessage {
        nonce: Uuid::from_u128(10),
        ..second
    };
    assert_eq!(store.messages().put(&rival).await.unwrap(), Put::Overtaken);
    let record = store.messages().get(ID).await.unwrap().unwrap();
    assert_eq!(
        (record.written, record.attempt, record.attempt_at),
        (SenderState::Sending, 2, Some(at(60_000)))
    );
}

#[tokio::test]
async fn a_message_is_read_as_it_was_given() {
    let store = sending().await;
    let given = any_mail();
    let mail = store.messages().read(ID).await.unwrap().unwrap().mail;
    let written = |mailboxes: &[&Mailbox]| mailboxes.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (mail.from, mail.subject.as_str()),
        (given.sender().to_string(), given.subject())
    );
    let lines = given.header_lines();
    assert_eq!(
        [mail.to, mail.cc, mail.bcc, mail.reply_to],
        [&lines.to, &lines.cc, &lines.bcc, &lines.reply_to].map(|line| written(line))
    );
    let tags: Vec<_> = given
        .tags()
        .iter()
        .map(|tag| (tag.name().to_owned(), tag.value().to_owned()))
        .collect();
    assert_eq!(mail.tags.into_iter().collect::<Vec<_>>(), tags);
}

#[tokio::test]
async fn the_keys_of_many_messages_are_read_and_of_those_on_record_alone() {
    let store = Store::start().await;
    let mail = any_mail();
    let ids: Vec<Uuid> = (0..150).map(Uuid::from_u128).collect();
    for (number, id) in ids.iter().enumerate().skip(1) {
        let key_id = format!("key-{}", number % 2);
        let message = NewMessage {
            id: *id,
            key_id: &key_id,
            ..new(&mail, &[])
        };
        store.messages().put(&message).await.unwrap();
    }
    let found = store.messages().key_ids(&ids).await.unwrap();
    assert_eq!((found.len(), found.get(&ids[0])), (149, None));
    assert_eq!((found[&ids[1]].as_str(), found[&ids[2]].as_str()), ("key-1", "key-0"));
    assert!(store.messages().key_ids(&[]).await.unwrap().is_empty());
    let down = Store::at(&closed_port().await);
    let error = down.messages().key_ids(&ids).await.unwrap_err();
    assert_eq!(
        (error.operation, error.code.as_str()),
        ("BatchGetItem", "ConnectionFailed")
    );
}
