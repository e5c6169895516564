//! Mails that wait: their entries, their contents, and the writes that change row and entry together.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod accept;
mod content;
mod entries;
mod forget;
mod recall;
mod transitions;

use aws::{Accepted, NewMessage, NewQueued};
use domain::message::Mail;
use domain::queue::{Leaving, OutboxEntry, QueuedContent};
use domain::recipient::OnSuppressed;
use domain::record::{MessageRecord, QueuedMail, SenderState};
use domain::stream::Stream;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::support::{Item, Store, at, mail, parts};

const ROWS: &str = "MessagesTable";
const OUTBOX: &str = "OutboxTable";
const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
const NONCE: Uuid = Uuid::from_u128(7);
const CONTENT: Uuid = Uuid::from_u128(8);
/// The nonce of a worker's attempt, and of another's.
const OURS: Uuid = Uuid::from_u128(9);
const THEIRS: Uuid = Uuid::from_u128(10);
const CLAIM: &str = "claim#1";
/// When the mail fails, in milliseconds after it was queued.
const DEADLINE: i64 = 3_600_000;

/// A mail that is about to be queued.
struct Waiting {
    mail: Mail,
    queued: QueuedMail,
    entry: OutboxEntry,
}

impl Waiting {
    /// Stores the content of a small mail.
    async fn stored(store: &Store) -> Self {
        let mail = mail(parts());
        let content = QueuedContent {
            mail: mail.clone(),
            on_suppressed: OnSuppressed::Skip,
        };
        let expires_at = at(0) + SignedDuration::from_hours(45 * 24);
        let content = store
            .outbox()
            .put_content(ID, CONTENT, &content, expires_at)
            .await
            .unwrap();
        Self {
            mail,
            queued: QueuedMail {
                queued_at: at(0),
                content_nonce: CONTENT,
                scheduled_at: None,
                deadline: at(DEADLINE),
                waits_for: None,
                rescheduled_at: None,
                ended_at: None,
                claim_id: Some(CLAIM.to_owned()),
            },
            entry: OutboxEntry {
                id: ID,
                stream: Stream::Transactional,
                key_id: "a1b2".to_owned(),
                content,
                deadline: at(DEADLINE),
                wake_at: at(120_000),
                crashes: 0,
                expires_at,
            },
        }
    }

    fn message(&self) -> NewMessage<'_> {
        NewMessage {
            id: ID,
            attempt: 1,
            attempt_at: at(0),
            nonce: NONCE,
            mail: &self.mail,
            outcomes: &[],
            will_be_sent: true,
            stream: Stream::Transactional,
            key_id: "a1b2",
            created_at: at(0),
            expires_at: at(0) + SignedDuration::from_hours(45 * 24),
        }
    }

    fn mail(&self) -> NewQueued<'_> {
        NewQueued {
            message: self.message(),
            queued: &self.queued,
            entry: &self.entry,
        }
    }

    async fn accept(&self, store: &Store) -> Accepted {
        store.messages().accept(&store.outbox(), &self.mail()).await.unwrap()
    }
}

/// A database with a mail that waits.
async fn waiting() -> (Store, Waiting) {
    let store = Store::start().await;
    let waiting = Waiting::stored(&store).await;
    assert_eq!(waiting.accept(&store).await, Accepted::Queued);
    (store, waiting)
}

/// The state that the row of [`waiting`] leaves when it is worked on.
const QUEUED: Leaving = Leaving::Queued {
    attempt: 1,
    content_nonce: CONTENT,
};

async fn record(store: &Store) -> MessageRecord {
    store.messages().get(ID).await.unwrap().unwrap()
}

async fn state(store: &Store) -> SenderState {
    record(store).await.written
}

async fn row_item(store: &Store) -> Option<Item> {
    store.row(ID).await
}

async fn entry_item(store: &Store) -> Option<Item> {
    store.item(OUTBOX, &[("id", &ID.to_string()), ("part", "entry")]).await
}

async fn part_item(store: &Store, nonce: Uuid, number: u32) -> Option<Item> {
    let part = format!("{nonce}#{number}");
    store.item(OUTBOX, &[("id", &ID.to_string()), ("part", &part)]).await
}

/// Sets an attribute of the row, as if somebody else had.
async fn set_in_row(store: &Store, name: &str, value: aws_sdk_dynamodb::types::AttributeValue) {
    let mut row = row_item(store).await.unwrap();
    row.insert(name.to_owned(), value);
    let put = store.client().put_item().table_name(store.table(ROWS));
    put.set_item(Some(row)).send().await.unwrap();
}
