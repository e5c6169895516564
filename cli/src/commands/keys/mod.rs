//! `okite keys`: the API keys of a target.

mod create;
mod list;
mod revoke;

use aws::{ApiKeys, StoreError};
use clap::{Args, Subcommand};
use domain::api_key::{ApiKeyRecord, InvalidApiKeyId, KeyPermission};
use domain::stream::Stream;
use serde_json::Value;

use crate::execution::CommandResult;
use crate::target::{API_KEYS, Resolved, Target, TargetError};

/// The longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 100;

/// Create, list and revoke API keys
#[derive(Debug, Args)]
pub(crate) struct KeysCommand {
    #[command(subcommand)]
    action: KeysAction,
}

#[derive(Debug, Subcommand)]
enum KeysAction {
    Create(create::CreateCommand),
    List(list::ListCommand),
    Revoke(revoke::RevokeCommand),
}

impl KeysCommand {
    pub(crate) fn run(self) -> CommandResult {
        match self.action {
            KeysAction::Create(command) => command.run(),
            KeysAction::List(command) => command.run(),
            KeysAction::Revoke(command) => command.run(),
        }
    }
}

/// Why a command on keys failed.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error(transparent)]
    Id(#[from] InvalidApiKeyId),
    #[error(
        "there is no key with the id {id} in {target_name}. It may be revoked already, or belong to another target: \
         `okite keys list` shows all keys"
    )]
    Unknown { id: String, target_name: String },
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the table of keys {table} could not be read or written: {reason}")]
    Store { table: String, reason: String },
    #[error("the operating system returned no random bytes: {0}")]
    Random(getrandom::Error),
}

/// The table of keys of a target.
struct KeysTable {
    keys: ApiKeys,
    target: Target,
    resolved: Resolved,
}

impl KeysTable {
    async fn of(target: &Target) -> Result<Self, KeysError> {
        let resolved = target.resolve(API_KEYS).await?;
        Ok(Self {
            keys: ApiKeys::new(aws::dynamodb(&resolved.config), resolved.name.clone()),
            target: target.clone(),
            resolved,
        })
    }

    fn error(&self, error: &StoreError) -> KeysError {
        self.target.store_error(error, |reason| KeysError::Store {
            table: self.resolved.name.clone(),
            reason,
        })
    }
}

/// Returns a key as a JSON object, without its hash and its secret access key.
fn json(key: &ApiKeyRecord) -> Value {
    serde_json::json!({
        "id": key.id,
        "name": key.name,
        "permission": permission(key),
        "stream": stream(key),
        "topic": key.topic,
        "from_domains": key.from_domains,
        "when_busy": key.when_busy,
        "aws_credentials": key.secret_access_key.is_some(),
        "created_at": key.created_at,
    })
}

fn permission(key: &ApiKeyRecord) -> &'static str {
    match key.permission {
        KeyPermission::Sending => "sending",
        KeyPermission::Full => "full",
    }
}

fn stream(key: &ApiKeyRecord) -> &'static str {
    match key.stream {
        Stream::Transactional => "transactional",
        Stream::Bulk => "bulk",
    }
}
