//! A message, its attributes and its receipts.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The message's id.
    pub message_id: Uuid,
    /// ARN of the queue that holds it.
    pub queue_arn: String,
    /// ARN of the queue that it came from, for a message in a dead-letter queue.
    pub source_arn: Option<String>,
    /// The body.
    pub body: String,
    /// The group that its sender gave it. A standard queue is fair between groups; here it has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The attributes that its sender gave it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// The time at which it was sent.
    pub sent_at: Timestamp,
    /// The time at which it came to the dead-letter queue, for a message in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<Timestamp>,
    /// The time at which it was first received.
    pub first_received_at: Option<Timestamp>,
    /// The number of times that it was received.
    pub receive_count: u32,
    /// The time from which it can be received.
    pub visible_at: Timestamp,
}

/// A message that a caller sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewMessage {
    pub(crate) body: String,
    /// The time until it can be received. The queue's own delay holds without one.
    pub(crate) delay: Option<Duration>,
    pub(crate) group_id: Option<String>,
    pub(crate) attributes: BTreeMap<String, MessageAttribute>,
}

/// An attribute of a message, in the form of the API: its type, and its value as text or as base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    /// The type: `String`, `Number` or `Binary`, which a caller may extend: `Number.int`.
    pub data_type: String,
    /// The value of a text or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The bytes of a binary value, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

impl MessageAttribute {
    /// Returns the value as bytes; nothing if there is none, or if it does not fit the type.
    pub(super) fn value(&self) -> Option<Vec<u8>> {
        let kind = self.data_type.split('.').next();
        match (kind, &self.string_value, &self.binary_value) {
            (Some("String" | "Number"), Some(text), None) => Some(text.clone().into_bytes()),
            (Some("Binary"), None, Some(encoded)) => BASE64.decode(encoded).ok(),
            _ => None,
        }
    }
}

/// The receipt of a message that was received. Only the newest receipt of a message has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(super) message_id: Uuid,
    pub(super) receive_count: u32,
}

/// Reads a receipt handle.
impl FromStr for Receipt {
    type Err = ();

    fn from_str(handle: &str) -> Result<Self, ()> {
        let (message_id, receive_count) = handle.split_once('#').ok_or(())?;
        Ok(Self {
            message_id: message_id.parse().map_err(|_| ())?,
            receive_count: receive_count.parse().map_err(|_| ())?,
        })
    }
}

impl Message {
    /// Returns the receipt of the message as it was received.
    pub(crate) fn receipt(&self) -> Receipt {
        Receipt {
            message_id: self.message_id,
            receive_count: self.receive_count,
        }
    }

    /// Writes the receipt in the form in which receivers hand it back.
    pub(crate) fn receipt_handle(&self) -> String {
        format!("{}#{}", self.message_id, self.receive_count)
    }

    /// Returns the MD5 of the body, which SDKs compare.
    pub(crate) fn md5_of_body(&self) -> String {
        md5_of(self.body.as_bytes())
    }

    /// Lists the attributes that SQS gives the message, by name.
    pub(crate) fn system_attributes(&self) -> BTreeMap<&'static str, Value> {
        let milliseconds = |time: Timestamp| json!(time.as_millisecond().to_string());
        let mut attributes = BTreeMap::from([
            ("ApproximateReceiveCount", json!(self.receive_count.to_string())),
            ("SentTimestamp", milliseconds(self.sent_at)),
            (
                "ApproximateFirstReceiveTimestamp",
                milliseconds(self.first_received_at.unwrap_or(self.sent_at)),
            ),
        ]);
        if let Some(group) = &self.group_id {
            attributes.insert("MessageGroupId", json!(group));
        }
        if let Some(source) = &self.source_arn {
            attributes.insert("DeadLetterQueueSourceArn", json!(source));
        }
        attributes
    }

    /// Returns the time since when its queue holds it.
    pub(super) fn held_since(&self) -> Timestamp {
        self.moved_at.unwrap_or(self.sent_at)
    }

    /// Returns whether it was never received and cannot be received yet.
    pub(super) fn is_delayed(&self, now: Timestamp) -> bool {
        self.receive_count == 0 && self.visible_at > now
    }
}

pub(super) fn md5_of(bytes: &[u8]) -> String {
    format!("{:x}", md5::compute(bytes))
}

/// Returns the MD5 of attributes; nothing if there are none.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
pub(super) fn md5_of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut encoded = Vec::new();
    for (name, attribute) in attributes {
        add(&mut encoded, name.as_bytes());
        add(&mut encoded, attribute.data_type.as_bytes());
        encoded.push(if attribute.string_value.is_some() { 1 } else { 2 });
        add(&mut encoded, &attribute.value().unwrap_or_default());
    }
    Some(md5_of(&encoded))
}

/// Adds bytes with their length before them.
fn add(encoded: &mut Vec<u8>, bytes: &[u8]) {
    // No part of a message has as many bytes as four bytes can count.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    encoded.extend(length.to_be_bytes());
    encoded.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_as_it_is_written() {
        let message_id = Uuid::from_u128(7);
        let receipt = Receipt {
            message_id,
            receive_count: 3,
        };
        assert_eq!(format!("{message_id}#3").parse(), Ok(receipt));
        for handle in ["", "x", "x#1", "00000000-0000-0000-0000-000000000007", "#1"] {
            assert_eq!(handle.parse::<Receipt>(), Err(()), "{handle}");
        }
    }

    #[test]
    fn the_value_of_an_attribute_fits_its_type() {
        let attribute = |kind: &str, text: Option<&str>, bytes: Option<&str>| MessageAttribute {
            data_type: kind.to_owned(),
            string_value: text.map(str::to_owned),
            binary_value: bytes.map(str::to_owned),
        };
        for (kind, text, bytes, value) in [
            ("String", Some("a"), None, Some("a")),
            ("Number.int", Some("1"), None, Some("1")),
            ("Binary", None, Some("aGk="), Some("hi")),
            ("Binary", None, Some("?"), None),
            ("Binary", Some("a"), None, None),
            ("String", None, None, None),
            ("String", Some("a"), Some("aGk="), None),
            ("Date", Some("a"), None, None),
        ] {
            let value = value.map(|value| value.as_bytes().to_vec());
            assert_eq!(attribute(kind, text, bytes).value(), value, "{kind} {text:?} {bytes:?}");
        }
    }

    /// The expected value was calculated with another program.
    #[test]
    fn the_md5_of_attributes_is_that_of_their_names_types_and_values() {
        assert_eq!(md5_of_attributes(&BTreeMap::new()), None);
        let attribute = MessageAttribute {
            data_type: "String".to_owned(),
            string_value: Some("test_value".to_owned()),
            binary_value: None,
        };
        let attributes = BTreeMap::from([("test_attribute".to_owned(), attribute)]);
        let expected = "907451a625755e4ee37ecbd5ced88872";
        assert_eq!(md5_of_attributes(&attributes).as_deref(), Some(expected));
    }
}
