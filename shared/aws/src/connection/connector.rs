//! The connector: it answers the SDK's requests over connections that it keeps.
//!
//! A request is written once. It is tried again, on another connection, only if it was given back before a byte of it
//! was written: `SendEmail` has no idempotency token, so a second write could be a second mail.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Uri};
use tokio::time::timeout;

use super::dial::dial;
use super::exchange::{ANSWER_MAX, Connection, NoAnswer, Unread};
use super::failure::{NeverSent, lost};
use super::pool::{Origin, Pool};
use super::trust::Trust;

/// The connector of a process, and its pool of connections. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    shared: Arc<Shared>,
    /// How long a connection may take to open.
    connect_limit: Duration,
    /// How long a request may take from its beginning to the end of its answer, if there is a limit.
    answer_limit: Option<Duration>,
}

#[derive(Debug)]
struct Shared {
    pool: Pool,
    trust: Trust,
    answer_max: usize,
}

impl Connector {
    /// Makes a connector that trusts `trust`, and uses connections again that were idle for less than `idle_limit`.
    pub(super) fn new(trust: Trust, connect_limit: Duration, idle_limit: Duration) -> Self {
        Self::with_answers_of(ANSWER_MAX, trust, connect_limit, idle_limit)
    }

    /// Makes a connector that reads answers of `answer_max` bytes at most.
    pub(super) fn with_answers_of(
        answer_max: usize,
        trust: Trust,
        connect_limit: Duration,
        idle_limit: Duration,
    ) -> Self {
        let pool = Pool::new(idle_limit);
        Self {
            shared: Arc::new(Shared {
                pool,
                trust,
                answer_max,
            }),
            connect_limit,
            answer_limit: None,
        }
    }

    /// Returns the same connector with other limits on opening a connection and on an answer.
    pub(super) fn with_limits(&self, connect_limit: Duration, answer_limit: Option<Duration>) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            connect_limit,
            answer_limit,
        }
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self {
            shared,
            connect_limit,
            answer_limit,
        } = self.clone();
        HttpConnectorFuture::new(async move {
            let answer = shared.answer(request, connect_limit);
            match answer_limit {
                Some(limit) => timeout(limit, answer)
                    .await
                    .unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into()))),
                None => answer.await,
            }
        })
    }
}

impl Shared {
    async fn answer(&self, request: HttpRequest, connect_limit: Duration) -> Result<HttpResponse, ConnectorError> {
        let (origin, mut request) = writable(request)?;
        let capture = request.extensions_mut().remove::<CaptureSmithyConnection>();
        let (mut connection, head) = loop {
            let (mut connection, is_new) = match self.pool.take(&origin) {
                Some(connection) => (connection, false),
                None => (self.open(&origin, connect_limit).await?, true),
            };
            request = match connection.send(request).await {
                Ok(head) => break (connection, head),
                Err(NoAnswer::Lost(error)) => return Err(lost(error)),
                Err(NoAnswer::Unsent(_, error)) if is_new => return Err(NeverSent::Closed(error).into()),
                // The server had closed the connection while it was idle. Each turn takes one out of the pool.
                Err(NoAnswer::Unsent(request, _)) => *request,
            };
        };
        if let Some(capture) = capture {
            let is_poisoned = connection.poison();
            capture.set_connection_retriever(move || {
                let is_poisoned = Arc::clone(&is_poisoned);
                let metadata = ConnectionMetadata::builder().proxied(false);
                let metadata = metadata.poison_fn(move || is_poisoned.store(true, Ordering::Relaxed));
                Some(metadata.build())
            });
        }
        let (head, body) = head.into_parts();
        let body = match connection.read(body, self.answer_max).await {
            Ok(bytes) => {
                self.pool.put(origin, connection);
                SdkBody::from(bytes)
            }
            Err(failure) => SdkBody::from_body_1_x(Unread(Some(failure))),
        };
        HttpResponse::try_from(hyper::Response::from_parts(head, body))
            .map_err(|error| ConnectorError::other(error.into(), None))
    }

    async fn open(&self, origin: &Origin, limit: Duration) -> Result<Box<Connection>, NeverSent> {
        tokio::time::timeout(limit, dial(origin, &self.trust))
            .await
            .map_err(|_| NeverSent::TooSlow)?
    }
}

/// Returns a request as it is written over a connection, and the server that it is for.
fn writable(request: HttpRequest) -> Result<(Origin, Request<SdkBody>), NeverSent> {
    let mut request = request.try_into_http1x().map_err(|_| NeverSent::Unusable)?;
    let origin = Origin::of(request.uri()).ok_or(NeverSent::Unusable)?;
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::try_from(origin.host_header()).map_err(|_| NeverSent::Unusable)?;
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Ok((origin, request))
}
