//! `okite emails show`: one email and what became of it, as `GET /emails/{id}` returns it.

use std::io::Write;

use clap::Args;
use domain::record::{MessageRecord, OkiteState};
use jiff::Timestamp;
use send_api::{EmailId, email_json, find_email};
use serde_json::Value;

use super::search::search;
use super::{EmailsError, MessagesTable, state};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output;
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::terminal::{columns, printable};

/// The place of the link in the row of an event.
const LINK: usize = 5;
/// The most characters of a link that are printed. `--json` prints all of it.
const LINK_MAX: usize = 200;

/// Show an email and what became of it for each recipient
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite emails show 01980000-0000-7000-8000-000000000000 --stack okite")]
pub(crate) struct ShowCommand {
    /// Okite's id of the email, or Amazon SES's, for which the command may have to read the whole table of messages
    id: String,
    /// Print what GET /emails/{id} returns
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl ShowCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { id, json, target } = self;
        let target = Target::from(target);
        block_on(async {
            let now = target.now();
            let (record, region) = find(&id, &target).await?;
            let email = email_json(&record, &region, now);
            let mut output = output::stdout();
            if json {
                writeln!(output, "{email:#}")?;
            } else {
                write!(output, "{}", text(&record, &email, now))?;
            }
            Ok(Exit::Success)
        })
    }
}

/// The length of Okite's ids. SES's ids are longer. A text that is not longer is a part of an id, and no table is
/// searched for it.
const OUR_ID_LENGTH: usize = 36;

/// Finds an email, and the region of SES that it was sent in.
async fn find(id: &str, target: &Target) -> Result<(MessageRecord, String), EmailsError> {
    let email_id = EmailId::read(id).ok_or_else(|| EmailsError::Id(printable(id)))?;
    let table = MessagesTable::of(target).await?;
    let mut record = read(&table, email_id).await?;
    if let (None, EmailId::Ses(ses_id)) = (&record, email_id)
        && ses_id.len() > OUR_ID_LENGTH
        && let Some(id) = search(&table, ses_id).await?
    {
        record = read(&table, EmailId::Ours(id)).await?;
    }
    let record = record.ok_or_else(|| EmailsError::NotFound {
        id: id.to_owned(),
        target_name: table.resolved.target_name.clone(),
    })?;
    Ok((record, table.resolved.region()?))
}

async fn read(table: &MessagesTable, id: EmailId<'_>) -> Result<Option<MessageRecord>, EmailsError> {
    let found = retry_throttled(async || find_email(&table.messages, id).await).await;
    found.map_err(|error| table.error(&error))
}

