//! Forgetting an address in the records of messages.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;

use aws::{MessagesPage, NewMessage, NewestFrom};
use domain::address::EmailAddress;
use domain::feedback::{EventRecipient, MessageEvent};
use domain::message::EmailParts;
use domain::recipient::{RecipientOutcome, RecipientStatus};
use domain::stream::Stream;
use uuid::Uuid;

use super::events::click;
use crate::support::{Item, Store, at, mail, mailboxes, parts, text};

const MESSAGES: &str = "MessagesTable";

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn message(number: u128, parts: EmailParts) -> (Uuid, EmailParts) {
    (Uuid::from_u128(number), parts)
}

async fn put(store: &Store, id: Uuid, parts: EmailParts) {
    let mail = mail(parts);
    let outcomes: Vec<RecipientOutcome> = mail
        .recipients()
        .map(|mailbox| RecipientOutcome {
            address: mailbox.address().clone(),
            status: RecipientStatus::Accepted,
        })
        .collect();
    let message = NewMessage {
        id,
        attempt: 1,
        attempt_at: at(0),
        nonce: id,
        mail: &mail,
        outcomes: &outcomes,
        will_be_sent: true,
        stream: Stream::Transactional,
        key_id: "k",
        created_at: at(0),
        expires_at: at(1_000_000),
    };
    store.messages().put(&message).await.unwrap();
}

/// Events about a message to Anna and Bob; one of them is without our tag.
fn events_about_anna_and_bob(message_id: Uuid) -> [MessageEvent; 5] {
    let event = |kind: &str, recipients: &[(&str, Option<&str>)]| MessageEvent {
        message_id: Some(message_id),
        ses_id: "s-1".to_owned(),
        kind: kind.to_owned(),
        id: "f-1".to_owned(),
        at: at(5),
        kept_from: at(0),
        recipients: recipients
            .iter()
            .map(|(address, said)| {
                let recipient = EventRecipient {
                    diagnostic: said.map(str::to_owned),
                    ..EventRecipient::default()
                };
                ((*address).to_owned(), recipient)
            })
            .collect(),
        subtype: None,
        engagement: None,
    };
    [
        event("Send", &[]),
        event("Delivery", &[("anna@example.net", Some("250 for <Anna@Example.net>"))]),
        event("Delivery", &[("bob@example.net", Some("250 fine"))]),
        event(
            "Bounce",
            &[
                ("anna@example.net", Some("550 unknown")),
                ("bob@example.net", Some("550 neither <Anna@example.net>")),
            ],
        ),
        // Without our tag.
        MessageEvent {
            message_id: None,
            ..event("Complaint", &[("anna@example.net", None)])
        },
    ]
}

#[tokio::test]
async fn messages_name_a_forgotten_person_nowhere_and_all_others_as_before() {
    let store = Store::start().await;
    let (first, to) = message(
        1,
        EmailParts {
            to: mailboxes(&["Anna Ä <Anna@Example.net>", "Bob <bob@example.net>"]),
            reply_to: mailboxes(&["ANNA@example.net"]),
            ..parts()
        },
    );
    let (second, cc) = message(
        2,
        EmailParts {
            cc: mailboxes(&["anna@example.net"]),
            bcc: mailboxes(&["\"anna\"@example.net"]),
            ..parts()
        },
    );
    let (third, other) = message(3, parts());
    for (id, parts) in [(first, to), (second, cc), (third, other)] {
        put(&store, id, parts).await;
    }
    let (anna, bob) = (address("anna@example.net"), address("bob@example.net"));
    let events = events_about_anna_and_bob(first);
    for event in &events {
        store.messages().add_event(event, at(1_000_000)).await.unwrap();
    }
    let before = all(&store).await;
    // The rows of three mails, entries of the index for two of them, and six items of events.
    assert_eq!(before.len(), 3 + 4 + 6);
    for (read, rewritten) in [(13, 3), (8, 0)] {
        let page = store.messages().forget(&anna, None, None).await.unwrap();
        assert_eq!((page.read, page.rewritten, page.next), (read, rewritten, None));
    }
    assert_eq!(
        store.messages().sent_to(&anna, NewestFrom::Newest, 10).await.unwrap(),
        MessagesPage::default()
    );
    let to_bob = store.messages().sent_to(&bob, NewestFrom::Newest, 10).await.unwrap();
    assert_eq!(to_bob.ids, [first]);
    let after = all(&store).await;
    let hash = hash(&anna);
    for item in &after {
        let shown = format!("{item:?}").to_lowercase();
        let named = ["anna@example.net", "anna ä", "\\\"anna", &hash];
        assert!(named.iter().all(|name| !shown.contains(name)), "{item:?}");
    }
    // What names somebody else alone is as it was.
    let of_bob = |item: &&Item| {
        let sk = text(item, "sk");
        sk == "event#1800000000005#Send#f-1#-" || sk.starts_with("delivery#") || text(item, "sk") == third.to_string()
    };
    let untouched: Vec<_> = after.iter().filter(of_bob).collect();
    assert_eq!(untouched.len(), 3);
    assert!(untouched.iter().all(|item| before.contains(item)));
    let record = store.messages().read(first).await.unwrap().unwrap();
    assert_eq!(record.ses_id.as_deref(), Some("s-1"));
    let emails: Vec<_> = record
        .recipients
        .iter()
        .map(|recipient| recipient.email.as_str())
        .collect();
    assert_eq!(emails, ["forgotten@forgotten.invalid", "bob@example.net"]);
    let told: Vec<_> = record
        .events
        .iter()
        .map(|event| {
            (
                event.kind.as_str(),
                event.recipient.as_deref(),
                event.diagnostic.as_deref(),
            )
        })
        .collect();
    let bob = Some("bob@example.net");
    assert_eq!(
        told,
        [
            ("Send", None, None),
            ("Delivery", bob, Some("250 fine")),
            ("Bounce", bob, Some("forgotten@forgotten.invalid")),
        ]
    );
}

