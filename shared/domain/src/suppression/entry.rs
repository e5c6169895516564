//! An entry of the suppression list: everything that the list stores about one address.
//!
//! Only the [`Registers`] decide about a mail. The evidence explains the decision to operators, and makes the list
//! portable.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Register, Registers};
use crate::address::EmailAddress;
use crate::bounce::BounceReason;

/// An address on the list, with its registers and their evidence.
///
/// An address with an entry is not always suppressed: see [`Registers::suppression`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionEntry {
    /// The id of the entry in the API (`UUIDv7`).
    pub id: Uuid,
    /// The normalised address, or the pseudonym of a forgotten person. The evidence keeps the spellings that callers
    /// and SES gave.
    pub address: EmailAddress,
    /// The latest time of each event of the address.
    pub registers: Registers,
    /// The soft bounces in the registers, in no particular order.
    pub soft_bounces: Vec<SoftBounce>,
    /// The evidence of each register that keeps one time.
    pub evidence: BTreeMap<Register, RegisterEvidence>,
}

/// One soft bounce of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoftBounce {
    /// The time of the bounce.
    pub at: Timestamp,
    /// The source: SES's feedback id, and behind it `#` and Okite's id of the message if Okite sent it.
    pub source: String,
    /// Why the mail bounced. An imported bounce may have no reason.
    pub reason: Option<BounceReason>,
}

/// The reason that a register was set, as it was recorded then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterEvidence {
    /// The address in the spelling given then. It is empty if the address was forgotten.
    pub address: String,
    /// SES's type of the event, such as `Permanent/General`.
    pub subtype: String,
    /// The diagnostic of the receiving server.
    pub diagnostic: Option<String>,
    /// Why the mail bounced. Only bounces that came as events of SES have a reason.
    pub bounce_reason: Option<BounceReason>,
    /// The source: SES's feedback id, `#` and the id of the mail; or the operator or application that added the entry.
    pub source: String,
}

/// Returns the id of the mail in the source of an event, Okite's or else SES's. SES's feedback ids contain no `#`.
#[must_use]
pub fn mail_of(source: &str) -> Option<&str> {
    let (_, mail) = source.rsplit_once('#')?;
    let is_id = !mail.is_empty() && mail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_id.then_some(mail)
}
