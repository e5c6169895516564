//! The registers of an address, and whether they suppress it.
//!
//! Each register of an address keeps the latest time of one kind of event. Taking the latest time is idempotent and
//! commutative. So events may arrive twice and in any order, and the item ends the same. [`Registers::suppression`]
//! interprets the registers when Okite is about to send. Expiry and lifting only compare times; they delete nothing.
//!
//! Soft bounces are a set of the newest times, which commutes as well. [`SoftBounceTiers`] interprets the set.
//!
//! The choices about topics are apart from the registers: they concern mail of their topic alone. [`TopicChoices`] has
//! them.

mod entry;
mod reconciliation;
mod register;
mod registers;
mod repeated_blocks;
mod ses_list_entry;
mod storm;
mod tiers;
mod topics;

pub use entry::{RegisterEvidence, SoftBounce, SuppressionEntry, mail_of};
pub use reconciliation::{
    FinishedPass, ListDrift, Reconciliation, ReconciliationPass, ReportedReconciliation, UNFINISHED,
};
pub use register::{Register, SuppressionReason};
pub use registers::{Registers, Suppression};
pub use repeated_blocks::{BLOCK_DAYS_ENOUGH, BLOCK_DAYS_KEPT, first_blocks_of_days};
pub use ses_list_entry::{ReconciliationStep, SesListEntry};
pub use storm::{STORM_BLOCKS, STORM_ENOUGH, STORM_WINDOW, is_storm};
pub use tiers::{InvalidTiers, SoftBounceTiers};
pub use topics::{TOPICS_KEPT, TopicChoice, TopicChoices};

/// The number of soft bounces that Okite keeps of an address: the newest. Without a limit, an address that rejects mail
/// for months would fill its item.
///
/// The default tiers need at most 17: the 5 that reached the tier, and then at most 4 in each of the three windows in
/// 30 days (5 + 3 × 4).
pub const SOFT_BOUNCES_KEPT: usize = 50;
