//! The exit codes of all commands.

use std::process::ExitCode;

/// The result of a command, for a script. Each code has one meaning, whatever the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Success = 0,
    /// The command failed, or did not do all of its work.
    Failed = 1,
    /// The command line is wrong. Clap exits with this code too.
    WrongCommandLine = 2,
    /// `okite doctor` found warnings, and nothing worse.
    Warnings = 3,
    /// `okite doctor` found failures.
    Failures = 4,
    /// A second signal ended a command that was stopping.
    StoppedAtOnce = 130,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_documentation_has_every_code() {
        let document = include_str!("../../docs/CLI.md");
        let section = document.split("\n## Exit codes\n").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok());
        let documented: Vec<u8> = rows.collect();
        let codes = [
            Exit::Success,
            Exit::Failed,
            Exit::WrongCommandLine,
            Exit::Warnings,
            Exit::Failures,
            Exit::StoppedAtOnce,
        ];
        assert_eq!(documented, codes.map(Exit::code));
    }
}
