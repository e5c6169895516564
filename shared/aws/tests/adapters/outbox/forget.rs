//! Forgetting an address in the contents of mails that wait.

use aws::{LeftBecause, WaitingMails};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::address::{EmailAddress, FORGOTTEN, Mailbox};
use domain::message::EmailParts;
use domain::queue::ContentRef;
use domain::recipient::{RecipientOutcome, RecipientStatus};
use domain::record::FailedReason;

use super::*;
use crate::support::mailboxes;

const NEW: Uuid = Uuid::from_u128(20);

/// Queues a mail to these people, on the To line and in Cc.
async fn queued(store: &Store, to: &[&str], cc: &[&str]) -> Waiting {
    let mail = mail(EmailParts {
        to: mailboxes(to),
        cc: mailboxes(cc),
        ..parts()
    });
    let mut waiting = Waiting::stored(store).await;
    let content = QueuedContent {
        mail: mail.clone(),
        on_suppressed: OnSuppressed::Skip,
    };
    let outbox = store.outbox();
    let expires_at = waiting.entry.expires_at;
    waiting.entry.content = outbox.put_content(ID, CONTENT, &content, expires_at).await.unwrap();
    waiting.mail = mail;
    let outcome = |mailbox: &Mailbox| RecipientOutcome {
        address: mailbox.address().clone(),
        status: RecipientStatus::Accepted,
    };
    let outcomes: Vec<_> = waiting.mail.recipients().map(outcome).collect();
    let mut mail = waiting.mail();
    mail.message.outcomes = &outcomes;
    assert_eq!(store.messages().accept(&outbox, &mail).await.unwrap(), Accepted::Queued);
    waiting
}

async fn forget(store: &Store, address: &str) -> aws::Forgotten {
    let (address, outbox) = (EmailAddress::parse(address).unwrap(), store.outbox());
    let waiting = WaitingMails {
        outbox: &outbox,
        now: at(1_000),
        new_nonce: &|| NEW,
    };
    let forgotten = store.messages().forget_sent_to(&address, None, Some(&waiting)).await;
    forgotten.unwrap()
}

async fn content_of(store: &Store) -> QueuedContent {
    let outbox = store.outbox();
    let entry = outbox.entry(ID).await.unwrap().unwrap();
    outbox.content(ID, &entry.content).await.unwrap()
}

#[tokio::test]
async fn a_mail_with_other_recipients_waits_without_the_address() {
    let store = Store::start().await;
    let people = ["Bob <bob@example.org>", "Anna <Anna@Example.net>"];
    queued(&store, &people[..1], &people[1..]).await;
    let forgotten = forget(&store, "ANNA@example.net").await;
    assert_eq!((forgotten.contents, forgotten.canceled, forgotten.rewritten), (1, 0, 1));
    assert_eq!(forgotten.left, []);
    let content = content_of(&store).await;
    assert!(content.mail.lines()[1].is_empty());
    assert_eq!(content.mail.lines()[0][0].to_string(), "Bob <bob@example.org>");
    let entry = store.outbox().entry(ID).await.unwrap().unwrap();
    assert_eq!((entry.content.nonce, entry.wake_at), (NEW, at(1_000)));
    let record = record(&store).await;
    assert_eq!(record.queued.unwrap().content_nonce, NEW);
    assert_eq!(record.mail.cc, [FORGOTTEN]);
    // The parts of the old content are gone.
    assert_eq!(store.count(OUTBOX).await, 2);
    assert!(part_item(&store, CONTENT, 1).await.is_none());
    assert_eq!(forget(&store, "anna@example.net").await.rewritten, 0);
}

#[tokio::test]
async fn a_mail_without_another_recipient_on_its_to_line_is_cancelled() {
    for cc in [&[][..], &["bob@example.org"]] {
        let store = Store::start().await;
        queued(&store, &["anna@example.net"], cc).await;
        let forgotten = forget(&store, "anna@example.net").await;
        assert_eq!((forgotten.contents, forgotten.canceled, forgotten.rewritten), (0, 1, 1));
        assert_eq!(state(&store).await, SenderState::Canceled);
        assert_eq!(store.count(OUTBOX).await, 0);
        assert_eq!(record(&store).await.mail.to, [FORGOTTEN]);
    }
}

