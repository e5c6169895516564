//! The feedback function: it records what SES reports of each mail.
//!
//! SES's events come through SNS, and through a queue if they failed at first. An event updates the suppression
//! registers of its recipients, the record of its message, and the marks by which the account's rates are counted.
//! When all of that is written, the event goes on to the endpoints of webhooks.
//!
//! SNS and Lambda deliver an event at least once and in any order. Every write is idempotent and commutes with every
//! other, so an event that comes twice, late, or after a crash ends in the same tables. The function fails when a write
//! may not have happened, and is called again with the same event.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod caught;
mod config;
mod envelope;
mod sns_event;

use std::collections::BTreeSet;
use std::time::Duration;

use aws::{Evidence, FunctionConfig, Marks, Messages, Recorded, SqsClient, StoreError, Suppressions, TrustError};
use domain::feedback::{
    self, Feedback, FeedbackClass, FeedbackEvent, Mark, MarkKind, RecipientFact, ReportedChoice, UnreadableFeedback,
};
use domain::retention::MessageRetention;
use emitter::{Emitter, NotEmitted};
use futures_util::future;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use runtime::batch::BatchAnswer;
use runtime::function::{self, Invocation};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use config::Config;
pub use envelope::message_texts;

use caught::caught;
use envelope::{Record, Source};

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The types of events that most mails have.
const ROUTINE: [&str; 4] = ["Send", "Delivery", "Open", "Click"];

/// The clients and settings that the function keeps between invocations.
#[derive(Debug)]
pub struct State {
    topic_arn: String,
    /// The account that owns the topic, and so the account that sends.
    account_id: String,
    suppressions: Suppressions,
    messages: Messages,
    marks: Marks,
    emitter: Emitter,
    /// How long the record of a message is kept.
    message_retention: MessageRetention,
}

impl State {
    /// Makes the clients for the tables of the configuration, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the certificates for TLS cannot be used.
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let state = Self::with_clients(config, aws.dynamodb_for_events(), aws.sqs_for_worker());
        aws.open_dynamodb().await;
        Ok(state)
    }

    /// Makes the function with these clients: see [`aws::dynamodb`] and [`aws::sqs_for_worker`].
    #[must_use]
    pub fn with_clients(config: Config, dynamodb: aws_sdk_dynamodb::Client, sqs: impl Into<SqsClient>) -> Self {
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
            emitter: Emitter::new(config.emitter, &dynamodb, sqs),
            suppressions: Suppressions::new(dynamodb.clone(), config.suppressions_table),
            messages: Messages::new(dynamodb.clone(), config.messages_table),
            marks: Marks::new(dynamodb, config.usage_table),
        }
    }
}

/// An event was not handled in full. Lambda calls again with it.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// The event comes from none of the callers of the function.
    #[error("the event, or one of its records, is neither from SNS or SQS nor an event of Amazon SES")]
    UnknownSource,
    /// The message comes from another topic.
    #[error("a message came from a topic that is not of this stack")]
    ForeignTopic,
    /// The event is about a mail of another account.
    #[error("an event is about a mail of another account")]
    ForeignAccount,
    /// The message is no event of SES. A person has to look at it.
    #[error(transparent)]
    Unreadable(#[from] UnreadableFeedback),
    /// Some recipients should be suppressed, and their addresses cannot be read. The others are suppressed.
    #[error("{0} recipients of an event should be suppressed, but their addresses cannot be read")]
    UnreadableRecipients(usize),
    /// A write may not have happened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Everything is written, and the event may not be on its way to every endpoint of webhooks.
    #[error("an event may not be on its way to every webhook: {0}")]
    NotEmitted(#[from] NotEmitted),
    /// The code has a fault that this event brings out. A person has to look at it.
    #[error("the handling of an event panicked")]
    Panicked,
}

impl FeedbackError {
    /// Returns the cause as a field of the log. An alarm of the template counts those that are `foreign`.
    fn cause(&self) -> &'static str {
        match self {
            Self::ForeignTopic | Self::ForeignAccount => "foreign",
            Self::UnknownSource | Self::Unreadable(_) | Self::UnreadableRecipients(_) => "unreadable",
            Self::Store(_) => "store",
            Self::NotEmitted(_) => "not_emitted",
            Self::Panicked => "panic",
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

/// The answer of the function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The answer to a call with messages of SES.
    Handled(Handled),
    /// The answer to a queue.
    Batch(BatchAnswer),
}

/// The counts of a call's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Handled {
    /// The number of events of SES that were handled.
    pub events: usize,
    /// The number of messages by which SES tested the topic.
    pub set_up: usize,
    /// The number of recipients that an event suppresses by itself.
    pub suppressed: usize,
}

/// Runs the function until Lambda ends it.
///
/// # Errors
/// When the environment is not complete, or the Runtime API is gone.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        env!("CARGO_CRATE_NAME"),
        TIMEOUT,
        Config::read,
        State::new,
        async |state: &State, call: Invocation<Value>| {
            let handled = handle(state, call.event, call.now, || call.ids.new_id()).await;
            // The runtime would log the whole error, with an answer of DynamoDB in it. This is its text alone.
            handled.map_err(Diagnostic::from)
        },
    )
    .await
}

