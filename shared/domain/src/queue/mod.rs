//! The queue: mail that is accepted now and sent when there is room, or at a time that the caller names.
//!
//! The table Outbox is the authority: each waiting mail has an entry there, and an index finds what is due. A message
//! of SQS is a hint to look at one mail. So a hint that is lost, repeated or late does no harm.
//!
//! | module | concept |
//! |---|---|
//! | `when_busy` | what the caller wants if there is no room now |
//! | `time_span` | spans of time as callers write them, such as `10m` |
//! | `scheduled_at` | when the caller wants the mail to be sent |
//! | `deadline` | when an unsent mail becomes `failed` |
//! | `content` | the stored content of a waiting mail |
//! | `entry` | the entry of a waiting mail, and when it is due first |
//! | `hint` | the message of SQS |
//! | `delay` | the delay of a hint, and the time that is left until another |
//! | `next_step` | what a worker does with a mail, from its row and its entry |
//! | `retry_wait` | how long a mail waits that could not be sent, and how it comes back |
//! | `held_back` | why the gate holds the mail of a stream back |
//! | `hand_over` | how many mails the sweep hands to SQS, and when an entry is due again |

mod content;
mod deadline;
mod delay;
mod entry;
mod hand_over;
mod held_back;
mod hint;
mod next_step;
mod retry_wait;
mod scheduled_at;
mod time_span;
mod when_busy;

pub use content::{ContentEncoding, ContentRef, QueuedContent, WithoutAddress};
pub use deadline::{AFTER_SCHEDULE_MAX, DeadlineDefaults, DeadlineError, claim_expires, parse_deadline};
pub use delay::HINT_DELAY_MAX;
pub use entry::{ENTRY_KEPT, OutboxEntry, WAKE_SHARDS, first_hint, first_wake_at, row_expires_at, wake_shard};
pub use hand_over::{QueueDepth, hand_over_budget, hand_over_delay, wake_again_at};
pub use held_back::held_back_by;
pub use hint::{HINT_LENGTH_MAX, Hint, HintError};
pub use next_step::{Leaving, NextStep, Settle, UNKNOWN_AFTER, next_step};
pub use retry_wait::{Wait, cause_wait, retry_wait};
pub use scheduled_at::{SCHEDULE_MAX, ScheduleError, parse_scheduled_at, reparse_scheduled_at};
pub use when_busy::WhenBusy;
