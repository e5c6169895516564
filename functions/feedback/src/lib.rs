//! Feedback: SES's events come through SNS, and through a queue if they failed at first; what they say goes into the suppression registers of their recipients, the
//! record of their message, and the marks by which the account's rates are counted.
//!
//! SNS and Lambda hand an event over at least once and in any order. Every write is idempotent and commutes with every
//! other, so an event that comes twice, late, or after a crash half-way ends in the same tables; the function simply
//! fails when a write may not have happened, and is called again with the same event.

mod config;
mod sns;
mod source;

use std::time::Duration;

use aws::{Evidence, FunctionConfig, Marks, Messages, StoreError, Suppressions, TrustError};
use domain::feedback::{
    self, Feedback, FeedbackClass, FeedbackEvent, Mark, MarkKind, RecipientFact, UnreadableFeedback,
};
use domain::retention::MessageRetention;
use futures_util::future;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use runtime::function::{self, Invocation};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use config::Config;

use source::{Record, Source};

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What the function keeps between invocations.
#[derive(Debug)]
pub struct State {
    topic_arn: String,
    /// The account that the topic belongs to, and so the one that sends.
    account_id: String,
    suppressions: Suppressions,
    messages: Messages,
    marks: Marks,
    /// How long what is known of a message is kept.
    message_retention: MessageRetention,
}

impl State {
    /// Makes the clients for what the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if they cannot speak TLS.
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let state = Self::with_client(config, aws.dynamodb());
        aws.open_dynamodb().await;
        Ok(state)
    }

    /// Works with this client: see [`aws::dynamodb`].
    #[must_use]
    pub fn with_client(config: Config, dynamodb: aws_sdk_dynamodb::Client) -> Self {
        Self {
            // arn:aws:sns:<region>:<account>:<name>
            account_id: config
                .feedback_topic_arn
                .split(':')
                .nth(4)
                .unwrap_or_default()
                .to_owned(),
            topic_arn: config.feedback_topic_arn,
            message_retention: config.message_retention,
            suppressions: Suppressions::new(dynamodb.clone(), config.suppressions_table),
            messages: Messages::new(dynamodb.clone(), config.messages_table),
            marks: Marks::new(dynamodb, config.usage_table),
        }
    }
}

/// Why an event was not handled whole. Lambda calls again with it.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// From none of those that call the function.
    #[error("the event is neither from SNS or SQS nor an event of Amazon SES, or a record in it is not")]
    UnknownSource,
    /// From a topic that is not ours.
    #[error("a message came from another topic than this stack's")]
    ForeignTopic,
    /// About a mail of another account.
    #[error("an event is about a mail of another account")]
    ForeignAccount,
    /// A message for a person to look at.
    #[error(transparent)]
    Unreadable(#[from] UnreadableFeedback),
    /// Some recipients ought to be suppressed and cannot be; the others are.
    #[error("{0} recipients of an event ought to be suppressed and have addresses that cannot be read")]
    UnreadableRecipients(usize),
    /// A write may not have happened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FeedbackError {
    /// Names what a person has to look at: the log has it as a field, and an alarm of the template counts those that are
    /// `foreign`.
    fn cause(&self) -> &'static str {
        match self {
            Self::ForeignTopic | Self::ForeignAccount => "foreign",
            Self::UnknownSource | Self::Unreadable(_) | Self::UnreadableRecipients(_) => "unreadable",
            Self::Store(_) => "store",
        }
    }
}

impl From<FeedbackError> for Diagnostic {
    fn from(error: FeedbackError) -> Self {
        Self {
            error_type: "FeedbackError".to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// What the function answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To whoever called with messages of SES.
    Handled(Handled),
    /// To a queue.
    Batch(BatchAnswer),
}

/// Which records of a queue come again; the others are done with.
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
    /// The record's id; empty if it has none, by which Lambda takes the whole batch for failed.
    pub item_identifier: String,
}

/// What was done with an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Handled {
    /// Messages of SES.
    pub events: usize,
    /// Messages by which SES tried the topic.
    pub set_up: usize,
    /// Recipients that something happened to which suppresses by itself.
    pub suppressed: usize,
}

/// Runs the function until Lambda ends it.
///
/// # Errors
/// When the environment is not complete, or the Runtime API is gone.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        TIMEOUT,
        Config::read,
        State::new,
        async |state: &State, call: Invocation<Value>| {
            let handled = handle(state, call.event, call.now, || call.ids.new_id()).await;
            // The runtime shows an error with all that is in it, an answer of DynamoDB included; this is its text alone.
            handled.map_err(Diagnostic::from)
        },
    )
    .await
}

/// Handles what SNS, a queue or a person calls with; `new_id` makes the ids of addresses that were not known before
/// (`UUIDv7`). Every failure is logged.
///
/// # Errors
/// [`FeedbackError`] for the first message that was not handled; the others were handled all the same. What fails of a queue
/// is no error but named in the answer.
pub async fn handle(
    state: &State,
    event: Value,
    now: Timestamp,
    new_id: impl Fn() -> Uuid,
) -> Result<Answer, FeedbackError> {
    match Source::of(event).inspect_err(|error| log_failure(error, None))? {
        Source::Call(messages) => handle_messages(state, &messages, now, &new_id, None)
            .await
            .map(Answer::Handled),
        Source::Queue(records) => {
            let handle = |record: Record| {
                let new_id = &new_id;
                async move { handle_record(state, record, now, new_id).await.err() }
            };
            // One beside the other: when the store is down each takes seconds to fail, and ten in a row would outlast the
            // function, which would fail those too that could be handled.
            let failed = future::join_all(records.into_iter().map(handle)).await;
            Ok(Answer::Batch(BatchAnswer {
                batch_item_failures: failed.into_iter().flatten().collect(),
            }))
        }
    }
}

