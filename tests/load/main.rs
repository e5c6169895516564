//! Load: how the gate keeps the account's rate when everybody wants to send at once.
//!
//! For each rate it runs all that `okite up` runs, the functions in processes of their own, and lets clients send over HTTP as
//! fast as they are let. Times are printed and judged by nobody, for they are the machine's; what fails is a recipient
//! too many, a mail lost or doubled, or an account that does not add up.
//!
//! | module | concept |
//! |---|---|
//! | `stack` | a running Okite |
//! | `clients` | those who send, and what they were told |
//! | `ledger` | what was granted, held against what may be and against what SES took (its tests are in `end_to_end`) |
//! | `report` | what is printed |

mod clients;
mod ledger;
mod report;
mod stack;

use std::fmt;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;

use ledger::Ledger;
use report::Report;
use stack::Stack;

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Let clients send through `okite up` as fast as they are let, and hold what went out against the rate.
#[derive(Clone, Parser)]
#[command(name = "load")]
struct Arguments {
    /// Recipients a second that the SES account may send to; repeated for one run after another
    #[arg(long = "rate", value_name = "RATE", required = true, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rates: Vec<u32>,
    /// How long the clients begin new mails
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// How many send at a time
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    clients: u32,
    /// Recipients of a mail: a number up to 50, or a range that mails go through in turn
    #[arg(long, default_value = "1-5")]
    recipients: Recipients,
    /// Send again at once after a refusal, whatever `retry-after` says
    #[arg(long)]
    impatient: bool,
}

impl Arguments {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// How many recipients mails have.
#[derive(Clone, Copy)]
struct Recipients {
    least: NonZeroU32,
    most: NonZeroU32,
}

impl Recipients {
    /// How many the mail of this number has.
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
    // `cargo test` starts every test with arguments that are meant for others: the names of tests, flags of their harness.
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

/// Runs at every rate, and tells whether all was as it must be.
#[expect(clippy::print_stdout, reason = "the reports are what it is for")]
fn run(arguments: &Arguments) -> Done<bool> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut is_right = true;
    for &rate in &arguments.rates {
        let report = runtime.block_on(run_at(rate, arguments))?;
        println!("{report}");
        is_right &= report.is_right();
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
