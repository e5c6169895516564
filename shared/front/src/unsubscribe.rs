//! Makes the unsubscribe links of a front's mail.

use std::net::SocketAddr;
use std::sync::Arc;

use aws::{KnownUnsubscribeSecrets, StoreError};
use aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use domain::message::{Email, InvalidEmail, UnsubscribePlan, UnsubscribeWish};
use domain::unsubscribe::{Topic, UnsubscribeSecret, UnsubscribeSecrets, UnsubscribeToken};
use jiff::Timestamp;

/// The stage of an HTTP API whose paths have no prefix.
const DEFAULT_STAGE: &str = "$default";

/// The maker of unsubscribe links.
#[derive(Debug)]
pub struct LinkMaker {
    /// The secrets of the stack.
    pub secrets: KnownUnsubscribeSecrets,
    /// The URL that the links begin with, from the configuration. Without one, they lead to the API that was called.
    base: Option<String>,
}

/// The links of one request.
#[derive(Clone, Debug)]
pub struct Links {
    base: String,
    secrets: Arc<UnsubscribeSecrets>,
}

/// A mail with what it gets.
#[derive(Debug)]
pub struct LinkedMail {
    /// The mail, with its link.
    pub email: Email,
    /// The topic of the mail.
    pub topic: Option<Topic>,
    /// What the caller should hear.
    pub note: Option<&'static str>,
}

impl LinkMaker {
    /// Makes links that begin with `base`, or else with the URL of the API.
    #[must_use]
    pub fn new(secrets: KnownUnsubscribeSecrets, base: Option<String>) -> Self {
        Self { secrets, base }
    }

    /// Prepares the links of a request that came to `api`. One read in some minutes, and none as a rule.
    ///
    /// # Errors
    /// [`StoreError`] if the secrets could not be read. The first use of a stack writes them.
    pub async fn links(&self, api: &str, now: Timestamp) -> Result<Links, StoreError> {
        Ok(Links {
            base: self.base.clone().unwrap_or_else(|| api.to_owned()),
            secrets: self.secrets.to_write(now, new_secret).await?,
        })
    }
}

impl Links {
    fn url(&self, token: &str) -> String {
        format!("{}/unsubscribe/{token}", self.base)
    }
}

/// Gives a mail the link that it asks for, or that its API key sends mail with.
///
/// `links` must be given if either is so.
///
/// # Errors
/// [`InvalidEmail`] if the mail cannot have a link that it asks for, or would show the placeholder to its readers.
pub fn linked(
    email: Email,
    wish: Option<&UnsubscribeWish>,
    key_topic: Option<&Topic>,
    links: Option<&Links>,
) -> Result<LinkedMail, InvalidEmail> {
    let Some(plan) = UnsubscribePlan::of(&email, wish, key_topic)? else {
        return Ok(LinkedMail {
            email,
            topic: None,
            note: None,
        });
    };
    let email = match (&plan.recipient, links) {
        (Some(recipient), Some(links)) => {
            let token = UnsubscribeToken::write(recipient, &plan.topic, &links.secrets);
            email.with_unsubscribe_link(&links.url(&token), plan.adds_headers)?
        }
        _ => email,
    };
    Ok(LinkedMail {
        email,
        topic: Some(plan.topic),
        note: plan.note,
    })
}

/// Returns the URL of the API that received a request.
///
/// The gateway names the host, and not the caller: it accepts requests for its own domains alone. Only the API of an
/// `okite up` has an IP address for a name, and it speaks no TLS.
#[must_use]
pub fn api_url(context: &ApiGatewayV2httpRequestContext) -> String {
    let host = context.domain_name.as_deref().unwrap_or_default();
    let is_address = host.parse::<SocketAddr>().is_ok();
    let scheme = if is_address { "http" } else { "https" };
    match context.stage.as_deref() {
        None | Some("" | DEFAULT_STAGE) => format!("{scheme}://{host}"),
        Some(stage) => format!("{scheme}://{host}/{stage}"),
    }
}

/// Draws a secret from the operating system.
fn new_secret() -> Option<UnsubscribeSecret> {
    let mut bytes = [0; 32];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Some(UnsubscribeSecret::from_random(bytes)),
        Err(error) => {
            tracing::error!(cause = "deployment", %error, "the operating system returned no random bytes");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_the_api_is_that_of_the_request() {
        for (host, stage, url) in [
            (
                "abc.execute-api.eu-west-1.amazonaws.com",
                "$default",
                "https://abc.execute-api.eu-west-1.amazonaws.com",
            ),
            ("mail.example.com", "v1", "https://mail.example.com/v1"),
            ("127.0.0.1:8787", "$default", "http://127.0.0.1:8787"),
            ("[::1]:8787", "$default", "http://[::1]:8787"),
            ("192.168.1.5:80", "$default", "http://192.168.1.5:80"),
        ] {
            let mut context = ApiGatewayV2httpRequestContext::default();
            context.domain_name = Some(host.to_owned());
            context.stage = Some(stage.to_owned());
            assert_eq!(api_url(&context), url);
        }
    }
}
