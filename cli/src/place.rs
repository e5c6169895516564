//! Where a command works: in an `okite up` on this machine, or in AWS.

use std::error::Error;
use std::path::PathBuf;

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudformation::error::SdkError;
use serde_json::Value;
use shared::aws;

use crate::up::{DEFAULT_DATA_DIR, local_config};

/// A place, as it is named on the command line.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("aws").args(["stack", "table"]))]
pub struct PlaceArguments {
    /// The `okite up` that runs with this data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, conflicts_with_all = ["stack", "table"])]
    data_dir: PathBuf,
    /// The stack of this name in AWS; credentials come from the standard chain
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// This table in AWS; credentials come from the standard chain
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// The region of the stack or table, if not the configured one
    #[arg(long, conflicts_with = "data_dir", requires = "aws")]
    region: Option<String>,
}

impl From<PlaceArguments> for Place {
    fn from(arguments: PlaceArguments) -> Self {
        let PlaceArguments {
            data_dir,
            stack,
            table,
            region,
        } = arguments;
        match (stack, table) {
            (Some(name), _) => Self::Stack { name, region },
            (None, Some(name)) => Self::Table { name, region },
            (None, None) => Self::Local { data_dir },
        }
    }
}

/// Where a command works.
#[derive(Clone, Debug)]
pub enum Place {
    /// The `okite up` with this data directory.
    Local {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// A stack in AWS.
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

/// A table of the template, by the names under which it is made known.
#[derive(Clone, Copy, Debug)]
pub struct TableName {
    /// The output of the stack.
    pub output: &'static str,
    /// The variable of the functions.
    pub variable: &'static str,
}

/// The table of API keys.
pub const API_KEYS: TableName = TableName {
    output: "ApiKeysTable",
    variable: "API_KEYS_TABLE",
};
/// The table of suppressions.
pub const SUPPRESSIONS: TableName = TableName {
    output: "SuppressionsTable",
    variable: "SUPPRESSIONS_TABLE",
};
/// The table of messages.
pub const MESSAGES: TableName = TableName {
    output: "MessagesTable",
    variable: "MESSAGES_TABLE",
};

/// Why a place was not found.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
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
    #[error("the stack {stack} has no output {output}: it is not a stack of Okite, or its deployment has not ended")]
    NoOutput {
        /// The stack.
        stack: String,
        /// The output.
        output: &'static str,
    },
}

/// A table, and how to reach it and what is beside it.
#[derive(Clone, Debug)]
pub struct Located {
    /// What a DynamoDB client is configured with.
    pub config: SdkConfig,
    /// What an SES client of the same account and region is configured with.
    pub ses_config: SdkConfig,
    /// The table's name.
    pub table: String,
    /// The place, for a person.
    pub place: String,
}

impl Place {
    /// Finds a table.
    ///
    /// # Errors
    /// [`PlaceError`] says what to do.
    pub async fn locate(&self, wanted: TableName) -> Result<Located, PlaceError> {
        match self {
            Self::Local { data_dir } => {
                let local = std::fs::read(local_aws::data_dir::local_json(data_dir)).ok();
                let local: Option<Value> = local.and_then(|json| serde_json::from_slice(&json).ok());
                let text = |pointer: &str| local.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
                let variable = format!("/functions/send-api/env/{}", wanted.variable);
                text("/dynamodb_url")
                    .zip(text("/ses_url"))
                    .zip(text(&variable))
                    .map(|((dynamodb, ses), table)| Located {
                        config: local_config(&dynamodb),
                        ses_config: local_config(&ses),
                        table,
                        place: format!("the `okite up` of {}", data_dir.display()),
                    })
                    .ok_or_else(|| PlaceError::NotRunning(data_dir.clone()))
            }
            Self::Stack { name, region } => {
                let config = operator_config(region.as_deref()).await;
                let table = table_of_stack(&config, name, wanted.output).await?;
                Ok(Located {
                    ses_config: config.clone(),
                    config,
                    table,
                    place: format!("the stack {name}"),
                })
            }
            Self::Table { name, region } => {
                let config = operator_config(region.as_deref()).await;
                Ok(Located {
                    ses_config: config.clone(),
                    config,
                    table: name.clone(),
                    place: format!("the table {name}"),
                })
            }
        }
    }

    /// Says what it means that a table's DynamoDB was not there, if the place knows.
    #[must_use]
    pub fn unreachable(&self) -> Option<PlaceError> {
        match self {
            // Its local.json was left behind by a run that was killed.
            Self::Local { data_dir } => Some(PlaceError::NotRunning(data_dir.clone())),
            Self::Stack { .. } | Self::Table { .. } => None,
        }
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

async fn table_of_stack(config: &SdkConfig, stack: &str, output: &'static str) -> Result<String, PlaceError> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let answer = client
        .describe_stacks()
        .stack_name(stack)
        .send()
        .await
        .map_err(|error| PlaceError::Stack {
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
        .filter(|known| known.output_key() == Some(output))
        .find_map(|known| known.output_value().map(str::to_owned))
        .ok_or_else(|| PlaceError::NoOutput {
            stack: stack.to_owned(),
            output,
        })
}

/// What went wrong, in AWS's words where there are some: an operator's own keys and tables are no secrets.
pub(crate) fn reason(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", reason(source)),
        None => error.to_string(),
    }
}
