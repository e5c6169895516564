//! `ReceiveMessage`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>

use std::time::Duration;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::Sqs;
use super::super::error::SqsError;
use super::super::message::{Message, md5_of_attributes};
use super::received::visibility;
use super::{Answer, read};

/// The most messages of one answer.
const MESSAGES_MAX: i64 = 10;
/// The longest time for which an answer may wait for a message, in seconds.
const WAIT_MAX: i64 = 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    /// The older name of `MessageSystemAttributeNames`.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

impl ReceiveMessage {
    fn show(&self, message: &Message) -> Value {
        let mut shown = json!({
            "MessageId": message.message_id,
            "ReceiptHandle": message.receipt_handle(),
            "MD5OfBody": message.md5_of_body(),
            "Body": message.body,
        });
        let names = || self.attribute_names.iter().chain(&self.message_system_attribute_names);
        let asked = |name: &str| names().any(|asked| asked == "All" || asked == name);
        let mut system = message.system_attributes();
        system.retain(|name, _| asked(name));
        if !system.is_empty() {
            shown["Attributes"] = json!(system);
        }
        let mut attributes = message.attributes.clone();
        attributes.retain(|name, _| self.message_attribute_names.iter().any(|asked| matches(asked, name)));
        if let Some(digest) = md5_of_attributes(&attributes) {
            shown["MD5OfMessageAttributes"] = json!(digest);
            shown["MessageAttributes"] = json!(attributes);
        }
        shown
    }
}

/// Returns whether a request asks for an attribute: by its name, by the beginning of it (`order.*`), or with all.
fn matches(asked: &str, name: &str) -> bool {
    match asked.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => asked == "All" || asked == name,
    }
}

impl Sqs {
    /// Receives messages; waits for the first one as long as the request or the queue says, by the machine's time.
    pub(super) async fn receive_message(&self, body: &Bytes) -> Answer {
        let queue = self.named_queue(body)?;
        let asked: ReceiveMessage = read(body)?;
        let most = asked.max_number_of_messages.unwrap_or(1);
        if !(1..=MESSAGES_MAX).contains(&most) {
            return Err(SqsError::outside("MaxNumberOfMessages", most, (1, MESSAGES_MAX)));
        }
        let most = usize::try_from(most).unwrap_or(1);
        let timeout = asked.visibility_timeout.map(visibility).transpose()?;
        let wait = match asked.wait_time_seconds {
            Some(seconds) if !(0..=WAIT_MAX).contains(&seconds) => {
                return Err(SqsError::outside("WaitTimeSeconds", seconds, (0, WAIT_MAX)));
            }
            Some(seconds) => Duration::from_secs(seconds.unsigned_abs()),
            None => queue.receive_wait,
        };
        let end = Instant::now() + wait;
        loop {
            let messages = self.receive(&queue.arn, most, timeout)?;
            let more = !messages.is_empty();
            if more
                || tokio::time::timeout_at(end, self.wait_for_messages(&queue.arn))
                    .await
                    .is_err()
            {
                let shown: Vec<Value> = messages.iter().map(|message| asked.show(message)).collect();
                return Ok(json!({ "Messages": shown }));
            }
        }
    }
}
