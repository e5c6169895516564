//! `okite function NAME`: one Lambda function in a process of its own. `okite up` starts these processes. They run the
//! code that is deployed, linked into this executable.

use clap::Args;
use registry::Function;

use crate::execution::{CommandResult, Exit, Failure};

/// Run one function over the Lambda Runtime API; `okite up` uses this command
#[derive(Debug, Args)]
pub(crate) struct FunctionCommand {
    /// Name of the function
    #[arg(value_parser = parse_function)]
    function: Function,
}

/// Finds a function by its name.
fn parse_function(name: &str) -> Result<Function, String> {
    let names = || registry::names().join(", ");
    Function::named(name).ok_or_else(|| format!("the functions are {}", names()))
}

impl FunctionCommand {
    /// Runs the function until its parent process ends or stops it.
    pub(crate) fn run(self) -> CommandResult {
        local_aws::services::lambda::end_with_parent();
        self.function.run().map_err(|error| Failure::new(error.to_string()))?;
        Ok(Exit::Success)
    }
}
