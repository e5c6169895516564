//! Measures what a function costs, from its process's start to its thousandth mail.
//!
//! A function runs here as it does on Lambda: a process that fetches its events from the Runtime API and reaches
//! DynamoDB and SES over TLS. All three are emulated in this process, on 127.0.0.1, and answer at once or after a
//! latency that is asked for, so that what is measured is the function itself.
//!
//! | module | concept |
//! |---|---|
//! | `times`, `count`, `link_check` | the commands |
//! | `subject`, `environment` | what is measured, with which event and which variables |
//! | `world`, `certificates`, `dynamodb`, `ses` | the services around a function |
//! | `runtime_api`, `run`, `process`, `cgroup` | one process, from its start to its end |
//! | `http`, `server` | HTTP/1.1 over TCP or TLS, as far as the services need it |
//! | `callgrind`, `slow_clock`, `baseline` | instructions, and what they may be |
//! | `statistics`, `summary`, `package`, `machine` | figures |
//! | `table`, `chart`, `document` | how they are shown |
//!
//! Times depend on the machine and on what else it does; instructions do not. Only instructions are compared with a
//! baseline.

mod baseline;
mod callgrind;
mod certificates;
mod cgroup;
mod chart;
mod cloudwatch;
mod count;
mod document;
mod dynamodb;
mod environment;
mod http;
mod link_check;
mod machine;
mod package;
mod process;
mod run;
mod runtime_api;
mod server;
mod ses;
mod slow_clock;
mod statistics;
mod subject;
mod summary;
mod table;
mod times;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures what Okite's functions cost.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures times, CPU, memory and sizes, and writes a table and a chart.
    Times(times::Arguments),
    /// Counts instructions under callgrind, and compares them with a baseline.
    Count(count::Arguments),
    /// Fails if a function links CPU-jitter entropy or a second TLS stack.
    LinkCheck(link_check::Arguments),
}

#[expect(clippy::print_stderr, reason = "why a command failed goes to its user")]
fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Times(arguments) => times::run(&arguments),
        Command::Count(arguments) => count::run(&arguments),
        Command::LinkCheck(arguments) => link_check::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}
