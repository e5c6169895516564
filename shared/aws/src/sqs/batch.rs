//! Messages that are sent in one call, and the outcome of each.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use crate::error_code::error_code;

/// The most messages of one call.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
pub(super) const MESSAGES_MAX: usize = 10;

/// Sends messages in one call. The id of each is its place. Returns the outcome of each, in their order: nothing, or
/// the code of the failure.
pub(super) async fn send(
    client: &Client,
    queue_url: &str,
    entries: Vec<Result<SendMessageBatchRequestEntry, BuildError>>,
) -> Vec<Result<(), String>> {
    let count = entries.len();
    let not_sent = |code: &str| Err(code.to_owned());
    let Ok(entries) = entries.into_iter().collect::<Result<Vec<_>, _>>() else {
        return vec![not_sent("NotSent"); count];
    };
    let call = client.send_message_batch().queue_url(queue_url);
    match call.set_entries(Some(entries)).send().await {
        Ok(answer) => {
            // SQS may not have taken a message that its answer does not name.
            let mut outcomes = vec![not_sent("NotAnswered"); count];
            let failed = answer
                .failed
                .iter()
                .map(|failed| (failed.id(), not_sent(failed.code())));
            let taken = answer.successful.iter().map(|taken| (taken.id(), Ok(())));
            for (id, outcome) in taken.chain(failed) {
                if let Some(place) = id.parse().ok().and_then(|index: usize| outcomes.get_mut(index)) {
                    *place = outcome;
                }
            }
            outcomes
        }
        Err(error) => vec![not_sent(&error_code(&error)); count],
    }
}
