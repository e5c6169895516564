//! `okite webhooks delete`: deletes a webhook. What waits for it is not delivered any more.

use clap::Args;
use serde_json::json;

use super::place;
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::webhook_tables::{WebhookError, WebhooksTable};

/// Delete a webhook; events that wait for it are dropped
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite webhooks delete 01980000-0000-7000-8000-000000000000 --stack okite")]
pub(crate) struct DeleteCommand {
    /// Id of the webhook, as `okite webhooks list` shows it
    id: String,
    /// Print a JSON object with the id
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl DeleteCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { id, json, target } = self;
        block_on(async {
            let (place, target_name) = delete(&id, &target.into()).await?;
            note!("Deleted the webhook {id} ({place}) of {target_name}.");
            if json {
                say!("{:#}", json!({ "id": id, "deleted": true }))?;
            }
            Ok(Exit::Success)
        })
    }
}

/// Deletes a webhook. Returns where its events went, and the target.
///
/// Reads the webhook first: a deletion that the SDK repeats would find nothing.
async fn delete(id: &str, target: &Target) -> Result<(String, String), WebhookError> {
    let table = WebhooksTable::of(target).await?;
    let endpoint = table.get(id).await?;
    let deleted = retry_throttled(async || table.webhooks.delete(id).await).await;
    deleted.map_err(|error| table.error(&error))?;
    Ok((place(&endpoint), table.target_name()))
}
