//! Amazon SES in miniature: the API of `SESv2`, its rules, and the events it publishes.
//!
//! [`Ses`] holds the whole state behind one lock, so that a mail is checked and counted in one step:
//! what is refused leaves no trace, what is accepted is in the outbox, in the counts and on its way
//! as events. Every operation is told the time; only `wire` reads the clock.
//!
//! - `wire`: the REST-JSON routes, where faults befall them, and the answers' shapes
//! - `send_email`, `attachment`, `mailbox`: a request, checked on its own
//! - `account`, `identities`, `suppression_list`, `configuration_set`: what it is checked against
//! - `accept`: `SendEmail` carried out
//! - `mailbox_simulator`, `happening`, `event`: what becomes of a mail, and how SES tells
//! - `outbox`: what was accepted, kept over restarts; everything else starts afresh
//! - `shown`, `person`: how `/_local/` shows it
//!
//! Left out: signatures (a request must only carry one), raw and templated mail, the limit of one
//! request a second on the other operations, and everything about how a mail is built and sent.

mod accept;
mod account;
mod attachment;
mod configuration_set;
mod error;
mod event;
mod happening;
mod identities;
mod mailbox;
mod mailbox_simulator;
mod outbox;
mod page;
mod person;
pub(crate) mod seen;
mod send_email;
mod shown;
mod suppression_list;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Clock;
use crate::fault::Faults;
use crate::feed::Feed;

pub use self::account::{AccountPatch, AccountSettings, EnforcementStatus};
pub use self::configuration_set::ConfigurationSet;
pub use self::error::SesError;
pub use self::identities::{DnsStatus, IdentityPatch, MailFrom};
pub use self::mailbox_simulator::SIMULATOR_DOMAIN;
pub use self::outbox::{OutboxAttachment, OutboxMail};
pub use self::send_email::Tag;
pub(crate) use self::shown::{Shown, Summary};
pub(crate) use self::wire::OPERATIONS;

use self::account::Account;
use self::configuration_set::ConfigurationSets;
use self::identities::Identities;
use self::outbox::Outbox;
use self::suppression_list::SuppressionList;

/// How the simulator starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region it plays.
    pub region: String,
    /// The account it plays.
    pub account_id: String,
    /// The configuration sets that exist.
    pub configuration_sets: Vec<ConfigurationSet>,
    /// Whether the account has left the sandbox.
    pub production_access: bool,
    /// Addresses and domains that may send, and in the sandbox receive.
    pub verified: Vec<String>,
    /// Where accepted mails are kept over restarts, if anywhere.
    pub outbox_file: Option<PathBuf>,
}

/// An event that SES publishes to a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The topic of the configuration set's event destination.
    pub topic_arn: String,
    /// The event: what SNS carries, written out, as its message.
    pub event: Value,
    /// How long after the mail was accepted SES would publish it.
    pub after: Duration,
}

/// The simulator.
#[derive(Debug)]
pub struct Ses {
    region: String,
    account_id: String,
    clock: Clock,
    faults: Faults,
    events: UnboundedSender<Published>,
    feed: Feed,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    account: Account,
    configuration_sets: ConfigurationSets,
    identities: Identities,
    suppression_list: SuppressionList,
    outbox: Outbox,
    notification_topic: Option<String>,
}

impl Ses {
    /// Makes the simulator; `faults` befall its calls, its events go to `events`.
    ///
    /// # Errors
    ///
    /// The outbox file cannot be used, or a configuration set names an event type that SES does not
    /// have.
    pub fn new(
        settings: Settings,
        clock: Clock,
        faults: Faults,
        events: UnboundedSender<Published>,
    ) -> io::Result<Arc<Self>> {
        let (outbox, sent) = Outbox::open(settings.outbox_file)?;
        let mut identities = Identities::default();
        for identity in &settings.verified {
            identities.verify(identity);
        }
        let limits = AccountSettings::new(settings.production_access);
        Ok(Arc::new(Self {
            region: settings.region,
            account_id: settings.account_id,
            clock,
            faults,
            events,
            feed: Feed::default(),
            state: Mutex::new(State {
                account: Account::new(limits, sent),
                configuration_sets: ConfigurationSets::new(settings.configuration_sets)?,
                identities,
                suppression_list: SuppressionList::default(),
                outbox,
                notification_topic: None,
            }),
        }))
    }

    /// Gives the routes of the `SESv2` API.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        wire::router(self)
    }

    /// Lists the accepted mails, oldest first.
    #[must_use]
    pub fn outbox(&self) -> Vec<OutboxMail> {
        self.state().outbox.mails().to_vec()
    }

    /// Finds an accepted mail by SES's id of it, or by the one that its sender gave it.
    pub(crate) fn mail(&self, id: &str) -> Option<OutboxMail> {
        let state = self.state();
        let is_named = |mail: &&OutboxMail| mail.ses_message_id == id || mail.id() == Some(id);
        state.outbox.mails().iter().rev().find(is_named).cloned()
    }

    /// What tells of mails as they come.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Forgets the accepted mails. They still count against the 24 h quota.
    ///
    /// # Errors
    ///
    /// The outbox file cannot be written; the outbox is then as it was.
    pub fn clear_outbox(&self) -> io::Result<()> {
        let State { outbox, account, .. } = &mut *self.state();
        outbox.clear(account.sent.counted())?;
        // Under the lock, so that it is told in the order in which it happened.
        self.feed.cleared();
        Ok(())
    }

    /// Tells the account's limits and switches.
    #[must_use]
    pub fn account(&self) -> AccountSettings {
        self.state().account.settings.clone()
    }

    /// Changes the account's limits and switches, at once.
    pub fn update_account(&self, patch: &AccountPatch) {
        self.state().account.settings.apply(patch);
    }

    /// Verifies an identity, as clicking the link or publishing the DNS record would.
    pub fn verify(&self, identity: &str) {
        self.state().identities.verify(identity);
    }

    /// Changes an identity, as changes of its DNS records would, or makes one.
    ///
    /// # Errors
    /// There cannot be an identity of this name.
    pub fn update_identity(&self, identity: &str, patch: IdentityPatch) -> Result<(), SesError> {
        self.state().identities.update(identity, patch)
    }

    /// Publishes deliveries, bounces and complaints of every mail to a topic as well, in the older
    /// form that SES uses when identities, not configuration sets, have a topic.
    pub fn notify(&self, topic_arn: Option<String>) {
        self.state().notification_topic = topic_arn;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete when it panics, or was not begun.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
