//! The identities: addresses and domains that may send.
//!
//! An identity that is created over the API stays pending, because there is no link to click and no DNS record to
//! publish. [`Identities::verify`] stands for both. A verified domain authorizes its subdomains, and a verified address
//! itself with any `+label`, in any case.
//! <https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::error::SesError;
use super::mailbox::Mailbox;

/// The state of SES's check of DNS records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DnsStatus {
    /// The check was not requested.
    NotStarted,
    /// SES is looking for the records.
    Pending,
    /// SES found the records.
    Success,
    /// SES found the records earlier, but not now.
    TemporaryFailure,
    /// SES stopped looking.
    Failed,
}

/// The custom MAIL FROM domain of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailFrom {
    /// The domain, to which bounces go.
    pub domain: String,
    /// The state of its records.
    pub status: DnsStatus,
}

/// A change of an identity, in the shape of `PUT /_local/identities/{identity}`: any of these fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityPatch {
    /// Whether it is verified, and may send.
    pub verified: Option<bool>,
    /// The state of its DKIM records.
    pub dkim: Option<DnsStatus>,
    /// The custom MAIL FROM domain, or `null` for that of SES.
    #[serde(default, deserialize_with = "present")]
    pub mail_from: Option<Option<MailFrom>>,
}

/// Reads a field that is present, also if it is `null`.
#[expect(
    clippy::option_option,
    reason = "a patch may leave a MAIL FROM domain as it is, set it, or take it away"
)]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<MailFrom>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// An address or a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The name in the spelling in which it was created.
    pub(super) name: String,
    pub(super) verified: bool,
    pub(super) dkim: DnsStatus,
    pub(super) mail_from: Option<MailFrom>,
}

impl Identity {
    /// A domain is verified by DKIM. An address by itself has no DKIM.
    fn new(name: &str, verified: bool) -> Self {
        let dkim = match (name.contains('@'), verified) {
            (true, _) => DnsStatus::NotStarted,
            (false, true) => DnsStatus::Success,
            (false, false) => DnsStatus::Pending,
        };
        Self {
            name: name.to_owned(),
            verified,
            dkim,
            mail_from: None,
        }
    }

    pub(super) fn is_address(&self) -> bool {
        self.name.contains('@')
    }
}

/// All identities, by name in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    known: BTreeMap<String, Identity>,
}

impl Identities {
    /// Verifies an identity, and creates it if it does not exist. A domain that is created so is set up in full, as AWS
    /// recommends: with a custom MAIL FROM domain.
    pub(super) fn verify(&mut self, name: &str) {
        let key = name.to_ascii_lowercase();
        let known = self.known.remove(&key);
        let verified = Identity::new(known.as_ref().map_or(name, |known| &known.name), true);
        let set_up = || MailFrom {
            domain: format!("bounce.{key}"),
            status: DnsStatus::Success,
        };
        let mail_from = match known {
            Some(known) => known.mail_from,
            None => (!verified.is_address()).then(set_up),
        };
        self.known.insert(key, Identity { mail_from, ..verified });
    }

    /// Changes an identity, and creates it if it does not exist.
    pub(super) fn update(&mut self, name: &str, patch: IdentityPatch) -> Result<(), SesError> {
        let key = name.to_ascii_lowercase();
        if !self.known.contains_key(&key) {
            self.create(name)?;
        }
        let Some(identity) = self.known.get_mut(&key) else {
            return Ok(());
        };
        if let Some(verified) = patch.verified {
            identity.verified = verified;
        }
        if let Some(dkim) = patch.dkim {
            identity.dkim = dkim;
        }
        if let Some(mail_from) = patch.mail_from {
            identity.mail_from = mail_from;
        }
        Ok(())
    }

