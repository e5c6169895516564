//! The adapters to AWS: one module a table and one a service.
//!
//! | module | holds |
//! |---|---|
//! | `api_keys`, `messages`, `outbox`, `suppressions`, `usage` | one table each: schema, keys, expressions, variable |
//! | `webhooks`, `deliveries` | the same: the endpoints of webhooks, and the deliveries to them |
//! | `ses`, `cloudwatch`, `sns`, `sqs` | a service each, behind a cargo feature of that name |
//! | `dynamodb` | what all tables share: the client, items, batches, conditions and errors |
//! | `error_code` | the codes of failed calls, for errors and logs |
//! | `connection` | what all clients share: the HTTP client and its certificates |
//! | `newest_from` | where a page of a list by age begins |
//! | `function` | the clients of a function, from its environment, and their warm-up during init |
//! | `signing` | the signatures of a function's calls, and what the SDK need not do for them |
//!
//! An adapter takes and returns the types of `domain`. Its errors state what the caller must do. They carry the
//! operation and AWS's error code for the log. They carry no text of AWS's, because those texts contain addresses.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod api_keys;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
mod connection;
mod deliveries;
mod dynamodb;
mod error_code;
mod function;
mod messages;
mod newest_from;
mod outbox;
#[cfg(feature = "ses")]
mod ses;
mod signing;
#[cfg(feature = "sns")]
mod sns;
#[cfg(feature = "sqs")]
mod sqs;
mod suppressions;
mod usage;
mod webhooks;

pub use api_keys::{ApiKeys, ApiKeysPage, KnownApiKeys};
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::{CloudWatch, MetricsError, client as cloudwatch};
pub use connection::{TrustError, behavior_version, http_client, http_connector};
pub use deliveries::{Deliveries, DeliveriesPage, DueDelivery, FailedWaiting};
pub use dynamodb::{StoreError, client as dynamodb};
pub use function::FunctionConfig;
pub use messages::{
    Accepted, Cancel, ClaimGrowth, Claimed, Claims, ContentSwitch, ENGAGEMENTS_READ_MAX, EVENTS_READ_MAX, Forgotten,
    LeftBecause, Messages, MessagesPage, Moved, NewAttempt, NewMessage, NewQueued, OpenMessages, Put, Reschedule,
    Rescheduled, ScanPosition, SearchedPage, WaitingMails,
};
pub use newest_from::NewestFrom;
pub use outbox::{CONTENT_MAX, ContentError, Counted, DueEntry, Outbox, StoredContent, Wakes};
#[cfg(feature = "ses")]
pub use ses::{
    AccountError, IdentitiesError, ListError, ListedPage, Outgoing, Pace, SendError, Ses, SesSuppressionList, SesText,
    client as sesv2,
};
#[cfg(feature = "sns")]
pub use sns::{Notifications, NotifyError, client as sns};
#[cfg(feature = "sqs")]
pub use sqs::{
    DeliveryNotQueued, DeliveryQueue, DepthUnknown, HINTS_AT_ONCE_MAX, HintNotSent, Hints, NewHint, QueuedDelivery,
    SqsClient, client as sqs, client_for_worker as sqs_for_worker,
};
pub use suppressions::{
    AddedFromSes, ChoiceRecorded, EntriesPage, Evidence, LOOKED_AT_MAX, NewestPage, Recorded, Suppressions,
    TAKEN_AT_ONCE, TakenFromSes,
};
pub use usage::{
    BrakeChanges, BrakeMark, CountedDay, CountedMarks, GateSet, GateState, KeptReconciliation, KnownUnsubscribeSecrets,
    MARK_KEPT_DAYS, MARKS_COUNTED_MAX, Marks, MarksPage, NOT_A_REPORT, OverrideInGate, PermitError, Permits, Usage,
    VerifiedDomains,
};
pub use webhooks::{Created, KnownEndpoints, Webhooks};
