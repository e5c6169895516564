//! The key by which a repeated request is recognised, so that it sends no second mail.
//!
//! AWS's SDKs repeat a request whose answer is lost. They give all attempts of one call the same invocation id, which
//! is an idempotency key that nobody had to ask for.

use domain::idempotency::{KEY_LENGTH, RequestBody, RequestKey};
use http::{HeaderMap, HeaderName};

use crate::fault::ApiFault;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The headers with the id of a call: that of most SDKs, and the one of older versions for PHP and others.
const INVOCATION_IDS: [HeaderName; 2] = [
    HeaderName::from_static("amz-sdk-invocation-id"),
    HeaderName::from_static("aws-sdk-invocation-id"),
];

/// The value that all attempts of one request share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepeatKey {
    /// The header `Idempotency-Key`, which the application sent.
    Given(String),
    /// The id that the SDK gave the call.
    Invocation(String),
}

impl RepeatKey {
    /// Reads the key of a request; nothing if it has none. A key that the application sent goes first.
    ///
    /// # Errors
    /// A [`ApiFault`] if the application's key is too long or empty.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, ApiFault> {
        let text = |name: &HeaderName| Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned());
        let fits = |key: &String| KEY_LENGTH.contains(&key.chars().count());
        if let Some(key) = text(&IDEMPOTENCY_KEY) {
            return if fits(&key) {
                Ok(Some(Self::Given(key)))
            } else {
                Err(ApiFault::invalid(
                    "The header Idempotency-Key must have 1 to 256 characters.",
                ))
            };
        }
        let invocation = INVOCATION_IDS.iter().find_map(text).filter(fits);
        Ok(invocation.map(Self::Invocation))
    }

    /// Makes the key of a request from the id of its API key and the hash of its mail.
    #[must_use]
    pub fn request_key(&self, api_key_id: &str, body: RequestBody) -> RequestKey {
        let (endpoint, key) = match self {
            Self::Given(key) => ("SendEmail", key),
            Self::Invocation(id) => ("invocation", id),
        };
        RequestKey::new((api_key_id, endpoint, key), body)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Result<Option<RepeatKey>, ApiFault> {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        RepeatKey::read(&headers.iter().map(pair).collect())
    }

    #[test]
    fn the_applications_key_goes_before_that_of_the_sdk() {
        let given = ("idempotency-key", "a");
        let invocation = ("amz-sdk-invocation-id", "b");
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[given, invocation]), Ok(Some(RepeatKey::Given("a".to_owned()))));
        for name in ["amz-sdk-invocation-id", "aws-sdk-invocation-id"] {
            assert_eq!(read(&[(name, "b")]), Ok(Some(RepeatKey::Invocation("b".to_owned()))));
        }
    }

    #[test]
    fn only_the_applications_key_can_be_wrong() {
        let long = "x".repeat(257);
        assert!(read(&[("idempotency-key", &long)]).is_err());
        assert!(read(&[("idempotency-key", "")]).is_err());
        assert_eq!(read(&[("amz-sdk-invocation-id", &long)]), Ok(None));
        assert_eq!(read(&[("amz-sdk-invocation-id", "")]), Ok(None));
    }

    #[test]
    fn the_same_text_from_both_is_not_the_same_key() {
        let key = |repeat: RepeatKey| repeat.request_key("1", RequestBody::default());
        assert_ne!(
            key(RepeatKey::Given("a".to_owned())),
            key(RepeatKey::Invocation("a".to_owned()))
        );
    }
}
