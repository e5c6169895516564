//! The SNS API as it is on the wire, as far as it is used here: the query protocol, a form in and XML out.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::notifications::Notification;
use super::{Sns, Subscribed, new_id};
use crate::edge::Edge;

/// The operations that are served, by the names that faults give them.
pub(crate) const OPERATIONS: [&str; 3] = ["Publish", "ListSubscriptionsByTopic", "GetTopicAttributes"];

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
/// The longest subject, in characters.
const SUBJECT_MAX: usize = 100;
/// The longest message, in bytes.
const MESSAGE_MAX: usize = 256 * 1024;

/// The parameters of a request.
type Form = BTreeMap<String, String>;

/// An error of SNS: its status, its type and its text.
struct SnsError(StatusCode, String, String);

impl SnsError {
    fn invalid(message: &str) -> Self {
        Self(
            StatusCode::BAD_REQUEST,
            "InvalidParameter".to_owned(),
            message.to_owned(),
        )
    }
}

impl IntoResponse for SnsError {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        let sender = if status.is_server_error() { "Receiver" } else { "Sender" };
        let (code, message) = (escaped(&code), escaped(&message));
        let body = format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{sender}</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            new_id()
        );
        xml(status, body)
    }
}

struct Wire {
    sns: Arc<Sns>,
    edge: Edge,
}

/// The wire.
pub(super) fn router(sns: &Arc<Sns>, edge: Edge) -> Router {
    let wire = Wire {
        sns: Arc::clone(sns),
        edge,
    };
    Router::new()
        .route("/", post(carry_out))
        .layer(DefaultBodyLimit::max(4 * MESSAGE_MAX))
        .with_state(Arc::new(wire))
}

async fn carry_out(State(wire): State<Arc<Wire>>, headers: HeaderMap, body: Bytes) -> Response {
    let form: Form = form_urlencoded::parse(&body).into_owned().collect();
    let operation = form.get("Action").cloned().unwrap_or_default();
    let topic = form.get("TopicArn").cloned().unwrap_or_default();
    let carry_out = {
        let (sns, operation) = (Arc::clone(&wire.sns), operation.clone());
        async move { answer(&sns, &operation, &form) }
    };
    // An error that a fault asked for says by its type what it means to the SDK; most are the caller's.
    let refuse = |code, message| SnsError(StatusCode::BAD_REQUEST, code, message).into_response();
    let call = ("sns", operation.as_str());
    wire.edge.carry_out(&headers, call, topic, carry_out, refuse).await
}

fn answer(sns: &Arc<Sns>, operation: &str, form: &Form) -> Response {
    let result = match operation {
        "Publish" => publish(sns, form),
        "ListSubscriptionsByTopic" => subscriptions(sns, form),
        "GetTopicAttributes" => attributes(sns, form),
        other => Err(SnsError(
            StatusCode::BAD_REQUEST,
            "InvalidAction".to_owned(),
            format!("{other:?} is not carried out on this machine"),
        )),
    };
    match result {
        Ok(result) => {
            let body = format!(
                "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
                 <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
                new_id()
            );
            xml(StatusCode::OK, body)
        }
        Err(error) => error.into_response(),
    }
}

/// Publishes, and answers before anybody has handled the message, as SNS does.
fn publish(sns: &Arc<Sns>, form: &Form) -> Result<String, SnsError> {
    let topic_arn = form.get("TopicArn").cloned().unwrap_or_default();
    let subscribed = subscribed(sns, &topic_arn)?;
    let message = form.get("Message").cloned().unwrap_or_default();
    if message.is_empty() {
        return Err(SnsError::invalid("Invalid parameter: Empty message"));
    }
    if message.len() > MESSAGE_MAX {
        return Err(SnsError::invalid("Invalid parameter: Message too long"));
    }
    let subject = form.get("Subject").cloned();
    if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
        return Err(SnsError::invalid("Invalid parameter: Subject"));
    }
    if sns.keeps.as_ref() == Some(&topic_arn) {
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
                tracing::error!("what was published was lost: {error}");
            }
        });
    }
    Ok(format!("<MessageId>{}</MessageId>", new_id()))
}

/// Tells whether SNS takes a subject: it becomes that of a mail.
fn is_subject(subject: &str) -> bool {
    let begins_well = subject.starts_with(|first: char| first.is_ascii_graphic());
    begins_well && subject.len() <= SUBJECT_MAX && subject.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn subscriptions(sns: &Sns, form: &Form) -> Result<String, SnsError> {
    let topic_arn = form.get("TopicArn").cloned().unwrap_or_default();
    let member = |subscribed: &Subscribed| {
        let function = &subscribed.subscription.function;
        format!(
            "<member><TopicArn>{topic}</TopicArn><Protocol>lambda</Protocol><SubscriptionArn>{arn}</SubscriptionArn>\
             <Owner>{owner}</Owner><Endpoint>{endpoint}</Endpoint></member>",
            topic = escaped(&topic_arn),
            arn = escaped(&subscribed.arn),
            owner = escaped(owner(&topic_arn)),
            endpoint = escaped(sns.asynchronous.arn(function).unwrap_or(function)),
        )
    };
    let members: String = subscribed(sns, &topic_arn)?.iter().map(member).collect();
    Ok(format!("<Subscriptions>{members}</Subscriptions>"))
}

fn attributes(sns: &Sns, form: &Form) -> Result<String, SnsError> {
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

/// Who is subscribed to a topic that exists.
fn subscribed<'a>(sns: &'a Sns, topic_arn: &str) -> Result<&'a [Subscribed], SnsError> {
    let of_template = sns.topics.get(topic_arn).map(Vec::as_slice);
    let kept = || (sns.keeps.as_deref() == Some(topic_arn)).then_some(&[][..]);
    of_template.or_else(kept).ok_or_else(|| {
        SnsError(
            StatusCode::NOT_FOUND,
            "NotFound".to_owned(),
            "Topic does not exist".to_owned(),
        )
    })
}

/// The account in an ARN.
fn owner(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

fn xml(status: StatusCode, body: String) -> Response {
    (status, [("content-type", "text/xml")], body).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_line_of_ascii() {
        let longest = "a".repeat(SUBJECT_MAX);
        for (subject, good) in [
            ("Okite: sending is stopped", true),
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
