//! Reads the suppression list for the recipients of a chunk.
//!
//! The list is read consistently. If it cannot be read, nothing is sent.

use std::collections::BTreeMap;

use aws::StoreError;
use domain::address::{EmailAddress, Mailbox};
use domain::message::Mail;
use domain::stream::Stream;
use domain::suppression::{BLOCK_DAYS_ENOUGH, Registers};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::Sending;

/// The number of addresses whose storms are looked up side by side.
const ADDRESSES_AT_ONCE: usize = 10;

/// The registers of addresses, by normalised address.
pub(crate) type Known = BTreeMap<String, Registers>;

impl Sending {
    /// Reads the registers of every recipient of some emails. A recipient blocked during a domain-wide block of us, or
    /// whose soft bounces were automatic replies, is not to blame.
    pub(crate) async fn registers(
        &self,
        mails: impl Iterator<Item = &Mail>,
        stream: Stream,
        now: Timestamp,
    ) -> Result<Known, StoreError> {
        let recipients: Vec<&EmailAddress> = mails.flat_map(Mail::recipients).map(Mailbox::address).collect();
        let mut known = self.suppressions.lookup(recipients.iter().copied()).await?;
        self.drop_storms(&recipients, &mut known, stream, now).await?;
        if stream == Stream::Bulk {
            self.drop_automatic_replies(&recipients, &mut known, now).await?;
        }
        Ok(known)
    }

    /// Drops the blocks that were part of a domain-wide block of us. Rare: the domain matters only for an address that
    /// blocks alone suppress.
    async fn drop_storms(
        &self,
        recipients: &[&EmailAddress],
        known: &mut Known,
        stream: Stream,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut blocked = BTreeMap::new();
        for &address in recipients {
            let registers = known.get(address.normalised());
            let is_blocked =
                |registers: &&Registers| registers.blocked_at.is_some() || !registers.blocked_on.is_empty();
            if let Some(registers) = registers.filter(is_blocked) {
                blocked.insert(address.normalised(), (address, registers.clone()));
            }
        }
        let dropped: Vec<_> = stream::iter(blocked.into_values())
            .map(|(address, registers)| self.without_storms(address, registers, stream, now))
            .buffer_unordered(ADDRESSES_AT_ONCE)
            .try_collect()
            .await?;
        known.extend(dropped);
        Ok(())
    }

    async fn without_storms(
        &self,
        address: &EmailAddress,
        mut registers: Registers,
        stream: Stream,
        now: Timestamp,
    ) -> Result<(String, Registers), StoreError> {
        if let Some(at) = registers.blocked_alone(address, now)
            && self.marks.in_storm(address.domain(), at).await?
        {
            registers = registers.without_block();
        }
        if stream == Stream::Bulk
            && let Some(days) = registers.repeatedly_blocked_alone(address, now, &self.rules.soft_bounce_tiers)
        {
            let in_storms = self.days_in_storms(address.domain(), &days).await?;
            registers = registers.without_block_days(&in_storms);
        }
        Ok((address.normalised().to_owned(), registers))
    }

    /// Returns the days whose block was part of a storm, as far as the decision needs them. Days are read side by side,
    /// and no more of them than may still make up [`BLOCK_DAYS_ENOUGH`].
    async fn days_in_storms(&self, domain: &str, days: &[Timestamp]) -> Result<Vec<Timestamp>, StoreError> {
        let (mut in_storms, mut counted, mut unread) = (Vec::new(), 0, days);
        while counted < BLOCK_DAYS_ENOUGH && counted + unread.len() >= BLOCK_DAYS_ENOUGH {
            let (next, rest) = unread.split_at(BLOCK_DAYS_ENOUGH - counted);
            let found = try_join_all(next.iter().map(|at| self.marks.in_storm(domain, *at))).await?;
            for (at, in_storm) in next.iter().zip(found) {
                if in_storm {
                    in_storms.push(*at);
                } else {
                    counted += 1;
                }
            }
            unread = rest;
        }
        Ok(in_storms)
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
