//! `okite listen`: forwards the events of a target to a local URL, as they happen.

mod forward;
mod line;
mod secret;

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;
use domain::webhook::{AfterAttempt, Attempt, Delivery, EventKind};
use jiff::Timestamp;

use self::forward::{ForwardUrl, Forwarding, NoRoots};
use self::secret::SecretError;
use crate::commands::webhooks::SECRET_VARIABLE;
use crate::event_feed::{EventFeed, EventSink, FeedError};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{self, note};
use crate::stop_signal::stop_signal;
use crate::target::{Target, TargetArguments};
use crate::webhook_tables::parse_events;

/// Forward the events of webhooks to a local URL as they happen
///
/// A tool for development: it works without a public URL. It posts each event to the URL, signed as a webhook is, and
/// prints a line with the answer. It runs until Ctrl-C. An event that the URL does not take is shown and not retried;
/// `okite webhooks replay` delivers it again. `okite up` learns of a new listener at once, and the functions of a stack
/// within 30 seconds. Only events that happen afterwards arrive. `okite tail` prints events without forwarding them.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Examples:
  okite listen --forward http://127.0.0.1:8000/hook
  okite listen --forward http://127.0.0.1:8000/hook --events email.bounced,email.complained --stack okite")]
pub(crate) struct ListenCommand {
    /// URL to post events to
    #[arg(long, value_name = "URL")]
    forward: ForwardUrl,
    /// Events to forward, separated by commas [default: all]
    #[arg(long, value_name = "EVENT,…", value_parser = parse_events)]
    events: Option<std::collections::BTreeSet<EventKind>>,
    /// Print a JSON object a line, with the answer and the body of the event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// Why the command ended.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    NoRoots(#[from] NoRoots),
}

impl ListenCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            forward,
            events,
            json,
            target,
        } = self;
        let target = Target::from(target);
        let events = events.unwrap_or_else(|| EventKind::ALL.into());
        block_on(async {
            // The signals are listened to before the endpoint is made, so that none leaves it behind.
            let stop = stop_signal()?;
            listen(forward, events, json, &target, stop).await?;
            Ok(Exit::Success)
        })
    }
}

async fn listen(
    forward: ForwardUrl,
    events: BTreeSet<EventKind>,
    json: bool,
    target: &Target,
    stop: impl Future<Output = ()>,
) -> Result<(), ListenError> {
    let secret = secret::of(target)?;
    let forwarding = Forwarding::new(forward, &secret)?;
    let feed = EventFeed::start(events, &secret, target).await?;
    note!("Listening to the events of {}. Ctrl-C ends it.", feed.target_name());
    note!(
        "The functions of a stack learn of the listener within 30 seconds, okite up at once. Its id is {}.",
        feed.id()
    );
    note!("Forwarding to {}, signed with this secret:", forwarding.url());
    note!("{SECRET_VARIABLE}={}", secret.reveal());
    let forwarder = Forwarder {
        forwarding,
        // Events are forwarded although nobody reads about them.
        output: output::stdout(),
        json,
    };
    Ok(feed.run(forwarder, stop).await?)
}

/// Posts each event to the URL.
struct Forwarder<W> {
    forwarding: Forwarding,
    output: W,
    json: bool,
}

impl<W: Write> EventSink for Forwarder<W> {
    async fn pass_on(&mut self, delivery: &Delivery, at: Timestamp) -> (Attempt, AfterAttempt) {
        let attempt = self.forwarding.post(delivery, at).await;
        let is_taken = attempt.status.is_some_and(|status| (200..300).contains(&status));
        let then = if is_taken {
            AfterAttempt::Delivered
        } else {
            AfterAttempt::Failed
        };
        (attempt, then)
    }

    fn show(&mut self, delivery: &Delivery, attempt: &Attempt) -> io::Result<()> {
        line::write(&mut self.output, self.json, delivery, attempt)
    }
}
