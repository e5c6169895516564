//! Requests to the pipeline.

use domain::address::Mailbox;
use domain::message::{Email, EmailParts};
use domain::queue::WhenBusy;
use domain::recipient::OnSuppressed;
use domain::stream::Stream;
use jiff::Timestamp;
use sending::{Patience, Submission};

use crate::network::Fault;
use crate::world::{SUPPRESSED, WAIT};

/// One email of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mail {
    /// To one recipient.
    Plain,
    /// One of two recipients is suppressed and left out.
    Part,
    /// The only recipient is suppressed and left out.
    Nobody,
    /// The front finds it invalid and does not submit it.
    Invalid,
    /// A recipient is suppressed, which the caller does not accept.
    Reject,
    /// To one recipient. The caller would not accept that it is suppressed.
    Strict,
    /// To two recipients.
    Two,
    /// To one recipient, with thirteen megabytes of text.
    Large,
    /// The time at which it was to be sent is over.
    Late,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) key: Option<String>,
    /// What its subjects begin with: another one is another body.
    pub(crate) body: String,
    pub(crate) mails: Vec<Mail>,
    pub(crate) stream: Stream,
    pub(crate) patience: Patience,
    pub(crate) when_busy: WhenBusy,
    pub(crate) scheduled_at: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    /// Whether its process has seen the gate.
    pub(crate) is_warm: bool,
    pub(crate) faults: Vec<Fault>,
    /// After how many polls its process ends.
    pub(crate) dies_after: Option<u32>,
}

impl Request {
    pub(crate) fn new(key: Option<&str>, body: &str, mails: &[Mail]) -> Self {
        let patience = if mails.len() == 1 {
            Patience::Within(WAIT)
        } else {
            Patience::UntilDeadline
        };
        Self {
            key: key.map(str::to_owned),
            body: body.to_owned(),
            mails: mails.to_vec(),
            stream: Stream::Transactional,
            patience,
            when_busy: WhenBusy::Refuse,
            scheduled_at: None,
            deadline: None,
            is_warm: true,
            faults: Vec::new(),
            dies_after: None,
        }
    }

    pub(crate) fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    pub(crate) fn subject(&self, place: usize) -> String {
        format!("{}/{place}", self.body)
    }

    pub(crate) fn submissions(&self) -> Vec<Submission> {
        let mailboxes = |texts: &[&str]| texts.iter().map(|text| Mailbox::parse(text).unwrap()).collect();
        let valid = |(_, mail): &(usize, &Mail)| **mail != Mail::Invalid;
        let each = self.mails.iter().enumerate().filter(valid).map(|(place, mail)| {
            let anna = format!("anna{place}@example.net");
            let (to, cc): (Vec<&str>, Vec<&str>) = match mail {
                Mail::Plain | Mail::Invalid | Mail::Strict | Mail::Large | Mail::Late => (vec![&anna], vec![]),
                Mail::Two => (vec![&anna], vec!["bert@example.net"]),
                Mail::Nobody => (vec![SUPPRESSED], vec![]),
                Mail::Part | Mail::Reject => (vec![&anna], vec![SUPPRESSED]),
            };
            let email = Email::new(EmailParts {
                from: Mailbox::parse("acme@example.com").unwrap(),
                to: mailboxes(&to),
                cc: mailboxes(&cc),
                bcc: Vec::new(),
                reply_to: Vec::new(),
                subject: self.subject(place),
                html: None,
                text: Some(match mail {
                    Mail::Large => "Hello ".repeat(13_000_000 / 6),
                    _ => "Hello".to_owned(),
                }),
                headers: Vec::new(),
                tags: Vec::new(),
                attachments: Vec::new(),
            });
            Submission {
                place,
                mail: email.unwrap().into(),
                on_suppressed: match mail {
                    Mail::Reject | Mail::Strict => OnSuppressed::Reject,
                    _ => OnSuppressed::Skip,
                },
                when_busy: self.when_busy,
                scheduled_at: self.scheduled_at,
                deadline: self.deadline,
                is_too_late: *mail == Mail::Late,
            }
        });
        each.collect()
    }
}
