//! What is signed of a request: its method, path, query and body, and the headers that AWS requires. These are `host`
//! and all of `x-amz-*`, and `content-type` because it decides how the body is read.

use std::borrow::Cow;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use sigv4::{ALGORITHM, CanonicalRequest, canonical_path, canonical_query, canonical_value, sha256_hex};

use super::cannot_sign::CannotSign;
use super::day_key::DayKey;

const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
const AUTHORIZATION: &str = "authorization";

/// Signs a request: adds the headers of its time, its session token and its signature. `time` is [`DayKey::time`].
pub(super) fn sign(
    request: &mut HttpRequest,
    key: &DayKey,
    time: String,
    session_token: Option<&str>,
) -> Result<(), CannotSign> {
    let headers = request.headers_mut();
    if let Some(token) = session_token {
        let inserted = headers.try_insert(TOKEN, token.to_owned());
        inserted.map_err(|_| CannotSign::Header(TOKEN.to_owned()))?;
    }
    let authorization = authorization(request, key, &time)?;
    let headers = request.headers_mut();
    for (name, value) in [(DATE, time), (AUTHORIZATION, authorization)] {
        let inserted = headers.try_insert(name, value);
        inserted.map_err(|_| CannotSign::Header(name.to_owned()))?;
    }
    Ok(())
}

fn authorization(request: &HttpRequest, key: &DayKey, time: &str) -> Result<String, CannotSign> {
    let body = request.body().bytes().ok_or(CannotSign::Stream)?;
    let Location { host, path, query } = Location::of(request.uri())?;
    let headers = signed_headers(request, host, time)?;
    let canonical = CanonicalRequest {
        method: request.method(),
        path: &canonical_path(path),
        query: &canonical_query(query),
        headers: &headers,
        body_hash: &sha256_hex(body),
    };
    let signature = key.key().sign(time, &canonical.hash());
    let [access_key_id, slash, scope] = key.credential();
    Ok([
        ALGORITHM,
        " Credential=",
        access_key_id,
        slash,
        scope,
        ", SignedHeaders=",
        &canonical.signed_headers(),
        ", Signature=",
        &signature,
    ]
    .concat())
}

/// Returns the headers that are signed, sorted by name.
fn signed_headers<'a>(
    request: &'a HttpRequest,
    host: &'a str,
    time: &'a str,
) -> Result<Vec<(&'a str, Cow<'a, str>)>, CannotSign> {
    let mut headers = vec![("host", Cow::Borrowed(host)), (DATE, Cow::Borrowed(time))];
    for (name, value) in request.headers().iter_bytes() {
        match name {
            "host" => return Err(CannotSign::Header(name.to_owned())),
            // It is replaced.
            DATE => {}
            _ if name == "content-type" || name.starts_with("x-amz-") => {
                let value = std::str::from_utf8(value).map_err(|_| CannotSign::Header(name.to_owned()))?;
                headers.push((name, canonical_value(value)));
            }
            _ => {}
        }
    }
    headers.sort_unstable_by_key(|(name, _)| *name);
    // Clients and servers disagree on how the values of a repeated header are joined.
    let mut pairs = headers.iter().zip(headers.iter().skip(1));
    match pairs.find(|((one, _), (next, _))| one == next) {
        Some(((name, _), _)) => Err(CannotSign::Header((*name).to_owned())),
        None => Ok(headers),
    }
}

