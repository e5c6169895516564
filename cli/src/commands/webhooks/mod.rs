//! `okite webhooks`: the endpoints to which a target delivers events, and the events of each.

mod create;
mod delete;
mod events;
mod list;
mod replay;
mod rotate;
mod sample;
mod show;
mod test;
mod update;

use clap::{Args, Subcommand};
use domain::webhook::{Endpoint, EventKind, SigningSecret, Target as EventTarget};
use serde_json::{Value, json};

use crate::execution::CommandResult;

/// The variable from which an application reads the secret in the examples of the documentation.
pub(crate) const SECRET_VARIABLE: &str = "OKITE_WEBHOOK_SECRET";

/// Create and change webhooks, test them, and read and replay their events
///
/// Functions remember the webhooks for 30 seconds, so a change takes effect within that time.
#[derive(Debug, Args)]
pub(crate) struct WebhooksCommand {
    #[command(subcommand)]
    action: WebhooksAction,
}

#[derive(Debug, Subcommand)]
enum WebhooksAction {
    Create(create::CreateCommand),
    List(list::ListCommand),
    Show(show::ShowCommand),
    Update(update::UpdateCommand),
    Delete(delete::DeleteCommand),
    Rotate(rotate::RotateCommand),
    Test(test::TestCommand),
    Events(events::EventsCommand),
    Replay(replay::ReplayCommand),
}

impl WebhooksCommand {
    pub(crate) fn run(self) -> CommandResult {
        match self.action {
            WebhooksAction::Create(command) => command.run(),
            WebhooksAction::List(command) => command.run(),
            WebhooksAction::Show(command) => command.run(),
            WebhooksAction::Update(command) => command.run(),
            WebhooksAction::Delete(command) => command.run(),
            WebhooksAction::Rotate(command) => command.run(),
            WebhooksAction::Test(command) => command.run(),
            WebhooksAction::Events(command) => command.run(),
            WebhooksAction::Replay(command) => command.run(),
        }
    }
}

/// Returns a webhook as a JSON object, without its secret.
fn json(endpoint: &Endpoint) -> Value {
    let (url, listening_until) = match &endpoint.target {
        EventTarget::Url(url) => (Some(url), None),
        EventTarget::Listener { until } => (None, Some(until)),
    };
    json!({
        "id": endpoint.id,
        "endpoint": url,
        "listening_until": listening_until,
        "status": endpoint.state.as_str(),
        "events": endpoint.events.iter().copied().map(EventKind::as_str).collect::<Vec<_>>(),
        "created_at": endpoint.created_at,
    })
}

/// Returns a webhook as [`json()`] does, with its new secret.
fn json_with_secret(endpoint: &Endpoint, secret: &SigningSecret) -> Value {
    let mut shown = json(endpoint);
    shown["signing_secret"] = secret.reveal().into();
    shown
}

/// Returns where the events of a webhook go, for a person.
fn place(endpoint: &Endpoint) -> String {
    match &endpoint.target {
        EventTarget::Url(url) => url.clone(),
        EventTarget::Listener { until } => format!("okite tail or listen, until {until}"),
    }
}

#[cfg(test)]
mod tests {
    use super::list::tests::endpoint;
    use super::*;

    #[test]
    fn json_has_everything_but_the_secret() {
        assert_eq!(
            json(&endpoint("a")),
            json!({
                "id": "a", "endpoint": "https://shop.example.com/hook", "listening_until": null, "status": "enabled",
                "events": ["email.sent", "email.bounced"], "created_at": "2027-01-15T08:00:00Z",
            })
        );
        let secret = SigningSecret::from_random([7; 32]);
        assert_eq!(
            json_with_secret(&endpoint("a"), &secret)["signing_secret"],
            "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
        );
    }
}
