//! `okite keys …`: API keys, in an `okite up` on this machine or in AWS.

use std::error::Error;
use std::path::PathBuf;

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudformation::error::SdkError;
use jiff::Timestamp;
use serde_json::Value;
use shared::api_key::{ApiKey, ApiKeyRecord, Permission};
use shared::aws::{self, ApiKeys};
use shared::stream::Stream;

use crate::up::local_config;

/// The output of the stack that names the table of keys.
const TABLE_OUTPUT: &str = "ApiKeysTable";
/// The longest name of a key, in characters.
const NAME_MAX: usize = 100;

/// Which table of keys is meant.
#[derive(Clone, Debug)]
pub enum KeyTable {
    /// That of the `okite up` with this data directory.
    Local {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// That of a stack in AWS.
    Stack {
        /// The stack's name.
        name: String,
        /// Its region, if not the configured one.
        region: Option<String>,
    },
    /// A table in AWS.
    Table {
        /// The table's name.
        name: String,
        /// Its region, if not the configured one.
        region: Option<String>,
    },
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The name is empty or too long.
    #[error("a key's name must have 1 to {NAME_MAX} characters")]
    Name,
    /// No `okite up` runs there.
    #[error(
        "no `okite up` runs with the data directory {}. Start one, name its directory with --data-dir, or name a stack \
         in AWS with --stack", .0.display()
    )]
    NotRunning(PathBuf),
    /// The stack cannot be looked up.
    #[error("the stack {stack} cannot be looked up: {reason}")]
    Stack {
        /// The stack.
        stack: String,
        /// Why.
        reason: String,
    },
    /// The stack has no such output.
    #[error("the stack {0} has no output {TABLE_OUTPUT}: it is not a stack of Okite, or its deployment has not ended")]
    NoOutput(String),
    /// The table cannot be written.
    #[error("the key could not be written to the table {table}: {reason}")]
    Store {
        /// The table.
        table: String,
        /// Why.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("no random bytes could be drawn: {0}")]
    Random(getrandom::Error),
}

/// A key that was made.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key, secret included.
    pub key: ApiKey,
    /// Where it was made, for a person.
    pub place: String,
}

/// Makes a key with full permission for mail of `stream` from any domain.
///
/// # Errors
/// [`KeysError`] says what to do.
#[expect(clippy::disallowed_methods, reason = "the outermost function reads the clock")]
pub async fn create(name: &str, stream: Stream, table_of: &KeyTable) -> Result<CreatedKey, KeysError> {
    let name = name.trim();
    if !(1..=NAME_MAX).contains(&name.chars().count()) {
        return Err(KeysError::Name);
    }
    let (mut id, mut secret) = ([0; 8], [0; 32]);
    getrandom::fill(&mut id).map_err(KeysError::Random)?;
    getrandom::fill(&mut secret).map_err(KeysError::Random)?;
    let key = ApiKey::from_random(id, secret);
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        secret_sha256: key.secret_hash(),
        name: name.to_owned(),
        permission: Permission::Full,
        stream,
        from_domains: Vec::new(),
        created_at: Timestamp::now(),
    };
    let Located { config, table, place } = locate(table_of).await?;
    let written = ApiKeys::new(aws::dynamodb(&config), table.clone()).put(&record).await;
    written.map_err(|error| match table_of {
        // Its local.json was left behind by a run that was killed.
        KeyTable::Local { data_dir } if error.never_connected() => KeysError::NotRunning(data_dir.clone()),
        _ => KeysError::Store {
            table,
            reason: reason(&error),
        },
    })?;
    Ok(CreatedKey { key, place })
}

/// A table, and how to reach it.
struct Located {
    config: SdkConfig,
    table: String,
    place: String,
}

async fn locate(table: &KeyTable) -> Result<Located, KeysError> {
    match table {
        KeyTable::Local { data_dir } => {
            let local = std::fs::read(local_aws::data_dir::local_json(data_dir)).ok();
            let local: Option<Value> = local.and_then(|json| serde_json::from_slice(&json).ok());
            let text = |pointer| local.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
            text("/dynamodb_url")
                .zip(text("/functions/send-api/env/API_KEYS_TABLE"))
                .map(|(endpoint, table)| Located {
                    config: local_config(&endpoint),
                    table,
                    place: format!("the `okite up` of {}", data_dir.display()),
                })
                .ok_or_else(|| KeysError::NotRunning(data_dir.clone()))
        }
        KeyTable::Stack { name, region } => {
            let config = operator_config(region.as_deref()).await;
            let table = table_of_stack(&config, name).await?;
            Ok(Located {
                config,
                table,
                place: format!("the stack {name}"),
            })
        }
        KeyTable::Table { name, region } => Ok(Located {
            config: operator_config(region.as_deref()).await,
            table: name.clone(),
            place: format!("the table {name}"),
        }),
    }
}

/// What an operator's environment says: the standard credential chain, and the configured region unless one is named.
async fn operator_config(region: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(aws::behavior_version()).http_client(aws::http_client());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}

async fn table_of_stack(config: &SdkConfig, stack: &str) -> Result<String, KeysError> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let answer = client
        .describe_stacks()
        .stack_name(stack)
        .send()
        .await
        .map_err(|error| KeysError::Stack {
            stack: stack.to_owned(),
            reason: match &error {
                SdkError::ServiceError(service) => service.err().to_string(),
                other => reason(other),
            },
        })?;
    let outputs = answer
        .stacks()
        .iter()
        .flat_map(aws_sdk_cloudformation::types::Stack::outputs);
    outputs
        .filter(|output| output.output_key() == Some(TABLE_OUTPUT))
        .find_map(|output| output.output_value().map(str::to_owned))
        .ok_or_else(|| KeysError::NoOutput(stack.to_owned()))
}

/// What went wrong, in AWS's words where there are some: an operator's own keys and tables are no secrets.
fn reason(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", reason(source)),
        None => error.to_string(),
    }
}
