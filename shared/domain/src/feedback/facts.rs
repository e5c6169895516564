//! The facts of a bounce or a complaint: one for each address that it lists.

use jiff::Timestamp;

use super::classify::{self, FeedbackClass};
use super::event::{Bounce, Complaint, Recipient};
use super::mark::{MarkKind, UnlistedFeedback};
use super::{FeedbackEvent, RECIPIENTS_MAX, address, message_event};
use crate::address::EmailAddress;
use crate::bounce::{Blame, BounceJudgement, BounceReason};

/// A bounce or complaint of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientFact {
    /// The recipient.
    pub address: EmailAddress,
    /// The class of the bounce or complaint.
    pub class: FeedbackClass,
    /// Why the mail bounced; nothing for a complaint.
    pub reason: Option<BounceReason>,
    /// Whether the evidence blames the sender, whatever follows for the address: it counts towards storms.
    pub blames_sender: bool,
    /// Whether AWS counts it in the account's bounce or complaint rate, whatever follows for the address.
    pub counts_for_rate: bool,
    /// When SES says it happened.
    pub at: Timestamp,
    /// SES's id of this feedback; of the mail if it has none.
    pub feedback_id: String,
    /// SES's own words for what happened: type and subtype.
    pub subtype: String,
    /// The words of the receiving server. They may contain addresses: it is for the table, not for a log.
    pub diagnostic: Option<String>,
}

impl FeedbackEvent {
    /// Adds the recipients of a bounce. Returns what counts if it lists none, and AWS counts it.
    pub(super) fn add_bounce(&mut self, bounce: Bounce, at: Timestamp) -> Option<UnlistedFeedback> {
        let subtype = message_event::short(&bounce.words());
        let bounce_type = bounce.bounce_type.unwrap_or_default();
        let bounce_sub_type = bounce.bounce_sub_type.unwrap_or_default();
        let feedback_id = self.feedback_id(bounce.feedback_id);
        let recipients = bounce.bounced_recipients.unwrap_or_default();
        for recipient in recipients {
            let (class, judgement) = classify::bounce(&bounce_type, &bounce_sub_type, &recipient);
            let happened = Happened {
                class,
                judgement: Some(judgement),
                at,
                feedback_id: &feedback_id,
                subtype: &subtype,
            };
            self.add(&recipient, &happened);
        }
        if !self.facts.is_empty() {
            return None;
        }
        let (class, judgement) = classify::bounce(&bounce_type, &bounce_sub_type, &Recipient::default());
        judgement.counts_for_rate.then_some(UnlistedFeedback {
            kind: MarkKind::Bounce,
            class,
            at,
            feedback_id,
        })
    }

    /// Adds the recipients of a complaint. Returns what counts if it lists none, and AWS counts it.
    pub(super) fn add_complaint(&mut self, complaint: Complaint, at: Timestamp) -> Option<UnlistedFeedback> {
        let words = message_event::short(complaint.words());
        let feedback_type = complaint.complaint_feedback_type.unwrap_or_default();
        let sub_type = complaint.complaint_sub_type.unwrap_or_default();
        let feedback_id = self.feedback_id(complaint.feedback_id);
        let happened = Happened {
            class: classify::complaint(&feedback_type, &sub_type),
            judgement: None,
            at,
            feedback_id: &feedback_id,
            subtype: &words,
        };
        for recipient in complaint.complained_recipients.unwrap_or_default() {
            self.add(&recipient, &happened);
        }
        let class = happened.class;
        (self.facts.is_empty() && class == FeedbackClass::Complaint).then_some(UnlistedFeedback {
            kind: MarkKind::Complaint,
            class,
            at,
            feedback_id,
        })
    }

    pub(super) fn feedback_id(&self, id: Option<String>) -> String {
        let id = id.or_else(|| self.ses_message_id.clone()).unwrap_or_default();
        message_event::key_part(&id)
    }

    /// Adds a fact for each address of an entry, which is one address as a rule.
    fn add(&mut self, recipient: &Recipient, happened: &Happened<'_>) {
        let addresses = recipient
            .email_address
            .as_deref()
            .map(address::read_all)
            .unwrap_or_default();
        if addresses.is_empty() {
            self.unreadable_recipients += usize::from(happened.class.suppresses());
            return;
        }
        let room = RECIPIENTS_MAX.saturating_sub(self.facts.len());
        if happened.class.suppresses() {
            self.unreadable_recipients += addresses.len().saturating_sub(room);
        }
        let diagnostic = recipient.diagnostic_code.as_deref().map(message_event::short);
        let judgement = happened.judgement.as_ref();
        self.facts
            .extend(addresses.into_iter().take(room).map(|address| RecipientFact {
                address,
                class: happened.class,
                reason: judgement.map(|judgement| judgement.reason),
                blames_sender: judgement.is_some_and(|judgement| judgement.blame == Blame::Sender),
                counts_for_rate: judgement.map_or(happened.class == FeedbackClass::Complaint, |judgement| {
                    judgement.counts_for_rate
                }),
                at: happened.at,
                feedback_id: happened.feedback_id.to_owned(),
                subtype: happened.subtype.to_owned(),
                diagnostic: diagnostic.clone(),
            }));
    }
}

/// A fact without the recipient's address.
struct Happened<'a> {
    class: FeedbackClass,
    judgement: Option<BounceJudgement>,
    at: Timestamp,
    feedback_id: &'a str,
    subtype: &'a str,
}
