//! `okite emails settle`: an operator records whether an email was sent. Nothing is sent.

use clap::Args;
use domain::record::MessageRecord;
use domain::settlement::{SettleStep, Settlement};
use serde_json::json;
use uuid::Uuid;

use super::{EmailsError, MessagesTable, parse_id, state};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, say};
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};

/// How often the record is read again if it changes meanwhile.
const ROUNDS_MAX: u32 = 5;

/// Record whether an email with an unknown outcome was sent
///
/// The command sends nothing. After --not-sent, a request with the same Idempotency-Key sends the email. After --sent,
/// it gets the id of the email. An email whose outcome is known stays as it is.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("outcome").args(["sent", "not_sent"]).required(true), after_help = "\
Example:
  okite emails settle 01980000-0000-7000-8000-000000000000 --not-sent --stack okite")]
pub(crate) struct SettleCommand {
    /// Okite's id of the email, as `okite emails unknown` shows it
    #[arg(value_parser = parse_id)]
    id: Uuid,
    /// The email was sent: a recipient has it, or SES has a record of it
    #[arg(long)]
    sent: bool,
    /// The email was certainly not sent
    #[arg(long)]
    not_sent: bool,
    /// Print a JSON object with the id, the outcome, and whether the record changed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl SettleCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            id, sent, json, target, ..
        } = self;
        let settlement = if sent { Settlement::Sent } else { Settlement::NotSent };
        block_on(async {
            let settled = settle(id, settlement, &target.into()).await?;
            let name = name(settlement);
            match settled {
                Settled::Now => note!("The email {id} is recorded as {name}. Nothing was sent."),
                Settled::Before => note!("The email {id} was recorded as {name} already. Nothing was changed."),
            }
            if json {
                let outcome = if sent { "sent" } else { "not_sent" };
                let changed = settled == Settled::Now;
                say!("{:#}", json!({ "id": id, "outcome": outcome, "changed": changed }))?;
            }
            Ok(Exit::Success)
        })
    }
}

/// When the record got the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    Now,
    Before,
}

fn name(settlement: Settlement) -> &'static str {
    match settlement {
        Settlement::Sent => "sent",
        Settlement::NotSent => "not sent",
    }
}

/// Records the outcome of an email, unless its record says otherwise by then. May be repeated.
async fn settle(id: Uuid, settlement: Settlement, target: &Target) -> Result<Settled, EmailsError> {
    let table = MessagesTable::of(target).await?;
    for round in 0..ROUNDS_MAX {
        let now = target.now();
        let read = retry_throttled(async || table.messages.read(id).await).await;
        let record: Option<MessageRecord> = read.map_err(|error| table.error(&error))?;
        let record = record.ok_or_else(|| EmailsError::NotFound {
            id: id.to_string(),
            target_name: table.resolved.target_name.clone(),
        })?;
        match SettleStep::of(&record, settlement, now) {
            // A repeat by the SDK finds the decision that it wrote.
            SettleStep::Known if round > 0 && record.settled_at.is_some() => return Ok(Settled::Now),
            SettleStep::Known => return Ok(Settled::Before),
            SettleStep::TooEarly(from) => return Err(EmailsError::TooEarly { id, from }),
            SettleStep::Waits(deadline) => return Err(EmailsError::Waits { id, deadline }),
            SettleStep::WasQueued => return Err(EmailsError::WasQueued(id)),
            SettleStep::Contradicts => {
                return Err(EmailsError::Contradicts {
                    id,
                    recorded: state(&record, now),
                    wanted: name(settlement),
                });
            }
            SettleStep::Write => {}
        }
        let written = retry_throttled(async || table.messages.settle(&record, settlement, now).await).await;
        if written.map_err(|error| table.error(&error))? {
            return Ok(Settled::Now);
        }
    }
    Err(EmailsError::Changing(id))
}
