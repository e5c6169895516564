//! The Okite that a command works on: an `okite up` on this machine, or a stack, table or queue in AWS.

mod operator;
mod resource;
pub(crate) mod syntax;

use std::path::{Path, PathBuf};

use aws::StoreError;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::Stack;
use domain::webhook::guard::UrlRules;
use jiff::Timestamp;
use local_aws::clock::Clock;
use serde_json::Value;

use crate::aws_error;
use crate::local::{DEFAULT_DATA_DIR, local_config};

use operator::OperatorError;
pub(crate) use resource::{
    API_KEYS, BULK_DEAD_HINTS, CLOUDWATCH, CONFIGURATION_SET, DEAD_LETTER_QUEUE, DELIVERIES, FEEDBACK_ENDPOINT,
    FEEDBACK_TOPIC, MESSAGES, OUTBOX, Resource, SEND_API, SUPPRESSIONS, TRANSACTIONAL_DEAD_HINTS, TRANSACTIONAL_HINTS,
    USAGE, WEBHOOK_QUEUE, WEBHOOKS,
};

/// The options that name the target of a command.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("aws").args(["stack", "table"]))]
pub(crate) struct TargetArguments {
    /// Work on the `okite up` with this data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, conflicts_with_all = ["stack", "table"])]
    data_dir: PathBuf,
    /// Work on this CloudFormation stack in AWS, with the credentials of your environment or AWS profile
    #[arg(long, value_name = "NAME", value_parser = syntax::parse_stack)]
    stack: Option<String>,
    /// Like --stack, but names the DynamoDB table that the command uses (API keys, messages, suppressions, usage or
    /// webhooks)
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// AWS region of the stack or table, such as eu-west-1 [default: the region of your AWS configuration]
    #[arg(long, conflicts_with = "data_dir", requires = "aws", value_parser = syntax::parse_region)]
    region: Option<String>,
}

impl From<TargetArguments> for Target {
    fn from(arguments: TargetArguments) -> Self {
        let TargetArguments {
            data_dir,
            stack,
            table,
            region,
        } = arguments;
        match (stack, table) {
            (Some(name), _) => Self::Stack { name, region },
            (None, Some(name)) => Self::Resource { name, region },
            (None, None) => Self::Local { data_dir },
        }
    }
}

/// The Okite that a command works on.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// The `okite up` with this data directory.
    Local { data_dir: PathBuf },
    /// A CloudFormation stack. Without a region, the configured one.
    Stack { name: String, region: Option<String> },
    /// A single table by its name, or a queue by its URL. Without a region, the configured one.
    Resource { name: String, region: Option<String> },
}

/// Why a target could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error(
        "no `okite up` runs with the data directory {}. Start one with `okite up`, name its directory with --data-dir, \
         or name a stack in AWS with --stack", .0.display()
    )]
    NotRunning(PathBuf),
    #[error("the stack {stack} could not be looked up: {reason}. Check --stack, --region and your AWS profile")]
    Stack { stack: String, reason: String },
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error(
        "the stack {stack} has no output {output}. Either it is not a stack of Okite, or its deployment has not \
         finished"
    )]
    NoOutput { stack: String, output: &'static str },
}

/// A resource of a target, with the configuration of the clients that reach it.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The configuration of a client of its service.
    pub(crate) config: SdkConfig,
    /// The configuration of an SES client in the same account and region.
    pub(crate) ses_config: SdkConfig,
    /// The name of the resource: of a table, the URL of a queue or an API, the ARN of a topic.
    pub(crate) name: String,
    /// The target for messages: `the stack okite`.
    pub(crate) target_name: String,
}

impl Resolved {
    /// Returns the region of the resource.
    ///
    /// # Errors
    /// [`OperatorError::NoRegion`] if no region is configured.
    pub(crate) fn region(&self) -> Result<String, TargetError> {
        let region = self.config.region().map(ToString::to_string);
        region.ok_or(OperatorError::NoRegion.into())
    }
}

impl Target {
    /// Finds a resource that an older deployment may lack. Returns `None` if it has none, or if the target is a single
    /// table.
    pub(crate) async fn resolve_if_there(&self, resource: Resource) -> Result<Option<Resolved>, TargetError> {
        match (self.resolve(resource).await, self) {
            (_, Self::Resource { .. }) | (Err(TargetError::NoOutput { .. }), _) => Ok(None),
            (Err(TargetError::NotRunning(_)), Self::Local { data_dir }) if local_json(data_dir).is_some() => Ok(None),
            (resolved, _) => resolved.map(Some),
        }
    }

    /// Finds a resource: in `local.json` of the data directory, or in the outputs of the stack.
    pub(crate) async fn resolve(&self, resource: Resource) -> Result<Resolved, TargetError> {
        match self {
            Self::Local { data_dir } => {
                let local = local_json(data_dir);
                let text = |pointer: &str| local.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
                text(resource.local_endpoint)
                    .zip(text("/ses_url"))
                    .zip(text(resource.local_name))
                    .map(|((endpoint, ses), name)| Resolved {
                        config: local_config(&endpoint),
                        ses_config: local_config(&ses),
                        name,
                        target_name: format!("the `okite up` of {}", data_dir.display()),
                    })
                    .ok_or_else(|| TargetError::NotRunning(data_dir.clone()))
            }
            Self::Stack { name: stack, region } => {
                let config = operator::configuration(region.as_deref()).await?;
                let name = stack_output(&config, stack, resource.stack_output).await?;
                Ok(Resolved {
                    ses_config: config.clone(),
                    config,
                    name,
                    target_name: format!("the stack {stack}"),
                })
            }
            Self::Resource { name, region } => {
                let config = operator::configuration(region.as_deref()).await?;
                Ok(Resolved {
                    ses_config: config.clone(),
                    config,
                    name: name.clone(),
                    target_name: format!("the {} {name}", resource.kind),
                })
            }
        }
    }

