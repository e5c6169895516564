//! The key of one day, region and service, which signs requests.

use std::fmt;

use domain::hex::hex;
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::ALGORITHM;

const TERMINATOR: &str = "aws4_request";

/// The key of one day, region and service. To derive it takes four HMACs, so a signer keeps it.
#[derive(Clone)]
pub struct SigningKey {
    scope: String,
    key: Key,
}

impl SigningKey {
    /// Derives the key from a secret access key. `date` is the day of the signature, as `20260131`.
    #[must_use]
    pub fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let first = Key::new(HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        let key = [date, region, service, TERMINATOR].iter().fold(first, |key, part| {
            Key::new(HMAC_SHA256, sign(&key, part.as_bytes()).as_ref())
        });
        Self {
            scope: format!("{date}/{region}/{service}/{TERMINATOR}"),
            key,
        }
    }

    /// Returns what signatures of this key are valid for: day, region and service.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Signs a request. `time` has the form `20260131T235959Z`, and `request_hash` is
    /// [`CanonicalRequest::hash`](crate::CanonicalRequest::hash). Returns the signature in hexadecimal.
    #[must_use]
    pub fn sign(&self, time: &str, request_hash: &str) -> String {
        let text = [ALGORITHM, time, &self.scope, request_hash].join("\n");
        hex(sign(&self.key, text.as_bytes()).as_ref())
    }
}

/// Shows no key: it signs requests for a day.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CanonicalRequest;

    /// The example of AWS's documentation for `GET ListUsers` of IAM.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>
    fn key() -> SigningKey {
        SigningKey::derive(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "20150830",
            "us-east-1",
            "iam",
        )
    }

    #[test]
    fn signs_as_the_example_of_aws() {
        let request = CanonicalRequest {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &[
                (
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8".into(),
                ),
                ("host", "iam.amazonaws.com".into()),
                ("x-amz-date", "20150830T123600Z".into()),
            ],
            body_hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        };
        assert_eq!(request.signed_headers(), "content-type;host;x-amz-date");
        assert_eq!(
            request.hash(),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
        );
        assert_eq!(key().scope(), "20150830/us-east-1/iam/aws4_request");
        assert_eq!(
            key().sign("20150830T123600Z", &request.hash()),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn shows_no_key() {
        assert_eq!(
            format!("{:?}", key()),
            r#"SigningKey { scope: "20150830/us-east-1/iam/aws4_request", .. }"#
        );
    }
}
