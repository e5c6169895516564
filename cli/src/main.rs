//! The command `okite`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to the person who calls it"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use okite::function::Function;
use okite::keys;
use okite::place::PlaceArguments;
use okite::suppressions::{self, Exported, Imported, ImportedFromSes};
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
    /// Take the suppression list out to a file, and in again
    #[command(subcommand)]
    Suppressions(SuppressionsCommand),
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
struct CreateKeyArguments {
    /// What to call the key
    #[arg(long)]
    name: String,
    /// What is sent with it: bulk mail gives way to transactional mail
    #[arg(long, value_enum, default_value_t = StreamArgument::Transactional)]
    stream: StreamArgument,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Subcommand)]
enum SuppressionsCommand {
    /// Write the whole list as CSV: one line for each thing that is known of an address
    Export {
        /// A file, which must not be there yet; standard output where none is named
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Take addresses in from CSV, or from SES's own list; may be run twice
    Import(ImportArguments),
}

#[derive(Args)]
struct ImportArguments {
    /// A CSV file whose first line names its columns, or - for standard input: `address` (or `email`), and perhaps `reason`,
    /// `since`, `expires_at`, `subtype`, `diagnostic`, `source`
    #[arg(required_unless_present = "from_ses")]
    file: Option<PathBuf>,
    /// Take in the suppression list that SES keeps for the account
    #[arg(long, conflicts_with = "file")]
    from_ses: bool,
    /// Read the file and say what is wrong with it, and change nothing
    #[arg(long, conflicts_with = "from_ses")]
    dry_run: bool,
    #[command(flatten)]
    place: PlaceArguments,
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

fn main() -> ExitCode {
    let result = match Okite::parse().command {
        Command::Function { function } => function.run(),
        Command::Up(arguments) => run_up(arguments),
        Command::Keys(KeysCommand::Create(arguments)) => create_key(arguments),
        Command::Suppressions(SuppressionsCommand::Export { output, place }) => export(output.as_deref(), place),
        Command::Suppressions(SuppressionsCommand::Import(arguments)) => import(arguments),
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

/// Runs a command that talks to AWS from this thread alone.
fn on_this_thread(command: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

fn create_key(arguments: CreateKeyArguments) -> Done {
    let CreateKeyArguments { name, stream, place } = arguments;
    on_this_thread(async {
        let created = keys::create(&name, stream.into(), &place.into()).await?;
        eprintln!(
            "The key \"{name}\" (id {}) was made in {}. It is shown this once:",
            created.key.id(),
            created.place
        );
        println!("{}", created.key.reveal());
        Ok(())
    })
}

fn export(output: Option<&Path>, place: PlaceArguments) -> Done {
    on_this_thread(async {
        let progress = |exported: Exported| eprintln!("{} addresses", exported.addresses);
        let exported = suppressions::export(&place.into(), output, progress).await?;
        eprintln!(
            "{} addresses in {} lines were exported.",
            exported.addresses, exported.lines
        );
        match exported.unreadable {
            0 => Ok(()),
            unreadable => {
                Err(format!("{unreadable} items of the table are no entries of Okite's and were left out").into())
            }
        }
    })
}

fn import(arguments: ImportArguments) -> Done {
    let ImportArguments {
        file, dry_run, place, ..
    } = arguments;
    on_this_thread(async {
        let place = place.into();
        let Some(file) = file else {
            let progress = |imported: ImportedFromSes| eprintln!("{} addresses", imported.drift.listed);
            let imported = suppressions::from_ses(&place, progress).await?;
            eprintln!(
                "{} addresses are on SES's list: {} were added to ours, {} could not be read, {} were lifted here and are \
                 taken off SES's list by the daily pass.",
                imported.drift.listed, imported.drift.added, imported.drift.unreadable, imported.to_lift
            );
            return Ok(());
        };
        let bad_line = |number, error| eprintln!("line {number} is skipped: {error}");
        let progress = |imported: Imported| eprintln!("{} lines", imported.lines + imported.skipped);
        let imported = suppressions::import(&place, &file, dry_run, bad_line, progress).await?;
        let done = if dry_run { "can be imported" } else { "were imported" };
        eprintln!("{} lines {done}.", imported.lines);
        match imported.skipped {
            0 => Ok(()),
            skipped => Err(format!(
                "{skipped} lines were skipped; correct them and run it again: the others count once"
            )
            .into()),
        }
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
