//! The credentials of AUTH PLAIN (RFC 4616) and AUTH LOGIN. The user name may be anything; the password is an API key.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use domain::api_key::ApiKey;

/// Some clients leave out the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The form in which a client sends its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    Login,
}

/// The content of a client's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Password {
    /// The response is not in the mechanism's form.
    Malformed,
    /// The password does not have the form of an API key.
    NotAKey,
    /// An API key, which may be wrong.
    Key(ApiKey),
}

/// Returns the text of a response. `=` is an empty one (RFC 4954).
pub(crate) fn decoded(response: &[u8]) -> Option<Vec<u8>> {
    match response.trim_ascii() {
        b"=" => Some(Vec::new()),
        response => BASE64.decode(response).ok(),
    }
}

/// Reads the response of AUTH PLAIN: authorisation identity, user name and password, separated by NUL.
pub(crate) fn plain(response: &[u8]) -> Password {
    let Some(text) = decoded(response) else {
        return Password::Malformed;
    };
    let mut parts = text.split(|byte| *byte == 0);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(password), None) => key(password),
        _ => Password::Malformed,
    }
}

/// Reads the second response of AUTH LOGIN: the password.
pub(crate) fn login(response: &[u8]) -> Password {
    decoded(response).map_or(Password::Malformed, |password| key(&password))
}

fn key(password: &[u8]) -> Password {
    let key = std::str::from_utf8(password)
        .ok()
        .and_then(|text| ApiKey::parse(text).ok());
    // A key goes into an HTTP header.
    let is_graphic = password.iter().all(u8::is_ascii_graphic);
    key.filter(|_| is_graphic).map_or(Password::NotAKey, Password::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> Vec<u8> {
        base64::engine::general_purpose::STANDARD.encode(text).into_bytes()
    }

    fn the_key() -> Password {
        Password::Key(ApiKey::parse("ok_1_secret").unwrap())
    }

    #[test]
    fn any_user_name_is_taken() {
        for text in ["\0me\0ok_1_secret", "\0\0ok_1_secret", "them\0me\0ok_1_secret"] {
            assert_eq!(plain(&encoded(text)), the_key());
        }
        assert_eq!(login(&encoded("ok_1_secret")), the_key());
    }

    #[test]
    fn the_padding_may_be_missing() {
        let response = encoded("\0m\0ok_1_secret");
        let bare: Vec<u8> = response.iter().copied().filter(|byte| *byte != b'=').collect();
        assert_ne!(bare, response);
        assert_eq!(plain(&bare), the_key());
    }

    #[test]
    fn what_is_no_key_is_told_from_what_is_no_response() {
        for text in ["\0me\0secret", "\0me\0", "\0me\0ok_1_secret\r\nx", "\0me\0ok_1_sécret"] {
            assert_eq!(plain(&encoded(text)), Password::NotAKey, "{text:?}");
        }
        for response in [&b"%"[..], b"=", b"", &encoded("me\0ok_1_secret"), &encoded("\0a\0b\0c")] {
            assert_eq!(plain(response), Password::Malformed);
        }
        assert_eq!(login(b"="), Password::NotAKey);
        assert_eq!(login(b"*"), Password::Malformed);
    }
}
