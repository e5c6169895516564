//! The identities of the account, from which mail can be sent.

/// A domain or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The domain or the address.
    pub name: String,
    /// Whether SES has verified it.
    pub is_verified: bool,
}

impl Identity {
    /// Returns whether the identity is an address and not a domain.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.name.contains('@')
    }
}
