//! What surrounds a call of a service: it is remembered, and a fault may befall it.

use axum::http::HeaderMap;
use axum::response::Response;

use crate::calls::Calls;
use crate::fault::{Call, Faults};
use crate::lambda::environment_of;

/// What the edges of all services share.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Remembers who called what.
    pub calls: Calls,
    /// What goes wrong.
    pub faults: Faults,
}

impl Edge {
    /// Carries out a call of `operation` of `service` (`sns`) on `resource`, unless a fault prevents it; `refuse` writes an
    /// error in the service's own shape, given its type and text.
    pub(crate) async fn carry_out(
        &self,
        headers: &HeaderMap,
        (service, operation): (&str, &str),
        resource: String,
        carry_out: impl Future<Output = Response> + Send + 'static,
        refuse: impl FnOnce(String, String) -> Response,
    ) -> Response {
        self.calls
            .record(headers, &format!("{service}:{operation}"), [resource]);
        let environment = environment_of(headers);
        let call = Call {
            operation,
            tables: Vec::new(),
            environment,
        };
        match self.faults.take(&call) {
            Some(effect) => self.faults.befall(effect, environment, carry_out, refuse).await,
            None => carry_out.await,
        }
    }
}
