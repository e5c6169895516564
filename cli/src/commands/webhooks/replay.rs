//! `okite webhooks replay`: delivers an event of a webhook again, with the same id and the same body.

use clap::Args;
use domain::webhook::{EndpointState, EventId, Target as EventTarget};
use serde_json::json;

use super::events::find;
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::webhook_tables::{DeliveriesTable, WebhookError, WebhooksTable, hand_over};

/// Deliver an event again, with the same id and the same body
///
/// A receiver that recognises events by their id may ignore it.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Example:
  okite webhooks replay 01980000-0000-7000-8000-000000000000 msg_01M8900QXT8D3V5K7N9PQRSTVW --stack okite")]
pub(crate) struct ReplayCommand {
    /// Id of the webhook, as `okite webhooks list` shows it
    id: String,
    /// Id of the event, as `okite webhooks events` shows it
    event: String,
    /// Print a JSON object with the ids, and whether the event is delivered at once
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl ReplayCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            id,
            event,
            json,
            target,
        } = self;
        let target = Target::from(target);
        block_on(async {
            let (event, at_once) = replay(&id, &event, &target).await?;
            let when = if at_once { "now" } else { "within two minutes" };
            note!(
                "The event {event} is delivered again {when}. `okite webhooks events {id} {event}` shows the attempt."
            );
            if json {
                let shown = json!({ "id": id, "event": event.as_str(), "at_once": at_once });
                say!("{shown:#}")?;
            }
            Ok(Exit::Success)
        })
    }
}

/// Delivers an event again. Returns its id, and whether it is delivered at once.
async fn replay(id: &str, event: &str, target: &Target) -> Result<(EventId, bool), WebhookError> {
    let deliveries = DeliveriesTable::of(target).await?;
    let webhook = WebhooksTable::of(target).await?.get(id).await?;
    if webhook.state == EndpointState::Disabled {
        return Err(WebhookError::Disabled { id: webhook.id });
    }
    let event = find(&deliveries, id, event).await?.delivery.event;
    let now = target.now();
    let replayed = retry_throttled(async || deliveries.deliveries.replay(id, &event, now, now).await).await;
    let replayed = replayed.map_err(|error| deliveries.error(&error))?;
    replayed.ok_or_else(|| WebhookError::UnknownEvent {
        id: id.to_owned(),
        event: event.to_string(),
    })?;
    // `okite tail` and `okite listen` read the table themselves.
    let is_polled = matches!(webhook.target, EventTarget::Listener { .. });
    let at_once = is_polled || hand_over(target, id, &event).await?;
    Ok((event, at_once))
}
