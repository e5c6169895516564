//! The signature of a request, in the scheme of Standard Webhooks: `v1,` and the base64 of the HMAC-SHA256 of
//! `id.timestamp.body`. While a secret is being replaced, a request carries one signature of each secret, so that a
//! receiver accepts it with either.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::EventId;
use crate::hmac::hmac_sha256;

fn signature(key: &[u8], id: &str, seconds: i64, body: &str) -> String {
    let signed = format!("{id}.{seconds}.{body}");
    format!("v1,{}", STANDARD.encode(hmac_sha256(key, signed.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the reference libraries are tested with.
    #[test]
    fn agrees_with_the_standard() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            signature(
                &key,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
