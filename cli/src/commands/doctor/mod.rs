//! `okite doctor`: checks an account and a stack for problems.
//!
//! `gather` and [`crate::dns`] read facts. `account`, `identity`, `sender_domain`, `event_pipeline`, `alarms` and
//! `unsubscribe` judge them: each finding is a function of the facts alone. A fact that could not be read becomes a
//! finding with the reason. `self_test` sends mails and waits for their events.

mod account;
mod alarms;
mod event_pipeline;
mod examine;
mod facts;
mod finding;
mod gather;
mod identity;
mod self_test;
mod sender_domain;
#[cfg(test)]
mod tests;
mod unsubscribe;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::dns::ResolverAddress;
use crate::execution::{CommandResult, Failure, block_on};
use crate::identity::parse_identity;
use crate::local::{DEFAULT_DATA_DIR, LOCAL_API_KEY};
use crate::output;
use crate::target::Target;
use crate::target::syntax::{parse_region, parse_stack};
use crate::terminal::Colours;

use examine::DiagnosisOptions;
use finding::Diagnosis;

/// Check the account, identities, DNS and event pipeline for problems
///
/// Each check prints ok, warn, FAIL or not checked. A problem comes with the reason why it matters and what to do. The
/// command changes nothing, and sends mail only with --self-test. SES allows one call a second, so ten identities take
/// about 15 seconds.
///
/// Exits with 0 if nothing is wrong, with 3 if there are warnings only, with 4 if a check failed, and with 1 if the
/// target was not found.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite doctor --stack okite --from hello@example.com --self-test")]
pub(crate) struct DoctorCommand {
    /// Check the `okite up` with this data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, conflicts_with = "stack")]
    data_dir: PathBuf,
    /// Check this CloudFormation stack in AWS, with the credentials of your environment or AWS profile
    #[arg(long, value_name = "NAME", value_parser = parse_stack)]
    stack: Option<String>,
    /// AWS region of the stack, such as eu-west-1 [default: the region of your AWS configuration]
    #[arg(long, requires = "stack", value_parser = parse_region)]
    region: Option<String>,
    /// Address or domain that you send from; may be repeated [default: the first 10 identities of the account]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_identity)]
    from: Vec<String>,
    /// DNS resolver, such as 9.9.9.9 or 127.0.0.1:5353 [default: the resolvers of this machine]
    #[arg(long, value_name = "IP[:PORT]")]
    resolver: Option<ResolverAddress>,
    /// Send a mail to each address of the SES mailbox simulator through the stack, and wait for the events (1 minute at
    /// most)
    #[arg(long)]
    self_test: bool,
    /// API key with full permission for the self-test. Prefer the variable `OKITE_API_KEY`, which stays out of the
    /// shell history
    #[arg(long, requires = "self_test")]
    key: Option<String>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

impl DoctorCommand {
    pub(crate) fn run(self) -> CommandResult {
        block_on(async {
            let json = self.json;
            let diagnosis = self.diagnose().await?;
            let mut output = output::stdout();
            if json {
                writeln!(output, "{:#}", diagnosis.json())?;
            } else {
                write!(output, "{}", diagnosis.shown(Colours::of_stdout()))?;
            }
            Ok(diagnosis.exit())
        })
    }

    async fn diagnose(self) -> Result<Diagnosis, Failure> {
        let local_key = self.stack.is_none().then(|| LOCAL_API_KEY.to_owned());
        let target = match self.stack {
            Some(name) => Target::Stack {
                name,
                region: self.region,
            },
            None => Target::Local {
                data_dir: self.data_dir,
            },
        };
        let key = self.key.or_else(|| std::env::var("OKITE_API_KEY").ok()).or(local_key);
        if self.self_test && key.is_none() {
            return Err(Failure::new(
                "the self-test needs an API key of the stack with full permission: name it with --key or OKITE_API_KEY",
            ));
        }
        let options = DiagnosisOptions {
            target,
            from: self.from,
            resolver: self.resolver,
        };
        let mut examined = examine::examine(&options).await?;
        if let Some(key) = key.filter(|_| self.self_test) {
            let id = examine::new_test_id();
            let findings = examine::self_test(&options, &examined, key, id).await?;
            examined.diagnosis.findings.extend(findings);
        }
        Ok(examined.diagnosis)
    }
}