    /// Creates an identity that is not verified.
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
        Ok(self.known.entry(key).or_insert(Identity::new(name, false)))
    }

    /// Sets the custom MAIL FROM domain of an identity, which SES then looks for, or takes it away with an empty name.
    pub(super) fn set_mail_from(&mut self, name: &str, domain: &str) -> Result<&Identity, SesError> {
        let key = name.to_ascii_lowercase();
        let Some(identity) = self.known.get_mut(&key) else {
            return Err(SesError::NotFound(format!("Email identity {name} does not exist.")));
        };
        if domain.is_empty() {
            identity.mail_from = None;
            return Ok(identity);
        }
        let own = key.rsplit_once('@').map_or(key.as_str(), |(_, domain)| domain);
        let domain = domain.to_ascii_lowercase();
        let label = domain.strip_suffix(own).and_then(|label| label.strip_suffix('.'));
        if label.is_none_or(str::is_empty) || Mailbox::parse(&format!("postmaster@{domain}")).is_err() {
            return Err(SesError::BadRequest(format!(
                "Provided MAIL-FROM domain <{domain}> is not subdomain of the domain of the identity <{own}>."
            )));
        }
        let is_the_same = identity.mail_from.as_ref().is_some_and(|known| known.domain == domain);
        if !is_the_same {
            identity.mail_from = Some(MailFrom {
                domain,
                status: DnsStatus::Pending,
            });
        }
        Ok(identity)
    }

    /// Puts an identity among the others, in the place of one of its name.
    pub(super) fn put(&mut self, identity: Identity) {
        self.known.insert(identity.name.to_ascii_lowercase(), identity);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Identity> {
        self.known.get(&name.to_ascii_lowercase())
    }

    /// Lists the identities by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.known.values()
    }

    /// Finds the verified identity that authorizes an address. It is the address, the address without its label, its
    /// domain, or the closest parent domain, in this order.
    pub(super) fn authorizing(&self, mailbox: &Mailbox) -> Option<&Identity> {
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
        identities.authorizing(&Mailbox::parse(address).unwrap()).is_some()
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
    fn a_domain_that_is_verified_from_the_start_is_set_up_in_full() {
        let mut identities = verified(&["Example.com", "ada@example.org"]);
        let mail_from = identities.get("example.com").unwrap().mail_from.clone().unwrap();
        assert_eq!(
            (mail_from.domain.as_str(), mail_from.status),
            ("bounce.example.com", DnsStatus::Success)
        );
        assert_eq!(identities.get("ada@example.org").unwrap().mail_from, None);
        identities.create("new.example").unwrap();
        identities.verify("new.example");
        assert_eq!(identities.get("new.example").unwrap().mail_from, None);
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

    #[test]
    fn a_mail_from_domain_is_below_the_domain_of_its_identity_and_looked_for_anew() {
        let mut identities = Identities::default();
        identities.create("Example.com").unwrap();
        identities.set_mail_from("example.com", "Bounce.example.com").unwrap();
        let mail_from = |identities: &Identities| identities.get("example.com").unwrap().mail_from.clone();
        let set = mail_from(&identities).unwrap();
        assert_eq!(
            (set.domain.as_str(), set.status),
            ("bounce.example.com", DnsStatus::Pending)
        );
        for wrong in [
            "example.com",
            "bounce.example.org",
            "notexample.com",
            ".example.com",
            "a b.example.com",
        ] {
            let refused = identities.set_mail_from("example.com", wrong).unwrap_err();
            assert_eq!(refused.code(), "BadRequestException", "{wrong}");
        }
        let unknown = identities
            .set_mail_from("example.org", "bounce.example.org")
            .unwrap_err();
        assert_eq!(unknown.code(), "NotFoundException");
        identities.set_mail_from("example.com", "").unwrap();
        assert_eq!(mail_from(&identities), None);
    }

    #[test]
    fn a_change_names_what_it_changes_and_makes_an_identity_that_is_not_there() {
        let mut identities = verified(&["example.com"]);
        let patch = |json: &str| serde_json::from_str::<IdentityPatch>(json).unwrap();
        let mail_from = r#"{"mail_from": {"domain": "bounce.example.com", "status": "PENDING"}, "dkim": "FAILED"}"#;
        identities.update("EXAMPLE.com", patch(mail_from)).unwrap();
        let identity = identities.get("example.com").unwrap();
        assert_eq!((identity.verified, identity.dkim), (true, DnsStatus::Failed));
        assert_eq!(identity.mail_from.as_ref().unwrap().domain, "bounce.example.com");
        identities
            .update("example.com", patch(r#"{"mail_from": null, "verified": false}"#))
            .unwrap();
        assert!(!may_send(&identities, "ada@example.com"));
        assert_eq!(identities.get("example.com").unwrap().mail_from, None);

        identities.update("new.example", patch("{}")).unwrap();
        assert_eq!(identities.get("new.example").unwrap().dkim, DnsStatus::Pending);
        assert!(identities.update("not a domain", patch("{}")).is_err());
        for nonsense in [
            r#"{"verified": "yes"}"#,
            r#"{"dkim": "FINE"}"#,
            r#"{"dkims": 1}"#,
            r#"{"mail_from": "d"}"#,
        ] {
            assert!(serde_json::from_str::<IdentityPatch>(nonsense).is_err(), "{nonsense}");
        }
    }
}
