//! The answer to a batch of messages of SQS.

use serde::Serialize;

/// The records of a queue that failed and come again; the others are done.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// The records that failed.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A record that comes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The record's id. It is empty if the record has none: Lambda then counts the whole batch as failed.
    pub item_identifier: String,
}

impl FromIterator<String> for BatchAnswer {
    /// Makes the answer from the ids of the records that failed.
    fn from_iter<I: IntoIterator<Item = String>>(ids: I) -> Self {
        let failure = |item_identifier| BatchItemFailure { item_identifier };
        Self {
            batch_item_failures: ids.into_iter().map(failure).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_shape_that_lambda_reads() {
        let answer = |ids: &[&str]| {
            let answer: BatchAnswer = ids.iter().map(|id| (*id).to_owned()).collect();
            serde_json::to_string(&answer).unwrap()
        };
        assert_eq!(answer(&[]), r#"{"batchItemFailures":[]}"#);
        assert_eq!(
            answer(&["a", ""]),
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":""}]}"#
        );
    }
}
