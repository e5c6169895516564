//! `okite keys revoke`: deletes a key. Functions that hold it in memory stop accepting it within 30 seconds.

use clap::Args;
use domain::api_key::{REMEMBERED, id_of};
use serde_json::json;

use super::{KeysError, KeysTable};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};

/// Revoke an API key; it stops working within 30 seconds
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite keys revoke 0123456789abcdef --stack okite")]
pub(crate) struct RevokeCommand {
    /// Id of the key, as `okite keys list` shows it, its AWS access key id, or the whole key
    id: String,
    /// Print a JSON object with the id
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl RevokeCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { id, json, target } = self;
        block_on(async {
            let revoked = revoke(&id, &target.into()).await?;
            note!(
                "Revoked the key {} of {}. It stops working within {} seconds.",
                revoked.id,
                revoked.target_name,
                REMEMBERED.as_secs()
            );
            if json {
                say!("{:#}", json!({ "id": revoked.id, "revoked": true }))?;
            }
            Ok(Exit::Success)
        })
    }
}

/// A revoked key.
struct RevokedKey {
    id: String,
    target_name: String,
}

/// Deletes a key, given its id, its access key id or the whole key.
///
/// Reads the key first. A deletion that returns what it deleted would return nothing when the SDK repeats it.
async fn revoke(key: &str, target: &Target) -> Result<RevokedKey, KeysError> {
    let id = id_of(key)?;
    let table = KeysTable::of(target).await?;
    let exists = retry_throttled(async || table.keys.contains(&id).await).await;
    if !exists.map_err(|error| table.error(&error))? {
        return Err(KeysError::Unknown {
            id,
            target_name: table.resolved.target_name,
        });
    }
    let deleted = retry_throttled(async || table.keys.delete(&id).await).await;
    deleted.map_err(|error| table.error(&error))?;
    Ok(RevokedKey {
        id,
        target_name: table.resolved.target_name,
    })
}