#[tokio::test]
async fn a_click_of_a_forgotten_person_is_deleted_and_a_link_that_names_the_person_is_not_kept() {
    let store = Store::start().await;
    for recipient in ["anna@example.net", "bob@example.net"] {
        let mut click = click(recipient, &[recipient]);
        let link = "https://example.com/?for=anna@example.net".to_owned();
        click.engagement.as_mut().unwrap().link = Some(link);
        store.messages().add_event(&click, at(1_000_000)).await.unwrap();
    }
    store
        .messages()
        .forget(&address("anna@example.net"), None, None)
        .await
        .unwrap();
    let items = all(&store).await;
    let left: Vec<_> = items
        .iter()
        .map(|item| (text(item, "recipient"), text(item, "link")))
        .collect();
    assert_eq!(left, [("bob@example.net", "forgotten@forgotten.invalid")]);
}

#[tokio::test]
async fn an_event_that_comes_after_an_address_was_forgotten_names_it_until_it_is_forgotten_again() {
    let store = Store::start().await;
    let (id, parts) = message(1, parts());
    put(&store, id, parts).await;
    let anna = address("anna@example.org");
    assert_eq!(store.messages().forget(&anna, None, None).await.unwrap().rewritten, 1);
    let complaint = MessageEvent {
        message_id: Some(id),
        ses_id: "s-1".to_owned(),
        kind: "Complaint".to_owned(),
        id: "f-1".to_owned(),
        at: at(5),
        kept_from: at(0),
        recipients: BTreeMap::from([("anna@example.org".to_owned(), EventRecipient::default())]),
        subtype: None,
        engagement: None,
    };
    store.messages().add_event(&complaint, at(1_000_000)).await.unwrap();
    assert_eq!(store.count(MESSAGES).await, 2);
    for rewritten in [1, 0] {
        let page = store.messages().forget(&anna, None, None).await.unwrap();
        assert_eq!(page.rewritten, rewritten);
    }
    assert_eq!(store.count(MESSAGES).await, 1);
}

/// All items of the table of messages.
async fn all(store: &Store) -> Vec<Item> {
    let scan = store.client().scan().table_name(store.table(MESSAGES));
    scan.send().await.unwrap().items.unwrap()
}

/// The hash of an address in keys and in the index.
fn hash(address: &EmailAddress) -> String {
    use sha2::{Digest, Sha256};
    domain::hex::hex(&Sha256::digest(address.normalised())[..16])
}