#[tokio::test]
async fn a_mail_that_a_worker_has_keeps_the_address_and_is_found_again() {
    let store = Store::start().await;
    let waiting = queued(&store, &["bob@example.org", "anna@example.net"], &[]).await;
    let begun = aws::NewAttempt {
        id: ID,
        leaving: QUEUED,
        nonce: OURS,
        now: at(1_000),
        lease_until: at(60_000),
        outcomes: &[],
    };
    store.messages().begin_attempt(&begun).await.unwrap();
    let forgotten = forget(&store, "anna@example.net").await;
    assert_eq!(forgotten.left, [(ID, LeftBecause::AtWork)]);
    assert_eq!((forgotten.rewritten, forgotten.contents), (0, 0));
    assert_eq!(record(&store).await.mail.to[1], "anna@example.net");
    // It came to nothing, so the mail waits again.
    let messages = store.messages();
    messages
        .requeue(ID, OURS, domain::record::WaitsFor::Rate)
        .await
        .unwrap();
    assert_eq!(forget(&store, "anna@example.net").await.contents, 1);
    drop(waiting);
}

#[tokio::test]
async fn a_content_that_an_earlier_run_left_over_is_deleted() {
    let store = Store::start().await;
    queued(&store, &["bob@example.org"], &["anna@example.net"]).await;
    let old = content_of(&store).await;
    let index = store.item(ROWS, &[("pk", &ID.to_string()), ("sk", "to#1")]).await;
    forget(&store, "anna@example.net").await;
    // As if the run had died before it deleted the old parts and changed the row.
    let outbox = store.outbox();
    outbox.put_content(ID, CONTENT, &old, at(5_000)).await.unwrap();
    let other = content_of(&store).await;
    outbox.put_content(ID, THEIRS, &other, at(5_000)).await.unwrap();
    let put = store.client().put_item().table_name(store.table(ROWS));
    put.set_item(index).send().await.unwrap();
    let forgotten = forget(&store, "anna@example.net").await;
    assert_eq!((forgotten.contents, forgotten.left), (0, Vec::new()));
    assert!(part_item(&store, CONTENT, 1).await.is_none());
    // A content that somebody else is about to switch to does not name the address, and stays.
    assert!(part_item(&store, THEIRS, 1).await.is_some());
    assert!(content_of(&store).await.mail.lines()[1].is_empty());
}

#[tokio::test]
async fn a_content_that_cannot_be_read_is_left_and_one_of_a_mail_that_ended_is_deleted() {
    let store = Store::start().await;
    let waiting = queued(&store, &["bob@example.org", "anna@example.net"], &[]).await;
    let outbox = store.outbox();
    outbox.delete_content(ID, &waiting.entry.content).await.unwrap();
    let forgotten = forget(&store, "anna@example.net").await;
    assert_eq!(forgotten.left, [(ID, LeftBecause::Unreadable)]);
    assert_eq!(record(&store).await.mail.to[1], "anna@example.net");
    // A worker finds out, and its deletion of the parts was repeated by a late write.
    let missing = FailedReason::ContentMissing;
    store.messages().fail(ID, QUEUED, missing, at(1_000)).await.unwrap();
    assert_eq!(
        forget(&store, "anna@example.net").await.left,
        [(ID, LeftBecause::AtWork)]
    );
    outbox.delete_entry(ID).await.unwrap();
    let content = QueuedContent {
        mail: waiting.mail.clone(),
        on_suppressed: OnSuppressed::Skip,
    };
    outbox.put_content(ID, CONTENT, &content, at(5_000)).await.unwrap();
    let forgotten = forget(&store, "anna@example.net").await;
    assert_eq!((forgotten.rewritten, forgotten.left), (1, Vec::new()));
    assert_eq!(store.count(OUTBOX).await, 0);
}

