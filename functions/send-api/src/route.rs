//! Which path and method is which operation.

use http::Method;

use crate::error::ApiError;

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET /health`
    Health,
    /// `POST /emails`
    CreateEmail,
}

impl Route {
    /// Finds the operation. Slashes at either end make no difference: clients join a base URL in more ways than one.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, ApiError> {
        match (path.trim_matches('/'), method) {
            ("health", &Method::GET | &Method::HEAD) => Ok(Self::Health),
            ("health", _) => Err(ApiError::method_not_allowed("GET, HEAD")),
            ("emails", &Method::POST) => Ok(Self::CreateEmail),
            ("emails", _) => Err(ApiError::method_not_allowed("POST")),
            _ => Err(ApiError::not_found()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_operations_whatever_slashes_surround_them() {
        for path in ["/emails", "/emails/", "//emails"] {
            assert_eq!(Route::of(&Method::POST, path).unwrap(), Route::CreateEmail, "{path}");
        }
        assert_eq!(Route::of(&Method::GET, "/health").unwrap(), Route::Health);
    }

    #[test]
    fn tells_a_wrong_method_from_a_wrong_path() {
        assert_eq!(Route::of(&Method::PUT, "/emails").unwrap_err().status, 405);
        assert_eq!(Route::of(&Method::POST, "/health").unwrap_err().status, 405);
        for path in ["/", "", "/email", "/emails/batch/x", "/Emails"] {
            assert_eq!(Route::of(&Method::GET, path).unwrap_err().status, 404, "{path}");
        }
    }
}