#[tokio::test]
async fn a_table_of_several_pages_is_gone_through_to_its_end() {
    let store = Store::start().await;
    // A page of a scan is 1 MB.
    for number in 0..30 {
        let subject = "x".repeat(900);
        let names = vec![format!("{} <anna@example.net>", "n".repeat(300)); 50];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let parts = EmailParts {
            subject,
            reply_to: mailboxes(&names),
            ..parts()
        };
        put(&store, Uuid::from_u128(number), parts).await;
    }
    let filler = "f".repeat(350_000);
    for name in ["claim#1", "claim#2", "claim#3", "claim#4"] {
        store
            .put(
                MESSAGES,
                [
                    ("pk", crate::support::s(name)),
                    ("sk", crate::support::s("claim")),
                    ("body_hash", crate::support::s(&filler)),
                ],
            )
            .await;
    }
    let anna = address("anna@example.net");
    let (mut read, mut rewritten, mut pages, mut after) = (0, 0, 0, None);
    loop {
        let page = store.messages().forget(&anna, after.as_deref(), None).await.unwrap();
        read += page.read;
        rewritten += page.rewritten;
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(pages > 1, "{pages} pages");
    assert_eq!((read, rewritten), (34, 30));
}

#[tokio::test]
async fn the_index_finds_every_message_to_somebody_and_no_other_is_read() {
    let store = Store::start().await;
    let messages = store.messages();
    // One recipient or several, in more than a page; and mails to others, one of which names her as a sender.
    for number in 1..=30 {
        let to: &[&str] = if number % 2 == 0 {
            &["Anna <Anna@Example.net>"]
        } else {
            &["bob@example.net", "anna@example.net"]
        };
        let (id, parts) = message(
            number,
            EmailParts {
                to: mailboxes(to),
                ..parts()
            },
        );
        put(&store, id, parts).await;
    }
    let (tagged, untagged) = (message(1, parts()).0, None);
    for (message_id, ses_id) in [(Some(tagged), "s-1"), (untagged, "s-1"), (untagged, "s-unknown")] {
        let event = MessageEvent {
            message_id,
            ses_id: ses_id.to_owned(),
            kind: "Bounce".to_owned(),
            id: format!("f-{ses_id}"),
            at: at(5),
            kept_from: at(0),
            recipients: BTreeMap::from([(
                "anna@example.net".to_owned(),
                EventRecipient {
                    diagnostic: Some("550 no".to_owned()),
                    ..EventRecipient::default()
                },
            )]),
            subtype: None,
            engagement: None,
        };
        messages.add_event(&event, at(1_000_000)).await.unwrap();
    }
    for number in 100..200 {
        let (id, parts) = message(
            number,
            EmailParts {
                to: mailboxes(&["bob@example.net"]),
                ..parts()
            },
        );
        put(&store, id, parts).await;
    }
    let (sender, from_anna) = message(
        300,
        EmailParts {
            to: mailboxes(&["bob@example.net"]),
            reply_to: mailboxes(&["anna@example.net"]),
            ..parts()
        },
    );
    put(&store, sender, from_anna).await;

    let anna = address("anna@example.net");
    for expected in [30, 0] {
        let (mut rewritten, mut read, mut after) = (0, 0, None);
        loop {
            let page = messages.forget_sent_to(&anna, after.as_deref(), None).await.unwrap();
            (rewritten, read, after) = (rewritten + page.rewritten, read + page.read, page.next);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(rewritten, expected);
        assert!(read <= 15 + 3 * 15 + 2, "{read} items were read");
    }
    let named: Vec<String> = all(&store)
        .await
        .iter()
        .filter(|item| {
            let shown = format!("{item:?}").to_lowercase();
            shown.contains("anna@") || shown.contains(&hash(&anna))
        })
        .map(|item| text(item, if item.contains_key("id") { "id" } else { "pk" }).to_owned())
        .collect();
    // The reading of the whole table finds the rest.
    let mut expected = vec![sender.to_string(), "ses#s-unknown".to_owned()];
    expected.sort();
    assert_eq!(
        named
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(messages.forget(&anna, None, None).await.unwrap().rewritten, 2);
    assert!(messages.forget_sent_to(&anna, Some("nowhere"), None).await.is_err());
}

#[tokio::test]
async fn the_index_finds_somebody_to_whom_a_mail_was_forwarded() {
    let store = Store::start().await;
    let messages = store.messages();
    let (id, to_team) = message(
        1,
        EmailParts {
            to: mailboxes(&["team@example.org"]),
            ..parts()
        },
    );
    put(&store, id, to_team).await;
    let before = all(&store).await;
    let anna = address("anna@example.net");
    let bounce = MessageEvent {
        message_id: Some(id),
        ses_id: "s-1".to_owned(),
        kind: "Bounce".to_owned(),
        id: "f-1".to_owned(),
        at: at(5),
        kept_from: at(0),
        recipients: BTreeMap::from([(
            anna.normalised().to_owned(),
            EventRecipient {
                forwarded: true,
                ..EventRecipient::default()
            },
        )]),
        subtype: None,
        engagement: None,
    };
    for _ in 0..2 {
        messages.add_event(&bounce, at(1_000_000)).await.unwrap();
        assert_eq!(store.count(MESSAGES).await, 3);
    }
    // The mail was not sent to her.
    let sent = messages.sent_to(&anna, NewestFrom::Newest, 10).await.unwrap();
    assert_eq!(sent, MessagesPage::default());
    for rewritten in [1, 0] {
        let page = messages.forget_sent_to(&anna, None, None).await.unwrap();
        assert_eq!((page.rewritten, page.next), (rewritten, None));
    }
    let after = all(&store).await;
    assert_eq!(after.len(), before.len());
    let shown = format!("{after:?}");
    assert!(!shown.contains("anna@") && !shown.contains(&hash(&anna)), "{shown}");
}
