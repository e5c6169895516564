//! `okite suppressions import --from-ses`: imports the suppression list that SES keeps for the account.

use aws::{Pace, SesSuppressionList, TAKEN_AT_ONCE};
use domain::suppression::ListDrift;
use serde_json::json;
use uuid::Uuid;

use super::{ListMoveError, SuppressionList};
use crate::execution::{CommandResult, Exit, block_on};
use crate::output::{note, progress, say};
use crate::plural::counted;
use crate::retry::retry_throttled;
use crate::target::Target;

/// Imports SES's list and prints what was found.
pub(super) fn run(target: &Target, json: bool) -> CommandResult {
    block_on(async {
        let progress =
            |imported: ImportedFromSes| progress!("{}", counted(imported.drift.listed, "address", "addresses"));
        let imported = from_ses(target, progress).await?;
        note!(
            "On SES's list: {}. Added to Okite's list: {}. Unreadable: {}. Lifted in Okite: {}; the daily \
             reconciliation removes these from SES's list.",
            imported.drift.listed,
            imported.drift.added,
            imported.drift.unreadable,
            imported.to_lift
        );
        if json {
            let shown = json!({
                "listed": imported.drift.listed,
                "added": imported.drift.added,
                "unreadable": imported.drift.unreadable,
                "lifted": imported.to_lift,
            });
            say!("{shown:#}")?;
        }
        Ok(Exit::Success)
    })
}

/// The result of an import from SES.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ImportedFromSes {
    /// The entries that were found and added. An import lifts nothing in SES.
    drift: ListDrift,
    /// Addresses that Okite lifted and SES still lists. The reporter's daily reconciliation removes them from SES's
    /// list.
    to_lift: u64,
}

/// Reads SES's list of the target's account and region, one page a second, and adds what is missing.
///
/// # Errors
/// [`ListMoveError`]. What was imported before the error stays in the list.
#[expect(clippy::disallowed_methods, reason = "the command makes the ids")]
async fn from_ses(target: &Target, progress: impl Fn(ImportedFromSes)) -> Result<ImportedFromSes, ListMoveError> {
    let list = SuppressionList::of(target).await?;
    let ses = SesSuppressionList::new(aws::sesv2(&list.resolved.ses_config));
    let (mut imported, mut token, mut calls) = (ImportedFromSes::default(), None::<String>, Pace::new(false));
    loop {
        calls.wait().await;
        let page = ses.page(token.as_deref()).await?;
        for part in page.listed.chunks(TAKEN_AT_ONCE) {
            let now = target.now();
            let found = retry_throttled(async || list.suppressions.take_from_ses(part, now, Uuid::now_v7).await)
                .await
                .map_err(|error| list.error(&error))?;
            imported.drift.add(found.drift);
            imported.to_lift += found.to_lift.len() as u64;
        }
        progress(imported);
        token = page.next;
        if token.is_none() {
            return Ok(imported);
        }
    }
}