/// Handles a call of SNS, of a queue or of a person. `new_id` makes the ids of addresses that were not on record
/// (`UUIDv7`). Every failure is logged.
///
/// # Errors
/// [`FeedbackError`] for the first message that was not handled; the others are handled all the same. A failed record
/// of a queue is no error: the answer names it.
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
            // Side by side: while DynamoDB is down each record takes seconds to fail. Ten in a row would outlast the
            // function, and the records that could be handled would fail as well.
            let failed = future::join_all(records.into_iter().map(handle)).await;
            Ok(Answer::Batch(failed.into_iter().flatten().collect()))
        }
    }
}

/// Handles a record of a queue. Returns the id of the record if it has to come again; an empty one makes the whole
/// batch come again.
async fn handle_record(
    state: &State,
    record: Record,
    now: Timestamp,
    new_id: &impl Fn() -> Uuid,
) -> Result<Handled, String> {
    let id = record.message_id.as_deref();
    let handled = match caught(async { record.messages() }).await {
        Ok(messages) => handle_messages(state, &messages, now, new_id, id).await,
        Err(error) => {
            log_failure(&error, id);
            Err(error)
        }
    };
    handled.map_err(|_| record.message_id.unwrap_or_default())
}

/// Handles all messages, even if one of them fails. `id` is that of their record, if they come from a queue.
async fn handle_messages(
    state: &State,
    messages: &[sns_event::Message],
    now: Timestamp,
    new_id: &impl Fn() -> Uuid,
    id: Option<&str>,
) -> Result<Handled, FeedbackError> {
    let mut handled = Handled::default();
    let mut failed = None;
    for message in messages {
        if let Err(error) = caught(handle_message(state, message, now, new_id, &mut handled)).await {
            log_failure(&error, id);
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(handled), Err)
}

/// Logs a failure once, with the id of the record by which a person finds it in the queue.
fn log_failure(error: &FeedbackError, id: Option<&str>) {
    tracing::error!(
        cause = error.cause(),
        record.id = id,
        "an event was not handled: {error}"
    );
}

async fn handle_message(
    state: &State,
    message: &sns_event::Message,
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
            tracing::info!("SES tested the topic");
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
            if event.lists_nobody {
                // The record and the log have it; trying again would name nobody either.
                tracing::error!(
                    cause = "no_recipients",
                    kind = event.kind,
                    ses.id = event.ses_message_id,
                    "an event of a bounce or complaint names no recipient, so nobody was suppressed"
                );
            }
            if event.unreadable_recipients > 0 {
                return Err(FeedbackError::UnreadableRecipients(event.unreadable_recipients));
            }
            handled.events += 1;
        }
    }
    Ok(())
}

