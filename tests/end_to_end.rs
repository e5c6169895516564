//! Okite as its users see it: the tests send requests over HTTP and read mails and events from the simulated Amazon
//! SES. The functions between them run in processes of their own.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is a failure of the test"
)]

mod alarms;
mod api;
mod batch;
mod costs;
mod feedback;
mod functions;
#[path = "load/ledger_tests.rs"]
mod ledger;
mod local;
mod queue;
mod reporter;
mod sending;
mod ses;
mod subscription;
mod support;
mod suppressions;
mod template;
