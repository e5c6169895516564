//! The list of Okite's functions, by the names of their binaries: a new function is an entry here.
//!
//! `okite up` and the end-to-end tests run functions through it, each in a process of its own and on the same kind of
//! runtime as the deployed binaries.

use std::pin::Pin;

use lambda_runtime::Error;

type Run = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The name of its folder, its package and its binary: `send-api`.
    pub name: &'static str,
    start: fn() -> Run,
}

/// Every function.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "send-api",
        start: || Box::pin(send_api::run()),
    },
    Function {
        name: "ses-api",
        start: || Box::pin(ses_api::run()),
    },
    Function {
        name: "feedback",
        start: || Box::pin(feedback::run()),
    },
    Function {
        name: "quota-reporter",
        start: || Box::pin(quota_reporter::run()),
    },
    Function {
        name: "sender",
        start: || Box::pin(sender::run()),
    },
    Function {
        name: "webhooks",
        start: || Box::pin(webhooks::run()),
    },
];

/// Returns the names of all functions.
#[must_use]
pub fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|function| function.name).collect()
}

impl Function {
    /// Returns the function with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().copied().find(|function| function.name == name)
    }

    /// Runs the function until its Runtime API is gone, on a runtime with one thread, as the deployed binary does.
    ///
    /// # Errors
    /// When its environment is not complete, or the Runtime API is gone.
    pub fn run(self) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on((self.start)())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn lists_every_folder_that_builds_a_function() {
        let functions = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let folders = functions.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let folders: BTreeSet<String> = folders
            .filter(|folder| folder.join("src/main.rs").is_file())
            .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let listed: BTreeSet<String> = names().into_iter().map(str::to_owned).collect();
        assert_eq!(listed, folders);
    }

    #[test]
    fn finds_a_function_by_its_name() {
        assert_eq!(
            Function::named("feedback").map(|function| function.name),
            Some("feedback")
        );
        assert!(Function::named("mailer").is_none());
    }
}
