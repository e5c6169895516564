//! The operations of SNS that functions and operators use.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use std::sync::Arc;

use axum::http::StatusCode;

use super::notifications::Notification;
use super::query_protocol::{Form, SnsError, escaped};
use super::{Sns, Subscriber, new_id};
use crate::template::SubscriptionEndpoint;

/// The longest subject, in characters.
const SUBJECT_MAX: usize = 100;
/// The longest message, in bytes.
pub(super) const MESSAGE_MAX: usize = 256 * 1024;

/// Carries out an operation and returns its result in XML.
pub(super) fn carry_out(sns: &Arc<Sns>, operation: &str, form: &Form) -> Result<String, SnsError> {
    match operation {
        "Publish" => publish(sns, form),
        "ListSubscriptionsByTopic" => list_subscriptions_by_topic(sns, form),
        "GetTopicAttributes" => get_topic_attributes(sns, form),
        other => {
            let message = format!("SNS does not carry out {other:?} on this machine");
            Err(SnsError::new(StatusCode::BAD_REQUEST, "InvalidAction", &message))
        }
    }
}

fn invalid(message: &str) -> SnsError {
    SnsError::new(StatusCode::BAD_REQUEST, "InvalidParameter", message)
}

/// Publishes a message and answers before any subscriber has handled it, as SNS does.
fn publish(sns: &Arc<Sns>, form: &Form) -> Result<String, SnsError> {
    let topic_arn = form.get("TopicArn").cloned().unwrap_or_default();
    let subscribed = subscribed(sns, &topic_arn)?;
    let message = form.get("Message").cloned().unwrap_or_default();
    if message.is_empty() {
        return Err(invalid("Invalid parameter: Empty message"));
    }
    if message.len() > MESSAGE_MAX {
        return Err(invalid("Invalid parameter: Message too long"));
    }
    let subject = form.get("Subject").cloned();
    if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
        return Err(invalid("Invalid parameter: Subject"));
    }
    if sns.operator_topic.as_ref() == Some(&topic_arn) {
        sns.notifications.keep(Notification {
            topic_arn,
            subject,
            message,
            at: sns.clock.now(),
        });
    } else if !subscribed.is_empty() {
        let publishing = Arc::clone(sns);
        sns.publications.spawn(async move {
            if let Err(error) = publishing.publish(&topic_arn, &message).await {
                tracing::error!("a published message was lost: {error}");
            }
        });
    }
    Ok(format!("<MessageId>{}</MessageId>", new_id()))
}

/// Returns whether SNS accepts a subject, which becomes the subject of a mail.
fn is_subject(subject: &str) -> bool {
    let begins_well = subject.starts_with(|first: char| first.is_ascii_graphic());
    begins_well && subject.len() <= SUBJECT_MAX && subject.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn list_subscriptions_by_topic(sns: &Sns, form: &Form) -> Result<String, SnsError> {
    let topic_arn = form.get("TopicArn").cloned().unwrap_or_default();
    let member = |subscribed: &Subscriber| {
        let (protocol, endpoint) = match &subscribed.subscription.endpoint {
            SubscriptionEndpoint::Function(function) => ("lambda", sns.asynchronous.arn(function).unwrap_or(function)),
            SubscriptionEndpoint::Queue(arn) => ("sqs", arn.as_str()),
        };
        format!(
            "<member><TopicArn>{topic}</TopicArn><Protocol>{protocol}</Protocol><SubscriptionArn>{arn}</SubscriptionArn>\
             <Owner>{owner}</Owner><Endpoint>{endpoint}</Endpoint></member>",
            topic = escaped(&topic_arn),
            arn = escaped(&subscribed.arn),
            owner = escaped(owner(&topic_arn)),
            endpoint = escaped(endpoint),
        )
    };
    let members: String = subscribed(sns, &topic_arn)?.iter().map(member).collect();
    Ok(format!("<Subscriptions>{members}</Subscriptions>"))
}

fn get_topic_attributes(sns: &Sns, form: &Form) -> Result<String, SnsError> {
    let topic_arn = form.get("TopicArn").cloned().unwrap_or_default();
    let confirmed = subscribed(sns, &topic_arn)?.len().to_string();
    let entry =
        |(key, value): (&str, &str)| format!("<entry><key>{key}</key><value>{}</value></entry>", escaped(value));
    let entries: String = [
        ("TopicArn", topic_arn.as_str()),
        ("Owner", owner(&topic_arn)),
        ("SubscriptionsConfirmed", confirmed.as_str()),
        ("SubscriptionsPending", "0"),
        ("SubscriptionsDeleted", "0"),
    ]
    .map(entry)
    .concat();
    Ok(format!("<Attributes>{entries}</Attributes>"))
}

/// Returns the subscribers of a topic, if the topic exists.
fn subscribed<'a>(sns: &'a Sns, topic_arn: &str) -> Result<&'a [Subscriber], SnsError> {
    let of_template = sns.topics.get(topic_arn).map(Vec::as_slice);
    let operators = || (sns.operator_topic.as_deref() == Some(topic_arn)).then_some(&[][..]);
    of_template
        .or_else(operators)
        .ok_or_else(|| SnsError::new(StatusCode::NOT_FOUND, "NotFound", "Topic does not exist"))
}

/// Returns the account in an ARN.
fn owner(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::without_a_function;
    use super::*;
    use crate::catalogue::AwsService;

    #[tokio::test]
    async fn carries_out_every_operation_of_the_catalogue_and_no_other() {
        let (sns, _) = without_a_function(None);
        let sns = Arc::new(sns);
        let code = |operation| carry_out(&sns, operation, &Form::new()).map_err(|error| error.code);
        for operation in AwsService::Sns.operations() {
            assert_ne!(code(operation), Err("InvalidAction".to_owned()), "{operation}");
        }
        assert_eq!(code("Subscribe"), Err("InvalidAction".to_owned()));
    }

    #[test]
    fn a_subject_is_a_line_of_ascii() {
        let longest = "a".repeat(SUBJECT_MAX);
        for (subject, good) in [
            ("Shop: orders are stopped", true),
            (longest.as_str(), true),
            ("", false),
            (" begins with a space", false),
            ("two\nlines", false),
            ("caf\u{e9}", false),
            (&format!("{longest}a"), false),
        ] {
            assert_eq!(is_subject(subject), good, "{subject:?}");
        }
    }
}
