//! Measures the cost of a function, from the start of its process to its thousandth mail.
//!
//! A function runs here as it does on Lambda: a process that fetches its events from the Runtime API and reaches
//! the services of AWS over TLS. All of them are emulated in this process, on loopback addresses, and answer at once or
//! after a chosen latency, so that only the function itself is measured.
//!
//! | module | concept |
//! |---|---|
//! | `times`, `count`, `link_check` | the commands |
//! | `subject`, `environment` | the measured program, its event and its variables |
//! | `world`, `certificates` | the services around a function, and their certificates |
//! | `dynamodb`, `ses`, `sqs`, `cloudwatch` | one emulated service each |
//! | `table_names` | the tables whose requests get answers of their own |
//! | `runtime_api`, `run`, `process`, `cgroup` | one process, from its start to its end |
//! | `http`, `server` | the part of HTTP/1.1 over TCP or TLS that the services need |
//! | `callgrind`, `slow_clock`, `baseline` | instructions, and their limits |
//! | `statistics`, `summary`, `package`, `machine` | figures |
//! | `headline`, `table`, `chart`, `document` | the presentation of the figures |
//!
//! Times depend on the machine and its load. Instructions do not, so only instructions are compared with a
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
mod headline;
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
mod sqs;
mod statistics;
mod subject;
mod summary;
mod table;
mod table_names;
mod times;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measure the cost of Okite's functions
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure times, CPU, memory and sizes, and write a table and a chart
    Times(times::Arguments),
    /// Count instructions under callgrind, and compare them with a baseline
    Count(count::Arguments),
    /// Fail if a function links CPU-jitter entropy or a second TLS stack
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
