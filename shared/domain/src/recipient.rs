//! The outcome for each recipient of a message: accepted, suppressed or not sent.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::address::{EmailAddress, Mailbox};
use crate::message::Mail;
use crate::stream::Stream;
use crate::suppression::{Registers, SoftBounceTiers, Suppression};

/// The status of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientStatus {
    /// Okite sends the mail to the recipient.
    Accepted,
    /// The recipient is suppressed.
    Suppressed(Suppression),
    /// The recipient is not suppressed, but Okite sends the mail to no one. Either no recipient is left on the To line,
    /// or the caller chose [`OnSuppressed::Reject`].
    NotSent,
}

impl RecipientStatus {
    /// Returns the name that the API and items use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Suppressed(_) => "suppressed",
            Self::NotSent => "not_sent",
        }
    }

    /// Returns the suppression, if the recipient is suppressed.
    #[must_use]
    pub fn suppression(self) -> Option<Suppression> {
        match self {
            Self::Suppressed(suppression) => Some(suppression),
            Self::Accepted | Self::NotSent => None,
        }
    }
}

/// The effect of a suppressed recipient on the other recipients of an email.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSuppressed {
    /// Okite leaves out the suppressed recipient and sends the mail to the others.
    #[default]
    Skip,
    /// Okite sends the mail to no one.
    Reject,
}

impl OnSuppressed {
    /// Returns the name that the API and items use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Reject => "reject",
        }
    }

    /// Reads the name that the API uses. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "skip" => Some(Self::Skip),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// The outcome for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// The address, in the spelling that was given first.
    pub address: EmailAddress,
    /// The status of the recipient.
    pub status: RecipientStatus,
}

/// The recipients that a mail is sent to.
#[derive(Clone, Debug, Default)]
pub struct ResolvedRecipients<'a> {
    /// The recipients on the To line.
    pub to: Vec<&'a Mailbox>,
    /// The recipients on the Cc line.
    pub cc: Vec<&'a Mailbox>,
    /// The Bcc recipients, whom no other recipient sees.
    pub bcc: Vec<&'a Mailbox>,
}

impl ResolvedRecipients<'_> {
    /// Returns the number of recipients, which is the cost of the mail in rate and quota.
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.to.len() + self.cc.len() + self.bcc.len()
    }
}

/// The outcomes for all recipients of an email, and the recipients that are left.
#[derive(Clone, Debug)]
pub struct JudgedRecipients<'a> {
    /// One outcome per recipient, in the order To, Cc, Bcc.
    pub outcomes: Vec<RecipientOutcome>,
    /// The recipients that the mail is sent to. It is `None` if Okite sends the mail to no one.
    pub destination: Option<ResolvedRecipients<'a>>,
}

impl JudgedRecipients<'_> {
    /// Returns the outcomes for [`OnSuppressed::Reject`], or `None` if no recipient is suppressed.
    #[must_use]
    pub fn rejected(&self) -> Option<Vec<RecipientOutcome>> {
        let is_suppressed = |outcome: &RecipientOutcome| matches!(outcome.status, RecipientStatus::Suppressed(_));
        if !self.outcomes.iter().any(is_suppressed) {
            return None;
        }
        let mut outcomes = self.outcomes.clone();
        for outcome in outcomes.iter_mut().filter(|outcome| !is_suppressed(outcome)) {
            outcome.status = RecipientStatus::NotSent;
        }
        Some(outcomes)
    }
}

