//! The function of the stack. It hands each event to the test and answers as the test says.

use std::env;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// The variable with the URL of the test that decides on the answers. Without it, every event is handled at once.
pub(crate) const DIRECTOR: &str = "DIRECTOR";

/// The header with the name of the function that hands an event to the test.
const FUNCTION: &str = "x-function";

/// Handles events until the Runtime API is gone.
pub(crate) async fn run() {
    let Ok(runtime) = env::var("AWS_LAMBDA_RUNTIME_API") else {
        return;
    };
    local_aws::services::lambda::end_with_parent();
    let director = env::var(DIRECTOR).ok();
    let function = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let invocation = format!("{runtime}/2018-06-01/runtime/invocation");
    while let Ok(next) = http.get(format!("{invocation}/next")).send().await
        && next.status() == 200
    {
        let id = next.headers()["lambda-runtime-aws-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let event = next.bytes().await.unwrap();
        let (path, answer) = match &director {
            Some(director) => {
                let told = http
                    .post(director)
                    .header(FUNCTION, &function)
                    .body(event)
                    .send()
                    .await
                    .unwrap();
                let path = if told.status() == 200 { "response" } else { "error" };
                (path, told.text().await.unwrap())
            }
            None => ("response", "null".to_owned()),
        };
        let answered = http.post(format!("{invocation}/{id}/{path}")).body(answer).send().await;
        if answered.is_err() {
            return;
        }
    }
}

/// An event that the function is handling. Dropping it makes the function fail.
pub(crate) struct Invocation {
    pub(crate) event: Value,
    /// The name of the function.
    pub(crate) function: String,
    answer: oneshot::Sender<Value>,
}

impl Invocation {
    /// Lets the function answer.
    pub(crate) fn answer(self, answer: Value) {
        self.answer.send(answer).unwrap();
    }

    /// The bodies of the messages, in their order.
    pub(crate) fn bodies(&self) -> Vec<&str> {
        let records = self.event["Records"].as_array().unwrap();
        records.iter().map(|record| record["body"].as_str().unwrap()).collect()
    }
}

/// The end of the test to which the function hands its events.
pub(crate) async fn director() -> (String, mpsc::UnboundedReceiver<Invocation>) {
    let (invocations, receiver) = mpsc::unbounded_channel();
    let router = Router::new().route("/", post(direct)).with_state(invocations);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::spawn(local_aws::server::serve(listener, router, None, stop));
    (url, receiver)
}

async fn direct(
    State(invocations): State<mpsc::UnboundedSender<Invocation>>,
    headers: HeaderMap,
    body: String,
) -> Result<String, (StatusCode, &'static str)> {
    let fails = || {
        (
            StatusCode::BAD_GATEWAY,
            r#"{"errorType":"Told","errorMessage":"to fail"}"#,
        )
    };
    let (answer, told) = oneshot::channel();
    let event = serde_json::from_str(&body).unwrap();
    let invocation = Invocation {
        event,
        function: headers[FUNCTION].to_str().unwrap().to_owned(),
        answer,
    };
    invocations.send(invocation).map_err(|_| fails())?;
    told.await.map(|answer| answer.to_string()).map_err(|_| fails())
}
