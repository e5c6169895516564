//! `okite queue`: how much waits, since when, and why.

mod depth;
mod gather;
mod shown;

use std::io::Write;

use clap::Args;

use crate::execution::{CommandResult, Exit, block_on};
use crate::output;
use crate::target::{Target, TargetArguments, TargetError};

/// Show how many emails wait, since when, and what they wait for
///
/// The command reads an index, within bounds: a larger queue is shown as "at least" a number. It changes nothing.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Example:
  okite queue --stack okite")]
pub(crate) struct QueueCommand {
    /// Print a JSON object instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl QueueCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { json, target } = self;
        block_on(async {
            let queue = gather::gather(&Target::from(target)).await?;
            let mut output = output::stdout();
            if json {
                writeln!(output, "{:#}", shown::json(&queue))?;
            } else {
                write!(output, "{}", shown::text(&queue))?;
            }
            Ok(Exit::Success)
        })
    }
}

/// Why the queue could not be shown.
#[derive(Debug, thiserror::Error)]
enum QueueError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the queue is in several tables: name the stack with --stack instead of --table")]
    SingleTable,
    #[error("the queue could not be read: {0}")]
    Store(String),
    #[error(transparent)]
    DeadLetters(#[from] crate::dead_letter_queue::DeadLetterQueueError),
}
