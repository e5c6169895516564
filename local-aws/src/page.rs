//! The page of `okite up`: what there is to see, for people.
//!
//! It is one file without a build step, compiled in, and calls what everybody can call: `/_local/` and the API, with the key
//! that works here only. It shows mails that anybody may have written. So its policy lets it run the one script and the one
//! style that are in it, by their hashes, reach nothing but this server, and make no HTML out of text (`trusted-types
//! 'none'`), whatever a mail contains; HTML of mails is in a frame that [`html`] tells about.

pub(crate) mod html;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

/// The page.
const PAGE: &str = include_str!("index.html");

/// Serves the page at the root; what is asked for there by other methods than `GET` is `api`'s.
pub(crate) fn router(api: Router) -> Router {
    let policy = policy(PAGE);
    let page = async move || {
        let headers = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, policy.as_str()),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        (headers, PAGE).into_response()
    };
    let api = move |request: Request| api.clone().oneshot(request);
    Router::new().route("/", get(page).fallback(api))
}

fn policy(page: &str) -> String {
    let (script, style) = (hash(page, "script"), hash(page, "style"));
    format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src 'self'; frame-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// The hash by which a policy names the text of the first element of a kind.
fn hash(page: &str, element: &str) -> String {
    let begin = format!("<{element}>");
    let text = page.split_once(&begin).map_or("", |(_, rest)| rest);
    let text = text.split_once(&format!("</{element}>")).map_or("", |(text, _)| text);
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_text_of_its_script_and_style() {
        let page = "<style>a{}</style><script>1</script><script>2</script>";
        assert_eq!(
            hash(page, "script"),
            format!("sha256-{}", STANDARD.encode(Sha256::digest("1")))
        );
        assert_eq!(
            hash(page, "style"),
            format!("sha256-{}", STANDARD.encode(Sha256::digest("a{}")))
        );
    }

    #[test]
    fn has_one_script_and_one_style_and_names_nothing_elsewhere() {
        for (text, times) in [
            ("<script", 1),
            ("<style", 1),
            (" style=\"", 0),
            (" onclick=\"", 0),
            ("innerHTML", 0),
        ] {
            assert_eq!(PAGE.matches(text).count(), times, "{text}");
        }
        // The name of the namespace of SVG is an address that nobody calls.
        let addresses = PAGE.match_indices("//").filter(|(at, _)| PAGE[..*at].ends_with(':'));
        for (at, _) in addresses {
            assert!(PAGE[at..].starts_with("//www.w3.org/2000/svg"));
        }
    }
}
