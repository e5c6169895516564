//! Draws the secret of a webhook.

use domain::webhook::SigningSecret;

use crate::error::{ApiError, Problem};

/// Draws a secret from the operating system.
pub(super) fn draw() -> Result<SigningSecret, ApiError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(cause = "deployment", %error, "the operating system returned no random bytes");
        Problem::StoreDown
    })?;
    Ok(SigningSecret::from_random(bytes))
}
