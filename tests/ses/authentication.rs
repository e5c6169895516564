//! The callers of the SES API: signatures of AWS's SDKs, and API keys as they are.

use std::time::Duration;

use aws::ApiKeys;
use domain::api_key::{ApiKey, KeyPermission};
use jiff::SignedDuration;
use jiff::fmt::rfc2822;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::client::{ANNA, BOTH, Caller, DOOR, Raw, SesAnswer, Version};
use crate::support::{Okite, within};

const SENDING: &str = "ok_sendingdoor_secret";
const WITHOUT_CREDENTIALS: &str = "ok_bearerdoor_secret";

const MISSING: [(u16, &str); 2] = [
    (403, "MissingAuthenticationToken"),
    (403, "MissingAuthenticationTokenException"),
];
const INCOMPLETE: [(u16, &str); 2] = [(403, "IncompleteSignature"), (403, "IncompleteSignatureException")];
const UNKNOWN: [(u16, &str); 2] = [(403, "InvalidClientTokenId"), (403, "UnrecognizedClientException")];
const WRONG: [(u16, &str); 2] = [(403, "SignatureDoesNotMatch"), (403, "InvalidSignatureException")];
const EXPIRED: [(u16, &str); 2] = [(403, "RequestExpired"), (403, "RequestExpired")];
const DENIED: [(u16, &str); 2] = [(403, "AccessDenied"), (403, "AccessDeniedException")];

async fn quota(okite: &Okite, caller: &Caller, version: Version) -> SesAnswer {
    match version {
        Version::V1 => caller.act(okite, "Action=GetSendQuota&Version=2010-12-01").await,
        Version::V2 => caller.call(okite, Method::GET, "/v2/email/account", &Value::Null).await,
    }
}

