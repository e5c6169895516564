//! Which function called what of SES, for [`Calls`].

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;

use crate::calls::Calls;

/// Where the account's suppression list is.
const LIST: &str = "/v2/email/suppression/addresses";

struct Seen {
    calls: Calls,
    /// What comes before `identity/…` and `configuration-set/…` in an ARN.
    arn: String,
}

/// Remembers in `calls` what comes to `router`; the ARNs of SES's resources begin with `arn`.
pub(crate) fn remember(router: Router, calls: Calls, arn: String) -> Router {
    let seen = Arc::new(Seen { calls, arn });
    router.layer(middleware::from_fn_with_state(seen, record))
}

async fn record(State(seen): State<Arc<Seen>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (action, resources) = match (&head.method, head.uri.path()) {
        (&Method::POST, "/v2/email/outbound-emails") => ("ses:SendEmail".to_owned(), sent_with(&seen.arn, &body)),
        (&Method::GET, "/v2/email/account") => ("ses:GetAccount".to_owned(), vec!["*".to_owned()]),
        // The suppression list is of the account as a whole: IAM knows no resource for it.
        (&Method::GET, LIST) => ("ses:ListSuppressedDestinations".to_owned(), vec!["*".to_owned()]),
        (&Method::DELETE, path) if path.starts_with(LIST) => {
            ("ses:DeleteSuppressedDestination".to_owned(), vec!["*".to_owned()])
        }
        (&Method::POST, "/v2/email/list-identities") => ("ses:ListEmailIdentities".to_owned(), vec!["*".to_owned()]),
        // No function has business with anything else; named like this, no policy allows it.
        (method, path) => (format!("ses:{method} {path}"), vec!["*".to_owned()]),
    };
    seen.calls.record(&head.headers, &action, resources);
    next.run(Request::from_parts(head, Body::from(body))).await
}

/// SES asks for leave on both: the identity that sends, by its domain, and the configuration set.
fn sent_with(arn: &str, body: &Bytes) -> Vec<String> {
    let mail: Value = serde_json::from_slice(body).unwrap_or_default();
    let sender = mail["FromEmailAddress"].as_str().unwrap_or_default();
    let domain = sender
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain.trim_end_matches('>'));
    let set = mail["ConfigurationSetName"].as_str();
    let set = set.map(|set| format!("{arn}configuration-set/{set}"));
    std::iter::once(format!("{arn}identity/{domain}")).chain(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_sent_with_an_identity_and_a_configuration_set() {
        let mail = r#"{"FromEmailAddress":"Acme <a@example.com>","ConfigurationSetName":"c"}"#;
        let resources = sent_with("arn:aws:ses:r:a:", &Bytes::from(mail));
        assert_eq!(
            resources,
            [
                "arn:aws:ses:r:a:identity/example.com",
                "arn:aws:ses:r:a:configuration-set/c"
            ]
        );
    }
}
