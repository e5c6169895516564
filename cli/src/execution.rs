//! How a command runs and ends.

use std::process::ExitCode;

pub(crate) use crate::exit::Exit;
use crate::output::{ReaderGone, note};

/// The exit code of a command, or the error that ended it.
pub(crate) type CommandResult = Result<Exit, Failure>;

/// An error that ends a command.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The message; `None` if the command only ends because nobody reads its output.
    message: Option<String>,
    exit: Exit,
}

impl Failure {
    /// Makes a failure that exits with [`Exit::Failed`].
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            exit: Exit::Failed,
        }
    }

    /// Makes a failure of a command line that cannot be carried out. Nothing was done.
    pub(crate) fn of_command_line(why: impl Into<String>) -> Self {
        Self::new(why).exiting_with(Exit::WrongCommandLine)
    }

    /// Changes the exit code.
    pub(crate) fn exiting_with(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Prints the error to standard error and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if let Some(message) = self.message {
            note!("okite: {message}");
        }
        self.exit.into()
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        if ReaderGone::caused(&error) {
            return Self {
                message: None,
                exit: Exit::Success,
            };
        }
        Self::new(error.to_string())
    }
}

/// Runs a command that calls AWS on the current thread.
pub(crate) fn block_on(command: impl Future<Output = CommandResult>) -> CommandResult {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}
