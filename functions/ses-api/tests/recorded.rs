//! The requests of boto3, as it signed and wrote them. They were recorded with the key that [`key`] makes.

use domain::api_key::{ApiKey, id_of_access_key};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use ses_api::signature::{Signature, SignedRequest};

/// A recorded request.
struct Recorded {
    call: String,
    method: String,
    /// The path as it was on the wire.
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn key() -> ApiKey {
    ApiKey::from_random([0xab; 8], [0x01; 32])
}

fn recorded() -> Vec<Recorded> {
    let all: Vec<Value> = serde_json::from_str(include_str!("boto3.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter()
        .map(|one| Recorded {
            call: text(&one["call"]),
            method: text(&one["method"]),
            path: text(&one["path"]),
            query: text(&one["query"]),
            headers: one["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| {
                    let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                    (HeaderName::from_bytes(name.as_bytes()).unwrap(), value)
                })
                .collect(),
            body: text(&one["body"]).into_bytes(),
        })
        .collect()
}

#[test]
fn every_request_of_boto3_is_verified() {
    let now: Timestamp = "2026-11-28T12:00:01Z".parse().unwrap();
    for request in recorded() {
        let decoded = percent_decode_str(&request.path).decode_utf8().unwrap();
        for path in [&request.path, &*decoded] {
            let request = SignedRequest {
                method: &request.method,
                path,
                query: &request.query,
                headers: &request.headers,
                body: &request.body,
            };
            let signature = Signature::read(&request).unwrap();
            assert_eq!(id_of_access_key(signature.access_key_id()), Some(key().id()));
            signature
                .verify(&request, &key().secret_access_key(), Some(now))
                .unwrap();
        }
        assert!(!request.call.is_empty());
    }
}
