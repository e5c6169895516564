//! `okite webhooks show`: one webhook and its health.

use std::io::Write;

use clap::Args;
use domain::webhook::{DisabledBecause, Endpoint, EndpointHealth, EventKind};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::place;
use crate::execution::{CommandResult, Exit, block_on};
use crate::output;
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::terminal::printable;
use crate::webhook_tables::{WebhookError, WebhooksTable};

/// Show a webhook and how its deliveries went lately
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite webhooks show 01980000-0000-7000-8000-000000000000 --stack okite")]
pub(crate) struct ShowCommand {
    /// Id of the webhook, as `okite webhooks list` shows it
    id: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl ShowCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { id, json, target } = self;
        block_on(async {
            let (endpoint, health) = find(&id, &target.into()).await?;
            let mut output = output::stdout();
            if json {
                writeln!(output, "{:#}", json_with_health(&endpoint, &health))?;
            } else {
                write!(output, "{}", text(&endpoint, &health))?;
            }
            Ok(Exit::Success)
        })
    }
}

async fn find(id: &str, target: &Target) -> Result<(Endpoint, EndpointHealth), WebhookError> {
    let table = WebhooksTable::of(target).await?;
    let endpoint = table.get(id).await?;
    let health = retry_throttled(async || table.webhooks.health(id).await).await;
    let health = health.map_err(|error| table.error(&error))?;
    Ok((endpoint, health.ok_or_else(|| table.unknown(id))?))
}

fn json_with_health(endpoint: &Endpoint, health: &EndpointHealth) -> Value {
    let mut shown = super::json(endpoint);
    shown["failures"] = health.failures.into();
    shown["parked_at"] = json!(health.parked_at);
    shown["disabled_because"] = json!(health.disabled_because.map(DisabledBecause::as_str));
    shown["last_failure"] = json!(health.last_failure.as_ref().map(|failure| json!({
        "at": failure.at,
        "status": failure.status,
        "error": failure.error,
    })));
    shown
}

/// Writes a webhook for a person, a line for each field that has a value.
fn text(endpoint: &Endpoint, health: &EndpointHealth) -> String {
    let names: Vec<&str> = endpoint.events.iter().copied().map(EventKind::as_str).collect();
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let because = health.disabled_because.map(|because| match because {
        DisabledBecause::Gone => "it answered 410: it is gone",
        DisabledBecause::Parked => "every attempt of five days failed",
    });
    let failure = health.last_failure.as_ref().map(|failure| {
        let cause = failure.error.clone();
        let status = failure.status.map(|status| format!("status {status}"));
        format!("{} at {}", cause.or(status).unwrap_or_default(), failure.at)
    });
    let fields = [
        ("id", endpoint.id.clone()),
        ("endpoint", place(endpoint)),
        ("status", endpoint.state.as_str().to_owned()),
        ("disabled because", because.unwrap_or_default().to_owned()),
        ("events", names.join(", ")),
        ("created at", endpoint.created_at.to_string()),
        ("failures in a row", health.failures.to_string()),
        ("parked since", time(health.parked_at)),
        ("last failure", failure.unwrap_or_default()),
    ];
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let shown = fields.iter().filter(|(_, value)| !value.is_empty());
    let lines: Vec<String> = shown
        .map(|(name, value)| format!("{name:width$}  {}\n", printable(value)))
        .collect();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use domain::webhook::LastFailure;

    use super::super::list::tests::endpoint;
    use super::*;

    #[test]
    fn shows_the_health_and_the_last_failure() {
        let health = EndpointHealth {
            failures: 20,
            parked_at: Some(Timestamp::from_second(1_800_000_100).unwrap()),
            last_failure: Some(LastFailure {
                at: Timestamp::from_second(1_800_000_099).unwrap(),
                status: Some(500),
                error: None,
            }),
            disabled_because: Some(DisabledBecause::Gone),
        };
        let wanted = "\
id                 a
endpoint           https://shop.example.com/hook
status             enabled
disabled because   it answered 410: it is gone
events             email.sent, email.bounced
created at         2027-01-15T08:00:00Z
failures in a row  20
parked since       2027-01-15T08:01:40Z
last failure       status 500 at 2027-01-15T08:01:39Z
";
        assert_eq!(text(&endpoint("a"), &health), wanted);
        let shown = json_with_health(&endpoint("a"), &health);
        assert_eq!(
            shown["last_failure"],
            json!({"at": "2027-01-15T08:01:39Z", "status": 500, "error": null})
        );
        assert_eq!(
            [&shown["failures"], &shown["disabled_because"]],
            [&json!(20), &json!("gone")]
        );
    }

    #[test]
    fn a_healthy_webhook_has_no_empty_lines() {
        let shown = text(&endpoint("a"), &EndpointHealth::default());
        assert_eq!(shown.lines().count(), 6, "{shown}");
    }
}
