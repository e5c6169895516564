//! Where a list or a report goes: to a file that is not there yet, or to standard output.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a file for its owner's eyes alone, and never over something else; standard output where none is named.
pub(crate) fn open(file: Option<&Path>) -> io::Result<Box<dyn Write>> {
    Ok(match file {
        Some(path) => Box::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?),
        None => Box::new(io::stdout()),
    })
}

/// Says where it goes, for a person.
pub(crate) fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string())
}
