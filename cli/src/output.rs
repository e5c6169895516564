//! The output of a list or a report: a new file, or standard output.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Creates the file for its owner alone (mode 0600), or returns standard output if there is no file name.
///
/// # Errors
/// If the file already exists or cannot be created.
pub(crate) fn open(file: Option<&Path>) -> io::Result<Box<dyn Write>> {
    Ok(match file {
        Some(path) => Box::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?),
        None => Box::new(io::stdout()),
    })
}

/// Returns the name of the output for a message.
pub(crate) fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string())
}
