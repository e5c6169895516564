//! The one layer around every operation of every service: it records the call, applies a fault, and carries the call
//! out.
//!
//! A service implements `WireService`: it names the operation and the resources of a request, carries the request out,
//! and writes an error in its own shape. `Middleware::router` does the rest. What Lambda and SNS do on behalf of a
//! function, without a request over the network, goes through `Middleware::carry_out_for` in the same way.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::calls::{Calls, caller};
use crate::catalogue::AwsService;
use crate::consumption::{Consumption, Unit};
use crate::fault::{Called, Effect, Faults, Moment};
use crate::processes::environment_of;
use crate::service_metrics::ServiceMetrics;

/// The record of calls and the faults in force, which all services share. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Middleware {
    /// The calls so far, by caller.
    pub calls: Calls,
    /// The faults in force.
    pub faults: Faults,
    /// The counts that the services keep of their own requests.
    pub metrics: ServiceMetrics,
    /// The consumption so far.
    pub consumption: Consumption,
}

/// An operation that a caller asks a service for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The operation's name: `SendEmail`.
    pub(crate) name: String,
    /// What a role must allow.
    pub(crate) allowed_by: Vec<Access>,
    /// The logical ids of its DynamoDB tables, which faults may name.
    pub(crate) tables: Vec<String>,
    /// The partition key that a request on one DynamoDB table names: `dynamodb:LeadingKeys` of IAM.
    pub(crate) leading_key: Option<String>,
}

/// An action on a resource, as IAM checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The action without its service: `SendEmail`.
    pub(crate) action: String,
    /// The ARN of the resource; `*` for an action to which IAM gives no resource.
    pub(crate) resource: String,
}

impl Access {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
        }
    }
}

impl Operation {
    /// Names an operation on one resource that is not a table. The action that allows it has its name.
    pub(crate) fn on(name: impl Into<String>, resource: impl Into<String>) -> Self {
        let name = name.into();
        let access = Access::new(name.clone(), resource);
        Self::allowed_by(name, vec![access])
    }

    /// Names an operation that other actions than its own allow.
    pub(crate) fn allowed_by(name: impl Into<String>, allowed_by: Vec<Access>) -> Self {
        Self {
            name: name.into(),
            allowed_by,
            tables: Vec::new(),
            leading_key: None,
        }
    }

    /// Lists the resources that IAM checks.
    #[cfg(test)]
    pub(crate) fn resources(&self) -> Vec<&str> {
        let resources = self.allowed_by.iter().map(|access| access.resource.as_str());
        resources.collect()
    }
}

/// A request with its whole body.
#[derive(Debug)]
pub(crate) struct WireRequest {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

/// A service as callers reach it over HTTP.
pub(crate) trait WireService: Send + Sync + 'static {
    /// The service's name and operations.
    const SERVICE: AwsService;
    /// The largest body of a request, in bytes.
    const BODY_MAX: usize;

    /// Names the operation that a request asks for. Returns nothing for a request that is no call of the API, such as
    /// one that only opens the connection: it is neither recorded nor given a fault.
    fn operation(&self, request: &WireRequest) -> Option<Operation>;

    /// Carries a request out.
    fn carry_out(self: Arc<Self>, request: WireRequest) -> impl Future<Output = Response> + Send + 'static;

    /// Carries a batch out but for its last `undone` keys, items or entries, which the answer returns as unprocessed or
    /// failed. Only DynamoDB and SQS have such operations.
    fn carry_out_in_part(
        self: Arc<Self>,
        request: WireRequest,
        _undone: usize,
    ) -> impl Future<Output = Response> + Send + 'static {
        self.carry_out(request)
    }

    /// Writes an error in the service's own shape, given its type and text.
    fn refuse(&self, code: String, message: String) -> Response;
}

impl Middleware {
    /// Returns the routes of a service, with this layer around every request.
    pub(crate) fn router<S: WireService>(&self, service: Arc<S>) -> Router {
        let served = Served {
            middleware: self.clone(),
            service,
        };
        Router::new().fallback(handle::<S>).with_state(Arc::new(served))
    }