/// The parts of an absolute URI that are signed.
struct Location<'a> {
    /// The value of the header `host`: without the port that the scheme implies.
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Location<'a> {
    fn of(uri: &'a str) -> Result<Self, CannotSign> {
        let (scheme, rest) = uri.split_once("://").ok_or(CannotSign::Uri)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let host = authority.strip_suffix(default_port).unwrap_or(authority);
        // A service would resolve these segments, and read a plus as a space or as a plus.
        let is_odd =
            path.len() > 1 && path[1..].split('/').any(|segment| matches!(segment, "." | "..")) || path.contains("//");
        if host.is_empty() || host.contains('@') || is_odd || query.contains('+') {
            return Err(CannotSign::Uri);
        }
        Ok(Self { host, path, query })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use aws_credential_types::Credentials;
    use aws_sigv4::http_request as theirs;
    use aws_sigv4::sign::v4;
    use aws_smithy_types::body::SdkBody;
    use proptest::prelude::*;

    use super::*;
    use crate::signing::day_key::SignedAt;

    /// A request, before it is signed.
    #[derive(Clone, Debug)]
    struct Unsigned {
        method: &'static str,
        uri: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        token: Option<String>,
        service: &'static str,
        region: String,
        at: u64,
    }

    impl Unsigned {
        fn new() -> Self {
            Self {
                method: "POST",
                uri: "https://dynamodb.eu-west-1.amazonaws.com/".to_owned(),
                headers: vec![("content-type".to_owned(), "application/x-amz-json-1.0".to_owned())],
                body: b"{}".to_vec(),
                token: Some("IQoJb3JpZ2luX2VjE//+=".to_owned()),
                service: "dynamodb",
                region: "eu-west-1".to_owned(),
                at: 1_800_000_000,
            }
        }

        fn request(&self) -> HttpRequest {
            let mut request = HttpRequest::new(SdkBody::from(self.body.clone()));
            request.set_method(self.method).unwrap();
            request.set_uri(self.uri.as_str()).unwrap();
            for (name, value) in &self.headers {
                request.headers_mut().append(name.clone(), value.clone());
            }
            request
        }

        fn credentials(&self) -> Credentials {
            Credentials::new("AKIDTEST", "the secret/+", self.token.clone(), None, "tests")
        }

        fn time(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.at)
        }

        fn sign(&self, request: &mut HttpRequest) -> Result<(), CannotSign> {
            let at = SignedAt::new(self.time()).unwrap();
            let key = DayKey::derive(at, &self.credentials(), &self.region, self.service);
            sign(request, &key, key.time(at), self.token.as_deref())
        }

        /// Signs with AWS's own library, and the same headers.
        fn sign_with_theirs(&self, request: &HttpRequest) -> String {
            let identity = self.credentials().into();
            let signed = |name: &str| name == "content-type" || name.starts_with("x-amz-");
            let headers: Vec<_> = request.headers().iter().filter(|(name, _)| signed(name)).collect();
            let body = theirs::SignableBody::Bytes(&self.body);
            let signable =
                theirs::SignableRequest::new(request.method(), request.uri(), headers.into_iter(), body).unwrap();
            let params = v4::SigningParams::builder()
                .identity(&identity)
                .region(&self.region)
                .name(self.service)
                .time(self.time())
                .settings(theirs::SigningSettings::default())
                .build()
                .unwrap();
            let (instructions, _) = theirs::sign(signable, &params.into()).unwrap().into_parts();
            let mut headers = instructions.headers();
            headers.find(|(name, _)| *name == AUTHORIZATION).unwrap().1.to_owned()
        }
    }

    fn signed(unsigned: &Unsigned) -> HttpRequest {
        let mut request = unsigned.request();
        unsigned.sign(&mut request).unwrap();
        request
    }

    fn refusal(unsigned: &Unsigned) -> CannotSign {
        let mut request = unsigned.request();
        let refusal = unsigned.sign(&mut request).unwrap_err();
        assert!(request.headers().get(AUTHORIZATION).is_none());
        refusal
    }

    fn a_name() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("x-amz-target".to_owned()),
            "x-amz-[a-z0-9-]{1,12}",
            "x-[a-z]{1,8}",
            "accept"
        ]
    }

    /// A part of a path: encoded, or spelled as a URI may be.
    fn a_segment() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>().prop_map(|text| format!("x{}", encoded(&text))),
            "[a-z@:!$&'()*,;=~][a-z.@:!$&'()*,;=~]{0,5}",
        ]
    }

    fn encoded(text: &str) -> String {
        text.bytes().fold(String::new(), |all, byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => all + &char::from(byte).to_string(),
            _ => all + &format!("%{byte:02X}"),
        })
    }

    prop_compose! {
        fn a_uri()(
            scheme in prop_oneof![Just("http"), Just("https")],
            host in "[a-z]{1,8}(\\.[a-z0-9-]{1,8}){0,3}",
            port in prop_oneof![Just(""), Just(":80"), Just(":443"), Just(":8080")],
            path in prop_oneof![
                Just(vec![]),
                prop::collection::vec(a_segment(), 1..4),
            ],
            slash in any::<bool>(),
            query in prop::collection::vec((any::<String>(), prop::option::of(any::<String>())), 0..4),
        ) -> String {
            let query: Vec<String> = query
                .iter()
                .map(|(name, value)| match value {
                    Some(value) => format!("{}={}", encoded(name), encoded(value)),
                    None => format!("n{}", encoded(name)),
                })
                .collect();
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            let slash = if slash && !path.is_empty() { "/" } else { "" };
            format!("{scheme}://{host}{port}/{}{slash}{query}", path.join("/"))
        }
    }

    prop_compose! {
        fn a_request()(
            method in prop_oneof![Just("GET"), Just("POST"), Just("PUT"), Just("DELETE")],
            uri in a_uri(),
            headers in prop::collection::btree_map(a_name(), "[ -~]{0,20}", 0..6),
            content_type in prop::option::of("[a-z/; =-]{1,20}"),
            body in prop::collection::vec(any::<u8>(), 0..300),
            token in prop::option::of("[A-Za-z0-9+/=]{1,80}"),
            service in prop_oneof![Just("dynamodb"), Just("ses"), Just("sqs"), Just("sns"), Just("monitoring")],
            region in "[a-z]{2}-[a-z]{4,9}-[1-3]",
            at in 0_u64..4_000_000_000,
        ) -> Unsigned {
            let mut headers: Vec<_> = headers.into_iter().filter(|(name, _)| name != DATE && name != TOKEN).collect();
            headers.extend(content_type.map(|value| ("content-type".to_owned(), value)));
            Unsigned { method, uri, headers, body, token, service, region, at }
        }
    }

    proptest! {
        #[test]
        fn signs_as_the_library_of_aws_does(unsigned in a_request()) {
            let request = signed(&unsigned);
            let theirs = unsigned.sign_with_theirs(&request);
            prop_assert_eq!(request.headers().get(AUTHORIZATION), Some(theirs.as_str()));
            prop_assert_eq!(request.headers().get(TOKEN), unsigned.token.as_deref());
        }

        #[test]
        fn no_uri_breaks_it(uri in "[ -~]{0,40}") {
            let _ = Location::of(&uri);
        }
    }

    #[test]
    fn signs_few_headers() {
        let mut unsigned = Unsigned::new();
        for name in ["user-agent", "content-length", "x-amz-target", "x-amzn-query-mode"] {
            unsigned.headers.push((name.to_owned(), "1".to_owned()));
        }
        let request = signed(&unsigned);
        let authorization = request.headers().get(AUTHORIZATION).unwrap();
        let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,";
        assert!(authorization.contains(names), "{authorization}");
        assert_eq!(request.headers().get(DATE), Some("20270115T080000Z"));
    }

    #[test]
    fn a_request_that_is_signed_again_has_the_new_signature() {
        let (old, new) = (
            Unsigned::new(),
            Unsigned {
                at: 1_800_090_000,
                ..Unsigned::new()
            },
        );
        let mut request = signed(&old);
        new.sign(&mut request).unwrap();
        assert_eq!(
            request.headers().get(AUTHORIZATION),
            signed(&new).headers().get(AUTHORIZATION)
        );
        assert_eq!(request.headers().len(), signed(&new).headers().len());
    }

    #[test]
    fn a_stream_is_not_signed() {
        let mut request = Unsigned::new().request();
        *request.body_mut() = SdkBody::taken();
        let refusal = Unsigned::new().sign(&mut request).unwrap_err();
        assert!(matches!(refusal, CannotSign::Stream));
    }

    #[test]
    fn a_uri_that_a_service_may_read_otherwise_is_not_signed() {
        for path in ["/a/../b", "/./b", "/a//b", "//", "/a/..", "/a?b=c+d"] {
            let uri = format!("https://email.eu-west-1.amazonaws.com{path}");
            let unsigned = Unsigned { uri, ..Unsigned::new() };
            assert!(matches!(refusal(&unsigned), CannotSign::Uri), "{path}");
        }
        let uri = "https://a:b@example.com/".to_owned();
        assert!(matches!(refusal(&Unsigned { uri, ..Unsigned::new() }), CannotSign::Uri));
    }

    #[test]
    fn a_header_that_a_service_may_read_otherwise_is_not_signed() {
        for name in ["host", "content-type", "x-amz-security-token"] {
            let mut unsigned = Unsigned::new();
            unsigned.headers.push((name.to_owned(), "1".to_owned()));
            unsigned.headers.push(("x-amz-a".to_owned(), "1".to_owned()));
            if name == "x-amz-security-token" {
                // That one is replaced.
                assert_eq!(signed(&unsigned).headers().get(TOKEN), unsigned.token.as_deref());
            } else {
                assert!(matches!(refusal(&unsigned), CannotSign::Header(found) if found == name));
            }
        }
        let token = Some("a\nb".to_owned());
        assert!(matches!(
            refusal(&Unsigned {
                token,
                ..Unsigned::new()
            }),
            CannotSign::Header(_)
        ));
    }
}
