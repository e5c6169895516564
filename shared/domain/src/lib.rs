//! The rules of sending, as plain values and pure functions.
//!
//! This crate uses no async, no SDK types and no HTTP. It reads no clock and draws no ids: callers pass them in.
//!
//! | module | concept |
//! |---|---|
//! | [`address`] | valid, normalised email addresses |
//! | [`message`] | outgoing emails that SES accepts |
//! | [`recipient`] | the outcome for each recipient of a message |
//! | [`record`] | the record of a message, and the state that follows from it |
//! | [`retention`] | the time that Okite keeps the record of a message |
//! | [`settlement`] | an operator's decision on a message whose outcome is unknown |
//! | [`stream`] | the two kinds of mail: transactional and bulk |
//! | [`idempotency`] | the keys that identify a repeated request |
//! | [`suppression`] | the registers of an address, and whether they suppress it |
//! | [`bounce`] | the reason why a recipient's mail bounced, and its consequence |
//! | [`feedback`] | SES's event JSON, parsed into facts about recipients |
//! | [`account`] | the SES account: its limits, its standing and its health |
//! | [`reputation`] | the bounce and complaint rates, and their levels |
//! | [`report`] | the report on the account: quota, rates, reasons and advice |
//! | [`brake`] | the level of the brake, and its changes with author and reason |
//! | [`pacing`] | the gate: the arithmetic of the sending rate and the quota |
//! | [`queue`] | mail that waits until there is room, or until a time that the caller names |
//! | [`ses_error`] | the meaning of each SES error for the caller |
//! | [`ses_id`] | SES's id of a mail, and the time in it |
//! | [`backoff`] | the wait before a retry of a throttled call to SES |
//! | [`api_key`] | API keys, their secrets and their permissions |
//! | [`unsubscribe`] | topics of bulk mail, and the tokens in the links to leave one |
//! | [`time`] | the span of possible times, and arithmetic that stays within it |
//! | [`webhook`] | the events that an application hears of, and the endpoints that receive them |
//! | `encoded_words` | the encoded words (RFC 2047) of a header |
//! | [`hex`] | bytes as hexadecimal digits |
//! | [`hmac`] | the HMAC-SHA256 of a text under a secret |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod account;
pub mod address;
pub mod api_key;
pub mod backoff;
pub mod bounce;
pub mod brake;
mod encoded_words;
pub mod feedback;
pub mod hex;
pub mod hmac;
pub mod idempotency;
pub mod message;
pub mod pacing;
pub mod queue;
pub mod recipient;
pub mod record;
pub mod report;
pub mod reputation;
pub mod retention;
pub mod ses_error;
pub mod ses_id;
pub mod settlement;
pub mod stream;
pub mod suppression;
pub mod time;
pub mod unsubscribe;
pub mod webhook;