    /// Returns the rules for the URLs of webhooks. A stack has them in its parameters, an `okite up` allows 127.0.0.1
    /// too. Where the rules are not known, they are those of a stack with default parameters.
    pub(crate) async fn url_rules(&self) -> Result<UrlRules, TargetError> {
        let (ports, loopback) = match self {
            Self::Local { data_dir } => {
                let local = local_json(data_dir);
                let ports = local.as_ref().and_then(|local| {
                    let ports = local.pointer("/functions/send-api/env/WEBHOOK_PORTS")?;
                    ports.as_str().map(str::to_owned)
                });
                (ports, true)
            }
            Self::Stack { name, region } => {
                let config = operator::configuration(region.as_deref()).await?;
                (stack_parameter(&config, name, "WebhookPorts").await?, false)
            }
            Self::Resource { .. } => (None, false),
        };
        let default = UrlRules::default();
        let ports = ports.and_then(|ports| UrlRules::parse_ports(&ports).ok());
        Ok(UrlRules {
            ports: ports.unwrap_or(default.ports),
            loopback,
        })
    }

    /// Returns whether SES is to report each mail that it takes: the parameter of a stack, and else the default.
    pub(crate) async fn reports_sends(&self) -> Result<bool, TargetError> {
        let Self::Stack { name, region } = self else {
            return Ok(true);
        };
        let config = operator::configuration(region.as_deref()).await?;
        let value = stack_parameter(&config, name, "SendEvents").await?;
        Ok(value.as_deref() != Some("false"))
    }

    /// Returns the current time of the target. A test may have set the clock of an `okite up` forward.
    #[expect(clippy::disallowed_methods, reason = "the commands read the clock here")]
    pub(crate) fn now(&self) -> Timestamp {
        let clock = match self {
            Self::Local { data_dir } => Clock::kept_in(local_aws::data_dir::clock(data_dir)).ok(),
            Self::Stack { .. } | Self::Resource { .. } => None,
        };
        clock.map_or_else(Timestamp::now, |clock| clock.now())
    }

    /// Returns the error for a service that refused the connection, if the target explains it: an `okite up` that was
    /// killed leaves its `local.json` behind.
    pub(crate) fn unreachable(&self) -> Option<TargetError> {
        match self {
            Self::Local { data_dir } => Some(TargetError::NotRunning(data_dir.clone())),
            Self::Stack { .. } | Self::Resource { .. } => None,
        }
    }

    /// Returns the error of a command whose table could not be used: the target's own if it explains the failure, else
    /// the one that `otherwise` makes of AWS's message.
    pub(crate) fn store_error<E: From<TargetError>>(
        &self,
        error: &StoreError,
        otherwise: impl FnOnce(String) -> E,
    ) -> E {
        match self.unreachable() {
            Some(unreachable) if error.never_connected() => unreachable.into(),
            _ => otherwise(aws_error::message(error)),
        }
    }
}

/// Returns the configuration of clients for the operator's account in a region, without a stack.
pub(crate) async fn account_configuration(region: &str) -> Result<SdkConfig, TargetError> {
    Ok(operator::configuration(Some(region)).await?)
}

/// Reads what the `okite up` of a data directory says about itself.
fn local_json(data_dir: &Path) -> Option<Value> {
    let json = std::fs::read(local_aws::data_dir::local_json(data_dir)).ok()?;
    serde_json::from_slice(&json).ok()
}

async fn stack_output(config: &SdkConfig, stack: &str, output: &'static str) -> Result<String, TargetError> {
    let stacks = described(config, stack).await?;
    let outputs = stacks.iter().flat_map(Stack::outputs);
    outputs
        .filter(|known| known.output_key() == Some(output))
        .find_map(|known| known.output_value().map(str::to_owned))
        .ok_or_else(|| TargetError::NoOutput {
            stack: stack.to_owned(),
            output,
        })
}

/// Returns the value of a parameter; `None` if the stack has no such parameter.
async fn stack_parameter(config: &SdkConfig, stack: &str, parameter: &str) -> Result<Option<String>, TargetError> {
    let stacks = described(config, stack).await?;
    let parameters = stacks.iter().flat_map(Stack::parameters);
    let mut values = parameters.filter(|known| known.parameter_key() == Some(parameter));
    Ok(values.find_map(|known| known.parameter_value().map(str::to_owned)))
}

async fn described(config: &SdkConfig, stack: &str) -> Result<Vec<Stack>, TargetError> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let answer = client.describe_stacks().stack_name(stack).send().await;
    let answer = answer.map_err(|error| TargetError::Stack {
        stack: stack.to_owned(),
        reason: aws_error::message(&error),
    })?;
    Ok(answer.stacks.unwrap_or_default())
}
