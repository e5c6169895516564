//! The keys by which Okite recognises a repeated mail, so that a client that lost a 250 and sends the mail again
//! doubles nothing (RFC 1047).
//!
//! A key is a hash of the recipients and of all bytes of the mail but its fields `Received`. A mail without
//! `Message-ID` has no key: two equal alerts of one cron job are two mails. Above [`RECIPIENTS_PER_REQUEST`] recipients
//! such a mail has one all the same if it has a `Date`, because a repeated mail would otherwise double those groups
//! that went before.

use domain::address::EmailAddress;
use domain::hex::hex;
use sha2::{Digest, Sha256};

use crate::header::Identity;

/// The most recipients of one request to Okite, as of one mail of SES.
pub(crate) const RECIPIENTS_PER_REQUEST: usize = 50;

/// The maker of the keys of one mail: one key for each group of recipients.
#[derive(Clone, Debug)]
pub(crate) struct MailKeys {
    /// The hash of the mail; nothing if the mail has no keys.
    mail: Option<Vec<u8>>,
}

impl MailKeys {
    /// Hashes a mail.
    pub(crate) fn of(mail: &[u8], recipients: usize) -> Self {
        let identity = Identity::read(mail);
        let is_identified = identity.message_id.is_some() || (recipients > RECIPIENTS_PER_REQUEST && identity.has_date);
        Self {
            mail: is_identified.then(|| hash_of(mail, &identity)),
        }
    }

    /// Returns whether Okite will recognise the mail if it is sent again.
    pub(crate) fn recognise(&self) -> bool {
        self.mail.is_some()
    }

    /// Returns the key of a group of recipients.
    pub(crate) fn key(&self, group: &[EmailAddress]) -> Option<String> {
        let mut hash = Sha256::new();
        add(&mut hash, self.mail.as_ref()?);
        for recipient in group {
            add(&mut hash, recipient.as_wire().as_bytes());
        }
        Some(format!("smtp-{}", hex(&hash.finalize())))
    }
}

fn hash_of(mail: &[u8], identity: &Identity) -> Vec<u8> {
    let mut hash = Sha256::new();
    add(&mut hash, identity.message_id.as_deref().unwrap_or_default());
    let mut start = 0;
    for received in &identity.received {
        hash.update(mail.get(start..received.start).unwrap_or_default());
        start = received.end;
    }
    hash.update(mail.get(start..).unwrap_or_default());
    hash.finalize().to_vec()
}

/// Adds bytes behind their length, so that no two lists of texts give the same hash.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<EmailAddress> {
        list.iter().map(|text| EmailAddress::parse(text).unwrap()).collect()
    }

    fn key(mail: &str, recipients: &[&str]) -> Option<String> {
        MailKeys::of(mail.as_bytes(), recipients.len()).key(&addresses(recipients))
    }

    const MAIL: &str = "Message-ID: <1@example.com>\r\nFrom: a@example.com\r\n\r\nHi\r\n";

    #[test]
    fn the_same_mail_over_another_way_has_the_same_key() {
        let first = key(MAIL, &["b@example.net"]).unwrap();
        let again = format!("Received: from x\r\n by y; later\r\nReceived: z\r\n{MAIL}");
        assert_eq!(key(&again, &["b@example.net"]).as_ref(), Some(&first));
        // A change of it turns mails that are repeated across a new release into second mails.
        assert_eq!(
            first,
            "smtp-6bd09258005111527df7f109e7b0809b911ff88231a42390746501e2ce6e1bb5"
        );
    }

    #[test]
    fn every_other_difference_is_another_mail() {
        let first = key(MAIL, &["b@example.net"]);
        assert_ne!(key(&MAIL.replace("<1@", "<2@"), &["b@example.net"]), first);
        assert_ne!(key(&MAIL.replace("Hi", "Ho"), &["b@example.net"]), first);
        assert_ne!(key(MAIL, &["c@example.net"]), first);
        assert_ne!(key(MAIL, &["b@example.net", "c@example.net"]), first);
        // `Received` counts in the body.
        assert_ne!(key(&format!("{MAIL}Received: x\r\n"), &["b@example.net"]), first);
    }

    #[test]
    fn equal_alerts_are_mails_of_their_own() {
        let alert = "From: cron@example.com\r\nDate: now\r\n\r\nFailed\r\n";
        assert_eq!(key(alert, &["b@example.net"]), None);
        let many: Vec<String> = (0..=RECIPIENTS_PER_REQUEST)
            .map(|nth| format!("r{nth}@example.net"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(key(alert, &many[1..]), None);
        assert!(key(alert, &many).is_some());
        assert_eq!(key("From: cron@example.com\r\n\r\nFailed\r\n", &many), None);
    }
}
