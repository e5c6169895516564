//! The event with which SNS calls a function. Only the parts that are needed are read; every other part may be missing.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>

use serde::Deserialize;
use serde_json::Value;

use crate::FeedbackError;

/// A message that was published to a topic.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    #[serde(rename = "Message")]
    pub(crate) text: String,
    #[serde(rename = "TopicArn")]
    pub(crate) topic_arn: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "Sns")]
    sns: Message,
}

/// Returns the messages of an event. In practice there is one, but AWS does not promise it.
pub(crate) fn messages(event: Value) -> Result<Vec<Message>, FeedbackError> {
    let Event { records } = serde_json::from_value(event).map_err(|_| FeedbackError::UnknownSource)?;
    Ok(records.into_iter().map(|record| record.sns).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_a_record_that_has_nothing_but_its_message() {
        let messages =
            messages(json!({"Records": [{"Sns": {"Message": "a"}}, {"Sns": {"Message": "b", "TopicArn": "t"}}]}));
        let texts: Vec<_> = messages
            .unwrap()
            .into_iter()
            .map(|message| (message.text, message.topic_arn))
            .collect();
        assert_eq!(texts, [("a".to_owned(), None), ("b".to_owned(), Some("t".to_owned()))]);
    }

    #[test]
    fn refuses_a_record_that_is_not_from_sns() {
        for event in [
            json!({}),
            json!(null),
            json!({"Records": [{}]}),
            json!({"Records": [{"Sns": {"Message": 1}}]}),
        ] {
            assert!(matches!(messages(event), Err(FeedbackError::UnknownSource)));
        }
    }
}
