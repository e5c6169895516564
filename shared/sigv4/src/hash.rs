//! SHA-256 as hexadecimal text.

use domain::hex::hex;
use ring::digest::{SHA256, digest};

/// Returns the SHA-256 of `bytes` in lower-case hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
