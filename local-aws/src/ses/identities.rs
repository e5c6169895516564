//! The identities: addresses and domains that may send.
//!
//! An identity that is created over the API stays pending, because nobody here clicks the link or
//! publishes the DNS record; [`Identities::verify`] stands in for both. A verified domain speaks for
//! its subdomains, and a verified address for itself with any `+label`. Case never matters.
//! <https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html>

use std::collections::BTreeMap;

use super::error::SesError;
use super::mailbox::Mailbox;

/// An address or a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// As it was first given.
    pub(super) name: String,
    pub(super) verified: bool,
}

impl Identity {
    pub(super) fn is_address(&self) -> bool {
        self.name.contains('@')
    }
}

/// All identities, by their lower-case name.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    known: BTreeMap<String, Identity>,
}

impl Identities {
    /// Verifies an identity, creating it if need be.
    pub(super) fn verify(&mut self, name: &str) {
        self.known
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| Identity {
                name: name.to_owned(),
                verified: true,
            })
            .verified = true;
    }

    /// Creates an identity, pending.
    pub(super) fn create(&mut self, name: &str) -> Result<&Identity, SesError> {
        let legal = if name.contains('@') {
            !name.contains(['<', '>', ' ', '"']) && Mailbox::parse(name).is_ok()
        } else {
            name.contains('.') && Mailbox::parse(&format!("postmaster@{name}")).is_ok()
        };
        if !legal {
            return Err(SesError::BadRequest(format!("Invalid identity <{name}>.")));
        }
        let key = name.to_ascii_lowercase();
        if self.known.contains_key(&key) {
            return Err(SesError::AlreadyExists(format!("Email identity {name} already exist.")));
        }
        Ok(self.known.entry(key).or_insert(Identity {
            name: name.to_owned(),
            verified: false,
        }))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Identity> {
        self.known.get(&name.to_ascii_lowercase())
    }

    /// Lists the identities by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.known.values()
    }

    /// Finds the verified identity that speaks for an address: the address itself, the address
    /// without its label, its domain, or a parent of it, the closest first.
    pub(super) fn speaking_for(&self, mailbox: &Mailbox) -> Option<&Identity> {
        let address = mailbox.key();
        let unlabelled = address
            .split_once('+')
            .map(|(local, _)| format!("{local}@{}", mailbox.domain));
        let parents = std::iter::successors(Some(mailbox.domain.as_str()), |domain| {
            domain.split_once('.').map(|(_, parent)| parent)
        });
        std::iter::once(address.as_str())
            .chain(unlabelled.as_deref())
            .chain(parents)
            .filter_map(|name| self.known.get(name))
            .find(|identity| identity.verified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(names: &[&str]) -> Identities {
        let mut identities = Identities::default();
        for name in names {
            identities.verify(name);
        }
        identities
    }

    fn may_send(identities: &Identities, address: &str) -> bool {
        identities.speaking_for(&Mailbox::parse(address).unwrap()).is_some()
    }

    #[test]
    fn a_verified_domain_speaks_for_its_addresses_and_its_subdomains() {
        let identities = verified(&["Example.com"]);
        assert!(may_send(&identities, "ada@example.com"));
        assert!(may_send(&identities, "Ada <ada@mail.EXAMPLE.com>"));
        assert!(may_send(&identities, "ada@a.b.example.com"));
        assert!(!may_send(&identities, "ada@notexample.com"));
        assert!(!may_send(&identities, "ada@com"));
    }

    #[test]
    fn a_verified_address_speaks_for_itself_with_any_label() {
        let identities = verified(&["ada@example.com"]);
        assert!(may_send(&identities, "ADA@example.com"));
        assert!(may_send(&identities, "ada+news@example.com"));
        assert!(!may_send(&identities, "bob@example.com"));
    }

    #[test]
    fn a_created_identity_may_not_send_until_it_is_verified() {
        let mut identities = Identities::default();
        identities.create("example.com").unwrap();
        assert!(!may_send(&identities, "ada@example.com"));
        identities.verify("example.com");
        assert!(may_send(&identities, "ada@example.com"));
    }

    #[test]
    fn refuses_to_create_an_identity_twice_or_a_nonsense_one() {
        let mut identities = verified(&["example.com"]);
        let again = identities.create("EXAMPLE.com").unwrap_err();
        assert_eq!(again.code(), "AlreadyExistsException");
        for name in ["", "localhost", "a b.com", "Ada <ada@example.com>", "@x.com"] {
            let refused = identities.create(name).unwrap_err();
            assert_eq!(refused.code(), "BadRequestException", "{name}");
        }
    }
}
