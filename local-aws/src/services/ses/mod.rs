//! Amazon SES in miniature: the API version 2, its rules, and the events that it publishes.
//!
//! [`Ses`] holds the whole state behind one lock, so that a mail is checked and counted in one step. A refused mail
//! leaves no trace. An accepted one is in the outbox, in the counts, and on its way as events. Every operation is given
//! the time; only `operations` reads the clock.
//!
//! | module | contents |
//! |---|---|
//! | `wire`, `ids` | routes, operation names, resources, request ids |
//! | `error` | the errors of the API, as they are sent |
//! | `operations` | one function an operation |
//! | `page` | lists in pages |
//! | `send_email`, `attachment`, `mailbox` | a request, checked on its own |
//! | `mail` | a mail that has passed these checks |
//! | `raw` | a MIME message that the caller built |
//! | `account`, `identities`, `suppression_list`, `configuration_set` | the state that it is checked against |
//! | `kept` | the file that keeps this state |
//! | `leniency` | the senders and recipients that the simulator treats otherwise than SES does |
//! | `accept` | `SendEmail` carried out |
//! | `mailbox_simulator`, `mail_event`, `event` | each recipient's outcome, and the events that SES publishes |
//! | `outbox` | the accepted mails with their states |
//! | `visit` | the openings and clicks of mails that SES tracks |
//! | `person` | a sender or recipient for people to read |
//!
//! Not simulated: signatures (a request must only carry one), templated mail, the limit of one request a second
//! on the other operations, and the way a mail is built and delivered.

mod accept;
mod account;
mod attachment;
mod configuration_set;
mod error;
mod event;
mod identities;
mod ids;
mod kept;
mod leniency;
mod mail;
mod mail_event;
mod mailbox;
mod mailbox_simulator;
mod operations;
mod outbox;
mod page;
mod person;
mod raw;
mod send_email;
mod suppression_list;
mod visit;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Clock;
use crate::feed::Feed;
use crate::middleware::Middleware;

pub use self::account::{AccountPatch, AccountSettings, EnforcementStatus};
pub use self::configuration_set::SesConfigurationSet;
pub use self::error::SesError;
pub use self::identities::{DnsStatus, IdentityPatch, MailFrom};
pub use self::leniency::SesLeniency;
pub use self::mail::Tag;
pub use self::mailbox_simulator::SIMULATOR_DOMAIN;
pub(crate) use self::outbox::search::Search;
pub use self::outbox::state::MailState;
pub(crate) use self::outbox::{MailDetail, MailSummary, OutboxEntry};
pub use self::outbox::{OutboxAttachment, OutboxEnvelope, OutboxMail};
pub(crate) use self::visit::{Click, Visit, Visitor};

use self::account::Account;
use self::configuration_set::ConfigurationSets;
use self::identities::Identities;
use self::kept::{AccountFile, KeptAccount, StartOptions};
use self::mailbox::Mailbox;
use self::outbox::Outbox;
use self::outbox::state::MailNews;
use self::person::Person;
use self::suppression_list::SuppressionList;
use self::visit::TrackedMail;
use self::wire::SesWire;

/// The settings of the simulator.
#[derive(Clone, Debug)]
pub struct SesSettings {
    /// The region.
    pub region: String,
    /// The account, twelve digits.
    pub account_id: String,
    /// The configuration sets that exist.
    pub configuration_sets: Vec<SesConfigurationSet>,
    /// Whether the account has left the sandbox.
    pub production_access: bool,
    /// Addresses and domains that may send, and in the sandbox receive.
    pub verified: Vec<String>,
    /// The file of the outbox. Without one, accepted mails are kept in memory.
    pub outbox_file: Option<PathBuf>,
    /// The file of the account. Without one, changes of the account end with the run.
    pub account_file: Option<PathBuf>,
    /// What the simulator accepts although SES would not.
    pub leniency: SesLeniency,
    /// The tag in which senders put their own id of a mail. `/_local/` finds and shows mails by it.
    pub id_tag: Option<String>,
}

