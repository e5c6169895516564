//! One function in a process of its own: the same code that is deployed, linked into this executable.

use registry::Function;

/// Reads the name of a function on the command line.
///
/// # Errors
/// A text that lists the names, for one that is none.
pub fn parse(name: &str) -> Result<Function, String> {
    Function::named(name)
        .ok_or_else(|| format!("name one of {}", registry::FUNCTIONS.map(|known| known.name).join(", ")))
}

/// Runs a function until its parent is gone or stops it.
///
/// # Errors
/// When its environment is not complete, or the Runtime API is gone.
pub fn run(function: Function) -> Result<(), lambda_runtime::Error> {
    local_aws::lambda::end_with_parent();
    function.run()
}
