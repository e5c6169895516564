//! Reads the suppression list for the recipients of a chunk.
//!
//! The list is read consistently. If it cannot be read, nothing is sent.

use std::collections::BTreeMap;

use aws::StoreError;
use domain::address::{EmailAddress, Mailbox};
use domain::message::Email;
use domain::stream::Stream;
use domain::suppression::Registers;
use jiff::Timestamp;

use crate::Sending;

/// The registers of addresses, by normalised address.
pub(crate) type Known = BTreeMap<String, Registers>;

impl Sending {
    /// Reads the registers of every recipient of some emails. A recipient blocked during a domain-wide block of us, or
    /// whose soft bounces were automatic replies, is not to blame.
    pub(crate) async fn registers(
        &self,
        emails: impl Iterator<Item = &Email>,
        stream: Stream,
        now: Timestamp,
    ) -> Result<Known, StoreError> {
        let recipients: Vec<&EmailAddress> = emails
            .flat_map(|email| [&email.to, &email.cc, &email.bcc])
            .flatten()
            .map(Mailbox::address)
            .collect();
        let mut known = self.suppressions.lookup(recipients.iter().copied()).await?;
        for address in &recipients {
            // Rare: the domain matters only for an address that a block within the last day alone suppresses.
            if let Some(registers) = known.get_mut(address.normalised())
                && let Some(at) = registers.blocked_alone(address, now)
                && self.marks.in_storm(address.domain(), at).await?
            {
                *registers = std::mem::take(registers).without_block();
            }
        }
        if stream == Stream::Bulk {
            self.drop_days_of_storms(&recipients, &mut known, now).await?;
            self.drop_automatic_replies(&recipients, &mut known, now).await?;
        }
        Ok(known)
    }

    /// Drops the days on which an address was blocked during a domain-wide block. Rare: the domain matters only for an
    /// address that repeated blocks alone keep from bulk mail.
    async fn drop_days_of_storms(
        &self,
        recipients: &[&EmailAddress],
        known: &mut Known,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for address in recipients {
            let Some(registers) = known.get_mut(address.normalised()) else {
                continue;
            };
            let tiers = &self.rules.soft_bounce_tiers;
            let Some(days) = registers.repeatedly_blocked_alone(address, now, tiers) else {
                continue;
            };
            let mut in_storms = Vec::new();
            for at in days {
                if self.marks.in_storm(address.domain(), *at).await? {
                    in_storms.push(*at);
                }
            }
            *registers = std::mem::take(registers).without_block_days(&in_storms);
        }
        Ok(())
    }

    /// Drops the soft bounces that were automatic replies: those of messages that were delivered. Rare: the messages
    /// matter only for an address that soft bounces alone keep from bulk mail.
    async fn drop_automatic_replies(
        &self,
        recipients: &[&EmailAddress],
        known: &mut Known,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tiers = &self.rules.soft_bounce_tiers;
        let is_soft = |address: &&EmailAddress| {
            let registers = known.get(address.normalised());
            registers.is_some_and(|registers| registers.soft_alone(address, now, tiers))
        };
        let soft: Vec<&EmailAddress> = recipients.iter().copied().filter(is_soft).collect();
        let bounced = soft.iter().flat_map(|&address| {
            let messages = known[address.normalised()].soft_of.iter();
            messages.map(move |(message, _)| (*message, address))
        });
        let delivered = self.messages.delivered(bounced).await?;
        for address in soft {
            let to_address = delivered.iter().filter(|(_, to)| to == address.normalised());
            let delivered = to_address.map(|(message, _)| *message).collect();
            if let Some(registers) = known.get_mut(address.normalised()) {
                *registers = std::mem::take(registers).without_replies(&delivered);
            }
        }
        Ok(())
    }
}
