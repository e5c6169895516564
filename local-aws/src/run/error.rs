//! Why a run does not start.

use std::io;
use std::net::IpAddr;

use axum::http::StatusCode;

use crate::services::dynamodb::DynamodbError;
use crate::template::TemplateError;

/// Why a run does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens on the port.
    #[error("another program listens on port {0}")]
    PortTaken(u16),
    /// This process cannot listen on a port.
    #[error("cannot listen on port {port} of {address}: {source}")]
    Port {
        /// The address.
        address: IpAddr,
        /// The port; 0 stands for any free one.
        port: u16,
        /// The reason.
        source: io::Error,
    },
    /// The template cannot be run here.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template lacks a resource that the run needs.
    #[error("the template has no {0}")]
    Incomplete(String),
    /// DynamoDB does not start.
    #[error(transparent)]
    Dynamodb(#[from] DynamodbError),
    /// The setting of the clock cannot be read.
    #[error("the file clock_ahead_ms of the data directory cannot be read; delete the directory to start afresh: {0}")]
    Clock(#[source] io::Error),
    /// The outbox of SES cannot be read.
    #[error("the SES simulator cannot start: {0}")]
    Ses(#[source] io::Error),
    /// The messages in queues cannot be read.
    #[error("the file queues.jsonl of the data directory cannot be read; delete it to start with empty queues: {0}")]
    Queues(#[source] io::Error),
    /// The HTTP API does not report that it is ready.
    #[error("the HTTP API answered GET {path} with {status} instead of 200; the log of its function has the reason")]
    Unhealthy {
        /// The path of the readiness check.
        path: &'static str,
        /// The status of its answer.
        status: StatusCode,
    },
}
