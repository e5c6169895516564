//! The command `okite`, run as a person runs it. Each module tests the command of its name.

#![expect(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

mod brake;
mod closed_pipes;
mod command_line;
mod credentials;
mod doctor;
mod domains;
mod emails;
mod explain_bounce;
mod feedback;
mod forget;
mod incident;
mod json;
mod keys;
mod listening;
mod permissions;
mod queue;
mod smtp;
mod status;
mod support;
mod suppressions;
mod up;
mod waiting;
mod webhooks;
