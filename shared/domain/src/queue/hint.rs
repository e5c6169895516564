//! The hint: a message of SQS that asks a worker to look at one waiting mail.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest body of a hint, in bytes.
pub const HINT_LENGTH_MAX: usize = 8 * 1024;
/// The most nonces that a hint releases. Only a write without an answer adds one.
const RELEASED_MAX: usize = 100;

/// A hint that a mail may be due.
///
/// `released` holds the nonces of attempts that certainly called SES for nothing or not at all, but whose row may say
/// `sending`, because a write had no answer. By any of them a worker may take the row over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// Okite's id of the message.
    pub id: Uuid,
    /// The nonce of the content that is meant.
    pub content_nonce: Uuid,
    /// The nonces of attempts that were given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<Uuid>,
}

/// The body of a message is no hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body of the message is no hint")]
pub struct HintError;

impl Hint {
    /// Makes a hint that releases nothing.
    #[must_use]
    pub fn new(id: Uuid, content_nonce: Uuid) -> Self {
        Self {
            id,
            content_nonce,
            released: Vec::new(),
        }
    }

    /// Makes the hint that follows this one when the attempt with `nonce` was given up and its row may say `sending`.
    ///
    /// A hint that is full forgets its oldest nonce. If the row has that one, the mail ends as `unknown` and is not
    /// sent twice.
    #[must_use]
    pub fn releasing(mut self, nonce: Uuid) -> Self {
        if !self.released.contains(&nonce) {
            let surplus = (self.released.len() + 1).saturating_sub(RELEASED_MAX);
            self.released.drain(..surplus);
            self.released.push(nonce);
        }
        self
    }

    /// Returns whether a worker may take over a row that the attempt with this nonce left as `sending`.
    #[must_use]
    pub fn releases(&self, nonce: Option<Uuid>) -> bool {
        nonce.is_some_and(|nonce| self.released.contains(&nonce))
    }

    /// Writes the body of a message of SQS.
    #[must_use]
    pub fn to_body(&self) -> String {
        // Ids always have a text.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the body of a message of SQS.
    ///
    /// # Errors
    /// [`HintError`] if it is no hint. It will never be one, so nothing is gained by reading it again.
    pub fn parse(body: &str) -> Result<Self, HintError> {
        if body.len() > HINT_LENGTH_MAX {
            return Err(HintError);
        }
        let hint: Self = serde_json::from_str(body).map_err(|_| HintError)?;
        if hint.released.len() > RELEASED_MAX {
            return Err(HintError);
        }
        Ok(hint)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Uuid = Uuid::from_u128(1);
    const CONTENT: Uuid = Uuid::from_u128(2);

    #[test]
    fn the_body_is_small_json() {
        let body = Hint::new(ID, CONTENT).to_body();
        let expected = format!(r#"{{"id":"{ID}","content_nonce":"{CONTENT}"}}"#);
        assert_eq!(body, expected);
        assert_eq!(Hint::parse(&body), Ok(Hint::new(ID, CONTENT)));
    }

    #[test]
    fn a_hint_carries_on_what_the_one_before_released() {
        let hint = Hint::new(ID, CONTENT)
            .releasing(Uuid::from_u128(3))
            .releasing(Uuid::from_u128(4))
            .releasing(Uuid::from_u128(3));
        assert_eq!(hint.released, [Uuid::from_u128(3), Uuid::from_u128(4)]);
        assert!(hint.releases(Some(Uuid::from_u128(3))) && hint.releases(Some(Uuid::from_u128(4))));
        assert!(!hint.releases(Some(Uuid::from_u128(5))) && !hint.releases(None));
        assert_eq!(Hint::parse(&hint.to_body()), Ok(hint));
    }

    #[test]
    fn a_full_hint_keeps_the_newest_nonces_and_stays_readable() {
        let hint = (0..250).fold(Hint::new(ID, CONTENT), |hint, nonce| {
            hint.releasing(Uuid::from_u128(nonce))
        });
        assert_eq!(hint.released.len(), RELEASED_MAX);
        assert!(hint.releases(Some(Uuid::from_u128(249))) && !hint.releases(Some(Uuid::from_u128(149))));
        assert_eq!(Hint::parse(&hint.to_body()), Ok(hint));
    }

    #[test]
    fn what_is_no_hint_is_an_error() {
        let id = Uuid::nil();
        let many = vec![id; RELEASED_MAX + 1];
        for body in [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            format!(r#"{{"id":"{id}"}}"#),
            format!(r#"{{"id":"x","content_nonce":"{id}"}}"#),
            format!(r#"{{"id":"{id}","content_nonce":"{id}","released":["x"]}}"#),
            format!(r#"{{"id":"{id}","content_nonce":"{id}","more":1}}"#),
            serde_json::json!({"id": id, "content_nonce": id, "released": many}).to_string(),
            format!(
                r#"{{"id":"{id}","content_nonce":"{id}"}}{}"#,
                " ".repeat(HINT_LENGTH_MAX)
            ),
        ] {
            assert_eq!(Hint::parse(&body), Err(HintError), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in ".*") {
            let _ = Hint::parse(&body);
        }
    }
}
