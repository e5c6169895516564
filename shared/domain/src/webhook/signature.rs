//! The signature of a request, in the scheme of Standard Webhooks: `v1,` and the base64 of the HMAC-SHA256 of
//! `id.timestamp.body`. While a secret is being replaced, a request carries one signature of each secret, so that a
//! receiver accepts it with either.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{EventId, Secrets};
use crate::hmac::hmac_sha256;

/// Returns the value of the header `webhook-signature` of a request that is sent at `at`: the signatures of all secrets
/// that sign then, the current one first, with a space between them.
#[must_use]
pub fn signatures(secrets: &Secrets, event: &EventId, at: Timestamp, body: &str) -> String {
    let signature = |key: &[u8]| signature(key, event.as_str(), at.as_second(), body);
    let signatures: Vec<String> = secrets.signing_at(at).map(|secret| signature(secret.key())).collect();
    signatures.join(" ")
}

fn signature(key: &[u8], id: &str, seconds: i64, body: &str) -> String {
    let signed = format!("{id}.{seconds}.{body}");
    format!("v1,{}", STANDARD.encode(hmac_sha256(key, signed.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::SigningSecret;

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

    #[test]
    fn both_secrets_sign_while_the_previous_one_is_valid() {
        let until = Timestamp::from_second(1_800_000_000).unwrap();
        let event = EventId::of(until, &["x"]);
        let [old, new] = [1, 2].map(|byte| SigningSecret::from_random([byte; 32]));
        let secrets = Secrets {
            current: new.clone(),
            previous: Some((old.clone(), until)),
        };
        let signed =
            |secret: &SigningSecret, at: Timestamp| signature(secret.key(), event.as_str(), at.as_second(), "{}");
        let before = Timestamp::from_second(1_799_999_999).unwrap();
        assert_eq!(
            signatures(&secrets, &event, before, "{}"),
            format!("{} {}", signed(&new, before), signed(&old, before))
        );
        assert_eq!(signatures(&secrets, &event, until, "{}"), signed(&new, until));
    }
}
