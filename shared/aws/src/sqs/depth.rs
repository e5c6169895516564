//! How many messages a queue holds.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use super::needs_operator;
use crate::error_code::error_code;
use domain::queue::QueueDepth;

/// SQS did not tell how many messages a queue holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GetQueueAttributes failed: {code}")]
pub struct DepthUnknown {
    /// SQS's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

impl DepthUnknown {
    /// Returns the cause as the field `cause` of a log line, by which alarms of the template count lines.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        if needs_operator(&self.code) {
            "deployment"
        } else {
            "no_depth"
        }
    }
}

/// Asks how many messages are to be worked off: those that can be received, and those in flight.
pub(super) async fn of(client: &Client, queue_url: &str) -> Result<QueueDepth, DepthUnknown> {
    const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
    const IN_FLIGHT: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
    let asked = client
        .get_queue_attributes()
        .queue_url(queue_url)
        .attribute_names(VISIBLE)
        .attribute_names(IN_FLIGHT)
        .send()
        .await;
    let attributes = asked
        .map_err(|error| DepthUnknown {
            code: error_code(&error),
        })?
        .attributes
        .unwrap_or_default();
    let count = |name| attributes.get(&name)?.parse().ok();
    match (count(VISIBLE), count(IN_FLIGHT)) {
        (Some(visible), Some(in_flight)) => Ok(QueueDepth { visible, in_flight }),
        _ => Err(DepthUnknown {
            code: "UnreadableAnswer".to_owned(),
        }),
    }
}
