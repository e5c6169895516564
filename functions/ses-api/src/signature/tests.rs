use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue};
use percent_encoding::{percent_decode, percent_decode_str};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::fault::FaultKind;

const ID: &str = "ok_abababababababab";
const SECRET: &str = "0123456789012345678901234567890123456789";
const SIGNED_AT: i64 = 1_790_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(SIGNED_AT).unwrap()
}

/// A request that owns its parts.
#[derive(Clone, Debug)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    fn as_request(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn verify_with(&self, secret: &str, now: Option<Timestamp>) -> Result<String, SignatureError> {
        let request = self.as_request();
        let signature = Signature::read(&request)?;
        signature.verify(&request, secret, now)?;
        Ok(signature.access_key_id().to_owned())
    }

    fn verify(&self) -> Result<String, SignatureError> {
        self.verify_with(SECRET, Some(now()))
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    fn authorization(&self) -> &str {
        self.headers["authorization"].to_str().unwrap()
    }
}

/// A request before it is signed. `path` is encoded, as on the wire.
#[derive(Clone, Debug)]
struct Unsigned {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    service: &'static str,
    with_body_hash: bool,
}

impl Unsigned {
    fn new() -> Self {
        Self {
            method: "PUT",
            path: "/v2/email/suppression/addresses/a%2Bb%40example.net".to_owned(),
            query: "NextToken=a%2B%2F%3D&flag=".to_owned(),
            headers: vec![
                ("host".to_owned(), "mail.example.com".to_owned()),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: b"{}".to_vec(),
            service: "ses",
            with_body_hash: false,
        }
    }

    /// Signs with AWS's own library. The path is decoded as API Gateway decodes it.
    fn sign(&self) -> Sent {
        let identity = Credentials::new(ID, SECRET, None, None, "test").into();
        let mut settings = SigningSettings::default();
        if self.with_body_hash {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(self.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(SIGNED_AT.try_into().unwrap()))
            .settings(settings)
            .build()
            .unwrap();
        let query = if self.query.is_empty() {
            String::new()
        } else {
            format!("?{}", self.query)
        };
        let uri = format!("https://mail.example.com{}{query}", self.path);
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = SignableRequest::new(self.method, uri, headers, SignableBody::Bytes(&self.body)).unwrap();
        let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
        let mut sent = Sent {
            method: self.method.to_owned(),
            path: percent_decode_str(&self.path).decode_utf8().unwrap().into_owned(),
            query: self.query.clone(),
            headers: HeaderMap::new(),
            body: self.body.clone(),
        };
        for (name, value) in &self.headers {
            sent.headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        for (name, value) in instructions.headers() {
            sent = sent.set(name, value);
        }
        sent
    }
}

#[test]
fn a_signed_request_is_verified() {
    assert_eq!(Unsigned::new().sign().verify().as_deref(), Ok(ID));
}

#[test]
fn the_path_may_still_be_encoded() {
    let unsigned = Unsigned::new();
    let mut sent = unsigned.sign();
    sent.path.clone_from(&unsigned.path);
    assert_eq!(sent.verify().as_deref(), Ok(ID));
}

#[test]
fn another_secret_does_not_verify() {
    let sent = Unsigned::new().sign();
    assert_eq!(sent.verify_with("x", Some(now())), Err(SignatureError::Mismatch));
}

#[test]
fn a_signature_holds_fifteen_minutes_before_and_after() {
    let sent = Unsigned::new().sign();
    let at = |seconds| sent.verify_with(SECRET, Some(Timestamp::from_second(SIGNED_AT + seconds).unwrap()));
    assert!(at(900).is_ok() && at(-900).is_ok());
    let expired = at(901).unwrap_err();
    assert_eq!(expired.kind(), FaultKind::RequestExpired);
    assert!(expired.to_string().contains("20260921T142821Z"), "{expired}");
    assert!(matches!(at(-901), Err(SignatureError::NotYet { .. })));
    assert!(sent.verify_with(SECRET, None).is_ok());
    // The time is no oracle: without the secret nobody learns it.
    let late = Some(Timestamp::from_second(SIGNED_AT + 901).unwrap());
    assert_eq!(sent.verify_with("x", late), Err(SignatureError::Mismatch));
}

#[test]
fn a_request_without_a_signature_is_refused_by_name() {
    let sent = || Unsigned::new().sign();
    let unsigned = sent().without("authorization");
    assert_eq!(unsigned.verify(), Err(SignatureError::Missing));
    for query in ["X-Amz-Algorithm=AWS4-HMAC-SHA256", "a=1&x-amz-signature=1"] {
        let mut presigned = unsigned.clone();
        presigned.query = query.to_owned();
        assert_eq!(presigned.verify(), Err(SignatureError::Presigned));
    }
    let other = sent().set("authorization", "Basic YTpi");
    assert_eq!(other.verify(), Err(SignatureError::OtherScheme));
    let asymmetric = sent().set("authorization", "AWS4-ECDSA-P256-SHA256 Credential=a");
    assert_eq!(asymmetric.verify(), Err(SignatureError::AsymmetricSignature));
}

#[test]
fn only_the_service_ses_is_taken_in_any_region() {
    let sent = Unsigned {
        service: "email",
        ..Unsigned::new()
    }
    .sign();
    assert_eq!(sent.verify(), Err(SignatureError::OtherService));
    let sent = Unsigned::new().sign();
    let authorization = sent.authorization().replace("eu-west-1", "eu-west-2");
    assert_eq!(
        sent.set("authorization", &authorization).verify(),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn the_time_is_needed_and_its_day_is_that_of_the_credential() {
    let sent = || Unsigned::new().sign();
    let missing = sent().without("x-amz-date");
    assert_eq!(missing.verify(), Err(SignatureError::Incomplete("x-amz-date")));
    for time in [
        "20260921",
        "2026-09-21T14:13:20Z",
        "20260921T141320",
        "20261321T141320Z",
        "2026921T141320ZZ",
    ] {
        assert_eq!(
            sent().set("x-amz-date", time).verify(),
            Err(SignatureError::InvalidTime),
            "{time}"
        );
    }
    let other_day = sent().set("x-amz-date", "20260922T141320Z");
    assert_eq!(other_day.verify(), Err(SignatureError::OtherDate));
    let sent = sent();
    for date in ["", "2026"] {
        let authorization = sent.authorization().replace("20260921", date);
        let other = sent.clone().set("authorization", &authorization);
        assert_eq!(other.verify(), Err(SignatureError::OtherDate));
    }
}

#[test]
fn the_host_and_every_amz_header_must_be_signed() {
    let added = Unsigned::new().sign().set("x-amz-target", "1");
    assert_eq!(
        added.verify(),
        Err(SignatureError::NotSigned("x-amz-target".to_owned()))
    );
    let sent = Unsigned::new().sign();
    for (names, missing) in [("content-type;x-amz-date", "host"), ("content-type;host", "x-amz-date")] {
        let authorization = sent.authorization().replace("content-type;host;x-amz-date", names);
        let sent = sent.clone().set("authorization", &authorization);
        assert_eq!(sent.verify(), Err(SignatureError::NotSigned(missing.to_owned())));
    }
    // A header that nobody signed, such as those that API Gateway adds, does not matter.
    assert!(
        sent.clone()
            .set("x-amzn-trace-id", "1")
            .set("accept", "*/*")
            .verify()
            .is_ok()
    );
    let dropped = sent.without("content-type");
    assert_eq!(dropped.verify(), Err(SignatureError::Mismatch));
}

#[test]
fn a_signed_header_that_is_empty_is_not_one_that_is_missing() {
    let mut unsigned = Unsigned::new();
    unsigned.headers.push(("x-empty".to_owned(), String::new()));
    let sent = unsigned.sign();
    assert!(sent.verify().is_ok());
    assert_eq!(sent.without("x-empty").verify(), Err(SignatureError::Mismatch));
}

#[test]
fn the_hash_of_the_body_is_checked_where_it_is_given() {
    let with_hash = Unsigned {
        with_body_hash: true,
        ..Unsigned::new()
    };
    let mut sent = with_hash.sign();
    assert!(sent.verify().is_ok());
    sent.body.push(b' ');
    assert_eq!(sent.verify(), Err(SignatureError::OtherBody));
    for unsigned in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        let sent = with_hash.sign().set("x-amz-content-sha256", unsigned);
        assert_eq!(sent.verify(), Err(SignatureError::UnsignedBody));
    }
}

#[test]
fn every_error_has_a_kind() {
    for (error, kind) in [
        (SignatureError::Missing, FaultKind::MissingCredentials),
        (SignatureError::UnknownAccessKey, FaultKind::UnknownAccessKey),
        (SignatureError::Mismatch, FaultKind::WrongSignature),
        (SignatureError::Presigned, FaultKind::IncompleteSignature),
    ] {
        assert_eq!(error.kind(), kind);
    }
}

#[test]
fn debug_output_never_shows_the_signature() {
    let sent = Unsigned::new().sign();
    let (_, signature) = sent.authorization().rsplit_once('=').unwrap();
    let read = Signature::read(&sent.as_request()).unwrap();
    assert!(!format!("{read:?}").contains(signature));
}

/// A part of a request in which a byte is changed.
#[derive(Clone, Copy, Debug)]
enum Part {
    Method,
    Path,
    Query,
    Header(&'static str),
    Body,
}

fn parts() -> impl Strategy<Value = Part> {
    prop_oneof![
        Just(Part::Method),
        Just(Part::Path),
        Just(Part::Query),
        Just(Part::Header("host")),
        Just(Part::Header("x-amz-date")),
        Just(Part::Header("x-own")),
        Just(Part::Header("content-type")),
        Just(Part::Header("x-amz-content-sha256")),
        // This header is listed twice because it has the most parts to damage.
        Just(Part::Header("authorization")),
        Just(Part::Header("authorization")),
        Just(Part::Body),
    ]
}

/// A path as clients send it: all but the unreserved characters is encoded, or nothing is. No slash is encoded.
fn path() -> impl Strategy<Value = String> {
    let segments = |segment| prop::collection::vec(segment, 0..4);
    prop_oneof![
        segments("([a-zA-Z0-9_~-]|%40|%2B|%20|%27|%21|%2A|%25|%C3%BC){1,12}"),
        segments("[a-zA-Z0-9_~@:=+,!-]{1,12}"),
    ]
    .prop_map(|segments| format!("/{}", segments.join("/")))
}

fn unsigned() -> impl Strategy<Value = Unsigned> {
    (
        prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]),
        path(),
        prop::collection::vec(
            ("[a-zA-Z]{1,6}", "([a-zA-Z0-9:_-]|%20|%2B|%2F|%26|%3D|%C3%A4){0,8}"),
            0..4,
        ),
        "[!-~]([ -~]{0,12}[!-~])?",
        prop::collection::vec(any::<u8>(), 0..40),
        any::<bool>(),
    )
        .prop_map(|(method, path, query, own, body, with_body_hash)| {
            let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut unsigned = Unsigned {
                method,
                path,
                query: query.join("&"),
                body,
                with_body_hash,
                ..Unsigned::new()
            };
            unsigned.headers.push(("x-own".to_owned(), own));
            unsigned
        })
}

/// Changes one byte of a part, within ASCII where the part is text. Returns nothing if the part has no such byte.
fn flipped(sent: &Sent, part: Part, at: Index, mask: u8) -> Option<Sent> {
    let mut sent = sent.clone();
    let flip = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        if bytes.is_empty() {
            return None;
        }
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        String::from_utf8(bytes).ok()
    };
    match part {
        Part::Method => sent.method = flip(&sent.method)?,
        Part::Path => sent.path = flip(&sent.path)?,
        Part::Query => {
            let query = flip(&sent.query)?;
            if is_same_query(&query, &sent.query) {
                return None;
            }
            sent.query = query;
        }
        Part::Header(name) => {
            let value = flip(sent.headers.get(name)?.to_str().ok()?)?;
            let value = HeaderValue::from_str(&value).ok()?;
            if name == "x-own"
                && super::value(
                    &HeaderMap::from_iter([(HeaderName::from_static("x-own"), value.clone())]),
                    name,
                ) == super::value(&sent.headers, name)
            {
                return None;
            }
            sent.headers.insert(name, value);
        }
        Part::Body => {
            let at = at.index(sent.body.len().checked_sub(1)? + 1);
            sent.body[at] ^= mask;
        }
    }
    Some(sent)
}

/// Returns whether two query strings are the same pairs.
fn is_same_query(one: &str, other: &str) -> bool {
    let pairs = |query: &str| {
        let mut pairs: Vec<Vec<u8>> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let part = |text: &str| percent_decode(text.as_bytes()).collect::<Vec<u8>>();
                [part(name), part(value)].join(&0xff)
            })
            .collect();
        pairs.sort();
        pairs
    };
    pairs(one) == pairs(other)
}

proptest! {
    #[test]
    fn what_aws_signs_is_verified_and_no_byte_can_change(
        unsigned in unsigned(),
        part in parts(),
        at in any::<Index>(),
        mask in 1_u8..128,
    ) {
        let sent = unsigned.sign();
        prop_assert_eq!(sent.verify(), Ok(ID.to_owned()));
        if let Some(other) = flipped(&sent, part, at, mask) {
            // The access key id itself is not signed, but another one has another secret.
            prop_assert_ne!(other.verify(), Ok(ID.to_owned()), "{:?}", other);
        }
    }

    #[test]
    fn no_request_makes_the_check_panic(
        method in "\\PC{0,5}",
        path in "\\PC{0,20}",
        query in "\\PC{0,20}",
        authorization in "(AWS4-HMAC-SHA256 )?(Credential=|SignedHeaders=|Signature=|[a-z0-9/;,= ]){0,12}",
        time in "[0-9TZ]{0,18}",
    ) {
        let sent = Sent { method, path, query, headers: HeaderMap::new(), body: Vec::new() };
        let sent = sent.set("authorization", &authorization).set("x-amz-date", &time);
        prop_assert!(sent.verify().is_err());
    }
}
