//! The command `okite`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to the person who calls it"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use okite::feedback::{self, Redriven};
use okite::function::Function;
use okite::keys;
use okite::place::Place;
use okite::up::{self, Up};
use shared::stream::Stream;

/// Send mail through Amazon SES, with its rules kept for you.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Okite {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all of Okite on this machine, with Amazon SES simulated
    Up(UpArguments),
    /// Manage API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// See to events of SES that could not be handled
    #[command(subcommand)]
    Feedback(FeedbackCommand),
    /// Run one function over the Lambda Runtime API; `okite up` calls itself so
    #[command(hide = true)]
    Function {
        /// The function
        function: Function,
    },
}

#[derive(Args)]
struct UpArguments {
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = up::DEFAULT_PORT)]
    port: u16,
    /// Where tables, mails and logs are kept
    #[arg(long, value_name = "DIR", default_value = up::DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// Start with an SES account that is still in the sandbox
    #[arg(long)]
    sandbox: bool,
    /// Verify another address or domain in SES, beside example.com and example.org; may be repeated
    #[arg(long, value_name = "IDENTITY", value_parser = up::parse_identity)]
    verify: Vec<String>,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make an API key and print it; it is shown this once
    Create(CreateKeyArguments),
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("aws").args(["stack", "table"]))]
struct CreateKeyArguments {
    /// What to call the key
    #[arg(long)]
    name: String,
    /// What is sent with it: bulk mail gives way to transactional mail
    #[arg(long, value_enum, default_value_t = StreamArgument::Transactional)]
    stream: StreamArgument,
    /// Make it in the `okite up` that runs with this data directory
    #[arg(long, value_name = "DIR", default_value = up::DEFAULT_DATA_DIR, conflicts_with_all = ["stack", "table"])]
    data_dir: PathBuf,
    /// Make it in AWS, in the stack of this name; credentials come from the standard chain
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// Make it in AWS, in this table; credentials come from the standard chain
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// The region of the stack or table, if not the configured one
    #[arg(long, conflicts_with = "data_dir", requires = "aws")]
    region: Option<String>,
}

#[derive(Subcommand)]
enum FeedbackCommand {
    /// Put the events of the dead-letter queue back into the retry queue, to be handled once more
    Redrive(RedriveArguments),
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("aws").args(["stack", "queue"]))]
struct RedriveArguments {
    /// Do it in the `okite up` that runs with this data directory
    #[arg(long, value_name = "DIR", default_value = up::DEFAULT_DATA_DIR, conflicts_with_all = ["stack", "queue"])]
    data_dir: PathBuf,
    /// Do it in AWS, in the stack of this name; credentials come from the standard chain
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// Do it in AWS, with this dead-letter queue; credentials come from the standard chain
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// The region of the stack or queue, if not the configured one
    #[arg(long, conflicts_with = "data_dir", requires = "aws")]
    region: Option<String>,
}

/// A stream, as it is named on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum StreamArgument {
    /// Mail that one person waits for
    Transactional,
    /// Mail that goes to many
    Bulk,
}

impl From<StreamArgument> for Stream {
    fn from(argument: StreamArgument) -> Self {
        match argument {
            StreamArgument::Transactional => Self::Transactional,
            StreamArgument::Bulk => Self::Bulk,
        }
    }
}

/// Where a command works: in AWS if a stack or a part is named, else on this machine.
fn place(data_dir: PathBuf, stack: Option<String>, part: Option<String>, region: Option<String>) -> Place {
    match (stack, part) {
        (Some(name), _) => Place::Stack { name, region },
        (None, Some(name)) => Place::Part { name, region },
        (None, None) => Place::Local { data_dir },
    }
}

fn main() -> ExitCode {
    let result = match Okite::parse().command {
        Command::Function { function } => function.run(),
        Command::Up(arguments) => run_up(arguments),
        Command::Keys(KeysCommand::Create(arguments)) => create_key(arguments),
        Command::Feedback(FeedbackCommand::Redrive(arguments)) => redrive(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("okite: {error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn run_up(arguments: UpArguments) -> Done {
    log_to_stderr();
    let UpArguments {
        port,
        data_dir,
        sandbox,
        verify,
    } = arguments;
    tokio::runtime::Runtime::new()?.block_on(async {
        // The signals are listened for from the start: whoever stops us while we start must not leave anything behind.
        let stop = up::stop_signal()?;
        tokio::pin!(stop);
        let settings = up::Settings {
            port,
            data_dir,
            sandbox,
            verify,
            program: up::this_program()?,
        };
        let up = tokio::select! {
            up = Up::start(settings) => up?,
            () = &mut stop => return Ok(()),
        };
        println!("{}", up.welcome());
        stop.await;
        eprintln!("okite: stopping; once more ends it at once");
        let at_once = up::stop_signal()?;
        tokio::select! {
            () = up.stop() => Ok(()),
            // The functions end with us: they notice that we are gone.
            () = at_once => std::process::exit(130),
        }
    })
}

fn create_key(arguments: CreateKeyArguments) -> Done {
    let CreateKeyArguments {
        name,
        stream,
        data_dir,
        stack,
        table,
        region,
    } = arguments;
    let place = place(data_dir, stack, table, region);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let created = keys::create(&name, stream.into(), &place).await?;
            eprintln!(
                "The key \"{name}\" (id {}) was made in {}. It is shown this once:",
                created.key.id(),
                created.place
            );
            println!("{}", created.key.reveal());
            Ok(())
        })
}

fn redrive(arguments: RedriveArguments) -> Done {
    let RedriveArguments {
        data_dir,
        stack,
        queue,
        region,
    } = arguments;
    let place = place(data_dir, stack, queue, region);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let progress = |moved| eprintln!("Put back so far: {moved}. Ctrl-C stops watching, not SQS.");
            let Redriven { place, moved, left } = feedback::redrive(&place, progress).await?;
            if (moved, left) == (0, 0) {
                println!("The dead-letter queue of {place} is empty: there is nothing to put back.");
            } else {
                println!("Put back into the retry queue of {place}: {moved}. Left in the dead-letter queue: {left}.");
            }
            Ok(())
        })
}

/// Warnings of the simulated AWS go to standard error; what the functions print goes to the data directory.
fn log_to_stderr() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .compact();
    // DynamoDB's refusals are for its callers to judge: a condition that failed is an answer like any other.
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("dynoxide", LevelFilter::OFF);
    tracing_subscriber::registry().with(filter).with(lines).init();
}