    /// Carries out what another service does in this process. `role` is the function with whose role it acts, if it
    /// acts with one.
    ///
    /// # Errors
    /// Returns the error of `carry_out`, or the one that a fault causes.
    pub(crate) async fn carry_out_for<T>(
        &self,
        role: Option<&str>,
        (service, operation): (AwsService, &str),
        resource: &str,
        carry_out: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(function) = role {
            let action = action(service, operation);
            self.calls.record_of_role(function, &action, resource);
        }
        let cut = || io::Error::new(io::ErrorKind::ConnectionAborted, "a fault cut the connection");
        let called = Called {
            operation,
            function: role,
            ..Called::default()
        };
        match self.faults.take(called) {
            Some(Effect::Error { code, message }) => Err(io::Error::other(format!("{code}: {message}"))),
            Some(Effect::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                carry_out()
            }
            Some(Effect::Hold(moment)) => self.faults.hold(called, moment).around(async { carry_out() }).await,
            Some(Effect::Drop(Moment::Before)) => Err(cut()),
            Some(Effect::Drop(Moment::After) | Effect::Proxy(_)) => carry_out().and(Err(cut())),
            // Neither is given to a call without a process and without a batch.
            Some(Effect::Kill(_) | Effect::Unprocessed(_)) | None => carry_out(),
        }
    }
}

/// The action in IAM that allows an operation: `ses:SendEmail`.
fn action(service: AwsService, operation: &str) -> String {
    format!("{}:{operation}", service.iam_prefix())
}

struct Served<S> {
    middleware: Middleware,
    service: Arc<S>,
}

