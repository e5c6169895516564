//! One mail on its way to Okite, in groups of recipients, and the one answer that its client gets.
//!
//! If a group is refused after others were accepted, it depends on the mail:
//!
//! - A mail with idempotency keys doubles nothing if it is sent again, so the client gets the refusal. One that passes
//!   (4xx) goes before one that stays (5xx), because the next attempt then reaches more people.
//! - A mail without keys would double the groups that were accepted, so the client gets 250. Its text names the number
//!   of recipients who get nothing, and the log has the cause.

use std::time::Duration;

use bytes::Bytes;
use domain::address::EmailAddress;
use domain::api_key::ApiKey;

use crate::answer::{Accepted, Refusal};
use crate::api::Api;
use crate::idempotency::{MailKeys, RECIPIENTS_PER_REQUEST};
use crate::mail_body::MailBody;
use crate::reply::Reply;

/// A mail and its envelope.
pub(crate) struct Mail {
    pub(crate) bytes: Bytes,
    pub(crate) recipients: Vec<EmailAddress>,
    pub(crate) key: ApiKey,
}

/// The outcome of a mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    /// The groups that Okite took.
    accepted: Vec<Accepted>,
    /// The recipients in those groups.
    pub(crate) recipients: usize,
    /// The groups that Okite refused, with the number of their recipients.
    refused: Vec<(Refusal, usize)>,
    /// Whether Okite recognises the mail if it is sent again.
    has_keys: bool,
}

impl Mail {
    /// Passes the mail on, group by group.
    pub(crate) async fn deliver(&self, api: &Api) -> Delivery {
        let keys = MailKeys::of(&self.bytes, self.recipients.len());
        let mut delivery = Delivery {
            has_keys: keys.recognise(),
            ..Delivery::default()
        };
        // A relay that sends the mail again may list its recipients in another order.
        let mut recipients = self.recipients.clone();
        recipients.sort_unstable_by(|one, other| one.normalised().cmp(other.normalised()));
        for group in recipients.chunks(RECIPIENTS_PER_REQUEST) {
            let body = MailBody::new(&self.bytes, group);
            match api.send(&self.key, keys.key(group).as_deref(), body).await {
                Ok(accepted) => {
                    delivery.recipients += group.len();
                    delivery.accepted.push(accepted);
                }
                Err(refusal) => {
                    let ends = delivery.accepted.is_empty() || (delivery.has_keys && !refusal.is_permanent());
                    delivery.refused.push((refusal, group.len()));
                    if ends {
                        break;
                    }
                }
            }
        }
        delivery
    }
}

impl Delivery {
    /// Returns the refusal that the client gets; nothing if it gets 250.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        if !self.has_keys && !self.accepted.is_empty() {
            return None;
        }
        self.refusals()
            .find(|refusal| !refusal.is_permanent())
            .or(self.refusals().next())
    }

    /// Returns every refusal.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refused.iter().map(|(refusal, _)| refusal)
    }

    /// Lists Okite's ids of the mail.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.accepted
            .iter()
            .map(|accepted| accepted.okite_id.as_deref().unwrap_or(&accepted.message_id))
            .collect()
    }

    /// Returns the answer to the client.
    pub(crate) fn reply(&self, of: usize) -> Reply {
        if let Some(refusal) = self.refusal() {
            let Reply { code, status, .. } = refusal.reply();
            let text = if self.accepted.is_empty() {
                refusal.text.clone()
            } else {
                format!("{} of {of} recipients are done. {}", self.recipients, refusal.text)
            };
            return Reply::new(code, status.unwrap_or("4.0.0"), text);
        }
        let first = self.accepted.first();
        let mut text = vec![format!("Ok {}", first.map_or("", |first| &first.message_id))];
        if self.accepted.len() > 1 {
            text.push(format!(" and {} more", self.accepted.len() - 1));
        }
        if let Some(id) = first.and_then(|first| first.okite_id.as_deref()) {
            text.push(format!(", id at Okite {id}"));
        }
        let suppressed: usize = self.accepted.iter().map(|accepted| accepted.suppressed).sum();
        if suppressed > 0 {
            text.push(format!("; no mail to suppressed recipients: {suppressed} of {of}"));
        }
        if let Some((refusal, _)) = self.refused.first() {
            let failed: usize = self.refused.iter().map(|(_, recipients)| recipients).sum();
            text.push(format!("; {failed} of {of} recipients get no mail: {}", refusal.text));
        }
        Reply::new(250, "2.0.0", text.concat())
    }
}

/// Logs what became of a mail: ids and figures, never an address.
pub(crate) fn log(connection: u64, delivery: &Delivery, mail: &Mail, took: Duration) {
    let ids = delivery.ids().join(" ");
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (recipients, bytes) = (mail.recipients.len(), mail.bytes.len());
    let key_id = mail.key.id();
    for refusal in delivery.refusals() {
        let (kind, code) = (format!("{:?}", refusal.kind), refusal.reply().code);
        tracing::warn!(
            connection,
            key.id = key_id,
            kind,
            code,
            recipients,
            bytes,
            duration_ms,
            "Okite did not take a mail"
        );
    }
    if delivery.recipients > 0 {
        tracing::info!(
            connection,
            key.id = key_id,
            message.ids = ids,
            recipients = delivery.recipients,
            bytes,
            duration_ms,
            "Okite took a mail"
        );
    }
}
