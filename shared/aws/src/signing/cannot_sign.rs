//! The reasons why a request cannot be signed.

/// A request that is not sent, because nobody tested how to sign it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotSign {
    /// The identity of the call is no secret access key.
    #[error("the call has no credentials of AWS: give the function a role")]
    NoCredentials,
    /// The SDK does not say what to sign for.
    #[error("the SDK names no {0} to sign for: set the region, or update the SDK")]
    NoScope(&'static str),
    /// The operation needs a presigned URL, a trailer, the hash of the body in a header, or a path encoded once.
    #[error("the operation asks for signing options that Okite's signer does not have: use the SDK's signer for it")]
    Options,
    /// The body is not in memory.
    #[error("the body is a stream, which Okite's signer does not sign: use the SDK's signer for it")]
    Stream,
    /// The URI is relative, or different services would read it differently.
    #[error("the URI has no host, a user, a segment '.', '..' or '', or a plus in its query: encode these")]
    Uri,
    /// The header is repeated, cannot be sent, or is one that the signer sets.
    #[error("the header '{0}' is repeated, unreadable, or set by the caller: leave it to the signer")]
    Header(String),
    /// The clock is outside the calendar.
    #[error("the clock of this machine shows no time of the calendar: correct it")]
    Time,
}