async fn handle<S: WireService>(State(served): State<Arc<Served<S>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, S::BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = WireRequest { head, body };
    let service = Arc::clone(&served.service);
    let Some(operation) = service.operation(&request) else {
        return service.carry_out(request).await;
    };
    let Middleware {
        calls,
        faults,
        metrics,
        consumption,
    } = &served.middleware;
    let headers = &request.head.headers;
    let environment = environment_of(headers);
    if let (Some(key), [access]) = (&operation.leading_key, operation.allowed_by.as_slice()) {
        calls.record_leading_key(headers, &action(S::SERVICE, &access.action), &access.resource, key);
    }
    for access in &operation.allowed_by {
        calls.record(headers, &action(S::SERVICE, &access.action), [access.resource.clone()]);
    }
    // The request is given away before the fault is applied.
    let function = caller(headers).map(str::to_owned);
    let on = match operation.tables.as_slice() {
        [] => S::SERVICE.name().to_owned(),
        tables => tables.join(" and "),
    };
    consumption.add_for(function.as_deref(), Unit::Call, (&operation.name, &on), 1.0);
    if let (AwsService::Sqs, [access]) = (S::SERVICE, operation.allowed_by.as_slice()) {
        consumption.queue_request(function.as_deref(), &access.resource, request.body.len());
    }
    let called = Called {
        operation: &operation.name,
        tables: &operation.tables,
        function: function.as_deref(),
        environment,
    };
    let effect = faults.take(called);
    if let (AwsService::Dynamodb, Some(Effect::Error { code, .. })) = (S::SERVICE, &effect) {
        let tables = operation.allowed_by.iter().map(|access| access.resource.as_str());
        metrics.refused(&operation.name, code, tables);
    }
    match effect {
        None => service.carry_out(request).await,
        Some(Effect::Unprocessed(undone)) => service.carry_out_in_part(request, undone).await,
        Some(effect) => {
            let carry_out = Arc::clone(&service).carry_out(request);
            let refuse = |code, message| service.refuse(code, message);
            faults.apply(effect, called, carry_out, refuse).await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::calls::Call;
    use crate::server::CutConnection;

    /// A service that answers every request with its body.
    struct Echo;

    impl WireService for Echo {
        const SERVICE: AwsService = AwsService::Sqs;
        const BODY_MAX: usize = 10;

        fn operation(&self, request: &WireRequest) -> Option<Operation> {
            let name = request.head.uri.path().trim_start_matches('/');
            (!name.is_empty()).then(|| Operation::on(name, "arn:q"))
        }

        async fn carry_out(self: Arc<Self>, request: WireRequest) -> Response {
            request.body.into_response()
        }

        fn refuse(&self, code: String, _: String) -> Response {
            (StatusCode::BAD_REQUEST, code).into_response()
        }
    }

    fn with(faults: &[Value]) -> Middleware {
        let middleware = Middleware::default();
        for fault in faults {
            middleware.faults.add(serde_json::from_value(fault.clone()).unwrap());
        }
        middleware
    }

    async fn call(middleware: &Middleware, path: &str, body: &str) -> Response {
        let signature = "AWS4-HMAC-SHA256 Credential=worker/20261122/us-east-1/sqs/aws4_request, Signature=0";
        let request = Request::post(path).header("authorization", signature);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        middleware.router(Arc::new(Echo)).oneshot(request).await.unwrap()
    }

    fn recorded(middleware: &Middleware, action: &str) -> u32 {
        middleware.calls.count(&Call {
            function: "worker".to_owned(),
            action: action.to_owned(),
            resource: "arn:q".to_owned(),
        })
    }

    #[tokio::test]
    async fn records_a_call_and_carries_it_out() {
        let middleware = with(&[]);
        assert_eq!(call(&middleware, "/SendMessage", "hi").await.status(), 200);
        assert_eq!(recorded(&middleware, "sqs:SendMessage"), 1);
    }

    #[tokio::test]
    async fn applies_a_fault_to_its_own_operation_and_records_the_call() {
        let middleware = with(&[json!({"operation": "SendMessage", "error": "Odd"})]);
        assert_eq!(call(&middleware, "/ReceiveMessage", "hi").await.status(), 200);
        assert_eq!(call(&middleware, "/SendMessage", "hi").await.status(), 400);
        assert_eq!(call(&middleware, "/SendMessage", "hi").await.status(), 200);
        assert_eq!(recorded(&middleware, "sqs:SendMessage"), 2);
    }

    #[tokio::test]
    async fn a_request_that_is_no_call_meets_no_fault() {
        let middleware = with(&[json!({"operation": "SendMessage", "drop": "before"})]);
        assert_eq!(call(&middleware, "/", "hi").await.status(), 200);
        let cut = call(&middleware, "/SendMessage", "hi").await;
        assert!(cut.extensions().get::<CutConnection>().is_some());
        assert_eq!(call(&middleware, "/", "more than ten").await.status(), 413);
    }

    #[tokio::test]
    async fn applies_faults_to_what_a_service_does_with_the_role_of_a_function() {
        let middleware = with(&[
            json!({"operation": "SendMessage", "error": "Odd", "message": "no"}),
            json!({"operation": "SendMessage", "drop": "before"}),
            json!({"operation": "SendMessage", "drop": "after"}),
            json!({"operation": "SendMessage", "delay_ms": 20}),
            json!({"operation": "SendMessage", "kill": "before"}),
        ]);
        let mut sent = 0;
        let mut errors = Vec::new();
        let began = tokio::time::Instant::now();
        for _ in 0..5 {
            let carry_out = || {
                sent += 1;
                Ok(())
            };
            let call = (AwsService::Sqs, "SendMessage");
            if let Err(error) = middleware.carry_out_for(Some("worker"), call, "arn:q", carry_out).await {
                errors.push(error.to_string());
            }
        }
        let cut = "a fault cut the connection";
        assert_eq!(errors, ["Odd: no", cut, cut]);
        assert_eq!((sent, recorded(&middleware, "sqs:SendMessage")), (3, 5));
        assert!(began.elapsed() >= Duration::from_millis(20));
    }
}
