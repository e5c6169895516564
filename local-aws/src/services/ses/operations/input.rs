//! The inputs of requests: JSON bodies and query strings.

use axum::extract::Query;
use axum::http::Uri;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::services::ses::error::SesError;
use crate::services::ses::page::PageRequest;

/// Reads a JSON body. An empty one counts as an object without members, because SES's clients may send none.
pub(super) fn json<T: DeserializeOwned>(body: &Bytes) -> Result<T, SesError> {
    let body = if body.is_empty() { b"{}" } else { &body[..] };
    serde_json::from_slice(body).map_err(|error| SesError::Serialization(error.to_string()))
}

/// The body of the two operations that switch sending on and off. A missing member means off, as in SES.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sending {
    #[serde(default)]
    pub(super) sending_enabled: bool,
}

/// A query string, in which a name may occur more than once.
pub(super) struct QueryString(Vec<(String, String)>);

impl QueryString {
    pub(super) fn parse(uri: &Uri) -> Result<Self, SesError> {
        Query::try_from_uri(uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| SesError::BadRequest(error.to_string()))
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads a value of a type.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, SesError> {
        self.one(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| SesError::BadRequest(format!("{name} is not valid: {text}.")))
            })
            .transpose()
    }

    /// Reads which page the request asks for.
    pub(super) fn page(&self) -> Result<PageRequest, SesError> {
        Ok(PageRequest {
            token: self.one("NextToken").map(str::to_owned),
            size: self.parsed("PageSize")?,
        })
    }
}
