//! `okite forget`: deletes an address from the records of mail. A suppressed address stays suppressed.

use std::io::Write;

use aws::{LeftBecause, Messages, Outbox, StoreError, Suppressions, WaitingMails};
use clap::Args;
use domain::address::{AddressError, EmailAddress};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::output::{note, progress, say, stderr};
use crate::plural::counted;
use crate::retry::retry_throttled;
use crate::target::{MESSAGES, OUTBOX, SUPPRESSIONS, Target, TargetArguments, TargetError};

/// Delete a person's address from the records of mail; a suppressed address stays suppressed
///
/// An address that was not suppressed can get mail again. The command finds the mails to the address by an index. With
/// --scan it reads the whole table of messages, which also finds records that name the address otherwise. A mail that
/// waits is sent to its other recipients only; without one on its To line it is cancelled. The command asks for
/// confirmation first. You may run it again after an error. It does not reach backups, SES's own suppression list, or
/// events still on their way: see docs/PRIVACY.md.
#[derive(Debug, Args)]
#[command(mut_arg("table", |table| table.hide(true)), after_help = "\
Example:
  okite forget anna@example.net --hash --stack okite")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct ForgetCommand {
    /// The address, in any spelling
    #[arg(value_parser = parse_address)]
    address: EmailAddress,
    /// Replace the address on the suppression list by its SHA-256 hash
    #[arg(long)]
    hash: bool,
    /// Read every record of messages: also find the address as a sender, and in answers of mail servers about others
    ///
    /// This reads the whole table of messages, which takes time and read capacity.
    #[arg(long)]
    scan: bool,
    /// Skip the confirmation
    #[arg(long)]
    yes: bool,
    /// Print a JSON object with what was deleted
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl ForgetCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            address,
            hash,
            scan,
            yes,
            json,
            target,
        } = self;
        let search = if scan { Search::Table } else { Search::Index };
        if !yes && !confirmed(search)? {
            return Err(Failure::new(
                "nothing was deleted, because it was not confirmed. Type yes when asked, or use --yes",
            ));
        }
        let entry = if hash { KeptEntry::Hash } else { KeptEntry::Address };
        block_on(async {
            let progress = |forgotten: &Forgotten| progress!("{} read", counted(forgotten.read, "record", "records"));
            let forgotten = forget(&target.into(), &address, entry, search, progress).await?;
            let suppression = match (forgotten.had_entry, entry) {
                (false, _) => "The suppression list had no entry under it.",
                (true, KeptEntry::Address) => {
                    "The suppression list keeps the address alone: what suppresses it stays in force."
                }
                (true, KeptEntry::Hash) => {
                    "The suppression list keeps a hash of it: what suppresses it stays in force."
                }
            };
            let waiting = waiting(&forgotten);
            let not_searched = match search {
                Search::Index => {
                    "Records that name it as a sender or in texts about others were not searched (--scan). "
                }
                Search::Table => "",
            };
            note!(
                "The address was deleted from {}. {waiting}{suppression} {not_searched}Backups, SES's own suppression \
                 list and events still on their way were not changed: see docs/PRIVACY.md.",
                counted(forgotten.messages, "record of a message", "records of messages")
            );
            if json {
                say!("{:#}", forgotten.json(entry))?;
            }
            forgotten.is_everywhere()?;
            Ok(Exit::Success)
        })
    }
}

/// Says what became of the mails that waited; nothing if there were none.
fn waiting(forgotten: &Forgotten) -> String {
    if (forgotten.contents, forgotten.canceled) == (0, 0) {
        return String::new();
    }
    format!(
        "Of the mails that waited, {} will be sent without it, and {} cancelled. ",
        forgotten.contents,
        counted(forgotten.canceled, "was", "were")
    )
}

/// Parses an address. The domain's text about brackets is for addresses that may have a name.
fn parse_address(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text).map_err(|error| match error {
        AddressError::BracketsInvalid => "give the address alone, without a name and without < and >".to_owned(),
        error => error.to_string(),
    })
}

/// Asks the operator on standard error and reads the answer.
fn confirmed(search: Search) -> std::io::Result<bool> {
    let records = match search {
        Search::Index => "the records of all messages to it",
        Search::Table => "all records of messages, and reads each of them",
    };
    write!(
        stderr(),
        "This deletes the address for good from {records}. Type yes to continue: "
    )?;
    let mut answer = String::new();
    if std::io::stdin().read_line(&mut answer)? == 0 {
        note!("");
    }
    Ok(answer.trim() == "yes")
}

