//! The record of calls: each action of each function on each resource, with its count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};

/// One action of one function on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The name of the function.
    pub function: String,
    /// The action in IAM: `dynamodb:GetItem`.
    pub action: String,
    /// The ARN of the resource; `*` for an action to which IAM gives none.
    pub resource: String,
}

/// The calls so far. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    seen: Arc<Mutex<BTreeMap<Call, u32>>>,
    /// The kinds of partition keys of the calls of DynamoDB.
    leading_keys: Arc<Mutex<BTreeMap<Call, BTreeSet<String>>>>,
}

/// The longest kind of a partition key, in bytes.
const KIND_MAX: usize = 16;

impl Calls {
    /// Records a signed request. A request without a signature is not a call of the API.
    pub(crate) fn record(&self, headers: &HeaderMap, action: &str, resources: impl IntoIterator<Item = String>) {
        let Some(function) = caller(headers) else { return };
        for resource in resources {
            self.record_of_role(function, action, &resource);
        }
    }

    /// Records what a service does with the role of a function.
    pub(crate) fn record_of_role(&self, function: &str, action: &str, resource: &str) {
        let call = Call {
            function: function.to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
        };
        *self.lock().entry(call).or_default() += 1;
    }

    /// Records the kind of the partition key that a signed request names: its text up to the first `#`, or the whole of
    /// a short word, so that the record stays small. Any other key has an empty kind.
    pub(crate) fn record_leading_key(&self, headers: &HeaderMap, action: &str, resource: &str, key: &str) {
        let Some(function) = caller(headers) else { return };
        let kind = key.find('#').map_or(key, |end| &key[..=end]);
        let is_kind = kind.len() <= KIND_MAX && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'#');
        let call = Call {
            function: function.to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
        };
        let mut keys = self.leading_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = keys.entry(call).or_default();
        kinds.insert(if is_kind { kind } else { "" }.to_owned());
    }

    /// Lists the kinds of the partition keys that a call has named, such as `order#`.
    #[must_use]
    pub fn leading_keys(&self, call: &Call) -> BTreeSet<String> {
        let keys = self.leading_keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(call).cloned().unwrap_or_default()
    }

    /// Lists the calls so far.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<Call> {
        self.lock().keys().cloned().collect()
    }

    /// Counts a call so far.
    #[must_use]
    pub fn count(&self, call: &Call) -> u32 {
        self.lock().get(call).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Call, u32>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the function that signed a request. A function's access key is its name.
pub(crate) fn caller(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = signature.split_once("Credential=")?;
    credential.split('/').next()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The headers of a request that the function `worker` signed.
    fn signed() -> HeaderMap {
        let signature = "AWS4-HMAC-SHA256 Credential=worker/20261122/us-east-1/dynamodb/aws4_request, Signature=0";
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(signature))])
    }

    #[test]
    fn counts_a_call_for_each_resource() {
        let calls = Calls::default();
        for tables in [["t", "u"], ["t", "v"]] {
            calls.record(&signed(), "dynamodb:BatchGetItem", tables.map(str::to_owned));
        }
        let count = |action: &str, resource: &str| {
            calls.count(&Call {
                function: "worker".to_owned(),
                action: action.to_owned(),
                resource: resource.to_owned(),
            })
        };
        assert_eq!(count("dynamodb:BatchGetItem", "t"), 2);
        assert_eq!(count("dynamodb:BatchGetItem", "u"), 1);
        assert_eq!(count("dynamodb:GetItem", "t"), 0);
        assert_eq!(calls.seen().len(), 3);
    }

    #[test]
    fn keeps_the_kinds_of_partition_keys_and_not_the_keys() {
        let calls = Calls::default();
        for key in [
            "order#1",
            "order#2",
            "gate#a#b",
            "plain",
            "Secret#1",
            "much-too-long-for-a-kind#1",
        ] {
            calls.record_leading_key(&signed(), "dynamodb:PutItem", "t", key);
        }
        let call = Call {
            function: "worker".to_owned(),
            action: "dynamodb:PutItem".to_owned(),
            resource: "t".to_owned(),
        };
        let kinds = calls.leading_keys(&call);
        assert_eq!(kinds, ["", "gate#", "order#", "plain"].map(str::to_owned).into());
    }

    #[test]
    fn finds_the_caller_in_the_signature() {
        let headers = signed();
        let calls = Calls::default();
        calls.record(&headers, "dynamodb:GetItem", ["t".to_owned()]);
        calls.record(&HeaderMap::new(), "dynamodb:PutItem", ["t".to_owned()]);
        let seen: Vec<_> = calls
            .seen()
            .into_iter()
            .map(|call| (call.function, call.action))
            .collect();
        assert_eq!(seen, [("worker".to_owned(), "dynamodb:GetItem".to_owned())]);
    }
}
