//! The SES account that a domain is set up in: of an `okite up`, of a stack, or of a region.

use std::path::PathBuf;

use aws_sdk_sesv2::Client;

use crate::local::DEFAULT_DATA_DIR;
use crate::target::syntax::{parse_region, parse_stack};
use crate::target::{CONFIGURATION_SET, Target, TargetError, account_configuration};

/// The options that name the account.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AccountArguments {
    /// Work on the `okite up` with this data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, conflicts_with_all = ["stack", "region"])]
    data_dir: PathBuf,
    /// Work on the AWS account and region of this CloudFormation stack
    #[arg(long, value_name = "NAME", value_parser = parse_stack)]
    stack: Option<String>,
    /// Work on your AWS account in this region, such as eu-west-1; no stack is needed
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<String>,
}

/// The SES of an account in a region.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) client: Client,
    pub(super) region: String,
    /// Whether it is that of an `okite up`, whose domains are in no DNS.
    pub(super) is_simulated: bool,
    /// The options that name it, for a command to copy.
    pub(super) options: String,
}

impl AccountArguments {
    pub(super) async fn open(self) -> Result<Account, TargetError> {
        let Self {
            data_dir,
            stack,
            region,
        } = self;
        let (options, is_simulated) = match (&stack, &region) {
            (Some(stack), Some(region)) => (format!(" --stack {stack} --region {region}"), false),
            (Some(stack), None) => (format!(" --stack {stack}"), false),
            (None, Some(region)) => (format!(" --region {region}"), false),
            (None, None) if data_dir.as_os_str() == DEFAULT_DATA_DIR => (String::new(), true),
            (None, None) => (format!(" --data-dir {}", data_dir.display()), true),
        };
        let config = match (stack, region) {
            (None, Some(region)) => account_configuration(&region).await?,
            (Some(name), region) => {
                Target::Stack { name, region }
                    .resolve(CONFIGURATION_SET)
                    .await?
                    .ses_config
            }
            (None, None) => Target::Local { data_dir }.resolve(CONFIGURATION_SET).await?.ses_config,
        };
        Ok(Account {
            client: aws::sesv2(&config),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            is_simulated,
            options,
        })
    }
}
