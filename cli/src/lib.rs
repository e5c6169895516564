//! The command `okite`.
//!
//! Each command is a file or folder of `commands` with its arguments, its work and its output. What commands share
//! lives beside that folder and uses no command:
//!
//! | module | purpose |
//! |---|---|
//! | [`application`] | describes Okite to local AWS: template, stack name, readiness |
//! | `execution`, `exit` | runs a command to its exit code and prints its error |
//! | `target` | finds the local or deployed Okite that a command works on, and its tables, queues and topics |
//! | `local` | the constants and the client configuration of every `okite up` |
//! | `page` | the page of `okite up`, as one file |
//! | `dead_letter_queue` | the queues of what Okite could not handle |
//! | `dns` | queries DNS |
//! | `identity` | an SES identity, an address or a domain: its state, and the DNS records that it needs |
//! | `aws_error` | shows AWS's own message of an error |
//! | `date`, `duration`, `number` | parse a date, a duration or a whole number |
//! | `plural` | prints a counted noun |
//! | `csv_cell` | keeps a spreadsheet from running a cell as a formula |
//! | `event_feed` | the events of a target as they happen |
//! | `retry` | repeats a call that DynamoDB throttles |
//! | `stop_signal` | the signals that stop a command that runs until then |
//! | `output` | prints, and opens the output file of a report |
//! | `webhook_tables` | the tables and the queue of webhooks |
//! | `terminal` | columns, colours and safe text for a terminal |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub mod application;
mod aws_error;
mod commands;
mod csv_cell;
mod date;
mod dead_letter_queue;
mod dns;
mod duration;
mod event_feed;
mod execution;
mod exit;
mod identity;
mod local;
mod number;
mod output;
mod page;
mod plural;
mod retry;
mod stop_signal;
mod target;
mod terminal;
mod webhook_tables;

pub use commands::up::{ListenOptions, LocalOkite, LocalOptions, SmtpError, UpError};
pub use local::LOCAL_API_KEY;

/// Send mail through Amazon SES, within its quotas and without mailing suppressed addresses.
///
/// Most commands work on the `okite up` of the current directory. To work on a stack in AWS, add `--stack NAME`.
///
/// Exit codes: 0 for success, 1 for an error, 2 for a wrong command line. `okite doctor` also exits with 3 for warnings
/// and 4 for failures.
#[derive(Debug, Parser)]
#[command(name = "okite", version, propagate_version = true)]
struct Okite {
    #[command(subcommand)]
    command: commands::Command,
}

/// Returns the description of the command line, with all commands and options.
#[must_use]
pub fn command_line() -> clap::Command {
    Okite::command()
}

/// Parses the command line, runs its command and returns the exit code.
///
/// Exits with `2` itself when the command line is wrong.
#[must_use]
pub fn run() -> ExitCode {
    Okite::parse().command.run()
}