/// A request of a version without a signature, with an `authorization` header if there is one.
async fn bare(okite: &Okite, version: Version, query: &str, authorization: Option<&str>) -> SesAnswer {
    let mut request = match version {
        Version::V1 => okite
            .request(Method::POST, &format!("/{query}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("Action=GetSendQuota"),
        Version::V2 => okite.request(Method::GET, &format!("/v2/email/account{query}")),
    };
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    SesAnswer::of(version, request).await
}

#[tokio::test]
async fn only_the_secret_of_a_key_with_credentials_signs() {
    let okite = Okite::door().await;
    okite.put_key(WITHOUT_CREDENTIALS, &[]).await;
    for version in BOTH {
        assert_eq!(quota(&okite, &Caller::of(DOOR), version).await.status, 200);
        let other_secret = Caller {
            secret: ApiKey::parse("ok_door_other").unwrap().secret_access_key(),
            ..Caller::of(DOOR)
        };
        let answer = quota(&okite, &other_secret, version).await;
        let message = answer.refused(WRONG[0], WRONG[1]);
        assert!(
            message.starts_with("The request signature we calculated does not match"),
            "{message}"
        );
        for id in ["ok_nobody", "AKIAIOSFODNN7EXAMPLE", DOOR] {
            let unknown = Caller {
                access_key_id: id.to_owned(),
                ..Caller::of(DOOR)
            };
            let answer = quota(&okite, &unknown, version).await;
            let message = answer.refused(UNKNOWN[0], UNKNOWN[1]);
            assert_eq!(message, "The security token included in the request is invalid.");
        }
        let answer = quota(&okite, &Caller::of(WITHOUT_CREDENTIALS), version).await;
        answer.refused(UNKNOWN[0], UNKNOWN[1]);
    }
    let answer = Caller::of("ok_nobody_secret")
        .send(&okite, Version::V1, &Raw::new("Hi"))
        .await;
    answer.refused(UNKNOWN[0], UNKNOWN[1]);
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_request_without_a_signature_in_its_header_is_refused_by_name() {
    let okite = Okite::door().await;
    let signed = "AWS4-HMAC-SHA256 Credential=ok_door/20260101/us-east-1/ses/aws4_request, SignedHeaders=host";
    let presigned = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0";
    for version in BOTH {
        bare(&okite, version, "", None).await.refused(MISSING[0], MISSING[1]);
        let answer = bare(&okite, version, presigned, None).await;
        assert!(answer.refused(INCOMPLETE[0], INCOMPLETE[1]).contains("Presigned"));
        for authorization in [signed, "Basic abc", "Bearer", "AWS4-ECDSA-P256-SHA256 Credential=a"] {
            let answer = bare(&okite, version, "", Some(authorization)).await;
            answer.refused(INCOMPLETE[0], INCOMPLETE[1]);
        }
    }
}

#[tokio::test]
async fn an_api_key_is_taken_as_it_is() {
    let okite = Okite::door().await;
    okite.put_key(WITHOUT_CREDENTIALS, &[]).await;
    for version in BOTH {
        for key in [DOOR, WITHOUT_CREDENTIALS] {
            assert_eq!(
                bare(&okite, version, "", Some(&format!("Bearer {key}"))).await.status,
                200
            );
        }
        for key in ["ok_door_other", "ok_nobody_secret", "re_123"] {
            let answer = bare(&okite, version, "", Some(&format!("Bearer {key}"))).await;
            answer.refused(UNKNOWN[0], UNKNOWN[1]);
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_more_than_a_quarter_of_an_hour_is_told_the_time() {
    let okite = Okite::door().await;
    let off_by = |minutes| Caller {
        skew: SignedDuration::from_mins(minutes),
        ..Caller::of(DOOR)
    };
    for version in BOTH {
        for minutes in [-14, 14] {
            assert_eq!(quota(&okite, &off_by(minutes), version).await.status, 200);
        }
        for minutes in [-16, 16] {
            let answer = quota(&okite, &off_by(minutes), version).await;
            answer.refused(EXPIRED[0], EXPIRED[1]);
            let date = rfc2822::parse(answer.header("date").unwrap()).unwrap().timestamp();
            let report: jiff::Timestamp = okite.report().await["at"].as_str().unwrap().parse().unwrap();
            assert!(
                date.duration_since(report).abs() < SignedDuration::from_mins(5),
                "{date}"
            );
        }
    }
    // A signature of another key is not told how far its clock is off.
    let answer = quota(
        &okite,
        &Caller {
            secret: "x".to_owned(),
            ..off_by(16)
        },
        Version::V2,
    )
    .await;
    answer.refused(WRONG[0], WRONG[1]);
}

#[tokio::test]
async fn a_clock_of_okite_up_that_was_moved_says_nothing_about_a_signature() {
    let okite = Okite::door().await;
    okite.advance(Duration::from_hours(48)).await;
    for version in BOTH {
        assert_eq!(quota(&okite, &Caller::of(DOOR), version).await.status, 200);
    }
}

#[tokio::test]
async fn a_revoked_key_ends_within_half_a_minute() {
    let okite = Okite::door().await;
    assert_eq!(quota(&okite, &Caller::of(DOOR), Version::V2).await.status, 200);
    let keys = ApiKeys::new(okite.dynamodb.clone(), okite.variable("API_KEYS_TABLE").to_owned());
    within(keys.delete(ApiKey::parse(DOOR).unwrap().id())).await.unwrap();
    okite.advance(Duration::from_secs(31)).await;
    for version in BOTH {
        let answer = quota(&okite, &Caller::of(DOOR), version).await;
        answer.refused(UNKNOWN[0], UNKNOWN[1]);
    }
}

/// The request with a query that it was not signed with.
fn with_query(request: RequestBuilder) -> RequestBuilder {
    let (client, request) = request.build_split();
    let mut request = request.unwrap();
    request.url_mut().set_query(Some("a=b"));
    RequestBuilder::from_parts(client, request)
}

#[tokio::test]
async fn a_change_on_the_way_breaks_the_signature() {
    let okite = Okite::door().await;
    let door = Caller::of(DOOR).with("x-amz-meta", "a");
    let request = |path: &str| door.request(&okite, &Method::GET, path, "application/json", Vec::new());
    let account = "/v2/email/account";
    assert_eq!(SesAnswer::of(Version::V2, request(account)).await.status, 200);
    for changed in [
        with_query(request(account)),
        request(account).header("x-amz-other", "not signed"),
        request(account).header("x-amz-meta", "twice"),
        request(account).body("{}"),
        request(account).header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ] {
        let answer = SesAnswer::of(Version::V2, changed).await;
        answer.refused(WRONG[0], WRONG[1]);
    }
}

#[tokio::test]
async fn paths_with_signs_that_are_encoded_are_verified() {
    let okite = Okite::door().await;
    let sdk = okite.sdk(DOOR, 1);
    for address in [
        "a+b@example.net",
        "a'b@example.net",
        "a%b@example.net",
        "a=b~c@example.net",
        "ü@example.net",
    ] {
        let found = sdk.get_suppressed_destination().email_address(address).send().await;
        let error = found.unwrap_err().into_service_error();
        let is_known = error.is_not_found_exception() || error.is_bad_request_exception();
        assert!(is_known, "{address}: {error:?}");
    }
    okite.suppress("a+b@example.net").await;
    let found = sdk.get_suppressed_destination().email_address("a+b@example.net");
    assert!(found.send().await.is_ok());
}

#[tokio::test]
async fn a_key_that_may_only_send_cannot_see_or_change_the_suppression_list() {
    let okite = Okite::door().await;
    okite
        .put_door_key(SENDING, |record| record.permission = KeyPermission::Sending)
        .await;
    okite.suppress("gone@example.net").await;
    let caller = Caller::of(SENDING);
    let list = "/v2/email/suppression/addresses";
    let one = format!("{list}/gone@example.net");
    let put = json!({ "EmailAddress": ANNA, "Reason": "BOUNCE" });
    for (method, path, body) in [
        (Method::GET, list, &Value::Null),
        (Method::PUT, list, &put),
        (Method::GET, one.as_str(), &Value::Null),
        (Method::DELETE, one.as_str(), &Value::Null),
    ] {
        let answer = caller.call(&okite, method, path, body).await;
        let message = answer.refused(DENIED[0], DENIED[1]);
        assert!(message.contains("full permission"), "{message}");
    }
    for version in BOTH {
        assert_eq!(quota(&okite, &caller, version).await.status, 200);
        caller.send(&okite, version, &Raw::new("Hi")).await.message_id();
    }
}
