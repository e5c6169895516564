//! `okite webhooks create`: creates a webhook and prints its secret, which is never shown again.

use std::collections::BTreeSet;

use clap::Args;
use domain::webhook::{Endpoint, EndpointState, EventKind, SigningSecret, Target as EventTarget};
use send_api::check_webhook_address;
use uuid::Uuid;

use super::{SECRET_VARIABLE, json_with_secret};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::target::{Target, TargetArguments};
use crate::webhook_tables::{WebhookError, WebhooksTable, draw_secret, parse_events};

/// Create a webhook: events are posted to its URL
///
/// Prints the line of an `.env` file with the secret that requests are signed with. It is shown only now. The URL must
/// begin with https:// and lead to the public internet; an `okite up` takes http://127.0.0.1:PORT too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite webhooks create http://127.0.0.1:8000/hook --events email.bounced,email.complained
  okite webhooks create https://shop.example.com/hook --events all --stack okite")]
pub(crate) struct CreateCommand {
    /// URL that events are posted to
    url: String,
    /// Events to deliver, separated by commas, or `all`
    #[arg(long, value_name = "EVENT,…", value_parser = parse_events)]
    events: std::collections::BTreeSet<EventKind>,
    /// Print a JSON object instead of the line with the secret
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl CreateCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            url,
            events,
            json,
            target,
        } = self;
        let target = Target::from(target);
        block_on(async {
            let (endpoint, secret, target_name) = create(&url, events, &target).await?;
            note!(
                "Created the webhook {} in {target_name}. Its secret is shown only now:",
                endpoint.id
            );
            if json {
                say!("{:#}", json_with_secret(&endpoint, &secret))?;
            } else {
                say!("{SECRET_VARIABLE}={}", secret.reveal())?;
            }
            Ok(Exit::Success)
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the command makes the id")]
async fn create(
    url: &str,
    events: BTreeSet<EventKind>,
    target: &Target,
) -> Result<(Endpoint, SigningSecret, String), WebhookError> {
    let table = WebhooksTable::of(target).await?;
    let url = check_webhook_address(url, &target.url_rules().await?).await?;
    let endpoint = Endpoint {
        id: Uuid::now_v7().to_string(),
        target: EventTarget::Url(url.as_str().to_owned()),
        events,
        state: EndpointState::Enabled,
        created_at: target.now(),
    };
    let secret = draw_secret()?;
    table.create(&endpoint, &secret).await?;
    Ok((endpoint, secret, table.target_name()))
}
