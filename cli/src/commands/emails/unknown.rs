//! `okite emails unknown`: lists the emails whose outcome is unknown: SES may or may not have accepted them.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use domain::idempotency::LEASE;
use domain::record::{DeliveryState, MessageRecord};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{EmailsError, MessagesTable};
use crate::duration::parse_duration;
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::output::{self, note, progress};
use crate::plural::counted;
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::terminal::columns;

/// The most emails that are listed. More than these have a common cause, which an operator must find first.
const LISTED_MAX: usize = 1_000;

/// List the emails whose outcome is unknown (sent or not), oldest first
///
/// Amazon SES gave no clear answer for them, or the function ended before it could record the answer, and no event has
/// come. The command reads the whole table of messages, which takes time and read capacity.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite emails unknown --since 2d --stack okite")]
pub(crate) struct UnknownCommand {
    /// Look at the emails that were attempted within this time, such as 12h or 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_duration)]
    since: Duration,
    /// Print a JSON array instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl UnknownCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { since, json, target } = self;
        block_on(async {
            let progress = |read| progress!("{} read", counted(read, "record", "records"));
            let found = find(&target.into(), since, progress).await?;
            let mut output = output::stdout();
            if json {
                writeln!(output, "{:#}", found.emails.iter().map(email).collect::<Value>())?;
            } else if found.emails.is_empty() {
                note!(
                    "No email in this period has an unknown outcome in {}. Emails of the last {} seconds are not listed, \
                     nor are those that a worker may still be sending.",
                    found.target_name,
                    LEASE.as_secs()
                );
            } else {
                let header = ["ID", "ATTEMPTED", "TO", "SUBJECT"];
                write!(output, "{}", columns(header, found.emails.iter().map(row)))?;
            }
            found.is_complete()?;
            Ok(Exit::Success)
        })
    }
}

/// The emails of a target whose outcome is unknown.
struct UnknownEmails {
    /// The emails, oldest first.
    emails: Vec<MessageRecord>,
    /// Whether there are more than are listed.
    has_more: bool,
    /// The number of records in doubt that could not be read.
    unreadable: u64,
    target_name: String,
}

impl UnknownEmails {
    fn is_complete(&self) -> Result<(), Failure> {
        if self.has_more {
            return Err(Failure::new(format!(
                "there are more than {LISTED_MAX} such emails, and the list is not complete: look for their common \
                 cause, or shorten --since"
            )));
        }
        if self.unreadable > 0 {
            return Err(Failure::new(format!(
                "the list is not complete: {} could not be read",
                counted(self.unreadable, "record", "records")
            )));
        }
        Ok(())
    }
}

/// Reads the table to its end, or until there are too many. Calls `progress` with the items read after each page.
async fn find(target: &Target, since: Duration, progress: impl Fn(u64)) -> Result<UnknownEmails, EmailsError> {
    let now = target.now();
    let table = MessagesTable::of(target).await?;
    let since = now
        .checked_sub(since)
        .unwrap_or(Timestamp::MIN)
        .max(Timestamp::UNIX_EPOCH);
    // Until its lease is over, an attempt may be under way.
    let times = (since, now.checked_sub(LEASE).unwrap_or(now));
    let mut found = UnknownEmails {
        emails: Vec::new(),
        has_more: false,
        unreadable: 0,
        target_name: table.resolved.target_name.clone(),
    };
    let (mut after, mut read) = (None, 0);
    loop {
        let page = retry_throttled(async || table.messages.open_page(times, after.as_ref()).await).await;
        let page = page.map_err(|error| table.error(&error))?;
        read += page.read;
        found.unreadable += page.unreadable;
        for mut record in page.records {
            let proof = retry_throttled(async || table.messages.proof_of_sending(record.id).await).await;
            record.events.extend(proof.map_err(|error| table.error(&error))?);
            if record.state(now) == DeliveryState::Unknown {
                found.emails.push(record);
            }
        }
        progress(read);
        after = page.next;
        found.has_more = found.emails.len() > LISTED_MAX;
        if after.is_none() || found.has_more {
            break;
        }
    }
    found.emails.truncate(LISTED_MAX);
    found.emails.sort_by_key(|record| (record.attempt_at, record.id));
    Ok(found)
}

fn email(record: &MessageRecord) -> Value {
    json!({
        "id": record.id,
        "attempt": record.attempt,
        "attempted_at": record.attempt_at,
        "created_at": record.created_at,
        "from": record.mail.from,
        "to": record.mail.to,
        "cc": record.mail.cc,
        "bcc": record.mail.bcc,
        "subject": record.mail.subject,
    })
}

fn row(record: &MessageRecord) -> [String; 4] {
    let attempted = record.attempt_at.unwrap_or(record.created_at);
    let attempted = Timestamp::from_second(attempted.as_second()).unwrap_or(attempted);
    let to = match record.mail.to.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    };
    [
        record.id.to_string(),
        attempted.to_string(),
        to,
        record.mail.subject.clone(),
    ]
}
