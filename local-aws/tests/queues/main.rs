//! A whole run: a work queue (SQS as its SDK speaks to it, event source mappings), schedules, and an HTTP API.

#![expect(clippy::unwrap_used, reason = "tests")]

mod mappings;
mod receiving;
mod routes;
mod run;
mod schedules;
mod sending;
mod throughput;
mod worker;

/// The function of the stack, in a process of its own: a run starts this program with the function's name, which is the
/// name of this test. Without a run there is nothing to serve, so `cargo test` must not start it.
#[tokio::test(flavor = "current_thread")]
#[ignore = "a run starts it"]
async fn worker() {
    worker::run().await;
}

/// A second function of a stack; see [`worker()`].
#[tokio::test(flavor = "current_thread")]
#[ignore = "a run starts it"]
async fn poster() {
    worker::run().await;
}