/// How the records that name the address are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// By the index of recipients.
    Index,
    /// By reading the whole table.
    Table,
}

/// The part of the entry that the suppression list keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeptEntry {
    /// The address, without its spellings and without the diagnostic texts of mail servers.
    Address,
    /// The SHA-256 hash of the address.
    Hash,
}

/// The command's work so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Forgotten {
    /// Items of the table of messages that were read.
    read: u64,
    /// Records of messages that named the address.
    messages: u64,
    /// Whether the suppression list had an entry under the address.
    had_entry: bool,
    /// Mails that wait, whose content was written anew without the address.
    contents: u64,
    /// Mails that waited and were cancelled, because nobody was left to send them to.
    canceled: u64,
    /// Mails of the queue that still name the address.
    left: Vec<(Uuid, LeftBecause)>,
}

impl Forgotten {
    /// Returns what was deleted. The address is left out.
    fn json(&self, entry: KeptEntry) -> Value {
        let suppression = match (self.had_entry, entry) {
            (false, _) => None,
            (true, KeptEntry::Address) => Some("address"),
            (true, KeptEntry::Hash) => Some("hash"),
        };
        let left = self.left.iter();
        json!({
            "messages": self.messages,
            "suppression_keeps": suppression,
            "waiting_without_it": self.contents,
            "waiting_canceled": self.canceled,
            "left": left.map(|(id, because)| json!({ "id": id, "reason": because.as_str() })).collect::<Value>(),
        })
    }

    fn is_everywhere(&self) -> Result<(), Failure> {
        if self.left.is_empty() {
            return Ok(());
        }
        let named = self
            .left
            .iter()
            .map(|(id, because)| format!("\n{id}: {}", because.as_str()));
        let message = format!(
            "{} the address. Run this command again in some minutes{}",
            counted(
                self.left.len() as u64,
                "mail of the queue still names",
                "mails of the queue still name"
            ),
            named.collect::<String>()
        );
        Err(Failure::new(message))
    }
}

/// Why an address was not deleted, or not everywhere.
#[derive(Debug, thiserror::Error)]
enum ForgetError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("an address is stored in two tables: name the stack with --stack instead of --table")]
    SingleTable,
    #[error("the address is not deleted everywhere yet: {0}. Run this command again")]
    Store(String),
}

/// Deletes `address` from the records of messages that `search` finds, and reduces its suppression entry to `entry`.
/// Calls `progress` after each page. Idempotent: after an error, run it again.
#[expect(clippy::disallowed_methods, reason = "the command makes the ids")]
async fn forget(
    target: &Target,
    address: &EmailAddress,
    entry: KeptEntry,
    search: Search,
    progress: impl Fn(&Forgotten),
) -> Result<Forgotten, ForgetError> {
    if matches!(target, Target::Resource { .. }) {
        return Err(ForgetError::SingleTable);
    }
    let (messages, suppressions) = (target.resolve(MESSAGES).await?, target.resolve(SUPPRESSIONS).await?);
    let outbox = target.resolve(OUTBOX).await?;
    let client = aws::dynamodb(&messages.config);
    let outbox = Outbox::new(client.clone(), outbox.name);
    let waiting = WaitingMails {
        outbox: &outbox,
        now: target.now(),
        new_nonce: &Uuid::now_v7,
    };
    let messages = Messages::new(client.clone(), messages.name);
    let suppressions = Suppressions::new(client, suppressions.name);
    let failed = |error: StoreError| target.store_error(&error, ForgetError::Store);
    let mut forgotten = Forgotten::default();
    // The suppression list comes first because it is the short part.
    let changed = match entry {
        KeptEntry::Address => retry_throttled(async || suppressions.forget_evidence(address).await).await,
        KeptEntry::Hash => retry_throttled(async || suppressions.forget_address(address, Uuid::now_v7()).await).await,
    };
    forgotten.had_entry = changed.map_err(failed)?;
    let mut after = None::<String>;
    loop {
        let page = retry_throttled(async || match search {
            Search::Index => messages.forget_sent_to(address, after.as_deref(), Some(&waiting)).await,
            Search::Table => messages.forget(address, after.as_deref(), Some(&waiting)).await,
        });
        let page = page.await.map_err(failed)?;
        forgotten.read += page.read;
        forgotten.messages += page.rewritten;
        forgotten.contents += page.contents;
        forgotten.canceled += page.canceled;
        forgotten.left.extend(page.left);
        progress(&forgotten);
        after = page.next;
        if after.is_none() {
            return Ok(forgotten);
        }
    }
}
