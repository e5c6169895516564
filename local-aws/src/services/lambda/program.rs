//! The executables of functions.

use std::path::PathBuf;

/// How the process of a function is started.
#[derive(Clone, Debug)]
pub enum Program {
    /// One executable runs every function; the function's name is its last argument.
    ByName {
        /// The executable.
        path: PathBuf,
        /// The arguments before the function's name.
        arguments: Vec<String>,
    },
    /// Each function is an executable of its own, `<folder>/<function>/bootstrap`, as cargo-lambda builds them.
    Bootstraps(PathBuf),
}

impl Program {
    /// Returns the executable of a function and its arguments.
    pub(super) fn command(&self, function: &str) -> (PathBuf, Vec<String>) {
        match self {
            Self::ByName { path, arguments } => {
                let name = std::iter::once(function.to_owned());
                (path.clone(), arguments.iter().cloned().chain(name).collect())
            }
            Self::Bootstraps(folder) => (folder.join(function).join("bootstrap"), Vec::new()),
        }
    }
}
