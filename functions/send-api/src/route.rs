//! The table of operations, and the search for the operation of a method and path.

use percent_encoding::percent_decode_str;

use crate::error::{ApiError, Problem};
use crate::not_offered::instead_of;

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ShowHealth,
    ShowOpenApi,
    CreateEmail,
    CreateBatch,
    ListEmails,
    ShowEmail,
    RescheduleEmail,
    CancelEmail,
    ListSuppressions,
    CreateSuppression,
    CreateSuppressions,
    LiftSuppressions,
    ShowSuppression,
    LiftSuppression,
    CreateWebhook,
    ListWebhooks,
    ShowWebhook,
    UpdateWebhook,
    DeleteWebhook,
    RotateWebhookSecret,
    ListWebhookEvents,
    ShowWebhookEvent,
    ListWebhookAttempts,
    ReplayWebhookEvent,
    ShowQuota,
    ShowUnsubscribe,
    Unsubscribe,
}

impl Operation {
    /// Returns the parameters of the operation's query. An operation without any ignores its query.
    pub(crate) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::ListEmails => &["to", "limit", "after", "before"],
            Self::ListSuppressions => &["origin", "topic", "limit", "after", "before"],
            Self::ShowSuppression | Self::LiftSuppression => &["topic"],
            Self::ListWebhooks | Self::ListWebhookEvents => &["limit", "after", "before"],
            Self::ListWebhookAttempts => &["limit", "after"],
            _ => &[],
        }
    }
}

/// A row of the table of operations: method, path, operation. A segment in braces is a placeholder for any value.
pub(crate) type OperationRow = (&'static str, &'static str, Operation);

/// Every operation. The first path that matches counts, so paths without braces come before those with braces.
pub(crate) const OPERATIONS: [OperationRow; 29] = [
    ("GET", "/health", Operation::ShowHealth),
    ("HEAD", "/health", Operation::ShowHealth),
    ("GET", "/openapi.json", Operation::ShowOpenApi),
    ("GET", "/emails", Operation::ListEmails),
    ("POST", "/emails", Operation::CreateEmail),
    ("POST", "/emails/batch", Operation::CreateBatch),
    ("GET", "/emails/{id}", Operation::ShowEmail),
    ("PATCH", "/emails/{id}", Operation::RescheduleEmail),
    ("POST", "/emails/{id}/cancel", Operation::CancelEmail),
    ("GET", "/suppressions", Operation::ListSuppressions),
    ("POST", "/suppressions", Operation::CreateSuppression),
    ("POST", "/suppressions/batch/add", Operation::CreateSuppressions),
    ("POST", "/suppressions/batch/remove", Operation::LiftSuppressions),
    ("GET", "/suppressions/{id_or_email}", Operation::ShowSuppression),
    ("DELETE", "/suppressions/{id_or_email}", Operation::LiftSuppression),
    ("GET", "/webhooks", Operation::ListWebhooks),
    ("POST", "/webhooks", Operation::CreateWebhook),
    ("GET", "/webhooks/{webhook_id}", Operation::ShowWebhook),
    ("PATCH", "/webhooks/{webhook_id}", Operation::UpdateWebhook),
    ("DELETE", "/webhooks/{webhook_id}", Operation::DeleteWebhook),
    (
        "POST",
        "/webhooks/{webhook_id}/signing-secret/rotate",
        Operation::RotateWebhookSecret,
    ),
    ("GET", "/webhooks/{webhook_id}/events", Operation::ListWebhookEvents),
    (
        "GET",
        "/webhooks/{webhook_id}/events/{event_id}",
        Operation::ShowWebhookEvent,
    ),
    (
        "GET",
        "/webhooks/{webhook_id}/events/{event_id}/attempts",
        Operation::ListWebhookAttempts,
    ),
    (
        "POST",
        "/webhooks/{webhook_id}/events/{event_id}/replay",
        Operation::ReplayWebhookEvent,
    ),
    ("GET", "/quota", Operation::ShowQuota),
    ("GET", "/unsubscribe/{token}", Operation::ShowUnsubscribe),
    ("HEAD", "/unsubscribe/{token}", Operation::ShowUnsubscribe),
    ("POST", "/unsubscribe/{token}", Operation::Unsubscribe),
];

/// The operation that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    /// The path's value for the first placeholder in the table; empty if there is no placeholder.
    pub(crate) named: String,
    /// The path's value for the second placeholder; empty if there is none.
    pub(crate) part: String,
}

