//! The command `okite`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to the person who calls it"
)]

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::account::Brake;
use domain::address::EmailAddress;
use domain::api_key::{Permission, REMEMBERED, from_domain};
use domain::stream::Stream;
use jiff::civil::Date;
use okite::brake::{self, Word};
use okite::doctor::{self, Diagnosis, ResolverAddress};
use okite::feedback::{self, Redriven};
use okite::forget::{self, EntryBecomes, Forgotten};
use okite::function;
use okite::incident::{self, Format, Range};
use okite::keys::{self, NewKey};
use okite::place::{Place, PlaceArguments};
use okite::status::{self, Colours};
use okite::suppressions::{self, Exported, Imported, ImportedFromSes};
use okite::up::{self, Up};
use registry::Function;

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
    /// Take a person's address out of what is kept; it stays suppressed
    Forget(ForgetArguments),
    /// Show where the account stands, by the last report; ends with 2 if there is none
    Status {
        /// Print the report as JSON and not as a page
        #[arg(long)]
        json: bool,
        /// How many recipients a day you need: says from where to begin, to be there in time
        #[arg(long, value_name = "RECIPIENTS", requires = "by", conflicts_with = "json",
              value_parser = clap::value_parser!(u32).range(1..))]
        need: Option<u32>,
        /// The day by which you need them
        #[arg(long, value_name = "DATE", requires = "need")]
        by: Option<Date>,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Stop mail, or let it go, at once; without a word, show who set the brake, since when and why
    Brake(BrakeArguments),
    /// Write what one needs when AWS writes: bounces and complaints, and what was done
    Incident(IncidentArguments),
    /// See to events of SES that could not be handled
    #[command(subcommand)]
    Feedback(FeedbackCommand),
    /// Look for what is wrong with the account, its identities, their DNS and the way of events, before it is trouble
    ///
    /// Ends with 0, with 1 if there is something to see to soon, with 2 if something does not work or could not be found.
    Doctor(DoctorArguments),
    /// Run one function over the Lambda Runtime API; `okite up` calls itself so
    #[command(hide = true)]
    Function {
        /// The function
        #[arg(value_parser = function::parse)]
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

#[derive(Args)]
struct DoctorArguments {
    /// Look at the `okite up` that runs with this data directory
    #[arg(long, value_name = "DIR", default_value = up::DEFAULT_DATA_DIR, conflicts_with = "stack")]
    data_dir: PathBuf,
    /// Look at the stack of this name in AWS; credentials come from the standard chain
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// The region of the stack, if not the configured one
    #[arg(long, requires = "stack")]
    region: Option<String>,
    /// An address or domain that mail is sent from; may be repeated. The first ten identities of the account, if none is named
    #[arg(long, value_name = "ADDRESS", value_parser = up::parse_identity)]
    from: Vec<String>,
    /// Ask this resolver, an IP address with a port or without, and not those of this machine
    #[arg(long, value_name = "IP[:PORT]")]
    resolver: Option<ResolverAddress>,
    /// Send a mail to each address of SES's mailbox simulator through the stack, and see what comes back
    #[arg(long)]
    self_test: bool,
    /// The API key for the self-test, with full permission; the variable `OKITE_API_KEY` is better, for it is in no history
    #[arg(long, requires = "self_test")]
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make an API key and print it; it is shown this once
    Create(CreateKeyArguments),
    /// Show all keys, without their secrets, the oldest first
    List {
        /// Print an array of JSON and not a table
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Take a key back: it stops working within 30 seconds
    Revoke {
        /// The key's id, as `okite keys list` shows it; the whole key is taken too
        id: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
}

#[derive(Args)]
struct CreateKeyArguments {
    /// What to call the key
    #[arg(long)]
    name: String,
    /// What it may do
    #[arg(long, value_enum, default_value_t = PermissionArgument::Full)]
    permission: PermissionArgument,
    /// What is sent with it: bulk mail gives way to transactional mail
    #[arg(long, value_enum, default_value_t = StreamArgument::Transactional)]
    stream: StreamArgument,
    /// The domains that it may send from, with those below them; with commas between them or repeated. Any, if none is named
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',', value_parser = from_domain)]
    from: Vec<String>,
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

#[derive(Args)]
struct ForgetArguments {
    /// The address, in any spelling
    #[arg(value_parser = EmailAddress::parse)]
    address: EmailAddress,
    /// Keep its suppression under a SHA-256 of the address, and no longer under the address itself
    #[arg(long)]
    hash: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Args)]
struct BrakeArguments {
    /// What to hold back; `auto` leaves it to the reports
    word: Option<WordArgument>,
    /// Why; kept with the change and told to the alarm topic
    #[arg(long, value_name = "TEXT", requires = "word", default_value = "no reason was given")]
    why: String,
    /// Who you are; $USER where nothing is said
    #[arg(long, value_name = "NAME", requires = "word")]
    by: Option<String>,
    #[command(flatten)]
    place: PlaceArguments,
}

/// An operator's word on the brake, as it is named on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum WordArgument {
    /// Nothing is held back, whatever the reports say
    None,
    /// Bulk mail is held back
    Bulk,
    /// All mail is held back
    All,
    /// The reports say what is held back
    Auto,
}

