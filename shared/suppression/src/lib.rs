//! Changes of the suppression list that concern SES's own list too.
//!
//! SES keeps a suppression list of its own for the account, and would still drop mail to a lifted address that is on
//! it. SES accepts one request a second for that list, and none in the sandbox. A single address is therefore removed
//! from SES's list at once, before Okite lifts it, so that mail reaches an address as soon as the caller reads that it
//! was lifted. When SES does not answer, the quota reporter removes the address in its next run.
//!
//! | module | concept |
//! |---|---|
//! | `events` | the events for webhooks about changes that a caller made |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod events;

use aws::{ChoiceRecorded, ListError, SesSuppressionList, StoreError, Suppressions, Usage};
use domain::address::EmailAddress;
use domain::stream::Stream;
use domain::suppression::{
    Register, RegisterEvidence, SoftBounceTiers, Suppression, SuppressionEntry, SuppressionReason, TopicChoice,
};
use domain::unsubscribe::Topic;
use domain::webhook::WebhookEvent;
use emitter::Emitter;
use jiff::Timestamp;
use uuid::Uuid;

pub use events::{added, removed};

/// The state of a lifted address on SES's own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SesList {
    /// The address is not on SES's list.
    Lifted,
    /// The quota reporter will remove the address.
    Pending,
    /// The address may still be on SES's list, because SES does not change its list in the sandbox.
    Kept,
}

/// Lifts suppressions in Okite's list and in SES's.
#[derive(Clone, Debug)]
pub struct Lifting {
    /// Okite's list.
    pub suppressions: Suppressions,
    /// SES's list.
    pub ses_list: SesSuppressionList,
    /// The table in which a pass over SES's list is requested.
    pub usage: Usage,
    /// Emits the events about changes.
    pub emitter: Emitter,
}

impl Lifting {
    /// Lifts one suppression, takes the address off SES's list at once if SES answers, and emits the event.
    ///
    /// # Errors
    /// [`StoreError`] if the address may still be suppressed, or if SES may still list it and no pass was requested. A
    /// repeated call goes on.
    pub async fn lift(
        &self,
        entry: &SuppressionEntry,
        suppression: Suppression,
        now: impl Fn() -> Timestamp,
    ) -> Result<SesList, StoreError> {
        let ses_list = self.lift_at_ses(entry, suppression, now()).await?;
        // In this order: a function that stops in between leaves the address suppressed, and a repeated call lifts it.
        self.suppressions.lift(&entry.address, now()).await?;
        self.emitter
            .emit_or_log(&[removed(entry, suppression, now())], now())
            .await;
        if ses_list == SesList::Pending {
            // Requested again: a pass that began before the address was lifted may already be past it.
            self.request_pass(now()).await?;
        }
        tracing::info!(suppression.id = %entry.id, ?ses_list, "a suppression was lifted");
        Ok(ses_list)
    }

    /// Records that a person left a topic or came back to it, and emits the event if that changed anything. `new_id`
    /// becomes the id of the entry if the address has none.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been recorded. A repeated call goes on.
    pub async fn choose(
        &self,
        address: &EmailAddress,
        topic: &Topic,
        choice: &TopicChoice,
        new_id: Uuid,
    ) -> Result<ChoiceRecorded, StoreError> {
        let recorded = self.suppressions.record_choice(address, topic, choice, new_id).await?;
        // Nobody could find a forgotten person by the hash in the pseudonym, which is the point of it.
        if recorded.is_new && !address.is_pseudonym() {
            let event = WebhookEvent::of_choice(recorded.id.to_string(), address, topic, choice, None);
            self.emitter.emit_or_log(&[event], choice.at).await;
        }
        Ok(recorded)
    }

    /// Asks the quota reporter for a pass over SES's list in its next run.
    ///
    /// # Errors
    /// [`StoreError`] if the request may not have been written.
    pub async fn request_pass(&self, now: Timestamp) -> Result<(), StoreError> {
        self.usage.want_reconciliation(now).await
    }

    async fn lift_at_ses(
        &self,
        entry: &SuppressionEntry,
        suppression: Suppression,
        now: Timestamp,
    ) -> Result<SesList, StoreError> {
        if entry.address.is_pseudonym() {
            // Only the hash of the address is stored. The pass finds the address on SES's list by that hash.
            self.request_pass(now).await?;
            return Ok(SesList::Pending);
        }
        // SES's list has the spelling of the mail that bounced.
        let evidence = evidence(entry, suppression.reason);
        let given = evidence
            .map(|evidence| evidence.address.as_str())
            .filter(|given| !given.is_empty());
        // A manual suppression has no spelling of SES's. SES may still list the address for another reason.
        let address = given
            .filter(|_| suppression.reason != SuppressionReason::Manual)
            .unwrap_or_else(|| entry.address.as_given());
        match self.ses_list.remove(address).await {
            Ok(()) if given.is_some() => Ok(SesList::Lifted),
            // Okite no longer stores the spelling, and SES may list another one.
            Ok(()) => {
                self.request_pass(now).await?;
                Ok(SesList::Pending)
            }
            Err(ListError::Sandbox) => Ok(SesList::Kept),
            Err(error) => {
                tracing::warn!("SES's suppression list was not changed; the quota reporter will change it: {error}");
                self.request_pass(now).await?;
                Ok(SesList::Pending)
            }
        }
    }
}

/// Returns the suppression of an entry, if it is active for any stream.
#[must_use]
pub fn in_force(entry: &SuppressionEntry, now: Timestamp, tiers: &SoftBounceTiers) -> Option<Suppression> {
    // Every suppression of transactional mail applies to bulk mail too.
    entry.registers.suppression(&entry.address, now, Stream::Bulk, tiers)
}

/// Returns the recorded evidence for a suppression: that of an event, or else that of an echo.
#[must_use]
pub fn evidence(entry: &SuppressionEntry, reason: SuppressionReason) -> Option<&RegisterEvidence> {
    let echo = match reason {
        SuppressionReason::Bounce | SuppressionReason::Blocked => Some(Register::BounceEcho),
        SuppressionReason::Complaint => Some(Register::ComplaintEcho),
        SuppressionReason::Soft
        | SuppressionReason::Manual
        | SuppressionReason::Unreadable
        | SuppressionReason::Unsubscribed => None,
    };
    let recorded = entry.evidence.get(&reason.into());
    recorded.or_else(|| entry.evidence.get(&echo?))
}
