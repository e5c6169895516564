//! Checks the URL of a webhook when it is created or changed: its text, and the addresses that its host resolves to.
//!
//! A name may resolve to another address later, so the function `webhooks` checks again at each attempt. The check here
//! tells the caller at once, while a person is there to correct the URL.

use std::net::SocketAddr;
use std::time::Duration;

use domain::message::InvalidEmail;
use domain::webhook::guard::{EndpointUrl, RefusedUrl, UrlRules, is_public};
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long the host may take to resolve.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Why events are not delivered to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedAddress {
    /// The text of the URL breaks a rule.
    #[error(transparent)]
    Url(#[from] RefusedUrl),
    /// The host has no address.
    #[error(
        "its host does not resolve to an address. Check the name; if it is new, try again when the name servers know it"
    )]
    NotResolved,
    /// An address of the host does not belong to the public internet.
    #[error("its host resolves to an address that is not public, so Okite does not call it")]
    NotPublic,
}

impl From<RefusedAddress> for InvalidEmail {
    fn from(refused: RefusedAddress) -> Self {
        Self::field("endpoint", refused)
    }
}

/// Checks a URL, and returns it as requests use it.
///
/// # Errors
/// [`RefusedAddress`] names the rule that it breaks.
pub async fn check(url: &str, rules: &UrlRules) -> Result<EndpointUrl, RefusedAddress> {
    let url = EndpointUrl::parse(url, rules)?;
    // An address needs no name server, and was checked with the text.
    if let Some(name) = url.name() {
        let found = timeout(TIMEOUT, lookup_host((name, url.port()))).await;
        let addresses = found.ok().and_then(Result::ok).ok_or(RefusedAddress::NotResolved)?;
        all_public(addresses)?;
    }
    Ok(url)
}

/// Checks that there is an address, and that all of them are public: one that is not would be called now and then.
fn all_public(addresses: impl IntoIterator<Item = SocketAddr>) -> Result<(), RefusedAddress> {
    let mut addresses = addresses.into_iter().peekable();
    addresses.peek().ok_or(RefusedAddress::NotResolved)?;
    if addresses.all(|address| is_public(address.ip())) {
        Ok(())
    } else {
        Err(RefusedAddress::NotPublic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_that_is_not_public_is_enough() {
        let of = |addresses: &[&str]| {
            all_public(
                addresses
                    .iter()
                    .map(|address| SocketAddr::new(address.parse().unwrap(), 443)),
            )
        };
        assert_eq!(of(&["8.8.8.8", "2001:4860:4860::8888"]), Ok(()));
        assert_eq!(of(&["8.8.8.8", "10.0.0.1"]), Err(RefusedAddress::NotPublic));
        assert_eq!(of(&["fd00:ec2::254", "8.8.8.8"]), Err(RefusedAddress::NotPublic));
        assert_eq!(of(&[]), Err(RefusedAddress::NotResolved));
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_refused_and_says_so() {
        let refused = check("https://hook.invalid/", &UrlRules::default()).await.unwrap_err();
        assert_eq!(refused, RefusedAddress::NotResolved);
        let message = InvalidEmail::from(refused).to_string();
        assert!(
            message.starts_with("`endpoint`: its host does not resolve"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn an_address_is_checked_without_a_name_server() {
        let rules = UrlRules::default();
        assert!(check("https://8.8.8.8/hook", &rules).await.is_ok());
        assert_eq!(
            check("https://169.254.169.254/", &rules).await,
            Err(RefusedAddress::Url(RefusedUrl::Address))
        );
        let here = UrlRules {
            loopback: true,
            ..rules
        };
        assert!(check("http://127.0.0.1:8000/hook", &here).await.is_ok());
    }
}
