//! The check of signatures (`SigV4`), by which AWS's SDKs prove that they know a secret access key. The crate `sigv4`
//! has the rules that a signer and this check share.
//!
//! | module | concept |
//! |---|---|
//! | `authorization` | the parts of the header `authorization` |
//! | `canonical` | the spellings of a request that its client may have signed |
//! | `error` | why a request is refused, in AWS's words |
//!
//! The check has two steps. [`Signature::read`] returns the access key id, whose secret the caller looks up;
//! [`Signature::verify`] then compares. The check accepts signatures in the header only. Their service must be `ses`,
//! and their region may be any.
//!
//! An HTTP API of API Gateway hands over the path decoded, so the client's spelling of it is lost. SDKs sign the
//! encoding of the encoded path, and a client may send a path that needs no encoding. So the signature may hold over
//! the path encoded once or twice. Paths with `%2F` or `%3F` cannot be verified: once decoded, they are other paths.

mod authorization;
mod canonical;
mod error;

use std::fmt;

use http::HeaderMap;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sigv4::{SigningKey, sha256_hex};
use subtle::ConstantTimeEq;

pub use error::SignatureError;

use authorization::Authorization;
use canonical::{Canonical, value};

/// The service that a signature must be for: that of both versions of the SES API.
const SERVICE: &str = "ses";
/// How far the time of a signature may be from now, as at AWS.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(15);
/// The form of a signature's time.
const TIME_FORM: &str = "%Y%m%dT%H%M%SZ";

const AMZ_DATE: &str = "x-amz-date";
const AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";

/// A request as API Gateway hands it over.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path, which API Gateway has decoded.
    pub path: &'a str,
    /// The query string, without the question mark.
    pub query: &'a str,
    /// The headers. API Gateway joins the values of a repeated one by commas.
    pub headers: &'a HeaderMap,
    /// The body, decoded from the base64 of the event.
    pub body: &'a [u8],
}

/// The signature of a request, before it is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    authorization: Authorization,
    /// The time of the signature, as its text.
    time: String,
    signed_at: Timestamp,
    /// The SHA-256 of the body, in hexadecimal.
    body_hash: String,
}

impl Signature {
    /// Reads the signature of a request, and checks all but the secret and the time.
    ///
    /// # Errors
    /// [`SignatureError`] says why the request cannot be verified, whatever the secret is.
    pub fn read(request: &SignedRequest<'_>) -> Result<Self, SignatureError> {
        let authorization = match request.headers.get(http::header::AUTHORIZATION) {
            Some(header) => Authorization::parse(header.as_bytes())?,
            None if is_presigned(request.query) => return Err(SignatureError::Presigned),
            None => return Err(SignatureError::Missing),
        };
        if authorization.service != SERVICE {
            return Err(SignatureError::OtherService);
        }
        let time = value(request.headers, AMZ_DATE).ok_or(SignatureError::Incomplete("x-amz-date"))?;
        let signed_at = parse_time(&time).ok_or(SignatureError::InvalidTime)?;
        if !time.starts_with(&authorization.date) || authorization.date.len() != "yyyymmdd".len() {
            return Err(SignatureError::OtherDate);
        }
        check_signed_headers(request.headers, &authorization)?;
        let body_hash = sha256_hex(request.body);
        if let Some(given) = value(request.headers, AMZ_CONTENT_SHA256) {
            check_body_hash(&given, &body_hash)?;
        }
        Ok(Self {
            authorization,
            time,
            signed_at,
            body_hash,
        })
    }

    /// Returns the access key id that the request names. Until [`Self::verify`] succeeds, anybody may have written it.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.authorization.access_key_id
    }

    /// Verifies that the request was signed with `secret`, and not long before or after `now`. Without `now` any time
    /// is right: the clock of a local server may be moved.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`], or one about the time, which a request reaches only with the right signature.
    pub fn verify(
        &self,
        request: &SignedRequest<'_>,
        secret: &str,
        now: Option<Timestamp>,
    ) -> Result<(), SignatureError> {
        let Authorization { date, region, .. } = &self.authorization;
        let key = SigningKey::derive(secret, date, region, SERVICE);
        let canonical = Canonical::new(request, &self.authorization.signed_headers, &self.body_hash);
        let is_right = canonical.hashes().iter().any(|hash| {
            let expected = key.sign(&self.time, hash);
            bool::from(expected.as_bytes().ct_eq(self.authorization.signature.as_bytes()))
        });
        if !is_right {
            return Err(SignatureError::Mismatch);
        }
        match now {
            Some(now) => self.check_time(now),
            None => Ok(()),
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), SignatureError> {
        let age = now.duration_since(self.signed_at);
        let [signed_at, now] = [self.signed_at, now].map(|at| at.strftime(TIME_FORM).to_string());
        if age > SKEW_MAX {
            Err(SignatureError::Expired { signed_at, now })
        } else if age < -SKEW_MAX {
            Err(SignatureError::NotYet { signed_at, now })
        } else {
            Ok(())
        }
    }
}

/// Shows no signature: within the time that it holds, the request could be repeated with it.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature")
            .field("access_key_id", &self.access_key_id())
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

fn is_presigned(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        name.eq_ignore_ascii_case("x-amz-signature") || name.eq_ignore_ascii_case("x-amz-algorithm")
    })
}

fn parse_time(text: &str) -> Option<Timestamp> {
    // `strptime` takes shorter numbers, too.
    if text.len() != "yyyymmddThhmmssZ".len() {
        return None;
    }
    let time = DateTime::strptime(TIME_FORM, text).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

/// Refuses a request if a header that must be signed is not, or a signed one is missing.
fn check_signed_headers(headers: &HeaderMap, authorization: &Authorization) -> Result<(), SignatureError> {
    let signed = &authorization.signed_headers;
    let must_be = headers.keys().map(http::HeaderName::as_str);
    let must_be = must_be.filter(|name| name.starts_with("x-amz-")).chain(["host"]);
    for name in must_be {
        if !signed.iter().any(|signed| signed == name) {
            return Err(SignatureError::NotSigned(name.to_owned()));
        }
    }
    match signed.iter().find(|name| !headers.contains_key(name.as_str())) {
        // An SDK's own message: the caller, or something between, dropped the header.
        Some(_) => Err(SignatureError::Mismatch),
        None => Ok(()),
    }
}

fn check_body_hash(given: &str, hash: &str) -> Result<(), SignatureError> {
    if given == "UNSIGNED-PAYLOAD" || given.starts_with("STREAMING-") {
        return Err(SignatureError::UnsignedBody);
    }
    if given == hash {
        Ok(())
    } else {
        Err(SignatureError::OtherBody)
    }
}

#[cfg(test)]
mod tests;
