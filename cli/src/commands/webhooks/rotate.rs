//! `okite webhooks rotate`: gives a webhook a new secret. Both sign for 24 hours.

use clap::Args;
use domain::webhook::{Endpoint, SigningSecret};

use super::{SECRET_VARIABLE, json_with_secret};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::webhook_tables::{WebhookError, WebhooksTable, draw_secret};

/// Give a webhook a new secret; for 24 hours, requests carry signatures of both secrets
///
/// Prints the line of an `.env` file with the new secret, which is shown only now. A second rotation ends the first
/// secret at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite webhooks rotate 01980000-0000-7000-8000-000000000000 --stack okite")]
pub(crate) struct RotateCommand {
    /// Id of the webhook, as `okite webhooks list` shows it
    id: String,
    /// Print a JSON object instead of the line with the secret
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl RotateCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { id, json, target } = self;
        block_on(async {
            let (endpoint, secret, until) = rotate(&id, &target.into()).await?;
            note!("The webhook {id} has a new secret, which is shown only now.{until}");
            if json {
                say!("{:#}", json_with_secret(&endpoint, &secret))?;
            } else {
                say!("{SECRET_VARIABLE}={}", secret.reveal())?;
            }
            Ok(Exit::Success)
        })
    }
}

/// Gives a webhook a new secret. Returns until when the old one signs, for a person.
async fn rotate(id: &str, target: &Target) -> Result<(Endpoint, SigningSecret, String), WebhookError> {
    let table = WebhooksTable::of(target).await?;
    let endpoint = table.get_with_url(id).await?;
    let (secret, now) = (draw_secret()?, target.now());
    // A repeated write with the same secret changes nothing.
    let rotated = retry_throttled(async || table.webhooks.rotate(id, &secret, now).await).await;
    let secrets = rotated.map_err(|error| table.error(&error))?;
    let secrets = secrets.ok_or_else(|| table.unknown(id))?;
    let until = secrets
        .previous
        .map(|(_, until)| format!(" The one before signs too, until {until}."));
    Ok((endpoint, secret, until.unwrap_or_default()))
}