impl Route {
    /// Finds the operation. It ignores slashes at either end, because clients join a base URL and a path in several
    /// ways.
    pub(crate) fn of(method: &str, path: &str) -> Result<Self, ApiError> {
        let path = path.trim_matches('/');
        if let Some(instead) = instead_of(path) {
            return Err(ApiError::not_offered(instead));
        }
        let fits = |line: &&OperationRow| values(line.1, path).is_some();
        let Some((_, pattern, _)) = OPERATIONS.iter().find(fits) else {
            return Err(Problem::NotFound.into());
        };
        let of_path = || OPERATIONS.iter().filter(|line| line.1 == *pattern);
        let Some((_, _, operation)) = of_path().find(|line| line.0 == method) else {
            let methods: Vec<&str> = of_path().map(|line| line.0).collect();
            return Err(ApiError::method_not_allowed(&methods.join(", ")));
        };
        let (named, part) = values(pattern, path).unwrap_or_default();
        Ok(Self {
            operation: *operation,
            named: decoded(named),
            part: decoded(part),
        })
    }
}

/// Returns the values in `path` for the placeholders in `pattern`, of which there are at most two, or empty texts;
/// `None` if the path does not match.
fn values<'a>(pattern: &str, path: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut expected, mut segments) = (pattern.trim_matches('/').split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (expected.next(), segments.next()) {
            (None, None) => {
                let mut found = found.into_iter();
                return Some((found.next().unwrap_or_default(), found.next().unwrap_or_default()));
            }
            (Some(parameter), Some(segment)) if parameter.starts_with('{') => found.push(segment),
            (Some(expected), Some(segment)) if expected == segment => {}
            _ => return None,
        }
    }
}

/// Decodes a percent-encoded segment of a path. The gateway may have decoded it already; decoding twice does not change
/// ids and usual addresses. Bytes that are not UTF-8 are replaced, and then match no known value.
fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: &str, path: &str) -> Operation {
        Route::of(method, path).unwrap().operation
    }

    #[test]
    fn ignores_slashes_around_a_path() {
        for path in ["/emails", "/emails/", "//emails"] {
            assert_eq!(operation("POST", path), Operation::CreateEmail, "{path}");
        }
        assert_eq!(operation("POST", "/emails/batch/"), Operation::CreateBatch);
        assert_eq!(operation("GET", "/health"), Operation::ShowHealth);
    }

    #[test]
    fn decodes_an_id() {
        for path in ["/emails/%3Ca%40b%3E", "/emails/<a@b>/"] {
            let route = Route::of("GET", path).unwrap();
            assert_eq!(
                (route.operation, route.named.as_str()),
                (Operation::ShowEmail, "<a@b>"),
                "{path}"
            );
        }
    }

    #[test]
    fn finds_a_webhook_and_an_event_of_it() {
        let route = Route::of("POST", "/webhooks/a%2Fb/events/msg_1/replay").unwrap();
        assert_eq!(
            (route.operation, route.named.as_str(), route.part.as_str()),
            (Operation::ReplayWebhookEvent, "a/b", "msg_1")
        );
        let route = Route::of("PATCH", "/webhooks/a").unwrap();
        assert_eq!(
            (route.operation, route.named.as_str(), route.part.as_str()),
            (Operation::UpdateWebhook, "a", "")
        );
    }

    #[test]
    fn distinguishes_a_wrong_method_from_a_wrong_path() {
        for (method, path, allow) in [
            ("PUT", "/emails", "GET, POST"),
            ("POST", "/health", "GET, HEAD"),
            ("PUT", "/emails/x", "GET, PATCH"),
            ("GET", "/emails/x/cancel", "POST"),
            ("GET", "/emails/batch", "POST"),
            ("PUT", "/suppressions/x", "GET, DELETE"),
            ("PUT", "/webhooks/x", "GET, PATCH, DELETE"),
            ("GET", "/webhooks/x/signing-secret/rotate", "POST"),
        ] {
            let error = Route::of(method, path).unwrap_err();
            assert_eq!(
                (error.status, error.allow.as_deref()),
                (405, Some(allow)),
                "{method} {path}"
            );
        }
        for path in ["/", "", "/email", "/emails/batch/x", "/emails//x", "/Emails"] {
            assert_eq!(Route::of("GET", path).unwrap_err().status, 404, "{path}");
        }
    }
}
