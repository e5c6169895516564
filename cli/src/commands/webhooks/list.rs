//! `okite webhooks list`: shows all webhooks without their secrets.

use std::io::Write;

use clap::Args;
use domain::webhook::{Endpoint, EventKind};
use jiff::Timestamp;
use serde_json::Value;

use super::place;
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{self, note};
use crate::target::{Target, TargetArguments};
use crate::terminal::columns;
use crate::webhook_tables::WebhooksTable;

const HEADER: [&str; 5] = ["ID", "ENDPOINT", "STATUS", "EVENTS", "CREATED"];
/// The most events that a line names. A line with more is hard to read.
const NAMED_MAX: usize = 3;

/// List all webhooks without their secrets, oldest first
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite webhooks list --stack okite")]
pub(crate) struct ListCommand {
    /// Print a JSON array instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl ListCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { json, target } = self;
        block_on(async {
            let table = WebhooksTable::of(&Target::from(target)).await?;
            let mut endpoints = table.list().await?;
            endpoints.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            let mut output = output::stdout();
            if json {
                let all: Value = endpoints.iter().map(super::json).collect();
                writeln!(output, "{all:#}")?;
            } else if endpoints.is_empty() {
                note!(
                    "There are no webhooks in {}. `okite webhooks create` creates one.",
                    table.target_name()
                );
            } else {
                write!(output, "{}", columns(HEADER, endpoints.iter().map(row)))?;
            }
            Ok(Exit::Success)
        })
    }
}

fn row(endpoint: &Endpoint) -> [String; HEADER.len()] {
    let created = Timestamp::from_second(endpoint.created_at.as_second()).unwrap_or(endpoint.created_at);
    [
        endpoint.id.clone(),
        place(endpoint),
        endpoint.state.as_str().to_owned(),
        events(endpoint),
        created.to_string(),
    ]
}

/// Names the events of a webhook, or counts them if they are many.
fn events(endpoint: &Endpoint) -> String {
    match endpoint.events.len() {
        count if count == EventKind::ALL.len() => "all".to_owned(),
        count if count > NAMED_MAX => format!("{count} of {}", EventKind::ALL.len()),
        _ => {
            let names: Vec<&str> = endpoint.events.iter().copied().map(EventKind::as_str).collect();
            names.join(",")
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use domain::webhook::{EndpointState, Target as EventTarget};

    use super::*;

    pub(in crate::commands::webhooks) fn endpoint(id: &str) -> Endpoint {
        Endpoint {
            id: id.to_owned(),
            target: EventTarget::Url("https://shop.example.com/hook".to_owned()),
            events: BTreeSet::from([EventKind::EmailSent, EventKind::EmailBounced]),
            state: EndpointState::Enabled,
            created_at: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    #[test]
    fn a_table_has_a_line_for_each_webhook() {
        let listener = Endpoint {
            target: EventTarget::Listener {
                until: Timestamp::from_second(1_800_000_060).unwrap(),
            },
            events: EventKind::ALL.into(),
            ..endpoint("b")
        };
        let many = Endpoint {
            state: EndpointState::Disabled,
            events: EventKind::ALL.into_iter().take(5).collect(),
            ..endpoint("c\u{1b}[2J")
        };
        let table = columns(HEADER, [endpoint("a"), listener, many].iter().map(row));
        let wanted = "\
ID     ENDPOINT                                          STATUS    EVENTS                    CREATED
a      https://shop.example.com/hook                     enabled   email.sent,email.bounced  2027-01-15T08:00:00Z
b      okite tail or listen, until 2027-01-15T08:01:00Z  enabled   all                       2027-01-15T08:00:00Z
c\u{fffd}[2J  https://shop.example.com/hook                     disabled  5 of 16                   2027-01-15T08:00:00Z
";
        assert_eq!(table, wanted);
    }
}
