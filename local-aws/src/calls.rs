//! Which function called what: every action on every resource that the services saw.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};

/// One action of one function on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The function, by its name.
    pub function: String,
    /// The action, as IAM names it: `dynamodb:GetItem`.
    pub action: String,
    /// The ARN of the resource; `*` where the action knows none.
    pub resource: String,
}

/// The calls that were seen; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    seen: Arc<Mutex<BTreeSet<Call>>>,
}

impl Calls {
    /// Remembers a signed request. Requests without a signature are not calls of the API.
    pub(crate) fn record(&self, headers: &HeaderMap, action: &str, resources: impl IntoIterator<Item = String>) {
        let Some(function) = caller(headers) else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(resources.into_iter().map(|resource| Call {
            function: function.to_owned(),
            action: action.to_owned(),
            resource,
        }));
    }

    /// What was seen so far.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<Call> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Who signed a request: a function's access key is its name.
fn caller(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = signature.split_once("Credential=")?;
    credential.split('/').next()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn knows_the_caller_by_its_signature() {
        let signature = "AWS4-HMAC-SHA256 Credential=send-api/20261122/us-east-1/dynamodb/aws4_request, Signature=0";
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(signature))]);
        let calls = Calls::default();
        calls.record(&headers, "dynamodb:GetItem", ["t".to_owned()]);
        calls.record(&HeaderMap::new(), "dynamodb:PutItem", ["t".to_owned()]);
        let seen: Vec<_> = calls
            .seen()
            .into_iter()
            .map(|call| (call.function, call.action))
            .collect();
        assert_eq!(seen, [("send-api".to_owned(), "dynamodb:GetItem".to_owned())]);
    }
}