/// Decides the outcome for every recipient of `mail`, which belongs to `stream`.
///
/// `registers` is keyed by normalised address. An address without an entry has empty registers.
///
/// A recipient who left the topic of the mail is suppressed for it. Mail without a topic is not asked about topics.
///
/// If no recipient is left on the To line, Okite sends the mail to no one. Otherwise a Cc recipient would receive a
/// mail whose addressee never received it. A raw mail has one line, its envelope: it goes to everyone who is left.
#[must_use]
pub fn judge<'a>(
    mail: &'a Mail,
    registers: &BTreeMap<String, Registers>,
    now: Timestamp,
    stream: Stream,
    tiers: &SoftBounceTiers,
) -> JudgedRecipients<'a> {
    let suppression = |mailbox: &Mailbox| {
        let address = mailbox.address();
        registers.get(address.normalised()).and_then(|registers| {
            let of_topic = || registers.topics.suppression(mail.topic.as_ref()?);
            registers.suppression(address, now, stream, tiers).or_else(of_topic)
        })
    };
    let deliverable = |list: &'a [Mailbox]| list.iter().filter(|mailbox| suppression(mailbox).is_none()).collect();
    let [to, cc, bcc] = mail.lines().map(deliverable);
    let destination = ResolvedRecipients { to, cc, bcc };
    let destination = Some(destination).filter(|destination| !destination.to.is_empty());
    let outcomes = mail
        .recipients()
        .map(|mailbox| RecipientOutcome {
            address: mailbox.address().clone(),
            status: match suppression(mailbox) {
                Some(suppression) => RecipientStatus::Suppressed(suppression),
                None if destination.is_some() => RecipientStatus::Accepted,
                None => RecipientStatus::NotSent,
            },
        })
        .collect();
    JudgedRecipients { outcomes, destination }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::{mailboxes, parts};
    use crate::message::{Email, EmailParts};
    use crate::suppression::{SuppressionReason, TopicChoice, TopicChoices};
    use crate::unsubscribe::Topic;

    const BOUNCED: Registers = Registers {
        bounce_at: Some(Timestamp::UNIX_EPOCH),
        complaint_at: None,
        blocked_at: None,
        blocked_on: Vec::new(),
        bounce_echo_at: None,
        complaint_echo_at: None,
        soft: Vec::new(),
        soft_of: Vec::new(),
        manual_at: None,
        manual_expires_at: None,
        lifted_at: None,
        topics: TopicChoices {
            by_topic: BTreeMap::new(),
            others: None,
        },
        unreadable: false,
    };

    fn named(judgement: &JudgedRecipients<'_>) -> Vec<(String, &'static str)> {
        let name = |status| match status {
            RecipientStatus::Accepted => "accepted",
            RecipientStatus::Suppressed(Suppression {
                reason: SuppressionReason::Bounce,
                ..
            }) => "bounce",
            RecipientStatus::Suppressed(_) => "other",
            RecipientStatus::NotSent => "not_sent",
        };
        judgement
            .outcomes
            .iter()
            .map(|outcome| (outcome.address.as_given().to_owned(), name(outcome.status)))
            .collect()
    }

    fn judge<'a>(email: &'a Mail, registers: &BTreeMap<String, Registers>, now: Timestamp) -> JudgedRecipients<'a> {
        super::judge(
            email,
            registers,
            now,
            Stream::Transactional,
            &SoftBounceTiers::default(),
        )
    }

    fn mail(to: &[&str], cc: &[&str], bcc: &[&str]) -> Mail {
        Email::new(EmailParts {
            to: mailboxes(to),
            cc: mailboxes(cc),
            bcc: mailboxes(bcc),
            ..parts()
        })
        .unwrap()
        .into()
    }

    fn suppressed(addresses: &[&str]) -> BTreeMap<String, Registers> {
        addresses
            .iter()
            .map(|address| ((*address).to_owned(), BOUNCED))
            .collect()
    }

    #[test]
    fn leaves_out_suppressed_recipients_in_any_spelling_and_line() {
        let mail = mail(
            &["A@Example.org", "b@example.org"],
            &["C@example.ORG"],
            &["D <d@EXAMPLE.org>"],
        );
        let list = suppressed(&["a@example.org", "c@example.org", "d@example.org"]);
        let judgement = judge(&mail, &list, Timestamp::UNIX_EPOCH);
        let destination = judgement.destination.as_ref().unwrap();
        assert_eq!(destination.to, [&mail.lines()[0][1]]);
        assert!(destination.cc.is_empty() && destination.bcc.is_empty());
        let expected = [
            ("A@Example.org", "bounce"),
            ("b@example.org", "accepted"),
            ("C@example.ORG", "bounce"),
            ("d@EXAMPLE.org", "bounce"),
        ];
        assert_eq!(
            named(&judgement),
            expected.map(|(address, outcome)| (address.to_owned(), outcome))
        );
    }

    #[test]
    fn sends_to_no_one_if_no_recipient_is_left_in_to() {
        let mail = mail(&["a@example.org"], &["good@example.org"], &[]);
        let judgement = judge(&mail, &suppressed(&["a@example.org"]), Timestamp::UNIX_EPOCH);
        assert!(judgement.destination.is_none());
        assert_eq!(named(&judgement)[1], ("good@example.org".to_owned(), "not_sent"));
    }

    #[test]
    fn somebody_who_left_a_topic_gets_every_other_mail() {
        let left = TopicChoice {
            at: Timestamp::from_second(7).unwrap(),
            is_unsubscribed: true,
            source: "link".to_owned(),
        };
        let news = Topic::parse("news").unwrap();
        let registers = Registers {
            topics: TopicChoices {
                by_topic: [(news.clone(), left)].into(),
                others: None,
            },
            ..Registers::default()
        };
        let known = [("a@example.org".to_owned(), registers)].into();
        for (topic, is_sent) in [(None, true), (Some("sale"), true), (Some("news"), false)] {
            let mut mail = mail(&["a@example.org"], &[], &[]);
            mail.topic = topic.map(|topic| Topic::parse(topic).unwrap());
            let judgement = judge(&mail, &known, Timestamp::from_second(9).unwrap());
            assert_eq!(judgement.destination.is_some(), is_sent, "{topic:?}");
            let suppression = judgement.outcomes[0].status.suppression();
            let expected = (!is_sent).then_some((SuppressionReason::Unsubscribed, Timestamp::from_second(7).unwrap()));
            assert_eq!(suppression.map(|found| (found.reason, found.since)), expected);
        }
    }

    #[test]
    fn one_suppressed_recipient_rejects_the_mail_for_all() {
        let mail = mail(&["a@example.org", "b@example.org"], &[], &["c@example.org"]);
        let judgement = judge(&mail, &suppressed(&["c@example.org"]), Timestamp::UNIX_EPOCH);
        let outcomes = judgement.rejected().unwrap();
        let outcomes = named(&JudgedRecipients {
            outcomes,
            destination: None,
        });
        assert_eq!(
            outcomes.iter().map(|(_, outcome)| *outcome).collect::<Vec<_>>(),
            ["not_sent", "not_sent", "bounce"]
        );
        assert_eq!(judge(&mail, &suppressed(&[]), Timestamp::UNIX_EPOCH).rejected(), None);
    }
}
