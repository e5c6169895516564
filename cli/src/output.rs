//! The output of a list or a report: a new file, or standard output.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Why an output could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("{0} already exists: name another file with --output")]
    Exists(String),
    #[error("{output} could not be written: {source}")]
    Write { output: String, source: io::Error },
}

impl OutputError {
    /// Makes the error of an output that has this file name, or is standard output.
    pub(crate) fn of(file: Option<&Path>, source: io::Error) -> Self {
        let output = file.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists(output),
            _ => Self::Write { output, source },
        }
    }
}

/// Creates the file for its owner alone (mode 0600), or returns standard output if there is no file name.
///
/// # Errors
/// [`OutputError`] if the file already exists or cannot be created.
pub(crate) fn open(file: Option<&Path>) -> Result<Box<dyn Write>, OutputError> {
    let Some(path) = file else {
        return Ok(Box::new(io::stdout()));
    };
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(Box::new(created.map_err(|source| OutputError::of(file, source))?))
}
