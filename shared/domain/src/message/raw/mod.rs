//! A raw email: a mail that the caller wrote as MIME, with the envelope that says to whom it goes.
//!
//! | module | concept |
//! |---|---|
//! | `fields` | the header fields, as ranges of bytes |
//! | `addresses` | the addresses in a field |
//! | `ses_fields` | the fields that are instructions to SES |
//! | `message` | the bytes and what their header says |
//! | `email` | the message with its envelope and tags |
//! | `error` | why a raw email cannot be sent, in SES's words |
//!
//! Okite never encodes the bytes anew, so a signature over them (DKIM) stays valid. It only leaves out the fields that
//! recipients must not see: `Bcc`, and the instructions to SES.

mod addresses;
mod email;
mod error;
mod fields;
mod message;
mod ses_fields;

pub use email::{RawEmail, RawEnvelope};
pub use error::InvalidRaw;
pub use message::RawMessage;
pub use ses_fields::ListManagement;
