//! The queues, through the simulated SQS and on the wire.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod deliveries;
mod hints;

use std::sync::Arc;

use local_aws::clock::Clock;
use local_aws::middleware::Middleware;
use local_aws::services::sqs::Sqs;
use local_aws::template::Queue;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/hints";

/// SQS with one queue.
async fn queue() -> (Arc<Sqs>, String, DropGuard) {
    queue_behind(&Middleware::default()).await
}

async fn queue_behind(middleware: &Middleware) -> (Arc<Sqs>, String, DropGuard) {
    let queue = Queue {
        name: "hints".to_owned(),
        arn: "arn:aws:sqs:us-east-1:000000000000:hints".to_owned(),
        url: URL.to_owned(),
        ..Queue::default()
    };
    let (stop, sqs) = (
        CancellationToken::new(),
        Sqs::open(vec![queue], None, Clock::default()).unwrap(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = sqs.router(middleware);
    tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));
    (sqs, endpoint, stop.drop_guard())
}
