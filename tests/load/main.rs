//! Load test: whether the gate keeps the account's rate when many clients send at once.
//!
//! For each rate it runs a whole `okite up`, with the functions in processes of their own, and lets clients send over
//! HTTP as fast as possible. It prints times but does not judge them, because they depend on the machine. A run fails
//! if there is a recipient too many, a mail is lost or duplicated, or the counts contradict each other.
//!
//! | module | concept |
//! |---|---|
//! | `stack` | a running Okite |
//! | `clients` | the clients, and the answers that they received |
//! | `ledger` | compares grants, the rate and the mails that SES accepted (its tests are in `end_to_end`) |
//! | `report` | prints the result |
//! | `queued` | the same for mail that waits in the queue |
//! | `webhooks` | events into a fast endpoint, beside a dead one |

mod clients;
mod ledger;
mod queued;
mod report;
mod stack;
mod webhooks;

use std::fmt;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;

use ledger::Ledger;
use queued::QueuedReport;
use report::Report;
use stack::Stack;
use webhooks::WebhooksReport;

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Sends through `okite up` as fast as possible, and compares the sent mail with the rate.
#[derive(Clone, Parser)]
#[command(name = "load")]
struct Arguments {
    /// Sending rate of the SES account, in recipients a second; repeat it for several runs
    #[arg(long = "rate", value_name = "RATE", required = true, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rates: Vec<u32>,
    /// Seconds during which the clients start new mails
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// Number of clients that send at the same time
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    clients: u32,
    /// Recipients of a mail: a number up to 50, or a range that the mails cycle through
    #[arg(long, default_value = "1-5")]
    recipients: Recipients,
    /// Send again at once after an error, and ignore `retry-after`
    #[arg(long)]
    impatient: bool,
    /// Post so many mails at once instead, and let them wait in the queue
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    queued: u32,
    /// With `--queued`: the number of bulk mails that wait already
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    bulk: u32,
    /// Deliver so many events a second to each of two webhooks instead: a fast one, and one that never answers
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    events: u32,
}

impl Arguments {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// The number of recipients of the mails.
#[derive(Clone, Copy)]
struct Recipients {
    least: NonZeroU32,
    most: NonZeroU32,
}

impl Recipients {
    /// Returns the number of recipients of the mail with this number.
    fn of(self, number: u32) -> u32 {
        self.least.get() + number % (self.most.get() - self.least.get() + 1)
    }
}

impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(f, "{least}"),
            (least, most) => write!(f, "{least}-{most}"),
        }
    }
}

impl FromStr for Recipients {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        match (least.parse::<NonZeroU32>(), most.parse::<NonZeroU32>()) {
            (Ok(least), Ok(most)) if least <= most && most.get() <= 50 => Ok(Self { least, most }),
            _ => Err("say a number from 1 to 50, or a range such as 1-5".to_owned()),
        }
    }
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to the person who calls it"
)]
fn main() -> ExitCode {
    // `cargo test` starts every test with arguments that are meant for others: the names of tests, flags of their
    // harness.
    let is_meant = |argument: String| argument.starts_with("--rate") || argument == "--help";
    if !std::env::args().any(is_meant) {
        println!("load: run by hand, cargo test --workspace --test load -- --rate 14 --rate 200");
        return ExitCode::SUCCESS;
    }
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs at every rate, and returns whether every run passed.
#[expect(clippy::print_stdout, reason = "the reports are what it is for")]
fn run(arguments: &Arguments) -> Done<bool> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut is_right = true;
    for &rate in &arguments.rates {
        if arguments.events > 0 {
            let report = runtime.block_on(run_webhooks(rate, arguments))?;
            println!("{report}");
            is_right &= report.is_right();
        } else if arguments.queued > 0 {
            let report = runtime.block_on(run_queued_at(rate, arguments))?;
            println!("{report}");
            is_right &= report.is_right();
        } else {
            let report = runtime.block_on(run_at(rate, arguments))?;
            println!("{report}");
            is_right &= report.is_right();
        }
    }
    Ok(is_right)
}

/// Runs at one rate, on an Okite of its own.
async fn run_at(rate: u32, arguments: &Arguments) -> Done<Report> {
    let stack = Stack::start(rate).await?;
    let report = measure(&stack, rate, arguments).await;
    stack.stop().await;
    report
}

/// Runs the queue at one rate, on an Okite of its own.
async fn run_queued_at(rate: u32, arguments: &Arguments) -> Done<QueuedReport> {
    let stack = Stack::start(rate).await?;
    let report = queued::measure(&stack, rate, arguments).await;
    stack.stop().await;
    report
}

/// Runs the webhooks, on an Okite of its own.
async fn run_webhooks(rate: u32, arguments: &Arguments) -> Done<WebhooksReport> {
    let stack = Stack::start(rate).await?;
    let report = webhooks::measure(&stack, arguments).await;
    stack.stop().await;
    report
}

async fn measure(stack: &Stack, rate: u32, arguments: &Arguments) -> Done<Report> {
    stack.warm_up(arguments.clients).await?;
    let (before, calls_before) = (stack.gate().await?, stack.calls()?);
    let began = stack::now();
    let answers = clients::send(stack, arguments).await;
    let ended = stack::now();
    let (after, calls) = (stack.gate().await?, stack.calls()?.since(calls_before));
    let ledger = Ledger {
        policy: stack.policy(rate)?,
        largest: arguments.recipients.most.get(),
        began: began.as_microsecond(),
        ended: ended.as_microsecond(),
        before,
        after,
        sends: calls.sends,
        told: answers.iter().map(|answer| answer.told.clone()).collect(),
        outbox: stack.outbox().await?,
    };
    Ok(Report {
        arguments: arguments.clone(),
        ledger,
        answers,
        gate_writes: calls.gate_writes,
    })
}
