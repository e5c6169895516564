//! The SMTP server as its clients see it, over real sockets, before a small fake of Okite's HTTP API.

#![expect(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

mod api;
mod bounds;
mod clients;
mod encryption;
mod groups;
mod keys;
mod mails;
mod operators;
mod support;