#[tokio::test]
async fn the_sender_of_a_mail_that_waits_is_left() {
    let store = Store::start().await;
    let waiting = queued(&store, &["bob@example.org"], &[]).await;
    let sender = waiting.mail.sender().address().clone();
    let outbox = store.outbox();
    let forgetting = WaitingMails {
        outbox: &outbox,
        now: at(1_000),
        new_nonce: &|| NEW,
    };
    let forgotten = store.messages().forget(&sender, None, Some(&forgetting)).await.unwrap();
    assert_eq!(forgotten.left, [(ID, LeftBecause::Sender)]);
    assert_eq!(record(&store).await.mail.from, waiting.mail.sender().to_string());
}

#[tokio::test]
async fn the_whole_table_finds_mails_that_wait_too() {
    let store = Store::start().await;
    queued(&store, &["bob@example.org"], &["anna@example.net"]).await;
    let outbox = store.outbox();
    let forgetting = WaitingMails {
        outbox: &outbox,
        now: at(1_000),
        new_nonce: &|| NEW,
    };
    let anna = EmailAddress::parse("anna@example.net").unwrap();
    let forgotten = store.messages().forget(&anna, None, Some(&forgetting)).await.unwrap();
    assert_eq!((forgotten.rewritten, forgotten.contents), (1, 1));
    assert!(content_of(&store).await.mail.lines()[1].is_empty());
}

/// Another run writes a new content while this one looks for what was left over.
#[tokio::test]
async fn a_content_that_is_being_written_is_deleted_only_if_no_mail_can_get_it() {
    let store = Store::start().await;
    queued(&store, &["bob@example.org"], &["anna@example.net"]).await;
    let (outbox, messages) = (store.outbox(), store.messages());
    let index = store.item(ROWS, &[("pk", &ID.to_string()), ("sk", "to#1")]).await;
    forget(&store, "anna@example.net").await;
    // The row names the address again, so the command comes to the mail once more.
    let put = store.client().put_item().table_name(store.table(ROWS));
    put.set_item(index).send().await.unwrap();
    // The other run has written the first of two parts.
    let content = content_of(&store).await;
    let whole = outbox.put_content(ID, THEIRS, &content, at(5_000)).await.unwrap();
    let mut first = part_item(&store, THEIRS, 1).await.unwrap();
    let AttributeValue::B(bytes) = &first["content"] else {
        panic!("{first:?}")
    };
    let (head, tail) = bytes.as_ref().split_at(bytes.as_ref().len() / 2);
    let (head, tail) = (Blob::new(head), Blob::new(tail));
    let write = async |item: Item| {
        let put = store.client().put_item().table_name(store.table(OUTBOX));
        put.set_item(Some(item)).send().await.unwrap();
    };
    let mut second = first.clone();
    first.insert("content".to_owned(), AttributeValue::B(head));
    second.insert("part".to_owned(), AttributeValue::S(format!("{THEIRS}#2")));
    second.insert("content".to_owned(), AttributeValue::B(tail));
    write(first).await;
    let (anna, other_nonce) = (EmailAddress::parse("anna@example.net").unwrap(), Uuid::from_u128(21));
    let forgetting = WaitingMails {
        outbox: &outbox,
        now: at(2_000),
        new_nonce: &|| other_nonce,
    };
    let forgotten = messages.forget_sent_to(&anna, None, Some(&forgetting)).await.unwrap();
    assert_eq!(forgotten.left, []);
    assert!(part_item(&store, THEIRS, 1).await.is_none());
    // The other run goes on.
    write(second).await;
    let switch = aws::ContentSwitch {
        id: ID,
        from: NEW,
        to: ContentRef { parts: 2, ..whole },
        wake_at: at(3_000),
    };
    let switched = messages.switch_content(&outbox, &switch).await.unwrap();
    assert!(matches!(switched, aws::Moved::Otherwise(Some(_))), "{switched:?}");
    assert_eq!(
        content_of(&store).await.mail.lines()[0][0].to_string(),
        "bob@example.org"
    );
}
