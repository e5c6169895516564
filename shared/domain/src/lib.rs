//! The rules of sending: plain values and pure functions that know no async, no SDK type, no clock (`now` and new ids are
//! passed in) and no HTTP.
//!
//! | module | concept |
//! |---|---|
//! | [`address`] | an email address: parsed once, normalised, valid if it exists |
//! | [`message`] | an outgoing email that SES can take |
//! | [`recipient`] | who of a message's recipients gets it, and why not |
//! | [`record`] | what is on record of a message, and what became of it |
//! | [`retention`] | how long that record is kept |
//! | [`idempotency`] | keys by which a repeated request is known |
//! | [`suppression`] | the registers of an address, and whether they suppress it |
//! | [`bounce`] | why one recipient's mail bounced, and what follows |
//! | [`feedback`] | SES's event JSON into facts about recipients |
//! | [`account`] | the SES account: its limits, its standing and its health |
//! | [`reputation`] | the bounce rate and the complaint rate, and how they are judged |
//! | [`report`] | the report on the account: quota, rates, reasons and advice |
//! | [`brake`] | how much mail is stopped, who changed that, and why |
//! | [`pacing`] | the gate: the arithmetic of the sending rate and the quota |
//! | [`ses_error`] | what each SES error means for the caller |
//! | [`backoff`] | how long to wait before SES is called again |
//! | [`api_key`] | API keys, their secrets and what they allow |
//! | [`hex`] | bytes as hexadecimal digits |

pub mod account;
pub mod address;
pub mod api_key;
pub mod backoff;
pub mod bounce;
pub mod brake;
pub mod feedback;
pub mod hex;
pub mod idempotency;
pub mod message;
pub mod pacing;
pub mod recipient;
pub mod record;
pub mod report;
pub mod reputation;
pub mod retention;
pub mod ses_error;
pub mod stream;
pub mod suppression;
