//! `okite emails cancel`: an email that waits is never sent.

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::parse_id;
use super::waiting::Waiting;
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::target::{Target, TargetArguments};

/// Cancel an email that waits in the queue or for its time; it is never sent
///
/// Cancelling an email twice is fine. An email that is being sent, or was sent, cannot be cancelled: the command then
/// says its state and exits with 1.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Example:
  okite emails cancel 01980000-0000-7000-8000-000000000000 --stack okite")]
pub(crate) struct CancelCommand {
    /// Okite's id of the email
    #[arg(value_parser = parse_id)]
    id: Uuid,
    /// Print a JSON object with the id and the state
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl CancelCommand {
    #[expect(clippy::disallowed_methods, reason = "the command makes the ids")]
    pub(crate) fn run(self) -> CommandResult {
        let Self { id, json, target } = self;
        let target = Target::from(target);
        block_on(async {
            let waiting = Waiting::of(&target).await?;
            let token = Uuid::now_v7();
            let cancelled = waiting.recall().cancel(id, token, &waiting.deadlines()).await;
            cancelled.map_err(|error| waiting.error(id, error))?;
            note!("The email {id} is cancelled. It will not be sent.");
            if json {
                say!("{:#}", json!({ "id": id, "state": "canceled" }))?;
            }
            Ok(Exit::Success)
        })
    }
}
