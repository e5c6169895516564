//! The proof of its caller that a request carries: a signature, or an API key as it is.

use std::fmt;

use front::bearer;
use http::header::AUTHORIZATION;

use crate::signature::{Signature, SignatureError, SignedRequest};

/// The credentials of a request, before they are checked.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The text behind `Bearer`: an API key.
    ApiKey(String),
    /// The signature of an AWS SDK.
    Signature(Signature),
}

impl Credentials {
    /// Reads the credentials of a request.
    ///
    /// # Errors
    /// [`SignatureError`] if the request has none that can be checked.
    pub fn read(request: &SignedRequest<'_>) -> Result<Self, SignatureError> {
        let header = request
            .headers
            .get(AUTHORIZATION)
            .and_then(|header| header.to_str().ok());
        match header.and_then(bearer) {
            Some(key) => Ok(Self::ApiKey(key.to_owned())),
            None => Signature::read(request).map(Self::Signature),
        }
    }
}

/// Shows no secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(_) => f.write_str("ApiKey"),
            Self::Signature(signature) => signature.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn read(header: &'static str) -> Result<Credentials, SignatureError> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(header))]);
        Credentials::read(&SignedRequest {
            method: "GET",
            path: "/v2/email/account",
            query: "",
            headers: &headers,
            body: b"",
        })
    }

    #[test]
    fn an_api_key_is_taken_as_it_is() {
        for header in ["Bearer ok_1_s", "bearer   ok_1_s "] {
            assert_eq!(read(header), Ok(Credentials::ApiKey("ok_1_s".to_owned())));
        }
        for header in ["Bearer", "Bearer ", "ok_1_s"] {
            assert_eq!(read(header), Err(SignatureError::OtherScheme), "{header}");
        }
        assert!(!format!("{:?}", read("Bearer ok_1_s")).contains("ok_1_s"));
    }
}
