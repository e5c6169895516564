//! `okite man DIR`: the manual pages.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, CommandFactory};

use crate::Okite;
use crate::execution::{CommandResult, Exit, Failure};
use crate::output::cause;

/// Write the manual pages to a directory
///
/// Writes a page for `okite` and one for each command, such as `okite-keys-create.1`. Pages of the same name are
/// replaced.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite man ~/.local/share/man/man1")]
pub(crate) struct ManCommand {
    /// Directory of the pages; created if it does not exist
    dir: PathBuf,
}

impl ManCommand {
    pub(crate) fn run(self) -> CommandResult {
        write_pages(&self.dir).map_err(|error| {
            Failure::new(format!(
                "the manual pages could not be written to {}: {}. Name a directory that can be written",
                self.dir.display(),
                cause(&error)
            ))
        })?;
        Ok(Exit::Success)
    }
}

/// Writes the page of every command that people see.
fn write_pages(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Okite::command(), dir)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::completions::tests::visible;

    #[test]
    fn every_command_has_a_page_with_its_options() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/man1");
        write_pages(&dir).unwrap();
        let command = Okite::command();
        let mut expected = BTreeSet::from(["okite.1".to_owned()]);
        for path in visible(&command, "") {
            let name = format!("okite-{}.1", path.replace(' ', "-"));
            let page = fs::read_to_string(dir.join(&name)).unwrap().replace('\\', "");
            let mut part = &command;
            for name in path.split(' ') {
                part = part.find_subcommand(name).unwrap();
            }
            let shown = part.get_arguments().filter(|argument| !argument.is_hide_set());
            for long in shown.filter_map(clap::Arg::get_long) {
                assert!(page.contains(&format!("--{long}")), "{name}: --{long}");
            }
            expected.insert(name);
        }
        let written = fs::read_dir(&dir).unwrap();
        let written = written.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(written.collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let command = ManCommand {
            dir: file.path().to_owned(),
        };
        assert!(command.run().is_err());
    }
}
