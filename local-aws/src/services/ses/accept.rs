//! `SendEmail` carried out: checks a mail against the account, keeps it, counts it, and publishes its events.
//!
//! All checks come before the first change. The outbox file is written before the counts, because it alone can fail.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::SesError;
use super::event::{self, Accepted};
use super::leniency::SesLeniency;
use super::mail::Mail;
use super::mail_event::{MailEvent, events_of};
use super::mailbox::Mailbox;
use super::mailbox_simulator::RecipientOutcome;
use super::outbox::{MailSummary, OutboxMail, cost, ses_id};
use super::visit::TrackedMail;
use super::{PublishedEvent, Ses, SesState};

impl Ses {
    /// Accepts a mail and returns its message id.
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
        let sender = state.check_identities(&mail, &self.region, &self.leniency)?;
        let cost = cost(mail.recipients());
        state.account.check_limits(cost, now)?;

        let message_id = ses_id(id, now);
        let kept = OutboxMail::new(&mail, message_id.clone(), now);
        let kept = state
            .outbox
            .append(kept)
            .map_err(|error| SesError::Internal(format!("The outbox cannot be written: {error}")))?;
        let mut summary = json!(MailSummary::new(&kept, self.id_tag.as_deref()));
        summary["is_sender_verified"] = sender.is_verified.into();
        self.feed.mail(summary);
        state.account.take(cost, now);

        let outcomes = mail.recipients().map(|m| (m, state.outcome_at(m, &self.leniency)));
        let events = events_of(outcomes);
        let accepted = Accepted {
            mail,
            id,
            at: now,
            region: self.region.clone(),
            account_id: self.account_id.clone(),
            identity: sender.identity,
        };
        if let Some(tracked) = TrackedMail::of(&accepted, set.as_ref()) {
            state.tracked.insert(tracked.message_id(), tracked);
        }
        let notification_topic = state.notification_topic.clone();
        drop(state);
        for event in &events {
            if let Some(topic) = set.as_ref().and_then(|set| set.topic_of(event.kind)) {
                self.publish(topic, event::published(&accepted, event), event);
            }
            if let Some(topic) = &notification_topic
                && let Some(written) = event::notification(&accepted, event)
            {
                self.publish(topic, written, event);
            }
        }
        Ok(message_id)
    }

    fn publish(&self, topic_arn: &str, written: Value, event: &MailEvent) {
        // Nobody listens any more when the process is ending.
        let _ = self.events.send(PublishedEvent {
            topic_arn: topic_arn.to_owned(),
            event: written,
            after: event.kind.after(),
        });
    }
}

/// A sender that may send.
struct AuthorizedSender {
    /// The name of the identity that authorizes it; its domain if none does.
    identity: String,
    /// Whether SES itself would accept the sender.
    is_verified: bool,
}

impl SesState {
    /// Refuses a mail whose sender is not verified; in the sandbox also one with an unverified recipient.
    fn check_identities(
        &self,
        mail: &Mail,
        region: &str,
        leniency: &SesLeniency,
    ) -> Result<AuthorizedSender, SesError> {
        let verified = |mailbox: &Mailbox| self.identities.authorizing(mailbox);
        let senders = std::iter::once(&mail.from).chain(&mail.other_senders);
        let unverified: Vec<&Mailbox> = senders.filter(|m| verified(m).is_none()).collect();
        let is_verified = unverified.is_empty();
        let mut failed = if leniency.any_sender { Vec::new() } else { unverified };
        if !self.account.settings.production_access {
            let is_unverified = |m: &&Mailbox| !leniency.is_test_address(m) && verified(m).is_none();
            failed.extend(mail.recipients().filter(is_unverified));
        }
        if failed.is_empty() {
            let identity = verified(&mail.from).map_or(&mail.from.domain, |identity| &identity.name);
            return Ok(AuthorizedSender {
                identity: identity.clone(),
                is_verified,
            });
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

    /// Returns the outcome of a mail at a recipient.
    fn outcome_at(&self, mailbox: &Mailbox, leniency: &SesLeniency) -> RecipientOutcome {
        match self.suppression_list.get(&mailbox.key()) {
            Some(suppressed) => RecipientOutcome::AccountSuppressed(suppressed.reason),
            None => leniency.outcome_at(mailbox),
        }
    }
}
