//! The callers of the function, and the messages in their events.
//!
//! SNS calls with one message as a rule. A message that failed comes again through the retry queue, in one of two
//! wrappings: the record that Lambda makes of an asynchronous event that it has given up, or the envelope of SNS if SNS
//! could not deliver it. A person may put the JSON of an SES event into the queue as it is, or call the function with
//! it. <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use serde::Deserialize;
use serde_json::Value;

use crate::FeedbackError;
use crate::sns_event::{self, Message};

/// The caller, and what it called with.
#[derive(Debug)]
pub(crate) enum Source {
    /// SNS or a person, who learn whether the whole call failed.
    Call(Vec<Message>),
    /// A queue, which learns which of its records failed.
    Queue(Vec<Record>),
}

/// A record of a queue. Only the parts that are needed are read; every other part may be missing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// The id of the record in the queue.
    pub(crate) message_id: Option<String>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

impl Source {
    /// Finds the source of an event.
    pub(crate) fn of(event: Value) -> Result<Self, FeedbackError> {
        if event["Records"][0]["eventSource"] != "aws:sqs" {
            return called_with(event).map(Self::Call);
        }
        let Batch { records } = serde_json::from_value(event).map_err(|_| FeedbackError::UnknownSource)?;
        Ok(Self::Queue(records))
    }
}

impl Record {
    /// Returns the messages in the body of the record.
    pub(crate) fn messages(&self) -> Result<Vec<Message>, FeedbackError> {
        let body = self.body.as_deref().ok_or(FeedbackError::UnknownSource)?;
        let as_it_is = || {
            Ok(vec![Message {
                text: body.to_owned(),
                topic_arn: None,
            }])
        };
        let Ok(mut json) = serde_json::from_str::<Value>(body) else {
            return as_it_is();
        };
        if let Some(given_up) = json.get_mut("requestPayload") {
            return called_with(given_up.take());
        }
        if json.get("Records").is_some() {
            return called_with(json);
        }
        match Message::deserialize(json) {
            Ok(envelope) => Ok(vec![envelope]),
            Err(_) => as_it_is(),
        }
    }
}

/// Returns the messages of an event that does not come from a queue.
fn called_with(event: Value) -> Result<Vec<Message>, FeedbackError> {
    if event.get("eventType").is_some() || event.get("notificationType").is_some() {
        return Ok(vec![Message {
            text: event.to_string(),
            topic_arn: None,
        }]);
    }
    sns_event::messages(event)
}

/// Returns the texts of the messages in an event or a body, in whichever wrapping the function accepts them.
///
/// # Errors
/// [`FeedbackError::UnknownSource`] if a wrapping holds no message.
pub fn message_texts(text: &str) -> Result<Vec<String>, FeedbackError> {
    let as_body = |body: String| Record {
        message_id: None,
        body: Some(body),
    };
    let records = match serde_json::from_str::<Value>(text) {
        Ok(json) if json["Records"][0]["eventSource"] == "aws:sqs" => match Source::of(json)? {
            Source::Queue(records) => records,
            Source::Call(messages) => return Ok(messages.into_iter().map(|message| message.text).collect()),
        },
        // One record of a queue, as Lambda or as SQS spells it.
        Ok(Value::Object(mut record)) if record.contains_key("body") || record.contains_key("Body") => {
            let body = record.remove("body").or_else(|| record.remove("Body"));
            let body = body
                .as_ref()
                .and_then(Value::as_str)
                .ok_or(FeedbackError::UnknownSource)?;
            vec![as_body(body.to_owned())]
        }
        _ => vec![as_body(text.to_owned())],
    };
    let mut texts = Vec::new();
    for record in records {
        texts.extend(record.messages()?.into_iter().map(|message| message.text));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SES: &str = r#"{"eventType":"Send"}"#;

    fn of_sns(text: &str) -> Value {
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text, "TopicArn": "t"}}]})
    }

    fn of_sqs(records: &Value) -> Vec<Record> {
        match Source::of(json!({ "Records": records })) {
            Ok(Source::Queue(records)) => records,
            other => panic!("{other:?}"),
        }
    }

    fn unwrapped(body: &str) -> Result<Vec<(String, Option<String>)>, FeedbackError> {
        let records = of_sqs(&json!([{"messageId": "1", "eventSource": "aws:sqs", "body": body}]));
        let messages = records[0].messages()?;
        Ok(messages
            .into_iter()
            .map(|message| (message.text, message.topic_arn))
            .collect())
    }

    #[test]
    fn one_message_comes_out_of_every_wrapping() {
        let from_topic = (SES.to_owned(), Some("t".to_owned()));
        let by_itself = (SES.to_owned(), None);
        for (body, message) in [
            (
                json!({"Type": "Notification", "TopicArn": "t", "Message": SES}).to_string(),
                &from_topic,
            ),
            (
                json!({"requestContext": {}, "requestPayload": of_sns(SES)}).to_string(),
                &from_topic,
            ),
            (of_sns(SES).to_string(), &from_topic),
            (json!({"requestPayload": {"eventType": "Send"}}).to_string(), &by_itself),
            (SES.to_owned(), &by_itself),
        ] {
            assert_eq!(unwrapped(&body).unwrap(), std::slice::from_ref(message), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_in_no_wrapping_is_the_message_itself() {
        for body in [
            "Successfully validated SNS topic",
            "",
            "null",
            "[]",
            "{}",
            r#"{"Message":1}"#,
        ] {
            assert_eq!(unwrapped(body).unwrap(), [(body.to_owned(), None)]);
        }
    }

    #[test]
    fn a_record_without_a_body_or_with_nothing_in_its_wrapping_is_refused() {
        for body in [r#"{"requestPayload":null}"#, r#"{"requestPayload":{"Records":[{}]}}"#] {
            assert!(matches!(unwrapped(body), Err(FeedbackError::UnknownSource)), "{body}");
        }
        let records = of_sqs(&json!([{"eventSource": "aws:sqs"}]));
        assert!(matches!(records[0].messages(), Err(FeedbackError::UnknownSource)));
    }

    #[test]
    fn an_event_of_ses_may_come_as_it_is() {
        for event in [json!({"eventType": "Send"}), json!({"notificationType": "Bounce"})] {
            let Ok(Source::Call(messages)) = Source::of(event.clone()) else {
                panic!("{event}");
            };
            assert_eq!((messages.len(), &messages[0].text), (1, &event.to_string()));
        }
    }

    #[test]
    fn refuses_a_whole_batch_with_an_unreadable_record() {
        let event = json!({"Records": [{"eventSource": "aws:sqs", "body": SES}, {"body": 5}]});
        assert!(matches!(Source::of(event), Err(FeedbackError::UnknownSource)));
    }
}
