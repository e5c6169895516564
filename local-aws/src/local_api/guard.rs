//! Keeps other web sites away from `/_local/` and the page. Any site that a person has open in the same browser can
//! reach a server on 127.0.0.1.
//!
//! A site whose name resolves to the address of this server (DNS rebinding) is recognized by the `Host` of its
//! requests, which has to be one of [`Hosts`]. A site that calls across origins is recognized by `Origin` and
//! `Sec-Fetch-Site`, which browsers add and scripts cannot change. Programs such as curl send neither and are served.
//! `Origin` has to be the same as `Host`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::hosts::{Hosts, name_of};

const SEC_FETCH_SITE: &str = "sec-fetch-site";
const SEC_FETCH_MODE: &str = "sec-fetch-mode";

/// The headers of every answer, unless its handler sets them.
const HEADERS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox; frame-ancestors 'none'",
    ),
];

/// Refuses the requests of other web sites.
pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let mut response = match check(&hosts, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => (StatusCode::FORBIDDEN, Json(json!({ "message": message }))).into_response(),
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

fn check(hosts: &Hosts, method: &Method, headers: &HeaderMap) -> Result<(), String> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(HOST.as_str()).unwrap_or_default();
    if !hosts.allow(host) {
        return Err(wrong_host(host));
    }
    let is_safe = method.is_safe();
    // Any site may link here, because it cannot read what the link opens.
    let is_opened = is_safe && text(SEC_FETCH_MODE) == Some("navigate");
    let is_foreign_site = text(SEC_FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let is_foreign_origin = text(ORIGIN.as_str()).is_some_and(|origin| {
        !origin
            .strip_prefix("http://")
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host))
    });
    if (is_foreign_site && !is_opened) || (is_foreign_origin && !is_safe) {
        return Err(
            "another web site may not call this: use the page of this server, or a program other than a browser"
                .to_owned(),
        );
    }
    Ok(())
}

/// Returns the message about a `Host` that is not allowed.
fn wrong_host(host: &str) -> String {
    let (called, name) = match name_of(host) {
        Some(name) => (format!("{name} is no name of this server"), name),
        None => ("the header `Host` names no host".to_owned(), "NAME"),
    };
    format!("{called}: call it by 127.0.0.1 or localhost, or start it with `--allow-host {name}`")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn checked(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let hosts = Hosts::new(Ipv4Addr::LOCALHOST.into(), Vec::new());
        check(&hosts, method, &pairs.collect()).is_ok()
    }

    #[test]
    fn takes_programs_and_the_page_itself() {
        for host in [
            "127.0.0.1:3000",
            "localhost:3000",
            "LOCALHOST:8080",
            "[::1]:3000",
            "localhost",
            "[::1]",
        ] {
            assert!(checked(&Method::DELETE, &[("host", host)]), "{host}");
        }
        let page = [
            ("host", "localhost:3000"),
            ("origin", "http://localhost:3000"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert!(checked(&Method::PUT, &page));
        assert!(checked(
            &Method::GET,
            &[("host", "localhost:3000"), ("sec-fetch-site", "none")]
        ));
    }

    #[test]
    fn refuses_names_that_were_made_to_lead_here() {
        for host in [
            "evil.example:3000",
            "localhost.evil.example",
            "127.0.0.1.evil.example:3000",
            "localhost:",
            "localhost:3000x",
            "::1",
            "0.0.0.0:3000",
            "",
        ] {
            assert!(!checked(&Method::GET, &[("host", host)]), "{host}");
        }
        assert!(!checked(&Method::GET, &[]));
    }

    #[test]
    fn a_refusal_names_the_option_that_allows_the_host() {
        for (host, words) in [
            ("mail:3000", "mail is no name of this server"),
            ("mail:3000", "`--allow-host mail`"),
            ("<b>", "`--allow-host NAME`"),
            ("", "the header `Host` names no host"),
        ] {
            let message = wrong_host(host);
            assert!(message.contains(words), "{host}: {message}");
        }
    }

    #[test]
    fn refuses_changes_that_another_origin_asks_for() {
        for origin in [
            "https://evil.example",
            "http://localhost:5173",
            "https://localhost:3000",
            "null",
        ] {
            for method in [Method::POST, Method::PUT, Method::DELETE] {
                assert!(
                    !checked(&method, &[("host", "localhost:3000"), ("origin", origin)]),
                    "{origin}"
                );
            }
        }
    }

    #[test]
    fn lets_another_site_open_what_it_may_not_read() {
        let from = |mode| {
            [
                ("host", "localhost:3000"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", mode),
            ]
        };
        assert!(checked(&Method::GET, &from("navigate")));
        assert!(!checked(&Method::POST, &from("navigate")));
        assert!(!checked(&Method::GET, &from("no-cors")));
        let same_site = [
            ("host", "localhost:3000"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "cors"),
        ];
        assert!(!checked(&Method::GET, &same_site));
    }
}
