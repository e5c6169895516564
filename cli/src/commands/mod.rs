//! The commands, one file or folder each.
//!
//! To add a command, write its file with a `clap::Args` struct (its doc comment is the `--help` text) that has
//! `run(self) -> CommandResult`, then add it below: its module, its variant and its arm.

mod brake;
mod completions;
#[cfg(test)]
mod conventions;
mod doctor;
mod domains;
mod emails;
mod explain_bounce;
mod feedback;
mod forget;
mod function;
mod incident;
mod keys;
mod listen;
mod man;
mod queue;
mod smtp;
mod status;
mod suppressions;
mod tail;
mod unsubscribe;
pub(crate) mod up;
pub(crate) mod webhooks;

use std::process::ExitCode;

use clap::Subcommand;

use crate::execution::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::UpCommand),
    Smtp(smtp::SmtpCommand),
    Keys(keys::KeysCommand),
    Suppressions(suppressions::SuppressionsCommand),
    Unsubscribe(unsubscribe::UnsubscribeCommand),
    Emails(emails::EmailsCommand),
    Webhooks(webhooks::WebhooksCommand),
    Tail(tail::TailCommand),
    Listen(listen::ListenCommand),
    Forget(forget::ForgetCommand),
    Queue(queue::QueueCommand),
    Status(status::StatusCommand),
    Brake(brake::BrakeCommand),
    Incident(incident::IncidentCommand),
    Feedback(feedback::FeedbackCommand),
    Doctor(doctor::DoctorCommand),
    Domains(domains::DomainsCommand),
    ExplainBounce(explain_bounce::ExplainBounceCommand),
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
    #[command(hide = true)]
    Function(function::FunctionCommand),
}

impl Command {
    /// Runs the command and prints its error, if it has one.
    pub(crate) fn run(self) -> ExitCode {
        let result = match self {
            Self::Up(command) => command.run(),
            Self::Smtp(command) => command.run(),
            Self::Keys(command) => command.run(),
            Self::Suppressions(command) => command.run(),
            Self::Unsubscribe(command) => command.run(),
            Self::Emails(command) => command.run(),
            Self::Webhooks(command) => command.run(),
            Self::Tail(command) => command.run(),
            Self::Listen(command) => command.run(),
            Self::Forget(command) => command.run(),
            Self::Queue(command) => command.run(),
            Self::Status(command) => command.run(),
            Self::Brake(command) => command.run(),
            Self::Incident(command) => command.run(),
            Self::Feedback(command) => command.run(),
            Self::Doctor(command) => command.run(),
            Self::Domains(command) => command.run(),
            Self::ExplainBounce(command) => command.run(),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
            Self::Function(command) => command.run(),
        };
        result.map_or_else(Failure::report, ExitCode::from)
    }
}
