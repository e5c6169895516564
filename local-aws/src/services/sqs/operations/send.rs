//! `SendMessage` and `SendMessageBatch`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Sqs;
use super::super::error::SqsError;
use super::super::message::{MessageAttribute, NewMessage, md5_of, md5_of_attributes};
use super::batch::{self, Outcomes};
use super::{Answer, read};
use crate::template::Queue;

/// The largest batch, in bytes.
const BATCH_MAX: usize = 1024 * 1024;
/// The longest delay, in seconds.
const DELAY_MAX: i64 = 900;
/// The most attributes of a message.
const ATTRIBUTES_MAX: usize = 10;
/// The longest name of an attribute, in bytes.
const ATTRIBUTE_NAME_MAX: usize = 256;
/// The longest name of a group, in characters.
const GROUP_MAX: usize = 128;

/// A message of a request, alone or in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttribute>,
}

impl Written {
    /// Returns the size that SQS limits: the body, and the names, types and values of attributes.
    fn size(&self) -> usize {
        let attribute = |(name, attribute): (&String, &MessageAttribute)| {
            name.len() + attribute.data_type.len() + attribute.value().map_or(0, |value| value.len())
        };
        let body = self.message_body.as_ref().map_or(0, String::len);
        body + self.message_attributes.iter().map(attribute).sum::<usize>()
    }

    fn check(self, queue: &Queue) -> Result<NewMessage, SqsError> {
        let size = self.size();
        let body = self.message_body.filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| SqsError::missing("MessageBody"))?;
        if size > queue.message_max {
            return Err(SqsError::invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                queue.message_max
            )));
        }
        if !body.chars().all(is_allowed) {
            let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                           #xE000 to #xFFFD | #x10000 to #x10FFFF";
            return Err(SqsError::new("InvalidMessageContents", message));
        }
        let delay = match self.delay_seconds {
            Some(seconds) if !(0..=DELAY_MAX).contains(&seconds) => {
                return Err(SqsError::outside("DelaySeconds", seconds, (0, DELAY_MAX)));
            }
            seconds => seconds.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        };
        if self.message_deduplication_id.is_some() {
            let message = "The request includes a parameter that is not valid for this queue type: \
                           MessageDeduplicationId";
            return Err(SqsError::invalid(message));
        }
        if self.message_group_id.as_deref().is_some_and(|group| !is_group(group)) {
            let message =
                "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
            return Err(SqsError::invalid(message));
        }
        check_attributes(&self.message_attributes)?;
        Ok(NewMessage {
            body,
            delay,
            group_id: self.message_group_id,
            attributes: self.message_attributes,
        })
    }
}

impl Sqs {
    pub(super) fn send_message(&self, body: &Bytes) -> Answer {
        let queue = self.named_queue(body)?;
        let message = read::<Written>(body)?.check(&queue)?;
        let mut answer = digests(&message);
        let ids = self.send_all(&queue.arn, vec![message])?;
        answer["MessageId"] = json!(ids.first());
        Ok(answer)
    }

    pub(super) fn send_message_batch(&self, body: &Bytes, undone: usize) -> Answer {
        let queue = self.named_queue(body)?;
        let mut entries = Vec::new();
        let mut total = 0;
        for (id, entry) in batch::entries(body, undone)? {
            let written = entry.and_then(|entry| read::<Written>(&entry));
            total += written.as_ref().map_or(0, Written::size);
            entries.push((id, written));
        }
        if total > BATCH_MAX {
            let message =
                format!("Batch requests cannot be longer than {BATCH_MAX} bytes. You have sent {total} bytes.");
            return Err(SqsError::new("BatchRequestTooLong", message));
        }
        let mut outcomes = Outcomes::default();
        let (mut sent, mut messages) = (Vec::new(), Vec::new());
        for (id, written) in entries {
            match written.and_then(|written| written.check(&queue)) {
                Ok(message) => {
                    sent.push((id, digests(&message)));
                    messages.push(message);
                }
                Err(error) => outcomes.add(&id, Err(error)),
            }
        }
        let message_ids = self.send_all(&queue.arn, messages)?;
        for ((id, mut answer), message_id) in sent.into_iter().zip(message_ids) {
            answer["MessageId"] = json!(message_id);
            outcomes.add(&id, Ok(answer));
        }
        Ok(outcomes.answer())
    }
}

/// Returns the members of an answer by which an SDK checks what arrived.
fn digests(message: &NewMessage) -> Value {
    let mut digests = json!({ "MD5OfMessageBody": md5_of(message.body.as_bytes()) });
    if let Some(digest) = md5_of_attributes(&message.attributes) {
        digests["MD5OfMessageAttributes"] = json!(digest);
    }
    digests
}

fn check_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Result<(), SqsError> {
    if attributes.len() > ATTRIBUTES_MAX {
        let message = format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            attributes.len()
        );
        return Err(SqsError::invalid(message));
    }
    for (name, attribute) in attributes {
        let is_name = (1..=ATTRIBUTE_NAME_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !is_name {
            let message = format!("The message attribute name '{name}' is invalid.");
            return Err(SqsError::invalid(message));
        }
        if attribute.value().is_none_or(|value| value.is_empty()) {
            let message = format!("The message attribute '{name}' must contain a non-empty value of its type.");
            return Err(SqsError::invalid(message));
        }
    }
    Ok(())
}

fn is_group(group: &str) -> bool {
    (1..=GROUP_MAX).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_graphic())
}

/// Returns whether a body may have a character: those of XML.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
