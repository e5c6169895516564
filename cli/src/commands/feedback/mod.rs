//! `okite feedback`: the SES events that Okite could not handle.

mod redrive;

use clap::{Args, Subcommand};

use crate::execution::CommandResult;

/// Retry SES events (bounces, complaints, deliveries) that Okite could not handle
#[derive(Debug, Args)]
pub(crate) struct FeedbackCommand {
    #[command(subcommand)]
    action: FeedbackAction,
}

#[derive(Debug, Subcommand)]
enum FeedbackAction {
    Redrive(redrive::RedriveCommand),
}

impl FeedbackCommand {
    pub(crate) fn run(self) -> CommandResult {
        match self.action {
            FeedbackAction::Redrive(command) => command.run(),
        }
    }
}
