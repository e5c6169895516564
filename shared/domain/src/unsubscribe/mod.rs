//! One-click unsubscribe: topics of bulk mail, and the tokens in the links with which a person leaves one (RFC 8058).
//!
//! | type | concept |
//! |---|---|
//! | [`Topic`] | the subject of a series of bulk mail, such as `news` |
//! | [`UnsubscribeToken`] | what a link says: a topic, and the pseudonym of one address |
//! | [`UnsubscribeSecrets`] | the secrets under which a stack makes and reads tokens |
//!
//! A token proves itself: Okite looks nothing up to read it, so a link works for as long as the stack has its secret.

mod secrets;
mod token;
mod topic;

pub use secrets::{SECRETS_MAX, TooManySecrets, UnsubscribeSecret, UnsubscribeSecrets};
pub use token::{TOKEN_MAX, UnsubscribeToken};
pub use topic::{InvalidTopic, Topic};
