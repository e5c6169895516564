//! Okite as its users meet it: requests go in over HTTP, mails and events come out of the simulated Amazon SES, and
//! between them are the functions themselves, each in processes of its own.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is a failure of the test"
)]

mod api;
mod batch;
mod feedback;
mod functions;
#[path = "load/ledger_tests.rs"]
mod ledger;
mod local;
mod reporter;
mod sending;
mod support;
mod suppressions;
mod template;