impl From<WordArgument> for Word {
    fn from(argument: WordArgument) -> Self {
        match argument {
            WordArgument::None => Self::Brake(Brake::None),
            WordArgument::Bulk => Self::Brake(Brake::Bulk),
            WordArgument::All => Self::Brake(Brake::All),
            WordArgument::Auto => Self::Auto,
        }
    }
}

#[derive(Args)]
struct IncidentArguments {
    /// How many days, which end with today or with --until
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=90), conflicts_with = "since")]
    days: u16,
    /// The first day, in UTC, like 2026-01-31
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
    /// The last day, in UTC; today where none is named
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// What to write
    #[arg(long, value_enum, default_value_t = FormatArgument::Markdown)]
    format: FormatArgument,
    /// A file, which must not be there yet; standard output where none is named
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArguments,
}

/// What a report is written as, as it is named on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum FormatArgument {
    /// For people: the beginning of an answer to AWS
    Markdown,
    /// For a spreadsheet: every domain, tag and key
    Csv,
}

impl From<FormatArgument> for Format {
    fn from(argument: FormatArgument) -> Self {
        match argument {
            FormatArgument::Markdown => Self::Markdown,
            FormatArgument::Csv => Self::Csv,
        }
    }
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

impl From<RedriveArguments> for Place {
    fn from(arguments: RedriveArguments) -> Self {
        let RedriveArguments {
            data_dir,
            stack,
            queue,
            region,
        } = arguments;
        match (stack, queue) {
            (Some(name), _) => Self::Stack { name, region },
            (None, Some(name)) => Self::Part { name, region },
            (None, None) => Self::Local { data_dir },
        }
    }
}

/// A permission, as it is named on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum PermissionArgument {
    /// Send mail, and nothing else: no reading of mails, no suppressions
    Sending,
    /// Everything
    Full,
}

impl From<PermissionArgument> for Permission {
    fn from(argument: PermissionArgument) -> Self {
        match argument {
            PermissionArgument::Sending => Self::Sending,
            PermissionArgument::Full => Self::Full,
        }
    }
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
        Command::Function { function } => function::run(function),
        Command::Up(arguments) => run_up(arguments),
        Command::Keys(KeysCommand::Create(arguments)) => create_key(arguments),
        Command::Keys(KeysCommand::List { json, place }) => list_keys(json, place),
        Command::Keys(KeysCommand::Revoke { id, place }) => revoke_key(&id, place),
        Command::Suppressions(SuppressionsCommand::Export { output, place }) => export(output.as_deref(), place),
        Command::Suppressions(SuppressionsCommand::Import(arguments)) => import(arguments),
        Command::Forget(arguments) => forget(arguments),
        Command::Status { json, need, by, place } => return show_status(json, need.zip(by), place),
        Command::Brake(arguments) => set_or_show_brake(arguments),
        Command::Incident(arguments) => incident(arguments),
        Command::Feedback(FeedbackCommand::Redrive(arguments)) => redrive(arguments),
        Command::Doctor(arguments) => return doctor(arguments),
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
    let CreateKeyArguments {
        name,
        permission,
        stream,
        from,
        place,
    } = arguments;
    let new = NewKey {
        name: name.clone(),
        permission: permission.into(),
        stream: stream.into(),
        from_domains: from,
    };
    on_this_thread(async {
        let created = keys::create(new, &place.into()).await?;
        eprintln!(
            "The key \"{name}\" (id {}) was made in {}. It is shown this once:",
            created.key.id(),
            created.place
        );
        println!("{}", created.key.reveal());
        Ok(())
    })
}

fn list_keys(json: bool, place: PlaceArguments) -> Done {
    on_this_thread(async {
        let listed = keys::list(&place.into()).await?;
        let mut output = std::io::stdout().lock();
        if json {
            writeln!(output, "{:#}", listed.json())?;
        } else if listed.keys.is_empty() {
            eprintln!("There are no keys in {}. `okite keys create` makes one.", listed.place);
        } else {
            write!(output, "{listed}")?;
        }
        match listed.unreadable {
            0 => Ok(()),
            unreadable => {
                Err(format!("{unreadable} items of the table are no keys of Okite's and were left out").into())
            }
        }
    })
}

