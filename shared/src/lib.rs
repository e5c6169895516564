//! Okite's domain, and its adapters to AWS.
//!
//! The modules at this level are the rules of sending: plain values and pure functions that know no async, no SDK
//! type and no clock (`now` and new ids are passed in). [`aws`] holds one concrete adapter for each table and service;
//! adapters take and return the domain's types and turn every failure into an error that says what the caller must do.
//!
//! | module | concept |
//! |---|---|
//! | [`address`] | an email address: parsed once, normalised, valid if it exists |
//! | [`message`] | an outgoing email that SES can take |
//! | [`recipient`] | who of a message's recipients gets it, and why not |
//! | [`record`] | what is on record of a message, and what became of it |
//! | [`idempotency`] | keys by which a repeated request is known |
//! | [`suppression`] | the registers of an address, and whether they suppress it |
//! | [`feedback`] | SES's event JSON into facts about recipients |
//! | [`account`] | the SES account, its verdict and the report |
//! | [`brake_change`] | who changed the brake, why, and what the operators are told of it |
//! | [`permit`] | the arithmetic of rate and quota |
//! | [`ses_error`] | what each SES error means for the caller |
//! | [`backoff`] | how long to wait before SES is called again |
//! | [`api_key`] | API keys, their secrets and what they allow |
//! | [`function`], [`config`], [`telemetry`], [`clock`] | how a function starts, what it reads from its environment, how it logs and tells the time |

pub mod account;
pub mod address;
pub mod api_key;
pub mod aws;
pub mod backoff;
pub mod brake_change;
pub mod clock;
pub mod config;
pub mod feedback;
pub mod function;
mod hex;
pub mod idempotency;
pub mod message;
pub mod permit;
pub mod recipient;
pub mod record;
pub mod ses_error;
pub mod stream;
pub mod suppression;
pub mod telemetry;
