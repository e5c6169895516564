//! `okite brake`: stops and releases mail, and shows who did so and why.
//!
//! A change first stores the brake override, which every report obeys. Then it sets the gate, so that the next send
//! obeys too. Figures of the last report and the record of the change come last: no failure there keeps an operator
//! from stopping mail.

mod set;
mod show;

use std::io::Write;

use aws::{BrakeChanges, StoreError, Usage};
use clap::{Args, ValueEnum};
use domain::brake::Brake;

use crate::execution::{CommandResult, Exit, block_on};
use crate::output;
use crate::target::{Resolved, Target, TargetArguments, TargetError, USAGE};

/// The reason of a change for which none was given.
const NO_REASON: &str = "no reason was given";
/// The most characters of a reason or a name. Every report reads them, and the alarm topic gets them.
const NOTE_MAX: usize = 1000;

/// Stop or release mail at once, or show the brake
///
/// Without an argument, shows what is stopped, who set the brake, since when and why, and the last 10 changes. With
/// one, sets a brake override: it takes effect with the next send and stays until `okite brake auto`. While mail is
/// stopped, it waits in the queue, or gets a 503 with retry-after if its caller wants that. Once it is released, mail
/// that waits goes out within two minutes, as far as the sending rate lets it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite brake bulk --why 'bounces of the spring list' --stack okite
  okite brake auto --stack okite")]
pub(crate) struct BrakeCommand {
    /// What to stop, whatever the reports find
    #[arg(value_enum, value_name = "OVERRIDE")]
    brake_override: Option<BrakeOverrideArgument>,
    /// Reason; recorded with the change and sent to the alarm topic
    #[arg(
        long,
        value_name = "TEXT",
        requires = "brake_override",
        default_value = NO_REASON,
        value_parser = parse_note
    )]
    why: String,
    /// Your name; recorded with the change [default: $USER]
    #[arg(long, value_name = "NAME", requires = "brake_override", value_parser = parse_note)]
    by: Option<String>,
    /// Print a JSON object instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// Checks the length of a reason or a name.
fn parse_note(text: &str) -> Result<String, String> {
    if text.chars().count() > NOTE_MAX {
        return Err(format!("give at most {NOTE_MAX} characters"));
    }
    Ok(text.to_owned())
}

/// A brake override, as the operator names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BrakeOverrideArgument {
    /// Stop nothing
    None,
    /// Stop bulk mail
    Bulk,
    /// Stop all mail
    All,
    /// End the override: the reports decide again
    Auto,
}

impl BrakeOverrideArgument {
    /// Returns the brake that it sets, or `None` if the reports decide.
    fn brake(self) -> Option<Brake> {
        match self {
            Self::None => Some(Brake::None),
            Self::Bulk => Some(Brake::Bulk),
            Self::All => Some(Brake::All),
            Self::Auto => None,
        }
    }

    fn as_str(self) -> &'static str {
        self.brake().map_or("auto", Brake::as_str)
    }
}

impl BrakeCommand {
    pub(crate) fn run(self) -> CommandResult {
        let target = self.target.into();
        block_on(async {
            let mut output = output::stdout();
            let Some(brake_override) = self.brake_override else {
                let status = show::show(&target).await?;
                if self.json {
                    writeln!(output, "{:#}", status.json())?;
                } else {
                    write!(output, "{status}")?;
                }
                return Ok(Exit::Success);
            };
            let filled = |text: &String| !text.trim().is_empty();
            let user = || std::env::var("USER").ok().filter(filled);
            let by = self.by.filter(filled).or_else(user);
            let by = by.unwrap_or_else(|| "operator".to_owned());
            let why = Some(self.why).filter(filled).unwrap_or_else(|| NO_REASON.to_owned());
            let set = set::set(&target, brake_override, by, why).await?;
            if self.json {
                writeln!(output, "{:#}", set.json())?;
            } else {
                write!(output, "{set}")?;
            }
            Ok(Exit::Success)
        })
    }
}

/// Why the brake could not be set or shown.
#[derive(Debug, thiserror::Error)]
enum BrakeError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the table {table} could not be read or written. {consequence}. Cause: {reason}")]
    Store {
        table: String,
        /// The brake that is in force after the error.
        consequence: &'static str,
        reason: String,
    },
    #[error(
        "other operators changed the brake at the same moment, and their change is in force. Run this command again"
    )]
    Contended,
}

/// The items of a target that make up the brake.
struct BrakeItems {
    usage: Usage,
    changes: BrakeChanges,
    target: Target,
    resolved: Resolved,
}

impl BrakeItems {
    async fn of(target: &Target) -> Result<Self, BrakeError> {
        let resolved = target.resolve(USAGE).await?;
        let region = resolved.region()?;
        let client = aws::dynamodb(&resolved.config);
        Ok(Self {
            usage: Usage::new(client.clone(), resolved.name.clone(), region.clone()),
            changes: BrakeChanges::new(client, resolved.name.clone(), region),
            target: target.clone(),
            resolved,
        })
    }

    fn error(&self, error: &StoreError, consequence: &'static str) -> BrakeError {
        self.target.store_error(error, |reason| BrakeError::Store {
            table: self.resolved.name.clone(),
            consequence,
            reason,
        })
    }
}
