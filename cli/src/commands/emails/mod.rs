//! `okite emails`: the records of emails, and the emails that wait.

mod cancel;
mod reschedule;
mod search;
mod settle;
mod show;
mod unknown;
mod waiting;

use aws::{Messages, StoreError};
use clap::{Args, Subcommand};
use domain::queue::ScheduleError;
use domain::record::{DeliveryState, MessageRecord};
use jiff::Timestamp;
use uuid::Uuid;

use crate::execution::CommandResult;
use crate::target::{MESSAGES, Resolved, Target, TargetError};

/// Show an email, cancel or reschedule one that waits, and settle those whose outcome is unknown
#[derive(Debug, Args)]
pub(crate) struct EmailsCommand {
    #[command(subcommand)]
    action: EmailsAction,
}

#[derive(Debug, Subcommand)]
enum EmailsAction {
    Show(show::ShowCommand),
    Cancel(cancel::CancelCommand),
    Reschedule(reschedule::RescheduleCommand),
    Unknown(unknown::UnknownCommand),
    Settle(settle::SettleCommand),
}

impl EmailsCommand {
    pub(crate) fn run(self) -> CommandResult {
        match self.action {
            EmailsAction::Show(command) => command.run(),
            EmailsAction::Cancel(command) => command.run(),
            EmailsAction::Reschedule(command) => command.run(),
            EmailsAction::Unknown(command) => command.run(),
            EmailsAction::Settle(command) => command.run(),
        }
    }
}

/// Why a command on emails failed.
#[derive(Debug, thiserror::Error)]
enum EmailsError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("`{0}` is not an email id. Use the field `id` of the answer to a request, or Amazon SES's id")]
    Id(String),
    #[error(
        "there is no email with the id {id} in {target_name}. Its record may have expired, or it may belong to another \
         target"
    )]
    NotFound { id: String, target_name: String },
    #[error("a request may still be sending the email {id}. Nothing was changed: run this command again after {from}")]
    TooEarly { id: Uuid, from: Timestamp },
    #[error(
        "the email {id} waits in the queue, until {deadline} at the latest. Nothing was changed: only an email with an \
         unknown outcome can be settled"
    )]
    Waits { id: Uuid, deadline: Timestamp },
    #[error(
        "the email {0} was queued, so no request sends it again, and it cannot be settled as not sent. Nothing was \
         changed: if it was not sent, send it in a new request with a new Idempotency-Key"
    )]
    WasQueued(Uuid),
    #[error(
        "the email {id} is recorded as {recorded}, so it cannot be settled as {wanted}. Nothing was changed: `okite \
         emails show {id}` shows the record"
    )]
    Contradicts {
        id: Uuid,
        recorded: &'static str,
        wanted: &'static str,
    },
    #[error(
        "the email {id} is {state} and does not wait any more. Nothing was changed: `okite emails show {id}` shows the \
         record"
    )]
    TooLate { id: Uuid, state: &'static str },
    #[error("the email {id} cannot be sent at that time: {reason}. Nothing was changed")]
    Time { id: Uuid, reason: ScheduleError },
    #[error("an email that waits is stored in two tables: name the stack with --stack instead of --table")]
    SingleTable,
    #[error("the tables did not answer in time. Nothing was changed: run this command again")]
    OutOfTime,
    #[error("it is not known whether the email {id} was changed: {reason}. Run this command again")]
    Unanswered { id: Uuid, reason: String },
    #[error("the email {0} kept changing while it was read. Nothing was changed: run this command again")]
    Changing(Uuid),
    #[error("the table of messages {table} could not be read or written: {reason}")]
    Store { table: String, reason: String },
}

/// The table of messages of a target.
struct MessagesTable {
    messages: Messages,
    target: Target,
    resolved: Resolved,
}

impl MessagesTable {
    async fn of(target: &Target) -> Result<Self, EmailsError> {
        let resolved = target.resolve(MESSAGES).await?;
        Ok(Self {
            messages: Messages::new(aws::dynamodb(&resolved.config), resolved.name.clone()),
            target: target.clone(),
            resolved,
        })
    }

    fn error(&self, error: &StoreError) -> EmailsError {
        self.target.store_error(error, |reason| EmailsError::Store {
            table: self.resolved.name.clone(),
            reason,
        })
    }
}

/// Parses Okite's id of an email.
pub(crate) fn parse_id(text: &str) -> Result<Uuid, &'static str> {
    text.parse()
        .map_err(|_| "this is not Okite's id of an email: use the field `id` of the answer to its request")
}

/// Returns the word for the state of an email.
fn state(record: &MessageRecord, now: Timestamp) -> &'static str {
    match record.state(now) {
        DeliveryState::Queued => "queued",
        DeliveryState::Scheduled(_) => "scheduled",
        DeliveryState::Failed => "failed",
        DeliveryState::Canceled => "canceled",
        DeliveryState::Sending(_) => "sending",
        DeliveryState::Refused => "not sent",
        DeliveryState::Suppressed => "suppressed",
        DeliveryState::Unknown => "unknown",
        DeliveryState::Sent => "sent",
    }
}
