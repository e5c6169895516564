//! Signature Version 4 (`SigV4`): how a client of AWS proves that it knows a secret access key, without sending it.
//!
//! Both sides write the request in one spelling and hash it. The client signs that hash, the time and the scope with a
//! key that it derives from its secret. The server does the same and compares. This crate has the rules that both sides
//! share. `aws` signs Okite's own calls with them, and `ses-api` verifies the requests of its callers.
//!
//! | module | concept |
//! |---|---|
//! | `canonical` | the one spelling of a request that both sides sign |
//! | `key` | the key of one day, region and service |
//! | `hash` | SHA-256 as hexadecimal text |
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod canonical;
mod hash;
mod key;

pub use canonical::{CanonicalRequest, canonical_path, canonical_query, canonical_value};
pub use hash::sha256_hex;
pub use key::SigningKey;

/// The name of the algorithm, which begins the header `authorization` and the text that is signed.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
