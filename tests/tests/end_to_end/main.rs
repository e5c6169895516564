//! Okite as its users meet it: requests go in over HTTP, mails and events come out of the simulated Amazon SES, and
//! between them are the functions themselves, each in processes of its own.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is a failure of the test"
)]

mod api_keys;
mod batch;
mod clock;
mod content;
mod events;
mod faults;
mod feedback;
mod histories;
mod idempotency;
mod ledger;
mod local_api;
mod on_suppressed;
mod openapi;
mod orders;
mod permissions;
mod permit;
mod processes;
mod queues;
mod reconciliation;
mod refusals;
mod reporter;
mod requests;
mod shown;
mod soft_bounces;
mod support;
mod suppressions;
mod template;
mod the_loop;
mod verdict;
