//! The application's page at the root of the HTTP API, for people.
//!
//! The page is one HTML file with one inline script and one inline style. It shows mails that anybody may have written.
//! Its policy therefore allows that script and that style, by their hashes, and requests to this server; and it forbids
//! making HTML out of text (`trusted-types 'none'`). The HTML of a mail is shown in a frame: see
//! `local_api::outbox::html`.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

/// Serves the page at the root. A request of another method than `GET` goes to `api`.
pub(crate) fn router(page: &'static str, api: Router) -> Router {
    let policy = policy(page);
    let answer = async move || {
        let headers = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, policy.as_str()),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        (headers, page).into_response()
    };
    let api = move |request: Request| api.clone().oneshot(request);
    Router::new().route("/", get(answer).fallback(api))
}

fn policy(page: &str) -> String {
    let (script, style) = (hash(page, "script"), hash(page, "style"));
    format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src 'self'; frame-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// Returns the hash by which a policy allows the text of the first element of a kind.
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
    fn allows_the_first_script_and_style_by_their_hashes() {
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
}
