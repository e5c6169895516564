//! Messages to operators, through an SNS topic of theirs.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_smithy_types::retry::RetryConfig;

use crate::connection::{CallTimeouts, client_config};
use crate::error_code::error_code;

/// The longest subject that SNS takes, in characters.
const SUBJECT_MAX: usize = 100;
/// The longest message that SNS takes, in bytes.
const MESSAGE_MAX: usize = 256 * 1024;

const TIMEOUTS: CallTimeouts = CallTimeouts {
    attempt: Some(Duration::from_secs(3)),
    operation: Duration::from_secs(8),
};

/// Makes an SNS client. The SDK's retries stay on: a message that reaches operators twice is better than none.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    Client::new(&settings(config))
}

/// Returns the configuration of the client.
pub(crate) fn settings(config: &SdkConfig) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(3);
    client_config(config, retries, TIMEOUTS)
}

/// SNS did not take a message; the call may succeed later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Publish failed: {code}")]
pub struct NotifyError {
    /// SNS's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

/// The topic through which operators are notified.
#[derive(Clone, Debug)]
pub struct Notifications {
    client: Client,
    topic_arn: String,
}

impl Notifications {
    /// Publishes to the topic with this ARN.
    #[must_use]
    pub fn new(client: Client, topic_arn: String) -> Self {
        Self { client, topic_arn }
    }

    /// Publishes a message. The subject becomes one line of ASCII, at most 100 characters, and the message is cut off
    /// after 256 KB. SNS rejects an empty message.
    ///
    /// # Errors
    /// [`NotifyError`] if SNS may not have taken the message. If the caller tries again, an operator may receive it
    /// twice.
    pub async fn publish(&self, subject: &str, message: &str) -> Result<(), NotifyError> {
        let published = self
            .client
            .publish()
            .topic_arn(&self.topic_arn)
            .set_subject(as_subject(subject))
            .message(&message[..message.floor_char_boundary(MESSAGE_MAX)])
            .send()
            .await;
        published.map(drop).map_err(|error| NotifyError {
            code: error_code(&error),
        })
    }
}

/// Makes a subject that SNS accepts; `None` if nothing is left of it.
fn as_subject(text: &str) -> Option<String> {
    let ascii = |character: char| match character {
        ' '..='~' => character,
        _ if character.is_whitespace() || character.is_control() => ' ',
        _ => '?',
    };
    let line: String = text.chars().map(ascii).collect();
    let subject: String = line.trim().chars().take(SUBJECT_MAX).collect();
    (!subject.is_empty()).then_some(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line_of_ascii() {
        let subject = |text: &str| as_subject(text);
        assert_eq!(subject("Sending is stopped").as_deref(), Some("Sending is stopped"));
        assert_eq!(subject("\n a\tb\u{7}c\u{e9} ").as_deref(), Some("a b c?"));
        assert_eq!(subject(&"a".repeat(200)).unwrap().len(), SUBJECT_MAX);
        assert_eq!(subject(" \r\n"), None);
    }
}
