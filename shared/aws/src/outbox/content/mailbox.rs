//! The form of an address with its name.

use serde::{Deserialize, Serialize};

use domain::address::{EmailAddress, Mailbox};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredMailbox {
    name: Option<String>,
    address: String,
}

impl StoredMailbox {
    pub(super) fn of(mailbox: &Mailbox) -> Self {
        Self {
            name: mailbox.name().map(str::to_owned),
            address: mailbox.address().as_given().to_owned(),
        }
    }

    pub(super) fn read(self) -> Option<Mailbox> {
        // A front has checked who it is, so it may be a sender that only `okite up` accepts.
        Mailbox::from_parts(self.name, EmailAddress::parse_sender(&self.address).ok()?).ok()
    }
}
