//! `okite webhooks update`: changes the URL or the events of a webhook, or enables or disables it.

use std::collections::BTreeSet;

use clap::Args;
use domain::webhook::{Endpoint, EndpointChange, EndpointState, EventKind};
use send_api::check_webhook_address;

use super::place;
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::webhook_tables::{WebhookError, WebhooksTable, parse_events};

/// Change the URL or the events of a webhook, or enable or disable it
///
/// Enabling a webhook clears its count of failures. Events that failed before are not delivered again by themselves:
/// `okite webhooks replay` delivers one of them.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").args(["url", "events", "enable", "disable"]).multiple(true).required(true))]
#[command(after_help = "\
Examples:
  okite webhooks update 01980000-0000-7000-8000-000000000000 --events email.bounced --stack okite
  okite webhooks update 01980000-0000-7000-8000-000000000000 --enable --stack okite")]
pub(crate) struct UpdateCommand {
    /// Id of the webhook, as `okite webhooks list` shows it
    id: String,
    /// New URL
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Events to deliver from now on, separated by commas, or `all`
    #[arg(long, value_name = "EVENT,…", value_parser = parse_events)]
    events: Option<std::collections::BTreeSet<EventKind>>,
    /// Deliver events again
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Deliver no more events
    #[arg(long)]
    disable: bool,
    /// Print the webhook as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// The changes that the command line asks for.
struct Wanted {
    url: Option<String>,
    events: Option<BTreeSet<EventKind>>,
    state: Option<EndpointState>,
}

impl UpdateCommand {
    pub(crate) fn run(self) -> CommandResult {
        let wanted = Wanted {
            url: self.url,
            events: self.events,
            state: match (self.enable, self.disable) {
                (true, _) => Some(EndpointState::Enabled),
                (false, true) => Some(EndpointState::Disabled),
                (false, false) => None,
            },
        };
        let target = self.target.into();
        block_on(async {
            let changed = update(&self.id, wanted, &target).await?;
            note!(
                "Changed the webhook {}: {}, {}.",
                changed.id,
                place(&changed),
                changed.state.as_str()
            );
            if self.json {
                say!("{:#}", super::json(&changed))?;
            }
            Ok(Exit::Success)
        })
    }
}

async fn update(id: &str, wanted: Wanted, target: &Target) -> Result<Endpoint, WebhookError> {
    let table = WebhooksTable::of(target).await?;
    table.get_with_url(id).await?;
    let url = match &wanted.url {
        Some(url) => {
            let url = check_webhook_address(url, &target.url_rules().await?).await?;
            Some(url.as_str().to_owned())
        }
        None => None,
    };
    let change = EndpointChange {
        url,
        events: wanted.events,
        state: wanted.state,
    };
    let changed = retry_throttled(async || table.webhooks.update(id, &change).await).await;
    let changed = changed.map_err(|error| table.error(&error))?;
    changed.ok_or_else(|| table.unknown(id))
}
