//! The adapters to AWS: one concrete struct for each table or service.
//!
//! An adapter takes and returns the domain's types. Its errors say what the caller must do; they carry the operation
//! and AWS's error code for a log, and no text of AWS's, for that contains addresses.

mod api_keys;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
mod connection;
mod dynamodb;
mod error_code;
mod messages;
#[cfg(feature = "ses")]
mod ses;
#[cfg(feature = "sns")]
mod sns;
mod suppressions;
mod usage;

pub use api_keys::{ApiKeys, ApiKeysPage};
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::{CloudWatch, MetricsError, client as cloudwatch};
pub use connection::{FunctionConfig, TrustError, behavior_version, http_client, http_connector};
pub use dynamodb::{StoreError, client as dynamodb};
pub use messages::{Claimed, Claims, EVENTS_READ_MAX, Forgotten, Messages, NewMessage, Put, SentTo};
#[cfg(feature = "ses")]
pub use ses::{
    AccountError, IdentitiesError, ListError, ListedPage, Outgoing, Pace, SendError, Ses, SesSuppressionList,
    client as sesv2,
};
#[cfg(feature = "sns")]
pub use sns::{Notifications, NotifyError, client as sns};
pub use suppressions::{EntriesPage, Evidence, NewestFrom, NewestPage, Suppressions, TAKEN_AT_ONCE, TakenFromSes};
pub use usage::{
    BrakeChanges, CountedDay, GateSet, GateState, KeptReconciliation, MARK_KEPT_DAYS, Marks, MarksPage, NOT_A_REPORT,
    PermitError, Permits, Usage, VerifiedDomains, WordInGate,
};
