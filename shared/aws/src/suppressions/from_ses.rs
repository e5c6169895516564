//! The entries of SES's own list, added to ours.

use futures_util::TryFutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Evidence, Recorded, Suppressions};
use crate::StoreError;
use crate::dynamodb::batch;
use domain::address::EmailAddress;
use domain::suppression::{ListDrift, ReconciliationStep, SesListEntry, SuppressionReason};

/// How many entries are handled at once: as many addresses as one lookup takes.
pub const TAKEN_AT_ONCE: usize = batch::GET_MAX;
/// How many of them are written at the same time.
const WRITES_AT_ONCE: usize = 8;
/// The source of evidence that comes from SES's list.
const SOURCE: &str = "ses-account-list";

/// An address that an entry of SES's list suppressed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedFromSes {
    /// The id of the entry in our list.
    pub id: Uuid,
    /// The address.
    pub address: EmailAddress,
    /// SES's reason.
    pub reason: SuppressionReason,
    /// The time from which it is suppressed.
    pub since: Timestamp,
}

/// The result of adding a part of SES's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenFromSes<'a> {
    /// The entries that were found and added. Nothing is lifted yet.
    pub drift: ListDrift,
    /// The addresses that were not suppressed before.
    pub suppressed: Vec<AddedFromSes>,
    /// The entries that are to be removed from SES's list.
    pub to_lift: Vec<&'a SesListEntry>,
}

impl Suppressions {
    /// Compares a part of SES's list with ours and adds what ours lacks. A part has at most [`TAKEN_AT_ONCE`] entries
    /// as a rule. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if part of it was not read or written.
    pub async fn take_from_ses<'a>(
        &self,
        listed: &'a [SesListEntry],
        now: Timestamp,
        new_id: impl Fn() -> Uuid,
    ) -> Result<TakenFromSes<'a>, StoreError> {
        let parsed: Vec<(&SesListEntry, EmailAddress)> = listed
            .iter()
            .filter_map(|listed| Some((listed, EmailAddress::parse(&listed.address).ok()?)))
            .collect();
        let found = self.lookup(parsed.iter().map(|(_, address)| address)).await?;
        let mut taken = TakenFromSes::default();
        taken.drift.listed = listed.len() as u64;
        taken.drift.unreadable = (listed.len() - parsed.len()) as u64;
        let mut writes = Vec::new();
        for (listed, address) in &parsed {
            let registers = found.get(address.normalised()).cloned().unwrap_or_default();
            match listed.step(address, &registers, now) {
                ReconciliationStep::Agree | ReconciliationStep::LeaveAlone => {}
                ReconciliationStep::Unreadable => taken.drift.unreadable += 1,
                ReconciliationStep::Lift => taken.to_lift.push(listed),
                ReconciliationStep::Add(at) => {
                    let evidence = Evidence {
                        subtype: match listed.reason {
                            SuppressionReason::Complaint => "COMPLAINT",
                            _ => "BOUNCE",
                        },
                        source: SOURCE,
                        ..Evidence::default()
                    };
                    let record = self.record(address, listed.reason, at, evidence, new_id());
                    writes.push(record.map_ok(move |recorded| match recorded {
                        Recorded::Suppressed { id } => Some(AddedFromSes {
                            id,
                            address: address.clone(),
                            reason: listed.reason,
                            since: at,
                        }),
                        Recorded::NothingNew => None,
                    }));
                }
            }
        }
        taken.drift.added = writes.len() as u64;
        let written: Vec<_> = stream::iter(writes)
            .buffer_unordered(WRITES_AT_ONCE)
            .try_collect()
            .await?;
        taken.suppressed.extend(written.into_iter().flatten());
        Ok(taken)
    }
}
