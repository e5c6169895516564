//! `okite suppressions`: exports and imports the suppression list.
//!
//! A CSV file has one line for each register of an address, so that an exported list suppresses the same addresses for
//! the same reasons when it is imported elsewhere. Registers only move forward in time: importing a file twice, or a
//! file that is older than the list, changes nothing wrongly.

mod export;
mod from_ses;
mod import;
mod line;

use std::io;

use aws::{ListError, StoreError, Suppressions};
use clap::{Args, Subcommand};

use crate::execution::CommandResult;
use crate::output::{OutputError, cause};
use crate::target::{Resolved, SUPPRESSIONS, Target, TargetError};

/// Export the suppression list to CSV, or import CSV or SES's own list into it
#[derive(Debug, Args)]
pub(crate) struct SuppressionsCommand {
    #[command(subcommand)]
    action: SuppressionsAction,
}

#[derive(Debug, Subcommand)]
enum SuppressionsAction {
    Export(export::ExportCommand),
    Import(import::ImportCommand),
}

impl SuppressionsCommand {
    pub(crate) fn run(self) -> CommandResult {
        match self.action {
            SuppressionsAction::Export(command) => command.run(),
            SuppressionsAction::Import(command) => command.run(),
        }
    }
}

/// Why an export or import failed.
#[derive(Debug, thiserror::Error)]
enum ListMoveError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("{input} could not be read: {}", cause(source))]
    Input { input: String, source: io::Error },
    #[error(
        "{0} has no column of addresses. Its first line must name the columns, and one must be `address` or `email`. \
         Optional columns: reason, since, expires_at, subtype, diagnostic, source, topic, bounce_reason"
    )]
    NoAddressColumn(String),
    #[error(
        "the table {table} could not be read or written: {reason}. Run this command again; it repeats nothing twice"
    )]
    Store { table: String, reason: String },
    #[error("SES's suppression list could not be read: {0}{text}", text = text_of(.0))]
    Ses(#[from] ListError),
}

/// Returns SES's own text, which the error keeps out of logs.
fn text_of(error: &ListError) -> String {
    match error {
        ListError::Failed { text: Some(text), .. } => format!(": {}", text.0),
        _ => String::new(),
    }
}

/// The suppression list of a target.
struct SuppressionList {
    suppressions: Suppressions,
    target: Target,
    resolved: Resolved,
}

impl SuppressionList {
    async fn of(target: &Target) -> Result<Self, ListMoveError> {
        let resolved = target.resolve(SUPPRESSIONS).await?;
        Ok(Self {
            suppressions: Suppressions::new(aws::dynamodb(&resolved.config), resolved.name.clone()),
            target: target.clone(),
            resolved,
        })
    }

    fn error(&self, error: &StoreError) -> ListMoveError {
        self.target.store_error(error, |reason| ListMoveError::Store {
            table: self.resolved.name.clone(),
            reason,
        })
    }
}