fn revoke_key(id: &str, place: PlaceArguments) -> Done {
    on_this_thread(async {
        let revoked = keys::revoke(id, &place.into()).await?;
        eprintln!(
            "The key {} of {} was revoked. It stops working within {} seconds.",
            revoked.id,
            revoked.place,
            REMEMBERED.as_secs()
        );
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

fn forget(arguments: ForgetArguments) -> Done {
    let ForgetArguments {
        address,
        hash,
        yes,
        place,
    } = arguments;
    if !yes {
        eprint!("All records of messages are read, and the address is taken out of them for good. Type yes to go on: ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            return Err("nothing was forgotten: it was not confirmed, by yes or --yes".into());
        }
    }
    let entry = if hash { EntryBecomes::Hashed } else { EntryBecomes::Bare };
    on_this_thread(async {
        let progress = |forgotten: Forgotten| eprintln!("{} items of the table of messages", forgotten.read);
        let forgotten = forget::forget(&place.into(), &address, entry, progress).await?;
        let on_the_list = match (forgotten.entry, entry) {
            (false, _) => "The suppression list had no entry under it.",
            (true, EntryBecomes::Bare) => "Its entry on the suppression list stays, and holds nothing but the address.",
            (true, EntryBecomes::Hashed) => "Its entry on the suppression list is kept under a hash.",
        };
        eprintln!(
            "The address was taken out of the records of {} messages. {on_the_list} Backups, SES's own list and what is still \
             on its way are out of reach: see docs/PRIVACY.md.",
            forgotten.messages
        );
        Ok(())
    })
}

/// Ends with 0 whatever the verdict, and with 2 when there is nothing to show.
fn show_status(json: bool, need: Option<(u32, Date)>, place: PlaceArguments) -> ExitCode {
    let shown = on_this_thread(async {
        let status = status::status(&place.into()).await?;
        let mut output = std::io::stdout().lock();
        if json {
            return Ok(writeln!(output, "{:#}", status.json()?)?);
        }
        let wanted = output.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let colours = if wanted { Colours::Shown } else { Colours::None };
        write!(output, "{}", status.page(colours))?;
        if let Some((need, by)) = need {
            writeln!(output, "\n{}", status.ramp(need, by))?;
        }
        Ok(())
    });
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("okite: {error}");
            ExitCode::from(2)
        }
    }
}

fn set_or_show_brake(arguments: BrakeArguments) -> Done {
    let BrakeArguments { word, why, by, place } = arguments;
    on_this_thread(async {
        let mut output = std::io::stdout().lock();
        let Some(word) = word else {
            return Ok(write!(output, "{}", brake::show(&place.into()).await?)?);
        };
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        let by = by.or_else(user).unwrap_or_else(|| "operator".to_owned());
        Ok(write!(
            output,
            "{}",
            brake::set(&place.into(), word.into(), by, why).await?
        )?)
    })
}

fn incident(arguments: IncidentArguments) -> Done {
    let IncidentArguments {
        days,
        since,
        until,
        format,
        output,
        place,
    } = arguments;
    on_this_thread(async {
        let place = place.into();
        let range = Range::new(days, since, until, Place::now(&place))?;
        let progress = |read: &str| eprintln!("{read}");
        let written = incident::incident(&place, range, format.into(), output.as_deref(), progress).await?;
        let (since, until) = (range.since, range.until);
        if written.events == 0 {
            eprintln!("No bounces, complaints or blocks are on record from {since} to {until}.");
        }
        match written.unreadable {
            0 => Ok(()),
            unreadable => {
                Err(format!("{unreadable} rows of the table are no marks of Okite's and were left out").into())
            }
        }
    })
}

fn redrive(arguments: RedriveArguments) -> Done {
    let place = Place::from(arguments);
    on_this_thread(async {
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

/// Looks, and ends with what is worst. That it could not look at all is no less than a failure.
fn doctor(arguments: DoctorArguments) -> ExitCode {
    let mut code = 2;
    let result = on_this_thread(async {
        let json = arguments.json;
        let diagnosis = diagnose(arguments).await?;
        let mut output = std::io::stdout().lock();
        if json {
            writeln!(output, "{:#}", diagnosis.json())?;
        } else {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let colours = output.is_terminal() && !unwanted;
            write!(output, "{}", diagnosis.shown(colours))?;
        }
        code = diagnosis.exit_code();
        Ok(())
    });
    if let Err(error) = result {
        eprintln!("okite: {error}");
        return ExitCode::from(2);
    }
    ExitCode::from(code)
}

async fn diagnose(arguments: DoctorArguments) -> Result<Diagnosis, Box<dyn std::error::Error + Send + Sync>> {
    let DoctorArguments {
        data_dir,
        stack,
        region,
        from,
        resolver,
        self_test,
        key,
        ..
    } = arguments;
    let local_key = stack.is_none().then(|| up::LOCAL_API_KEY.to_owned());
    let place = match stack {
        Some(name) => Place::Stack { name, region },
        None => Place::Local { data_dir },
    };
    let key = key.or_else(|| std::env::var("OKITE_API_KEY").ok()).or(local_key);
    if self_test && key.is_none() {
        return Err("the self-test needs an API key of the stack with full permission: --key or OKITE_API_KEY".into());
    }
    let settings = doctor::Settings { place, from, resolver };
    let mut examined = doctor::examine(&settings).await?;
    if let Some(key) = key.filter(|_| self_test) {
        let id = doctor::new_test_id();
        let findings = doctor::self_test(&settings, &examined, key, id).await?;
        examined.diagnosis.findings.extend(findings);
    }
    Ok(examined.diagnosis)
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
