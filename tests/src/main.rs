//! One function in a process of its own, for the end-to-end tests: `run-function <name>`.

use std::process::ExitCode;

use registry::Function;

fn main() -> ExitCode {
    local_aws::services::lambda::end_with_parent();
    let Some(function) = std::env::args().nth(1).as_deref().and_then(Function::named) else {
        let names = registry::names().join(", ");
        // The lint keeps programs from printing in the place of logging; nothing reads a log yet.
        #[expect(clippy::print_stderr, reason = "a wrong argument is for the person who wrote it")]
        {
            eprintln!("name one of {names}");
        }
        return ExitCode::FAILURE;
    };
    // What goes wrong is in the function's log. That the Runtime API went away, when a test is over, is no news.
    match function.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
