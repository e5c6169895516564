//! The table of messages: messages, the events that SES reported about them, and the claims of idempotency keys.
//!
//! | `pk` | `sk` | holds |
//! |---|---|---|
//! | `mail#<n>` | our id (`UUIDv7`) | the row of the message: the mail without its bodies, and the sender's state |
//! | our id | `event#<at>#<type>#<SES's id>#<recipient>` | one event about one recipient, or the whole mail |
//! | our id | `engaged#<at>#<type>#<identity>#<recipient>` | one opening or click |
//! | our id | `delivery#<recipient>` | the latest `Delivery` to a recipient |
//! | our id | `to#<n>` | an entry of the index `by-recipient`, if the mail has several recipients |
//! | our id | `to#forwarded#<hash>` | the same, for somebody to whom the mail was forwarded |
//! | `ses#<SES's id of the mail>` | `event#…`, `engaged#…`, `delivery#…` | the same for events without our tag |
//! | `claim#<hash>` | `claim` | the claim of an idempotency key: see [`Claims`] |
//!
//! The attributes of a row:
//!
//! | attribute | holds |
//! |---|---|
//! | `state` | the state that was written last, see [`SenderState`](domain::record::SenderState) |
//! | `attempt`, `attempt_at`, `nonce` | the attempt's number, its beginning, and a random value that marks its writes |
//! | `lease_until` | until when a worker may be at that attempt (milliseconds), if a worker makes it |
//! | `queued_at`, `content_nonce`, `deadline` | of a mail that was ever queued: when, its content, and its deadline |
//! | `scheduled_at`, `claim_id` | the time that the caller named, and the claim of the request, if there are any |
//! | `waits_for`, `failed` | why it waits after an attempt, and why it failed |
//! | `rescheduled_at` | when it got the time that it has (milliseconds), if that is not the first one |
//! | `ended_at` | when it failed, was called back, or had no recipient left (milliseconds), if it was ever queued |
//! | `ses_id` | SES's id, once it is known: the mail was sent, whatever `state` says |
//! | `sent_at` | when SES answered the sender that it took the mail (milliseconds); the event `Send` is read from it |
//! | `settled_at` | when an operator wrote `state` (milliseconds); absent unless one did |
//! | `from`, `to`, `cc`, `bcc`, `reply_to`, `subject`, `tags` | the mail as the caller gave it, without its bodies |
//! | `event_headers` | the headers that events repeat, if the mail has any |
//! | `recipients` | the outcome on each address |
//! | `stream`, `key_id`, `created_at` | its stream, the API key that it came with, and when (milliseconds) |
//! | `id` | our id: sort key of the index `by-recipient`, here and in each `to#<n>` |
//! | `recipient_hash` | key of that index, here if the mail has one recipient, else in each `to#<n>` |
//! | `expires_at` | when DynamoDB may delete the item (seconds); every item of the table has it |
//!
//! The attributes of an event are listed in [`events`]. An event rewrites no row that has SES's id, so a mail to many
//! recipients costs one small write for each event, and has no limit on their number. An event whose row is not
//! there is kept until it expires: nothing reads it.
//!
//! An event without our tag comes from a classic notification. It may come before the sender has stored SES's id, so it
//! cannot be written to the message itself. Reading a message reads both partitions.
//!
//! The state of a message is computed from these items when it is read
//! ([`state`](domain::record::MessageRecord::state)), so that an event that comes before the sender's own update needs
//! no condition and loses nothing.
//!
//! `accept`, `recall` and `transitions` hold the writes of the queue. **Every one of them names the state that it
//! leaves in its condition.** A row that is `queued` has an entry in the [`Outbox`](crate::Outbox), and the two change
//! together.

mod accept;
mod attempts;
mod by_recipient;
mod by_ses_id;
mod claims;
mod events;
mod forget;
mod forget_waiting;
mod keep;
mod key_ids;
mod pages;
mod partition;
mod read;
mod recall;
mod row;
mod transitions;
mod unknown;

use aws_sdk_dynamodb::Client;

use crate::dynamodb::item::{Item, s};

pub use accept::{Accepted, NewQueued};
pub use attempts::{NewMessage, Put};
pub use by_ses_id::SearchedPage;
pub use claims::{Claimed, Claims};
pub use events::{ENGAGEMENTS_READ_MAX, EVENTS_READ_MAX};
pub use forget::Forgotten;
pub use forget_waiting::{LeftBecause, WaitingMails};
pub use pages::MessagesPage;
pub use recall::{Cancel, ClaimGrowth, ContentSwitch, Reschedule, Rescheduled};
pub use transitions::{Moved, NewAttempt};
pub use unknown::{OpenMessages, ScanPosition};

/// The table of messages.
#[derive(Clone, Debug)]
pub struct Messages {
    client: Client,
    table: String,
}

impl Messages {
    /// The environment variable of a function that holds the name of the table.
    pub const TABLE_VARIABLE: &str = "MESSAGES_TABLE";

    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

/// The key of an item.
fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    Item::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))])
}
