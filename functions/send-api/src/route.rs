//! Which path and method is which operation.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// An operation of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET /health`
    Health,
    /// `GET /openapi.json`
    OpenApi,
    /// `POST /emails`
    CreateEmail,
    /// `POST /emails/batch`
    CreateBatch,
    /// `GET /emails`
    ListEmails,
    /// `GET /emails/{id}`, with the id as the caller wrote it.
    ShowEmail(String),
    /// `GET /suppressions`
    ListSuppressions,
    /// `POST /suppressions`
    CreateSuppression,
    /// `GET /suppressions/{id_or_email}`, with what the caller wrote.
    ShowSuppression(String),
    /// `DELETE /suppressions/{id_or_email}`, with what the caller wrote.
    LiftSuppression(String),
    /// `POST /suppressions/batch/add`
    CreateSuppressions,
    /// `POST /suppressions/batch/remove`
    LiftSuppressions,
    /// `GET /quota`
    ShowQuota,
}

impl Route {
    /// Finds the operation. Slashes at either end make no difference: clients join a base URL in more ways than one.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, ApiError> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (segments.as_slice(), method) {
            (["health"], &Method::GET | &Method::HEAD) => Ok(Self::Health),
            (["health"], _) => Err(ApiError::method_not_allowed("GET, HEAD")),
            (["openapi.json"], &Method::GET) => Ok(Self::OpenApi),
            (["emails"], &Method::POST) => Ok(Self::CreateEmail),
            (["emails"], &Method::GET) => Ok(Self::ListEmails),
            (["emails", "batch"], &Method::POST) => Ok(Self::CreateBatch),
            (["suppressions"], &Method::GET) => Ok(Self::ListSuppressions),
            (["suppressions"], &Method::POST) => Ok(Self::CreateSuppression),
            (["suppressions", which], &Method::GET) => Ok(Self::ShowSuppression(decoded(which))),
            (["suppressions", which], &Method::DELETE) => Ok(Self::LiftSuppression(decoded(which))),
            (["suppressions", "batch", "add"], &Method::POST) => Ok(Self::CreateSuppressions),
            (["suppressions", "batch", "remove"], &Method::POST) => Ok(Self::LiftSuppressions),
            (["quota"], &Method::GET) => Ok(Self::ShowQuota),
            (["emails", "batch"] | ["suppressions", "batch", "add" | "remove"], _) => {
                Err(ApiError::method_not_allowed("POST"))
            }
            (["emails", id], &Method::GET) => Ok(Self::ShowEmail(decoded(id))),
            (["emails", _] | ["quota" | "openapi.json"], _) => Err(ApiError::method_not_allowed("GET")),
            (["emails" | "suppressions"], _) => Err(ApiError::method_not_allowed("GET, POST")),
            (["suppressions", _], _) => Err(ApiError::method_not_allowed("GET, DELETE")),
            _ => Err(ApiError::not_found()),
        }
    }
}

/// Takes the percent-encoding from a part of a path. The gateway may have done so already, which makes no difference to ids and
/// addresses as they come in practice; bytes that are no UTF-8 are replaced, and match nothing of ours.
fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_operations_whatever_slashes_surround_them() {
        for path in ["/emails", "/emails/", "//emails"] {
            assert_eq!(Route::of(&Method::POST, path).unwrap(), Route::CreateEmail, "{path}");
        }
        assert_eq!(Route::of(&Method::POST, "/emails/batch/").unwrap(), Route::CreateBatch);
        assert_eq!(Route::of(&Method::GET, "/health").unwrap(), Route::Health);
    }

    #[test]
    fn takes_the_encoding_from_an_id() {
        for path in ["/emails/%3Ca%40b%3E", "/emails/<a@b>/"] {
            let route = Route::of(&Method::GET, path).unwrap();
            assert_eq!(route, Route::ShowEmail("<a@b>".to_owned()), "{path}");
        }
    }

    #[test]
    fn tells_a_wrong_method_from_a_wrong_path() {
        assert_eq!(Route::of(&Method::PUT, "/emails").unwrap_err().status, 405);
        assert_eq!(Route::of(&Method::POST, "/health").unwrap_err().status, 405);
        assert_eq!(Route::of(&Method::PATCH, "/emails/x").unwrap_err().status, 405);
        assert_eq!(Route::of(&Method::GET, "/emails/batch").unwrap_err().status, 405);
        for path in ["/", "", "/email", "/emails/batch/x", "/emails//x", "/Emails"] {
            assert_eq!(Route::of(&Method::GET, path).unwrap_err().status, 404, "{path}");
        }
    }
}