/// Writes the registers of all recipients, then the marks, then the record of the message, and emits the event. Returns
/// how many recipients the event suppresses.
async fn apply(
    state: &State,
    event: &FeedbackEvent,
    now: Timestamp,
    new_id: &impl Fn() -> Uuid,
) -> Result<usize, FeedbackError> {
    let message_id = event.message.as_ref().and_then(|message| message.message_id);
    let ses_id = event.ses_message_id.as_deref();
    let write = |fact: &RecipientFact| {
        let reason = fact.class.register()?;
        let (suppressions, fact, id) = (&state.suppressions, fact.clone(), new_id());
        Some(async move {
            // The record of the mail shows whether a soft bounce is an automatic reply, and to callers the mail that
            // made Okite suppress the address.
            let source = match (message_id, ses_id) {
                (Some(message_id), _) => format!("{}#{message_id}", fact.feedback_id),
                (None, Some(ses_id)) if fact.class != FeedbackClass::Soft => format!("{}#{ses_id}", fact.feedback_id),
                (None, _) => fact.feedback_id.clone(),
            };
            let evidence = Evidence {
                subtype: &fact.subtype,
                diagnostic: fact.diagnostic.as_deref(),
                bounce_reason: fact.reason,
                source: &source,
            };
            let recorded = suppressions
                .record(&fact.address, reason, fact.at, evidence, id)
                .await?;
            Ok::<_, StoreError>((fact, recorded))
        })
    };
    let writes: Vec<_> = event.facts.iter().filter_map(write).collect();
    let suppressed = event.facts.iter().filter(|fact| fact.class.suppresses()).count();
    // A failed write does not stop the others; Lambda then retries the event. The marks and the record are not urgent,
    // so they come after the registers and reuse their connections.
    let written = future::join_all(writes).await;
    let choose = |reported: &ReportedChoice| {
        let (suppressions, reported, id) = (&state.suppressions, reported.clone(), new_id());
        async move {
            let ReportedChoice { address, topic, choice } = &reported;
            let recorded = suppressions.record_choice(address, topic, choice, id).await?;
            Ok::<_, StoreError>((reported, recorded))
        }
    };
    let chosen = future::join_all(event.choices.iter().map(choose)).await;
    let marked = future::join_all(event.marks.iter().map(|mark| state.marks.put(mark))).await;
    let recorded = match &event.message {
        Some(message) => {
            let expires_at = state.message_retention.expires_at(message.kept_from);
            state.messages.add_event(message, expires_at).await
        }
        None => Ok(()),
    };
    let written: Vec<_> = written.into_iter().collect::<Result<_, _>>()?;
    let chosen: Vec<_> = chosen.into_iter().collect::<Result<_, _>>()?;
    marked.into_iter().chain([recorded]).collect::<Result<(), _>>()?;
    if let Some(message) = &event.message
        && message.recipients.values().any(|recipient| recipient.forwarded)
    {
        tracing::warn!(
            cause = "forwarded",
            kind = event.kind,
            message.id = message.message_id.map(|id| id.to_string()),
            ses.id = event.ses_message_id,
            "a recipient of an event is not one that the mail was sent to, so an address of the mail forwarded it: see \
             docs/OPERATIONS.md"
        );
    }
    watch_for_storms(state, event).await?;
    // Last: no register, mark or record waits for an endpoint. If it fails, the event comes again and all of it is
    // emitted again, with the same ids.
    let mut events = event.webhook_events();
    events.extend(written.iter().filter_map(|(fact, recorded)| match recorded {
        Recorded::Suppressed { id } => event.suppression_added(fact, id.to_string()),
        Recorded::NothingNew => None,
    }));
    let changed = chosen.iter().filter(|(_, recorded)| recorded.is_new);
    events.extend(changed.map(|(reported, recorded)| event.topic_chosen(reported, recorded.id.to_string())));
    Box::pin(state.emitter.emit(&events, now)).await?;
    log_handled(event, suppressed);
    Ok(suppressed)
}

/// Logs that an event was handled. The events of a usual mail need nobody's attention, and their lines would cost more
/// than half of all log lines.
fn log_handled(event: &FeedbackEvent, suppressed: usize) {
    const HANDLED: &str = "an event was handled";
    if ROUTINE.contains(&event.kind.as_str()) {
        tracing::debug!(kind = event.kind, ses.id = event.ses_message_id, "{HANDLED}");
        return;
    }
    let reasons: BTreeSet<&str> = event
        .facts
        .iter()
        .filter_map(|fact| Some(fact.reason?.as_str()))
        .collect();
    tracing::info!(
        kind = event.kind,
        ses.id = event.ses_message_id,
        recipients = event.facts.len(),
        suppressed,
        choices = event.choices.len(),
        // A field without a value is left out.
        reasons = (!reasons.is_empty()).then(|| reasons.into_iter().collect::<Vec<_>>().join(",")),
        "{HANDLED}"
    );
}

/// Logs an error, which raises an alarm, when a domain rejects one mail after the other. The suppression of its
/// addresses is decided later, at sending.
async fn watch_for_storms(state: &State, event: &FeedbackEvent) -> Result<(), StoreError> {
    let mut blocks: Vec<_> = event.marks.iter().filter(|mark| mark.kind == MarkKind::Block).collect();
    blocks.dedup_by_key(|mark| &mark.domain);
    for Mark { domain, at, .. } in blocks {
        if state.marks.in_storm(domain, *at).await? {
            tracing::error!(
                cause = "blocked",
                domain,
                "a domain rejects one mail after the other: see docs/OPERATIONS.md"
            );
        }
    }
    Ok(())
}
