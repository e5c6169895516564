//! The HTTP port for operators: `/health` for load balancers and container platforms, `/metrics` for Prometheus.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// The time that a client has to send a request.
const IDLE: Duration = Duration::from_secs(30);
/// The pause after an error of accepting, such as running out of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Serves `/health` and `/metrics` of a server until `end` is cancelled.
pub async fn serve(listener: TcpListener, server: Server, end: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = end.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_REST).await;
            continue;
        };
        let (server, end) = (server.clone(), end.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&request, &server);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A client that goes away is no error of this server.
                _ended = connection => {}
                () = end.cancelled() => {}
            }
        });
    }
}

fn answer(request: &Request<Incoming>, server: &Server) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&(Method::GET | Method::HEAD), "/health") if server.is_stopping() => {
            (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned())
        }
        (&(Method::GET | Method::HEAD), "/health") => (StatusCode::OK, "ok\n".to_owned()),
        (&(Method::GET | Method::HEAD), "/metrics") => (StatusCode::OK, server.metrics_text()),
        _ => (
            StatusCode::NOT_FOUND,
            "This port has /health and /metrics.\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
