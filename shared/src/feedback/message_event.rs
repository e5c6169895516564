//! An event of SES as the record of a message keeps it.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::address;
use super::event::Mail;
use crate::hex::hex;

/// The tag that carries our id of a message.
const ID_TAG: &str = "okite_id";

/// What became of one message, by an event that names it with our tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvent {
    /// Our id of the message.
    pub message_id: Uuid,
    /// SES's id of the message.
    pub ses_id: String,
    /// The event's type, as SES names it.
    pub kind: String,
    /// What tells it from other events of this type about this message; the same for every copy of it.
    pub id: String,
    /// When SES says it happened.
    pub at: Timestamp,
    /// Whom it is about, normalised; nobody where it is about the mail as a whole. Addresses that cannot be read are left
    /// out.
    pub recipients: Vec<String>,
}

/// What an event says of its message, whatever its type.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) kind: &'a str,
    /// SES's id of the feedback, where the type has one.
    pub(super) feedback_id: Option<&'a str>,
    pub(super) at: Timestamp,
    /// The addresses as SES writes them.
    pub(super) recipients: Vec<&'a str>,
}

/// Reads our id of a mail, by our tag.
pub(super) fn id(mail: &Mail) -> Option<Uuid> {
    mail.tag(ID_TAG)?.as_str()?.parse().ok()
}

/// Makes the event of a mail that carries our tag.
pub(super) fn of(mail: &Mail, about: &About<'_>) -> Option<MessageEvent> {
    let message_id = id(mail)?;
    let mut recipients: Vec<String> = about
        .recipients
        .iter()
        .filter_map(|text| Some(address::read(text)?.normalised().to_owned()))
        .collect();
    recipients.sort_unstable();
    recipients.dedup();
    Some(MessageEvent {
        message_id,
        ses_id: mail.message_id.clone()?,
        kind: about.kind.to_owned(),
        id: about.feedback_id.map_or_else(|| id_of(&recipients), str::to_owned),
        at: about.at,
        recipients,
    })
}

/// An id for types to which SES gives none: one such event a recipient is told, and one for the mail as a whole.
fn id_of(recipients: &[String]) -> String {
    if recipients.is_empty() {
        return String::new();
    }
    hex(&Sha256::digest(recipients.join("\n"))[..8])
}

/// The addresses of a list of texts, or of objects with an `emailAddress`.
pub(super) fn addresses<'a>(object: Option<&'a Value>, list: &str) -> Vec<&'a str> {
    let entries = object.and_then(|object| object.get(list)?.as_array());
    let address = |entry: &'a Value| entry.as_str().or_else(|| entry.get("emailAddress")?.as_str());
    entries.into_iter().flatten().filter_map(address).collect()
}