/// An event that SES publishes to a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedEvent {
    /// The topic of the configuration set's event destination.
    pub topic_arn: String,
    /// The event: SNS carries it, written out, as its message.
    pub event: Value,
    /// The time from the acceptance of the mail to the event.
    pub after: Duration,
}

/// The simulator.
///
/// It has AWS's own name, as the adapter or value of the product that plays the other side has.
#[derive(Debug)]
pub struct Ses {
    region: String,
    account_id: String,
    id_tag: Option<String>,
    leniency: SesLeniency,
    clock: Clock,
    events: UnboundedSender<PublishedEvent>,
    feed: Feed,
    state: Mutex<SesState>,
}

#[derive(Debug)]
struct SesState {
    account: Account,
    configuration_sets: ConfigurationSets,
    identities: Identities,
    suppression_list: SuppressionList,
    outbox: Outbox,
    account_file: AccountFile,
    /// The mails that are tracked, by SES's id.
    tracked: BTreeMap<String, TrackedMail>,
    notification_topic: Option<String>,
}

impl Ses {
    /// Makes the simulator, which sends its events to `events`.
    ///
    /// # Errors
    /// Returns an error if a file cannot be used, or if a configuration set names an unknown type of event.
    pub fn new(settings: SesSettings, clock: Clock, events: UnboundedSender<PublishedEvent>) -> io::Result<Arc<Self>> {
        let (outbox, sent) = Outbox::open(settings.outbox_file, settings.id_tag.clone())?;
        let options = StartOptions {
            production_access: settings.production_access,
            verified: settings.verified,
        };
        let sets = ConfigurationSets::new(settings.configuration_sets)?;
        let (account_file, kept) = AccountFile::open(settings.account_file, options, sets)?;
        let KeptAccount {
            settings: limits,
            identities,
            suppression_list,
            configuration_sets,
        } = kept;
        Ok(Arc::new(Self {
            region: settings.region,
            account_id: settings.account_id,
            id_tag: settings.id_tag,
            leniency: settings.leniency,
            clock,
            events,
            feed: Feed::default(),
            state: Mutex::new(SesState {
                account: Account::new(limits, sent),
                configuration_sets,
                identities,
                suppression_list,
                outbox,
                account_file,
                tracked: BTreeMap::new(),
                notification_topic: None,
            }),
        }))
    }

    /// Returns the routes of the API.
    pub fn router(self: &Arc<Self>, middleware: &Middleware) -> axum::Router {
        middleware.router(Arc::new(SesWire::new(self)))
    }

    /// Lists the accepted mails, oldest first.
    #[must_use]
    pub fn outbox(&self) -> Vec<OutboxMail> {
        let mail = |entry: &OutboxEntry| OutboxMail::clone(&entry.mail);
        self.state().outbox.entries().map(mail).collect()
    }

    /// Lists the accepted mails with their states, newest first.
    pub(crate) fn newest(&self) -> Vec<OutboxEntry> {
        self.state().outbox.entries().rev().cloned().collect()
    }

    /// Finds an accepted mail by SES's id of it or by its sender's.
    pub(crate) fn mail(&self, id: &str) -> Option<OutboxEntry> {
        self.state().outbox.find(id).cloned()
    }

    /// Returns whether SES lets all senders of a mail send now. An account that accepts any sender does not ask.
    pub(crate) fn is_sender_verified(&self, mail: &OutboxMail) -> bool {
        let state = self.state();
        let envelope = mail.envelope.as_ref().map(|envelope| &envelope.from);
        std::iter::once(&mail.from).chain(envelope).all(|sender| {
            // The name may be decoded, and SES takes none that is.
            let mailbox = Mailbox::parse(&Person::read(sender).email);
            mailbox.is_ok_and(|mailbox| state.identities.authorizing(&mailbox).is_some())
        })
    }

