//! The command `okite`.

use std::process::ExitCode;

fn main() -> ExitCode {
    okite::run()
}
