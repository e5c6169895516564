//! All that the list holds of one address.
//!
//! What decides about a mail is in the [`Registers`]; the evidence beside them is for the person who asks why, and for
//! taking the list elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Register, Registers};
use crate::address::EmailAddress;

/// An address on the list, with everything that is known of it.
///
/// That there is one does not mean that the address is suppressed: see [`Registers::suppression`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionEntry {
    /// The id by which the API names it (`UUIDv7`).
    pub id: Uuid,
    /// The address, normalised; each spelling that was met is in its evidence.
    pub address: EmailAddress,
    /// What happened to it, and when.
    pub registers: Registers,
    /// The soft bounces behind those of the registers, in no order, with SES's feedback ids.
    pub soft_bounces: Vec<(Timestamp, String)>,
    /// Why each register is as it is. Soft bounces have none but their ids.
    pub evidence: BTreeMap<Register, RegisterEvidence>,
}

impl SuppressionEntry {
    /// Joins what is known of the same address under another name; this one's name and id stay.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        for (reason, evidence) in other.evidence {
            // The evidence of the register that stands.
            let later = other.registers.at(reason) > self.registers.at(reason);
            if later || !self.evidence.contains_key(&reason) {
                self.evidence.insert(reason, evidence);
            }
        }
        self.registers = self.registers.joined(other.registers);
        for bounce in other.soft_bounces {
            if !self.soft_bounces.contains(&bounce) {
                self.soft_bounces.push(bounce);
            }
        }
        self
    }
}

/// Why a register was set, as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterEvidence {
    /// The address as it was given then; empty where it was forgotten.
    pub address: String,
    /// SES's words for what happened.
    pub subtype: String,
    /// What the receiving server said.
    pub diagnostic: Option<String>,
    /// Where it is known from: SES's feedback id, or who put it there.
    pub source: String,
}
