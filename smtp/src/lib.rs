//! The SMTP server of Okite. It passes every mail on to Okite's HTTP API and says 250 only after Okite's answer. It
//! keeps nothing: a connection holds one mail at a time, and only in memory.
//!
//! | module | concept |
//! |---|---|
//! | [`session`] | the protocol's state of a connection: lines in, steps out, no input or output |
//! | `command` | the meaning of a line |
//! | [`reply`] | an answer to a command |
//! | `sasl` | the credentials of AUTH PLAIN and AUTH LOGIN |
//! | [`data`] | the end of a mail, and its dots |
//! | [`header`] | the header fields that identify a mail |
//! | `idempotency` | the keys by which Okite recognises a repeated mail |
//! | [`api`] | the client of Okite's HTTP API |
//! | `mail_body` | the body of a request with a mail |
//! | [`answer`] | the meaning of Okite's answer |
//! | `delivery` | one mail, passed on in groups of recipients |
//! | `key_check` | which API keys are valid, remembered for a short time |
//! | [`limits`] | the bounds of connections, bytes and times |
//! | `slots` | the places for connections, and the memory for mails |
//! | [`tls`] | the certificate, read again when its files change |
//! | `settings` | the settings of a server |
//! | `shared` | what all connections share |
//! | `connection` | one connection: bytes, time and TLS around a session |
//! | [`server`] | listeners and the graceful stop |
//! | [`descriptors`] | the file descriptors that the process may have |
//! | [`metrics`], [`health`] | counters, and the HTTP port that shows them |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod answer;
pub mod api;
mod command;
mod connection;
pub mod data;
mod delivery;
pub mod descriptors;
pub mod header;
pub mod health;
mod idempotency;
mod key_check;
pub mod limits;
mod mail_body;
pub mod metrics;
pub mod reply;
mod sasl;
pub mod server;
pub mod session;
mod settings;
mod shared;
mod slots;
pub mod tls;

pub use api::{Api, ApiUrl};
pub use limits::Limits;
pub use server::{Door, Server};
pub use settings::ServerSettings;
