//! Where a command works: in an `okite up` on this machine, or in AWS.

use std::error::Error;
use std::path::PathBuf;

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudformation::error::SdkError;
use serde_json::Value;
use shared::aws;

use crate::up::local_config;

/// Where the part is that a command works on.
#[derive(Clone, Debug)]
pub enum Place {
    /// In the `okite up` with this data directory.
    Local {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// In a stack in AWS.
    Stack {
        /// The stack's name.
        name: String,
        /// Its region, if not the configured one.
        region: Option<String>,
    },
    /// In AWS, by its own name there.
    Part {
        /// The part's name: that of a table, the URL of a queue.
        name: String,
        /// Its region, if not the configured one.
        region: Option<String>,
    },
}

/// Why there is nothing to work on.
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

/// A part of Okite, by the names that lead to it.
#[derive(Debug)]
pub(crate) struct Part {
    /// What it is, for a person.
    pub(crate) kind: &'static str,
    /// The output of the stack that names it.
    pub(crate) output: &'static str,
    /// Where `local.json` has the URL of its service.
    pub(crate) local_endpoint: &'static str,
    /// Where `local.json` has its name.
    pub(crate) local_name: &'static str,
}

/// A part that was found, and how to reach it.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) config: SdkConfig,
    pub(crate) name: String,
    /// Where it is, for a person.
    pub(crate) place: String,
}

impl Place {
    /// Finds a part.
    pub(crate) async fn locate(&self, part: &Part) -> Result<Located, PlaceError> {
        match self {
            Self::Local { data_dir } => {
                let local = std::fs::read(local_aws::data_dir::local_json(data_dir)).ok();
                let local: Option<Value> = local.and_then(|json| serde_json::from_slice(&json).ok());
                let text = |pointer| local.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
                text(part.local_endpoint)
                    .zip(text(part.local_name))
                    .map(|(endpoint, name)| Located {
                        config: local_config(&endpoint),
                        name,
                        place: format!("the `okite up` of {}", data_dir.display()),
                    })
                    .ok_or_else(|| PlaceError::NotRunning(data_dir.clone()))
            }
            Self::Stack { name: stack, region } => {
                let config = operator_config(region.as_deref()).await;
                let name = output_of_stack(&config, stack, part.output).await?;
                Ok(Located {
                    config,
                    name,
                    place: format!("the stack {stack}"),
                })
            }
            Self::Part { name, region } => Ok(Located {
                config: operator_config(region.as_deref()).await,
                name: name.clone(),
                place: format!("the {} {name}", part.kind),
            }),
        }
    }

    /// What it means when nothing answered: the `local.json` was left behind by a run that was killed.
    pub(crate) fn not_running(&self) -> Option<PlaceError> {
        match self {
            Self::Local { data_dir } => Some(PlaceError::NotRunning(data_dir.clone())),
            _ => None,
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

async fn output_of_stack(config: &SdkConfig, stack: &str, wanted: &'static str) -> Result<String, PlaceError> {
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
        .filter(|output| output.output_key() == Some(wanted))
        .find_map(|output| output.output_value().map(str::to_owned))
        .ok_or_else(|| PlaceError::NoOutput {
            stack: stack.to_owned(),
            output: wanted,
        })
}

/// What went wrong, in AWS's words where there are some: an operator's own keys, tables and queues are no secrets.
pub(crate) fn reason(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", reason(source)),
        None => error.to_string(),
    }
}
