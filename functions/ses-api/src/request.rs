//! An HTTP request, read from the gateway's event.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use front::api_url;
use http::HeaderMap;

use crate::fault::{ApiFault, FaultKind};
use crate::signature::SignedRequest;

/// A request.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) method: String,
    /// The path, decoded.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The URL of the API that received the request.
    pub(crate) api: String,
}

impl ApiRequest {
    /// Takes the request out of the event. The body is decoded by [`decoded`].
    pub(crate) fn read(event: ApiGatewayV2httpRequest) -> (Self, Result<(), ApiFault>) {
        let (body, decoded) = match decoded(event.body.unwrap_or_default(), event.is_base64_encoded) {
            Ok(body) => (body, Ok(())),
            Err(fault) => (Vec::new(), Err(fault)),
        };
        let request = Self {
            method: event.request_context.http.method.to_string(),
            path: event.raw_path.unwrap_or_default(),
            query: event.raw_query_string.unwrap_or_default(),
            headers: event.headers,
            body,
            api: api_url(&event.request_context),
        };
        (request, decoded)
    }

    /// Returns the parts that a client signs.
    pub(crate) fn signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    /// Returns a header, if the caller sent it. Bytes that are not UTF-8 are replaced, and then match no known value.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()).into_owned())
    }
}

fn decoded(body: String, is_base64: bool) -> Result<Vec<u8>, ApiFault> {
    if is_base64 {
        let broken = |_| ApiFault::new(FaultKind::Malformed, "The gateway's encoding of the body is broken.");
        STANDARD.decode(body).map_err(broken)
    } else {
        Ok(body.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_decoded_as_the_gateway_encoded_it() {
        assert_eq!(decoded("a=b".to_owned(), false).unwrap(), b"a=b");
        assert_eq!(decoded("YT1i".to_owned(), true).unwrap(), b"a=b");
        assert_eq!(decoded("%".to_owned(), true).unwrap_err().kind, FaultKind::Malformed);
    }
}