    /// Keeps what an event says about a mail of the outbox, in either form of an event of SES.
    pub(crate) fn note(&self, event: &Value) {
        let Some(news) = MailNews::read(event) else {
            return;
        };
        if let Err(error) = self.state().outbox.add_news(&news) {
            tracing::warn!(%error, "the state of a mail is not kept over a restart");
        }
    }

    /// Marks mails as read or unread, and returns how many that changed.
    ///
    /// # Errors
    /// Returns an error if the outbox file cannot be written. Nothing is changed then.
    pub(crate) fn mark(&self, numbers: &[u64], is_read: bool) -> io::Result<usize> {
        let marked = self.state().outbox.mark(numbers, is_read)?;
        if marked > 0 {
            self.feed.changed();
        }
        Ok(marked)
    }

    /// Deletes mails, and returns how many there were. They still count towards the 24-hour quota.
    ///
    /// # Errors
    /// Returns an error if the outbox file cannot be written. Nothing is deleted then.
    pub(crate) fn delete_mails(&self, numbers: &[u64]) -> io::Result<usize> {
        let SesState { outbox, tracked, .. } = &mut *self.state();
        let deleted = outbox.delete(numbers)?;
        for entry in &deleted {
            tracked.remove(&entry.mail.ses_message_id);
        }
        if !deleted.is_empty() {
            self.feed.changed();
        }
        Ok(deleted.len())
    }

    /// Returns the tag in which senders put their own id of a mail.
    pub(crate) fn id_tag(&self) -> Option<&str> {
        self.id_tag.as_deref()
    }

    /// Returns the feed that reports mails as they come.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Empties the outbox. Its mails still count towards the 24-hour quota.
    ///
    /// # Errors
    /// Returns an error if the outbox file cannot be written. The outbox is then unchanged.
    pub fn clear_outbox(&self) -> io::Result<()> {
        let SesState {
            outbox,
            account,
            tracked,
            ..
        } = &mut *self.state();
        outbox.clear(account.sent.counted())?;
        tracked.clear();
        // Under the lock, so that the feed has the order in which mails came and went.
        self.feed.cleared();
        Ok(())
    }

    /// Returns the account's limits and switches.
    #[must_use]
    pub fn account(&self) -> AccountSettings {
        self.state().account.settings.clone()
    }

    /// Changes the account's limits and switches at once.
    pub fn update_account(&self, patch: &AccountPatch) {
        self.state().change_account(|settings| settings.apply(patch));
    }

    /// Verifies an identity, as clicking the link or publishing the DNS record would.
    pub fn verify(&self, identity: &str) {
        let SesState {
            identities,
            account_file,
            ..
        } = &mut *self.state();
        identities.verify(identity);
        account_file.identity(identities.get(identity));
    }

    /// Changes an identity, as a change of its DNS records would, and creates it if it does not exist.
    ///
    /// # Errors
    /// Returns an error if no identity can have this name.
    pub fn update_identity(&self, identity: &str, patch: IdentityPatch) -> Result<(), SesError> {
        let SesState {
            identities,
            account_file,
            ..
        } = &mut *self.state();
        identities.update(identity, patch)?;
        account_file.identity(identities.get(identity));
        Ok(())
    }

    /// Also publishes deliveries, bounces and complaints of every mail to a topic, in the older form of SES for
    /// identities that have a topic of their own.
    pub fn notify(&self, topic_arn: Option<String>) {
        self.state().notification_topic = topic_arn;
    }

    fn state(&self) -> MutexGuard<'_, SesState> {
        // A panic leaves no change half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SesState {
    /// Changes the account's limits and switches, and keeps them.
    fn change_account(&mut self, change: impl FnOnce(&mut AccountSettings)) {
        change(&mut self.account.settings);
        self.account_file.settings(&self.account.settings);
    }
}

#[cfg(test)]
mod tests;
