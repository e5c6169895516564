//! Applies a fault to a call of any service.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::{Called, Effect, Faults, Moment};
use crate::server::CutConnection;

impl Faults {
    /// Applies an effect to a call. `carry_out` carries the call out; `refuse` writes an error in the service's own
    /// shape, given its type and text.
    pub(crate) async fn apply(
        &self,
        effect: Effect,
        called: Called<'_>,
        carry_out: impl Future<Output = Response> + Send + 'static,
        refuse: impl FnOnce(String, String) -> Response,
    ) -> Response {
        match effect {
            Effect::Error { code, message } => refuse(code, message),
            Effect::Delay(delay) => {
                // Like AWS, it carries the call out even after the caller has given up.
                let late = tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    carry_out.await
                });
                late.await.unwrap_or_else(|_| cut())
            }
            Effect::Hold(moment) => {
                let hold = self.hold(called, moment);
                // The caller may have given up, or been killed, when somebody releases the call.
                let late = tokio::spawn(hold.around(carry_out));
                late.await.unwrap_or_else(|_| cut())
            }
            Effect::Drop(moment) => {
                if moment == Moment::After {
                    carry_out.await;
                }
                cut()
            }
            Effect::Kill(moment) => {
                if moment == Moment::After {
                    carry_out.await;
                }
                if let Some(environment) = called.environment {
                    // The process must be gone before it can see its connection cut.
                    self.processes.kill(environment).await;
                }
                cut()
            }
            Effect::Proxy(status) => {
                carry_out.await;
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                (status, Html(format!("<html><h1>{status}</h1></html>"))).into_response()
            }
            // The middleware hands this one to the service.
            Effect::Unprocessed(_) => carry_out.await,
        }
    }
}

/// Returns an answer that the server never writes: it cuts the connection instead.
pub(crate) fn cut() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(CutConnection);
    response
}
