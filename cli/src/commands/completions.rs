//! `okite completions SHELL`: what a shell completes after `okite`.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::Okite;
use crate::execution::{CommandResult, Exit};
use crate::output;

/// Print the completions of a shell
///
/// The shell then completes commands and options after `okite`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite completions bash > ~/.local/share/bash-completion/completions/okite
  okite completions fish > ~/.config/fish/completions/okite.fish")]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

impl CompletionsCommand {
    pub(crate) fn run(self) -> CommandResult {
        // To memory first: clap panics where it cannot write.
        let mut script = Vec::new();
        generate(self.shell, &mut Okite::command(), "okite", &mut script);
        output::stdout().write_all(&script)?;
        Ok(Exit::Success)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use clap::ValueEnum;

    use super::*;

    /// Lists every command that people see, with its parents: `keys create`.
    pub(in crate::commands) fn visible(command: &clap::Command, parents: &str) -> Vec<String> {
        let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
        let with_parts = |command: &clap::Command| {
            let path = format!("{parents} {}", command.get_name()).trim_start().to_owned();
            let mut all = vec![path.clone()];
            all.extend(visible(command, &path));
            all
        };
        shown.flat_map(with_parts).collect()
    }

    #[test]
    fn every_shell_completes_every_command_and_option() {
        let command = Okite::command();
        let commands = visible(&command, "");
        assert!(commands.contains(&"keys create".to_owned()));
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            generate(*shell, &mut Okite::command(), "okite", &mut script);
            let script = String::from_utf8(script).unwrap();
            for path in &commands {
                let mut part = &command;
                for name in path.split(' ') {
                    part = part.find_subcommand(name).unwrap();
                    assert!(script.contains(name), "{shell}: {path}");
                }
                for long in part.get_arguments().filter_map(clap::Arg::get_long) {
                    assert!(script.contains(long), "{shell}: {path} --{long}");
                }
            }
        }
    }
}