/// Handles a record of a queue, or says which one comes again.
async fn handle_record(
    state: &State,
    record: Record,
    now: Timestamp,
    new_id: &impl Fn() -> Uuid,
) -> Result<Handled, BatchItemFailure> {
    let id = record.message_id.as_deref();
    let handled = match record.messages().inspect_err(|error| log_failure(error, id)) {
        Ok(messages) => handle_messages(state, &messages, now, new_id, id).await,
        Err(error) => Err(error),
    };
    handled.map_err(|_| BatchItemFailure {
        item_identifier: record.message_id.unwrap_or_default(),
    })
}

/// Handles all messages, whatever becomes of one of them. They are those of the record `id`, if they are of a queue's.
async fn handle_messages(
    state: &State,
    messages: &[sns::Message],
    now: Timestamp,
    new_id: &impl Fn() -> Uuid,
    id: Option<&str>,
) -> Result<Handled, FeedbackError> {
    let mut handled = Handled::default();
    let mut failed = None;
    for message in messages {
        if let Err(error) = handle_message(state, message, now, new_id, &mut handled).await {
            log_failure(&error, id);
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(handled), Err)
}

/// Says once what went wrong, and with which record of a queue, by which a person finds it there.
fn log_failure(error: &FeedbackError, id: Option<&str>) {
    tracing::error!(
        cause = error.cause(),
        record.id = id,
        "an event was not handled: {error}"
    );
}

async fn handle_message(
    state: &State,
    message: &sns::Message,
    now: Timestamp,
    new_id: &impl Fn() -> Uuid,
    handled: &mut Handled,
) -> Result<(), FeedbackError> {
    if message.topic_arn.as_ref().is_some_and(|arn| *arn != state.topic_arn) {
        return Err(FeedbackError::ForeignTopic);
    }
    match feedback::read(&message.text, now)? {
        Feedback::SetUp => {
            handled.set_up += 1;
            tracing::info!("SES tried the topic");
        }
        Feedback::Event(event) => {
            if event
                .sending_account
                .as_ref()
                .is_some_and(|account| *account != state.account_id)
            {
                return Err(FeedbackError::ForeignAccount);
            }
            handled.suppressed += apply(state, &event, now, new_id).await?;
            if event.unreadable_recipients > 0 {
                return Err(FeedbackError::UnreadableRecipients(event.unreadable_recipients));
            }
            handled.events += 1;
        }
    }
    Ok(())
}

/// Writes what an event says, of all recipients at once, then what counts, then of its message; returns how many it suppresses.
async fn apply(
    state: &State,
    event: &FeedbackEvent,
    now: Timestamp,
    new_id: &impl Fn() -> Uuid,
) -> Result<usize, StoreError> {
    let message_id = event.message.as_ref().and_then(|message| message.message_id);
    let write = |fact: &RecipientFact| {
        let reason = fact.class.register()?;
        let (suppressions, fact, id) = (&state.suppressions, fact.clone(), new_id());
        Some(async move {
            // Whether a soft bounce is an automatic reply shows the record of its message.
            let source = match message_id.filter(|_| fact.class == FeedbackClass::Soft) {
                Some(message_id) => format!("{}#{message_id}", fact.feedback_id),
                None => fact.feedback_id,
            };
            let evidence = Evidence {
                subtype: &fact.subtype,
                diagnostic: fact.diagnostic.as_deref(),
                source: &source,
            };
            suppressions.record(&fact.address, reason, fact.at, evidence, id).await
        })
    };
    let writes: Vec<_> = event.facts.iter().filter_map(write).collect();
    let suppressed = event.facts.iter().filter(|fact| fact.class.suppresses()).count();
    // All of them are tried, whatever one of them says; the event comes again if one failed. Nobody waits for the marks and the
    // record, so they take the connections that are open.
    let written = future::join_all(writes).await;
    let marked = future::join_all(event.marks.iter().map(|mark| state.marks.put(mark))).await;
    let recorded = match &event.message {
        Some(message) => {
            state
                .messages
                .add_event(message, state.message_retention.expires_at(now))
                .await
        }
        None => Ok(()),
    };
    written
        .into_iter()
        .chain(marked)
        .chain([recorded])
        .collect::<Result<(), _>>()?;
    watch_for_storms(state, event).await?;
    tracing::info!(
        kind = event.kind,
        ses.id = event.ses_message_id,
        recipients = event.facts.len(),
        suppressed,
        "an event was handled"
    );
    Ok(suppressed)
}

/// Raises the alarm when a domain turns away one mail after the other; whether its addresses are suppressed is judged when
/// somebody is about to send.
async fn watch_for_storms(state: &State, event: &FeedbackEvent) -> Result<(), StoreError> {
    let mut blocks: Vec<_> = event.marks.iter().filter(|mark| mark.kind == MarkKind::Block).collect();
    blocks.dedup_by_key(|mark| &mark.domain);
    for Mark { domain, at, .. } in blocks {
        if state.marks.in_storm(domain, *at).await? {
            tracing::error!(
                cause = "blocked",
                domain,
                "a domain blocks mail after mail: see docs/OPERATIONS.md"
            );
        }
    }
    Ok(())
}
