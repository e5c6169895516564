//! `SendEmail` carried out: a mail is checked against the account, kept, counted, and its events are
//! sent off.
//!
//! All checks come before the first change, and the file of the outbox, which alone can fail, before
//! the counts.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::SesError;
use super::event::{self, Accepted};
use super::happening::{Happening, happenings};
use super::mailbox::Mailbox;
use super::mailbox_simulator::{Fate, fate, is_simulated};
use super::outbox::{OutboxMail, cost, ses_id};
use super::send_email::Mail;
use super::shown::Summary;
use super::{Published, Ses, State};

impl Ses {
    /// Accepts a mail, and gives its message id.
    pub(super) fn send(&self, mail: Mail, id: Uuid, now: Timestamp) -> Result<String, SesError> {
        let mut state = self.state();
        let set = mail
            .configuration_set
            .as_deref()
            .map(|name| state.configuration_sets.get(name).cloned())
            .transpose()?;
        state.account.check_sending()?;
        if let Some(set) = &set {
            set.check_sending()?;
        }
        let identity = state.check_identities(&mail, &self.region)?.to_owned();
        let cost = cost(mail.recipients());
        state.account.check_limits(cost, now)?;

        let message_id = ses_id(id, now);
        let kept = OutboxMail::new(&mail, message_id.clone(), now);
        let summary = json!(Summary::new(&kept));
        state
            .outbox
            .append(kept)
            .map_err(|error| SesError::Internal(format!("The outbox cannot be written: {error}")))?;
        self.feed.mail(summary);
        state.account.take(cost, now);

        let fates = mail.recipients().map(|m| (m, state.fate(m)));
        let happenings = happenings(fates);
        let notification_topic = state.notification_topic.clone();
        drop(state);
        let accepted = Accepted {
            mail,
            id,
            at: now,
            region: self.region.clone(),
            account_id: self.account_id.clone(),
            identity,
        };
        for happening in &happenings {
            if let Some(topic) = set.as_ref().and_then(|set| set.topic_of(happening.what)) {
                self.publish(topic, event::published(&accepted, happening), happening);
            }
            if let Some(topic) = &notification_topic
                && let Some(event) = event::notification(&accepted, happening)
            {
                self.publish(topic, event, happening);
            }
        }
        Ok(message_id)
    }

    fn publish(&self, topic_arn: &str, event: Value, happening: &Happening) {
        // Nobody listens any more when the process is ending.
        let _ = self.events.send(Published {
            topic_arn: topic_arn.to_owned(),
            event,
            after: happening.what.after(),
        });
    }
}

impl State {
    /// Refuses a mail whose sender, or in the sandbox any recipient, is not verified. Gives the name
    /// of the identity that speaks for the sender.
    fn check_identities(&self, mail: &Mail, region: &str) -> Result<&str, SesError> {
        let verified = |mailbox: &Mailbox| self.identities.speaking_for(mailbox);
        let mut failed: Vec<&Mailbox> = Vec::new();
        if !self.account.settings.production_access {
            failed.extend(mail.recipients().filter(|m| !is_simulated(m) && verified(m).is_none()));
        }
        match verified(&mail.from) {
            Some(identity) if failed.is_empty() => return Ok(&identity.name),
            Some(_) => {}
            None => failed.insert(0, &mail.from),
        }
        let mut names: Vec<&str> = Vec::new();
        for mailbox in failed {
            if !names.contains(&mailbox.given.as_str()) {
                names.push(&mailbox.given);
            }
        }
        Err(SesError::MessageRejected(format!(
            "Email address is not verified. The following identities failed the check in region \
             {}: {}",
            region.to_ascii_uppercase(),
            names.join(", ")
        )))
    }

    /// Tells what becomes of a mail at a recipient.
    fn fate(&self, mailbox: &Mailbox) -> Fate {
        match self.suppression_list.get(&mailbox.key()) {
            Some(suppressed) => Fate::AccountSuppressed(suppressed.reason),
            None => fate(mailbox),
        }
    }
}
