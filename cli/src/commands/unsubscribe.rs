//! `okite unsubscribe`: the secrets under which unsubscribe links are made.

use aws::{StoreError, Usage};
use clap::{Args, Subcommand};
use domain::unsubscribe::{TooManySecrets, UnsubscribeSecret};
use serde_json::json;

use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::plural::counted;
use crate::target::{Target, TargetArguments, TargetError, USAGE};

/// How often the secrets are read again that somebody else changed meanwhile.
const ROUNDS_MAX: usize = 5;

/// Rotate the secret of unsubscribe links
#[derive(Debug, Args)]
pub(crate) struct UnsubscribeCommand {
    #[command(subcommand)]
    action: UnsubscribeAction,
}

#[derive(Debug, Subcommand)]
enum UnsubscribeAction {
    Rotate(RotateCommand),
}

/// Make a new secret for unsubscribe links, and keep the old ones valid
///
/// Okite makes the links of new mail with the new secret within five minutes. Links in mail that was sent before stay
/// valid, because a person may click the link of an old mail. A person who knows an old secret can still make links
/// with it; the rotation protects the links of new mail only. A stack keeps 16 secrets.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite unsubscribe rotate --stack okite")]
struct RotateCommand {
    /// Print the number of secrets as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// Why the secret was not rotated.
#[derive(Debug, thiserror::Error)]
enum UnsubscribeError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the table {table} could not be read or written: {reason}. Run this command again")]
    Store { table: String, reason: String },
    #[error("others changed the secrets at the same moment. Run this command again")]
    Contended,
    #[error(transparent)]
    Full(#[from] TooManySecrets),
    #[error("the operating system returned no random bytes: {0}")]
    Random(getrandom::Error),
}

impl UnsubscribeCommand {
    pub(crate) fn run(self) -> CommandResult {
        let UnsubscribeAction::Rotate(RotateCommand { json, target }) = self.action;
        block_on(async {
            let (secrets, target_name) = rotate(&target.into()).await?;
            match secrets {
                secrets if json => say!("{:#}", json!({ "secrets": secrets }))?,
                1 => note!("There was no secret of unsubscribe links in {target_name}. Now there is one."),
                secrets => note!(
                    "New mail of {target_name} gets links under a new secret. Links under {} stay valid.",
                    counted(secrets - 1, "older secret", "older secrets")
                ),
            }
            Ok(Exit::Success)
        })
    }
}

/// Makes a new secret. Returns how many there are, and the name of the target.
async fn rotate(target: &Target) -> Result<(usize, String), UnsubscribeError> {
    let resolved = target.resolve(USAGE).await?;
    let region = resolved.region()?;
    let usage = Usage::new(aws::dynamodb(&resolved.config), resolved.name.clone(), region);
    let error = |error: StoreError| {
        target.store_error(&error, |reason| UnsubscribeError::Store {
            table: resolved.name.clone(),
            reason,
        })
    };
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(UnsubscribeError::Random)?;
    let new = UnsubscribeSecret::from_random(bytes);
    for _ in 0..ROUNDS_MAX {
        let Some(before) = usage.unsubscribe_secrets().await.map_err(error)? else {
            let first = usage.first_unsubscribe_secret(new.clone()).await.map_err(error)?;
            // Otherwise a function made the first one in the meantime.
            if first.reveal() == [new.reveal()] {
                return Ok((1, resolved.target_name));
            }
            continue;
        };
        let rotated = before.clone().rotated(new.clone())?;
        if usage
            .rotate_unsubscribe_secrets(&before, &rotated)
            .await
            .map_err(error)?
        {
            return Ok((rotated.len(), resolved.target_name));
        }
    }
    Err(UnsubscribeError::Contended)
}