/// Writes an email for a person. `email` is the same as JSON.
fn text(record: &MessageRecord, email: &Value, now: Timestamp) -> String {
    let mail = &record.mail;
    let attempt = record.attempt_at.map(|at| format!("{} at {at}", record.attempt));
    let settled = record.settled_at.map(|at| format!("by an operator at {at}"));
    let tags = mail.tags.iter().map(|(name, value)| format!("{name}={value}"));
    let (okite_state, reason) = record.okite_state(now);
    let waits = matches!(okite_state, OkiteState::Queued | OkiteState::Scheduled);
    let queued = record.queued.as_ref();
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let fields = [
        ("id", record.id.to_string()),
        ("state", state(record, now).to_owned()),
        ("reason", reason.filter(|_| !waits).unwrap_or_default().to_owned()),
        (
            "waits for",
            queued
                .filter(|_| waits)
                .map_or("", |_| waits_for(okite_state, reason))
                .to_owned(),
        ),
        ("queued at", time(queued.map(|queued| queued.queued_at))),
        ("scheduled at", time(queued.and_then(|queued| queued.scheduled_at))),
        ("deadline", time(queued.map(|queued| queued.deadline))),
        ("settled", settled.unwrap_or_default()),
        ("last event", cell(&email["last_event"])),
        ("attempt", attempt.unwrap_or_default()),
        ("created at", record.created_at.to_string()),
        ("message id", cell(&email["message_id"])),
        ("from", mail.from.clone()),
        ("to", mail.to.join(", ")),
        ("cc", mail.cc.join(", ")),
        ("bcc", mail.bcc.join(", ")),
        ("reply to", mail.reply_to.join(", ")),
        ("subject", mail.subject.clone()),
        ("tags", tags.collect::<Vec<_>>().join(", ")),
    ];
    let mut text = String::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        text.extend([format!("{name:<14}"), printable(value), "\n".to_owned()]);
    }
    let rows = |list: &str, names: &[&str]| -> Vec<Vec<String>> {
        let list = email[list].as_array().into_iter().flatten();
        list.map(|row| names.iter().map(|name| cell(&row[*name])).collect())
            .collect()
    };
    let recipients = rows("recipients", &["email", "status", "reason", "since"]);
    text.push('\n');
    text.push_str(&columns(
        ["RECIPIENT", "STATUS", "REASON", "SINCE"],
        recipients.into_iter().map(cells),
    ));
    let mut events = rows("events", &["at", "type", "email", "subtype", "diagnostic", "link"]);
    for row in &mut events {
        row[LINK] = shortened(&row[LINK]);
    }
    if !events.is_empty() {
        text.push('\n');
        let header = ["AT", "EVENT", "RECIPIENT", "SUBTYPE", "DIAGNOSTIC", "LINK"];
        // Only clicks have a link.
        text.push_str(&if events.iter().any(|row| !row[LINK].is_empty()) {
            columns(header, events.into_iter().map(cells))
        } else {
            let header: [&str; LINK] = std::array::from_fn(|place| header[place]);
            columns(header, events.into_iter().map(cells))
        });
    }
    text
}

/// Returns the beginning of a link that is longer than a line or two.
fn shortened(link: &str) -> String {
    match link.char_indices().nth(LINK_MAX) {
        Some((end, _)) => format!("{}…", &link[..end]),
        None => link.to_owned(),
    }
}

/// Returns what an email waits for.
fn waits_for(state: OkiteState, reason: Option<&'static str>) -> &'static str {
    match state {
        OkiteState::Scheduled => "its time",
        // It has not been tried yet.
        _ => reason.unwrap_or("its turn"),
    }
}

/// Returns the text of a JSON value; null has none.
fn cell(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Makes a row of as many cells as it has.
fn cells<const N: usize>(row: Vec<String>) -> [String; N] {
    let mut row = row.into_iter();
    std::array::from_fn(|_| row.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use domain::record::{Engagement, RecordedEvent, SenderState, Visit};
    use uuid::Uuid;

    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn shown(kind: &str, link: Option<&str>) -> String {
        let mut record = MessageRecord::new(Uuid::nil(), SenderState::Sending, AT);
        record.ses_id = Some("ses-1".to_owned());
        record.events = vec![RecordedEvent {
            kind: kind.to_owned(),
            at: AT,
            recipient: Some("anna@example.net".to_owned()),
            subtype: None,
            diagnostic: None,
            bounce_reason: None,
            forwarded: false,
            engagement: link.map(|link| Engagement {
                visit: Visit {
                    ip_address: None,
                    user_agent: None,
                },
                link: Some(link.to_owned()),
                link_tags: [].into(),
            }),
        }];
        text(&record, &email_json(&record, "eu-west-1", AT), AT)
    }

    #[test]
    fn a_click_has_its_link_without_control_characters_and_not_all_of_a_long_one() {
        let text = shown("Click", Some("https://example.com/\u{1b}[31m"));
        assert!(text.contains("DIAGNOSTIC  LINK\n"), "{text}");
        assert!(text.contains("https://example.com/\u{fffd}[31m\n"), "{text}");
        let text = shown("Click", Some(&format!("https://example.com/{}", "ä".repeat(2_000))));
        assert!(
            text.contains(&format!("https://example.com/{}…\n", "ä".repeat(180))),
            "{text}"
        );
    }

    #[test]
    fn events_without_a_link_have_no_column_for_it() {
        let text = shown("Delivery", None);
        assert!(text.contains("DIAGNOSTIC\n") && !text.contains("LINK"), "{text}");
    }
}
