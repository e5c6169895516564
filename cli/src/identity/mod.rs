//! An identity of SES: an email address or a domain, its state, and the DNS records that it needs.

mod read;
pub(crate) mod records;

use domain::address::{AddressError, EmailAddress};

use crate::dns::Known;

pub(crate) use read::read;

/// Parses an address or a domain, and returns it as SES spells it.
///
/// # Errors
/// [`AddressError`] if the text is neither.
pub(crate) fn parse_identity(text: &str) -> Result<String, AddressError> {
    if text.contains('@') {
        return EmailAddress::parse(text).map(|address| address.as_wire().to_owned());
    }
    EmailAddress::parse(&format!("postmaster@{text}")).map(|address| address.domain().to_owned())
}

/// An SES identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// An address or a domain.
    pub(crate) name: String,
    /// Its state in SES; `None` if SES does not have the identity.
    pub(crate) state: Known<Option<IdentityState>>,
}

impl Identity {
    /// Returns the domain, or the domain of the address.
    pub(crate) fn domain(&self) -> &str {
        self.name.rsplit_once('@').map_or(&self.name, |(_, domain)| domain)
    }

    /// Returns whether the identity is an address.
    pub(crate) fn is_address(&self) -> bool {
        self.name.contains('@')
    }
}

/// The state of an identity in SES. Each status is SES's own, such as `SUCCESS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdentityState {
    /// Whether SES lets the identity send.
    pub(crate) verified: bool,
    /// The verification status.
    pub(crate) status: String,
    /// Why the verification failed.
    pub(crate) error: Option<String>,
    /// The DKIM status.
    pub(crate) dkim: String,
    /// Whether SES signs mail of the identity.
    pub(crate) signing: bool,
    /// The tokens in the names of the DKIM records; empty if the owner brings a DKIM key.
    pub(crate) dkim_tokens: Vec<String>,
    /// The domain to which the DKIM records point.
    pub(crate) dkim_zone: String,
    /// The custom MAIL FROM domain and its status.
    pub(crate) mail_from: Option<(String, String)>,
    /// Whether SES rejects mail while the custom MAIL FROM domain does not work.
    pub(crate) mail_from_required: bool,
}
