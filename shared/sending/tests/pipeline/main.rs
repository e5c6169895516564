//! The pipeline, in this process, against DynamoDB and SES in miniature: no front, no function.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod accept;
mod chunks;
mod days;
mod events;
mod frees_key;
mod heard;
mod histories;
mod network;
mod post;
mod queue_histories;
mod recall;
mod request;
mod runner;
mod shut_out;
mod standings;
mod storms;
mod sweep;
mod takeover;
mod too_late;
mod waiting;
mod worker;
mod working;
mod world;
