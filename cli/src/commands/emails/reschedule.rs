//! `okite emails reschedule`: an email that waits gets another time.

use clap::Args;
use domain::queue::reparse_scheduled_at;
use sending::Rescheduling;
use serde_json::json;
use uuid::Uuid;

use super::waiting::Waiting;
use super::{EmailsError, parse_id};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};

/// Give an email that waits another time, or send it now
///
/// The email keeps the span between that time and its deadline. An email that is due is sent when there is room, within
/// some minutes if nothing holds it back.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Examples:
  okite emails reschedule 01980000-0000-7000-8000-000000000000 'in 2 hours' --stack okite
  okite emails reschedule 01980000-0000-7000-8000-000000000000 'in 0 seconds' --stack okite")]
pub(crate) struct RescheduleCommand {
    /// Okite's id of the email
    #[arg(value_parser = parse_id)]
    id: Uuid,
    /// The time, as in RFC 3339 or as `in 10 minutes`; `in 0 seconds` is now
    #[arg(value_name = "TIME")]
    scheduled_at: String,
    /// Print a JSON object with the id and the time
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl RescheduleCommand {
    #[expect(clippy::disallowed_methods, reason = "the command makes the ids")]
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            id,
            scheduled_at,
            json,
            target,
        } = self;
        let target = Target::from(target);
        block_on(async {
            let waiting = Waiting::of(&target).await?;
            let (table, now) = (&waiting.table, target.now());
            let read = retry_throttled(async || table.messages.get(id).await).await;
            let record = read.map_err(|error| table.error(&error))?;
            // A mail that never waited is refused with its state.
            let accepted_at = record
                .and_then(|record| record.queued)
                .map_or(now, |queued| queued.queued_at);
            let scheduled_at = reparse_scheduled_at(&scheduled_at, now, accepted_at);
            let scheduled_at = scheduled_at.map_err(|reason| EmailsError::Time { id, reason })?;
            let new = Rescheduling {
                id,
                scheduled_at,
                token: Uuid::now_v7(),
            };
            let rescheduled = waiting.recall().reschedule(new, &waiting.deadlines()).await;
            rescheduled.map_err(|error| waiting.error(id, error))?;
            if scheduled_at > now {
                note!("The email {id} is scheduled for {scheduled_at}.");
            } else {
                note!("The email {id} is due now.");
            }
            if json {
                say!("{:#}", json!({ "id": id, "scheduled_at": scheduled_at }))?;
            }
            Ok(Exit::Success)
        })
    }
}
