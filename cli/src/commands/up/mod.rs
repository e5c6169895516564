//! `okite up`: runs Okite on this machine until a signal stops it.

mod lines;
mod listener;
mod smtp;
mod start;

use std::path::PathBuf;

use clap::Args;

use crate::execution::{CommandResult, Exit};
use crate::identity::parse_identity;
use crate::local::DEFAULT_DATA_DIR;
use crate::number::number;
use crate::output::{note, say};
use crate::stop_signal::stop_signal;
use crate::terminal::Colours;

pub use listener::ListenOptions;
pub use smtp::SmtpError;
pub use start::{LocalOkite, LocalOptions, UpError};

/// The default port.
const DEFAULT_PORT: u16 = 3000;

/// Run Okite on this machine, with Amazon SES simulated
///
/// Runs the same functions as a deployed stack, an HTTP API and an SMTP server on 127.0.0.1, and local stand-ins for
/// the AWS services. No mail leaves this machine, and no AWS account is needed. Prints a curl command that sends a
/// first email, and the settings with which an application that uses an AWS SDK, django-ses or SMTP sends. Then prints
/// a line for each mail and for each event of SES. Ctrl-C stops it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite up --port 4000 --verify shop.example")]
pub(crate) struct UpCommand {
    /// Port of the HTTP API and the page; 0 picks a free one
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = number(0, u16::MAX))]
    port: u16,
    /// Port that takes mail by SMTP; 0 picks a free one [default: 1025, or none if it is taken]
    #[arg(long, value_name = "PORT", value_parser = number(0, u16::MAX))]
    smtp_port: Option<u16>,
    /// Directory of the tables, mails and logs; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// Put the simulated SES account into the sandbox: 200 recipients a day, 1 a second, verified recipients only
    #[arg(long)]
    sandbox: bool,
    /// Refuse a sender that is not verified in the simulated SES, as SES does; without it, any sender is accepted
    #[arg(long)]
    strict: bool,
    /// Print no line for each mail and event
    #[arg(long)]
    quiet: bool,
    /// Verify this address or domain in the simulated SES, besides example.com and example.org; may be repeated
    #[arg(long, value_name = "IDENTITY", value_parser = parse_identity)]
    verify: Vec<String>,
    #[command(flatten)]
    listen: ListenOptions,
}

impl UpCommand {
    pub(crate) fn run(self) -> CommandResult {
        log_to_stderr();
        let Self {
            port,
            smtp_port,
            data_dir,
            sandbox,
            strict,
            quiet,
            verify,
            listen,
        } = self;
        tokio::runtime::Runtime::new()?.block_on(async {
            // The command listens for signals before it starts anything, so that a signal during the start stops
            // everything.
            let stop = stop_signal()?;
            tokio::pin!(stop);
            let options = LocalOptions {
                port,
                smtp_port,
                data_dir,
                sandbox,
                verify,
                listen,
                strict,
                program: start::this_program()?,
            };
            let local = tokio::select! {
                local = LocalOkite::start(options) => local?,
                () = &mut stop => return Ok(Exit::Success),
            };
            let happenings = local.local_aws().follow();
            say!("{}", local.welcome())?;
            if let Some(warning) = local.warning() {
                note!("\n{warning}");
            }
            let lines = (!quiet).then(|| tokio::spawn(lines::print_all(happenings, Colours::of_stdout())));
            stop.await;
            lines.inspect(tokio::task::JoinHandle::abort);
            note!("okite: stopping; press Ctrl-C again to stop at once");
            let stop_now = stop_signal()?;
            tokio::select! {
                () = local.stop() => Ok(Exit::Success),
                // Each function ends when it notices that this process is gone.
                () = stop_now => std::process::exit(Exit::StoppedAtOnce.code().into()),
            }
        })
    }
}

/// Sends warnings of the simulated AWS to standard error. The output of the functions goes to the data directory.
fn log_to_stderr() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        // It would tell standard error that nobody reads standard error, by a macro that panics then.
        .log_internal_errors(false)
        .compact();
    // DynamoDB's refusals are for its callers to handle: a failed condition is an answer like any other.
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("dynoxide", LevelFilter::OFF);
    tracing_subscriber::registry().with(filter).with(lines).init();
}
