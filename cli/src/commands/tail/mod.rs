//! `okite tail`: prints the events of a target as they happen.

mod filter;
mod line;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use domain::address::EmailAddress;
use domain::webhook::{AfterAttempt, Attempt, Delivery, EventKind};
use jiff::Timestamp;
use uuid::Uuid;

use self::filter::EventFilter;
use crate::commands::emails::parse_id;
use crate::event_feed::{EventFeed, EventSink, FeedError};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{self, OutputError, note};
use crate::stop_signal::stop_signal;
use crate::target::{Target, TargetArguments};
use crate::webhook_tables::{WebhookError, draw_secret, parse_events};

/// Print the events of mails, suppressions and the account as they happen
///
/// A line has the time in UTC, the event, the recipient and the id of the email. The command runs until Ctrl-C, or
/// until nobody reads its output. `okite up` learns of it at once, and the functions of a stack within 30 seconds. Only
/// events that happen afterwards arrive. `okite listen` forwards events to a local URL.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Examples:
  okite tail --events email.bounced,email.complained --stack okite
  okite tail --to anna@example.org --json")]
pub(crate) struct TailCommand {
    /// Events to print, separated by commas [default: all]
    #[arg(long, value_name = "EVENT,…", value_parser = parse_events)]
    events: Option<std::collections::BTreeSet<EventKind>>,
    /// Print the events of this recipient alone, in any spelling
    #[arg(long, value_name = "ADDRESS", value_parser = filter::parse_recipient)]
    to: Option<EmailAddress>,
    /// Print the events of this email alone: Okite's id
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    email: Option<Uuid>,
    /// Print a JSON object a line, with the body of the event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// Why the command ended.
#[derive(Debug, thiserror::Error)]
enum TailError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Random(#[from] WebhookError),
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl TailCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            events,
            to,
            email,
            json,
            target,
        } = self;
        let target = Target::from(target);
        let events = events.unwrap_or_else(|| EventKind::ALL.into());
        let filter = EventFilter { to, email };
        block_on(async {
            // The signals are listened to before the endpoint is made, so that none leaves it behind.
            let stop = stop_signal()?;
            tail(events, filter, json, &target, stop).await?;
            Ok(Exit::Success)
        })
    }
}

async fn tail(
    events: BTreeSet<EventKind>,
    filter: EventFilter,
    json: bool,
    target: &Target,
    stop: impl Future<Output = ()>,
) -> Result<(), TailError> {
    let output = output::open(None)?;
    // Nothing is signed with it: an endpoint has a secret in any case.
    let feed = EventFeed::start(events, &draw_secret()?, target).await?;
    note!(
        "Printing the events of {} from now on (of a stack, within 30 seconds). Ctrl-C ends it.",
        feed.target_name()
    );
    let printer = Printer { filter, json, output };
    Ok(feed.run(printer, stop).await?)
}

/// Prints each event that passes the filter.
struct Printer<W> {
    filter: EventFilter,
    json: bool,
    output: W,
}

impl<W: Write> EventSink for Printer<W> {
    async fn pass_on(&mut self, _: &Delivery, at: Timestamp) -> (Attempt, AfterAttempt) {
        let attempt = Attempt {
            at,
            status: None,
            error: None,
            duration: Duration::ZERO,
            answer: String::new(),
        };
        (attempt, AfterAttempt::Delivered)
    }

    fn show(&mut self, delivery: &Delivery, attempt: &Attempt) -> io::Result<()> {
        if !self.filter.passes(delivery) {
            return Ok(());
        }
        line::write(&mut self.output, self.json, delivery, attempt.at)
    }
}
