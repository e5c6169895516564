//! Why a signed request is refused.

use crate::fault::{ApiFault, FaultKind};

/// The reason that a request is not authenticated. The text is the one of AWS, where AWS has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The request has no `authorization` header.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// The header has another scheme.
    #[error("The Authorization header must have the scheme AWS4-HMAC-SHA256, or Bearer with an API key.")]
    OtherScheme,
    /// The signature is in the query string.
    #[error("Presigned requests are not supported: put the signature into the Authorization header.")]
    Presigned,
    /// The signature is asymmetric (`SigV4A`).
    #[error("Asymmetric signatures (SigV4A) are not supported: sign with AWS4-HMAC-SHA256.")]
    AsymmetricSignature,
    /// A part of the signature is missing.
    #[error("Authorization header requires '{0}' parameter.")]
    Incomplete(&'static str),
    /// The header has a part that no signature has, or the same part twice.
    #[error("Authorization header has an unknown or repeated parameter.")]
    UnknownPart,
    /// The credential is not `id/date/region/service/aws4_request`.
    #[error("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term")]
    InvalidCredential,
    /// The time of the signature is no time.
    #[error("x-amz-date must have the form 20260131T235959Z.")]
    InvalidTime,
    /// The signature is for another service.
    #[error("Credential should be scoped to correct service: 'ses'.")]
    OtherService,
    /// The day of the credential is another than that of the time.
    #[error("Date in Credential scope does not match YYYYMMDD from x-amz-date.")]
    OtherDate,
    /// A header that must be signed is not.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    NotSigned(String),
    /// The client chose not to sign the body.
    #[error("The body must be signed: x-amz-content-sha256 cannot be UNSIGNED-PAYLOAD or a stream.")]
    UnsignedBody,
    /// The body is another than the one that was signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    OtherBody,
    /// No key has this access key id, or the key has no secret for signatures.
    #[error("The security token included in the request is invalid.")]
    UnknownAccessKey,
    /// The signature is wrong.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// The signature is too old.
    #[error("Signature expired: {signed_at} is too long before {now}; at most 15 min. are allowed.")]
    Expired {
        /// The time of the signature.
        signed_at: String,
        /// The server's time.
        now: String,
    },
    /// The signature is from the future.
    #[error("Signature not yet current: {signed_at} is too long after {now}; at most 15 min. are allowed.")]
    NotYet {
        /// The time of the signature.
        signed_at: String,
        /// The server's time.
        now: String,
    },
}

impl SignatureError {
    /// Returns the kind of error that the caller receives.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Missing => FaultKind::MissingCredentials,
            Self::UnknownAccessKey => FaultKind::UnknownAccessKey,
            Self::OtherScheme
            | Self::Presigned
            | Self::AsymmetricSignature
            | Self::Incomplete(_)
            | Self::UnknownPart
            | Self::InvalidCredential
            | Self::InvalidTime => FaultKind::IncompleteSignature,
            Self::OtherService
            | Self::OtherDate
            | Self::NotSigned(_)
            | Self::UnsignedBody
            | Self::OtherBody
            | Self::Mismatch => FaultKind::WrongSignature,
            Self::Expired { .. } | Self::NotYet { .. } => FaultKind::RequestExpired,
        }
    }
}

impl From<SignatureError> for ApiFault {
    fn from(error: SignatureError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}
