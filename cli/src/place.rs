//! Where a command works: in an `okite up` on this machine, or in AWS.

use std::error::Error;
use std::path::PathBuf;

use aws;
use aws_config::{Region, SdkConfig};
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use jiff::Timestamp;
use local_aws::clock::Clock;
use serde_json::Value;

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
            (None, Some(name)) => Self::Part { name, region },
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
    /// A part in AWS by its own name: a table, or a queue by its URL.
    Part {
        /// The part's name.
        name: String,
        /// Its region, if not the configured one.
        region: Option<String>,
    },
}

/// A part of Okite, by the names that lead to it.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What it is, for a person.
    kind: &'static str,
    /// The output of the stack that names it.
    output: &'static str,
    /// Where `local.json` has the URL of its service.
    local_endpoint: &'static str,
    /// Where `local.json` has its name.
    local_name: &'static str,
}

impl Part {
    const fn table(output: &'static str, local_name: &'static str) -> Self {
        Self {
            kind: "table",
            output,
            local_endpoint: "/dynamodb_url",
            local_name,
        }
    }
}

/// The table of API keys.
pub const API_KEYS: Part = Part::table("ApiKeysTable", "/functions/send-api/env/API_KEYS_TABLE");
/// The table of suppressions.
pub const SUPPRESSIONS: Part = Part::table("SuppressionsTable", "/functions/send-api/env/SUPPRESSIONS_TABLE");
/// The table of messages.
pub const MESSAGES: Part = Part::table("MessagesTable", "/functions/send-api/env/MESSAGES_TABLE");
/// The table of usage.
pub const USAGE: Part = Part::table("UsageTable", "/functions/send-api/env/USAGE_TABLE");
/// The configuration set that mail is sent with.
pub const CONFIGURATION_SET: Part = Part {
    kind: "configuration set",
    output: "ConfigurationSet",
    local_endpoint: "/ses_url",
    local_name: "/functions/send-api/env/CONFIGURATION_SET",
};
/// The topic that events of SES go to.
pub const FEEDBACK_TOPIC: Part = Part {
    kind: "topic",
    output: "FeedbackTopicArn",
    local_endpoint: "/sns_url",
    local_name: "/functions/feedback/env/FEEDBACK_TOPIC_ARN",
};
/// CloudWatch, which has no part of a name of its own: it is where the configuration set is.
pub const CLOUDWATCH: Part = Part {
    local_endpoint: "/cloudwatch_url",
    ..CONFIGURATION_SET
};
/// The HTTP API, whose name is its URL.
pub const SEND_API: Part = Part {
    kind: "API",
    output: "ApiUrl",
    local_endpoint: "/url",
    local_name: "/url",
};
/// The queue of the events that were given up.
pub const DEAD_LETTER_QUEUE: Part = Part {
    kind: "queue",
    output: "FeedbackDeadLetterQueueUrl",
    local_endpoint: "/sqs_url",
    local_name: "/queues/FeedbackDeadLetterQueue",
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
    /// Nothing says the region.
    #[error("no region is configured: name it with --region, or in AWS_REGION")]
    NoRegion,
    /// The stack has no such output.
    #[error("the stack {stack} has no output {output}: it is not a stack of Okite, or its deployment has not ended")]
    NoOutput {
        /// The stack.
        stack: String,
        /// The output.
        output: &'static str,
    },
}

/// A part, and how to reach it and what is beside it.
#[derive(Clone, Debug)]
pub struct Located {
    /// What a client of its service is configured with.
    pub config: SdkConfig,
    /// What an SES client of the same account and region is configured with.
    pub ses_config: SdkConfig,
    /// The part's name.
    pub name: String,
    /// The place, for a person.
    pub place: String,
}

impl Located {
    /// Returns the region that it is in.
    ///
    /// # Errors
    /// [`PlaceError`] if nothing says it.
    pub fn region(&self) -> Result<String, PlaceError> {
        let region = self.config.region().map(ToString::to_string);
        region.ok_or(PlaceError::NoRegion)
    }
}

impl Place {
    /// Finds a part.
    ///
    /// # Errors
    /// [`PlaceError`] says what to do.
    pub async fn locate(&self, part: Part) -> Result<Located, PlaceError> {
        match self {
            Self::Local { data_dir } => {
                let local = std::fs::read(local_aws::data_dir::local_json(data_dir)).ok();
                let local: Option<Value> = local.and_then(|json| serde_json::from_slice(&json).ok());
                let text = |pointer: &str| local.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
                text(part.local_endpoint)
                    .zip(text("/ses_url"))
                    .zip(text(part.local_name))
                    .map(|((endpoint, ses), name)| Located {
                        config: local_config(&endpoint),
                        ses_config: local_config(&ses),
                        name,
                        place: format!("the `okite up` of {}", data_dir.display()),
                    })
                    .ok_or_else(|| PlaceError::NotRunning(data_dir.clone()))
            }
            Self::Stack { name: stack, region } => {
                let config = operator_config(region.as_deref()).await;
                let name = output_of_stack(&config, stack, part.output).await?;
                Ok(Located {
                    ses_config: config.clone(),
                    config,
                    name,
                    place: format!("the stack {stack}"),
                })
            }
            Self::Part { name, region } => {
                let config = operator_config(region.as_deref()).await;
                Ok(Located {
                    ses_config: config.clone(),
                    config,
                    name: name.clone(),
                    place: format!("the {} {name}", part.kind),
                })
            }
        }
    }

    /// Tells the time there: an `okite up` may have a clock of its own, which was set forward.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the outermost functions read the clock by this"
    )]
    pub fn now(&self) -> Timestamp {
        let clock = match self {
            Self::Local { data_dir } => Clock::kept_in(local_aws::data_dir::clock(data_dir)).ok(),
            Self::Stack { .. } | Self::Part { .. } => None,
        };
        clock.map_or_else(Timestamp::now, |clock| clock.now())
    }

    /// Says what it means that the service of a part was not there, if the place knows.
    #[must_use]
    pub fn unreachable(&self) -> Option<PlaceError> {
        match self {
            // Its local.json was left behind by a run that was killed.
            Self::Local { data_dir } => Some(PlaceError::NotRunning(data_dir.clone())),
            Self::Stack { .. } | Self::Part { .. } => None,
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

async fn output_of_stack(config: &SdkConfig, stack: &str, output: &'static str) -> Result<String, PlaceError> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let answer = client
        .describe_stacks()
        .stack_name(stack)
        .send()
        .await
        .map_err(|error| PlaceError::Stack {
            stack: stack.to_owned(),
            reason: match &error {
                // The SDK knows no error of this operation by its type, and shows the code alone of the others.
                SdkError::ServiceError(service) => match service.err().message() {
                    Some(message) => message.to_owned(),
                    None => service.err().to_string(),
                },
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

/// What went wrong, in AWS's words where there are some: an operator's own keys, tables and queues are no secrets.
pub(crate) fn reason(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", reason(source)),
        None => error.to_string(),
    }
}
