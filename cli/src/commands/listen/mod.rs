//! `okite listen`: prints the events of a target as they happen, and forwards them to a URL of the developer's machine.
//!
//! It is an endpoint like any other, except that nobody posts to it: the command reads what waits for it.
//!
//! | module | concept |
//! |---|---|
//! | `listener` | the endpoint, which lasts as long as the command |
//! | `poll` | reads what waits for the endpoint, and handles each event |
//! | `forward` | posts an event to the URL |
//! | `secret` | the secret that signs what is forwarded |
//! | `line` | the output of one event |

mod forward;
mod line;
mod listener;
mod poll;
mod secret;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use domain::webhook::EventKind;

use self::forward::{ForwardUrl, Forwarding, NoRoots};
use self::line::Lines;
use self::listener::Listener;
use self::poll::Poll;
use self::secret::SecretError;
use crate::commands::webhooks::SECRET_VARIABLE;
use crate::execution::{CommandResult, block_on};
use crate::output::{self, OutputError, note};
use crate::stop_signal::stop_signal;
use crate::target::Target;
use crate::target::TargetArguments;
use crate::webhook_tables::{WebhookError, parse_events};

/// Print the events of webhooks as they happen, and forward them to a local URL
///
/// A tool for development: it works without a public URL. It prints a line for each event, and with --forward posts the
/// event to the URL, signed as a webhook is. It runs until Ctrl-C. An event that the URL does not take is shown and not
/// retried; `okite webhooks replay` delivers it again. `okite up` learns of a new listener at once, and the functions of
/// a stack within 30 seconds. Only events that happen afterwards arrive.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Examples:
  okite listen --forward http://127.0.0.1:8000/hook
  okite listen --events email.bounced,email.complained --json --stack okite")]
pub(crate) struct ListenCommand {
    /// URL to post events to; without it, they are printed only
    #[arg(long, value_name = "URL")]
    forward: Option<ForwardUrl>,
    /// Events to listen to, separated by commas [default: all]
    #[arg(long, value_name = "EVENT,…", value_parser = parse_events)]
    events: Option<std::collections::BTreeSet<EventKind>>,
    /// Print a JSON object a line, with the body of the event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// Why the command ended.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    NoRoots(#[from] NoRoots),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("an event could not be printed: {0}")]
    Line(#[source] std::io::Error),
    #[error("the listener was deleted while it ran. Run this command again to listen on")]
    Deleted,
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
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn listen(
    forward: Option<ForwardUrl>,
    events: BTreeSet<EventKind>,
    json: bool,
    target: &Target,
    stop: impl Future<Output = ()>,
) -> Result<(), ListenError> {
    let secret = secret::of(target)?;
    let forwarding = forward.map(|url| Forwarding::new(url, &secret)).transpose()?;
    // Events that are forwarded go on although nobody reads about them.
    let output = if forwarding.is_some() {
        Box::new(output::stdout())
    } else {
        output::open(None)?
    };
    let mut listener = Listener::start(events, &secret, target).await?;
    note!("Listening to the events of {}. Ctrl-C ends it.", listener.target_name());
    note!(
        "The functions of a stack learn of the listener within 30 seconds, okite up at once. Its id is {}.",
        listener.id()
    );
    if let Some(forwarding) = &forwarding {
        note!("Forwarding to {}, signed with this secret:", forwarding.url());
        note!("{SECRET_VARIABLE}={}", secret.reveal());
    }
    let mut poll = Poll {
        listener: &mut listener,
        forwarding,
        lines: Lines { output, json },
        target,
    };
    let ended = tokio::select! {
        ended = poll.run() => ended,
        () = stop => Ok(()),
    };
    listener.end().await;
    ended
}
