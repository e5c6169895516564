//! A run: all services, started together and stopped in order.

mod error;
mod event_pipeline;
mod functions;
mod listeners;
mod settings;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::calls::Calls;
use crate::consumption::Consumption;
use crate::data_dir::DataDir;
use crate::fault::Faults;
use crate::feed::{Feed, Happening};
use crate::service_metrics::ServiceMetrics;
use crate::services::gateway::Gateway;
use crate::services::lambda::{InvokeError, Lambda};

pub use error::StartError;
pub use listeners::reachable;
pub use settings::RunSettings;

/// The running services.
#[derive(Debug)]
pub struct LocalAws {
    /// The URL of the HTTP API.
    pub url: String,
    /// The endpoint of DynamoDB.
    pub dynamodb_url: String,
    /// The endpoint of SES.
    pub ses_url: String,
    /// The endpoint of SQS.
    pub sqs_url: String,
    /// The endpoint of SNS.
    pub sns_url: String,
    /// The endpoint of CloudWatch.
    pub cloudwatch_url: String,
    /// The URLs by which the SQS API names the queues, by the logical ids of the template.
    pub queues: BTreeMap<String, String>,
    /// The names of the tables, by the logical ids of the template.
    pub tables: BTreeMap<String, String>,
    /// The environment variables of each function, by its name.
    pub environments: BTreeMap<String, BTreeMap<String, String>>,
    /// The calls of services so far.
    pub calls: Calls,
    /// The faults in force, and the calls that they hold.
    pub faults: Faults,
    /// The counts that the services keep of their own requests.
    pub metrics: ServiceMetrics,
    /// The consumption so far.
    pub consumption: Consumption,
    feed: Feed,
    readiness_path: &'static str,
    data_dir: Option<DataDir>,
    gateway: Arc<Gateway>,
    lambda: Arc<Lambda>,
    /// Stops the HTTP API.
    stop_front: CancellationToken,
    front: JoinHandle<()>,
    /// Whether SES's events are held.
    hold_events: watch::Sender<bool>,
    /// Stops the delivery of events.
    stop_events: CancellationToken,
    events: JoinHandle<()>,
    /// Stops everything else.
    stop: CancellationToken,
    tasks: TaskTracker,
    /// The first run of each schedule.
    first_runs: TaskTracker,
}

impl LocalAws {
    /// Starts all services. The processes of functions are started too and may still be in their init.
    ///
    /// # Errors
    /// Returns a [`StartError`] with what to do about it. Nothing is left running then.
    pub async fn start(settings: RunSettings) -> Result<Self, StartError> {
        start::start(settings).await
    }

    /// Waits until the HTTP API answers its readiness check and every schedule has fired once, successfully or not. On
    /// AWS both are true some seconds after a deployment.
    ///
    /// # Errors
    /// Returns [`StartError::Unhealthy`] if the answer is not 200.
    pub async fn healthy(&self) -> Result<(), StartError> {
        let path = self.readiness_path;
        let (head, ()) = Request::get(path).body(()).unwrap_or_default().into_parts();
        let status = self.gateway.call(&head, &Bytes::new()).await.status();
        if status != StatusCode::OK {
            return Err(StartError::Unhealthy { path, status });
        }
        self.first_runs.wait().await;
        Ok(())
    }

    /// Invokes a function with an event, as a synchronous caller does, and returns its answer.
    ///
    /// # Errors
    /// Returns an [`InvokeError`] if there is no answer.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        self.lambda.invoke(function, event).await
    }

    /// Returns a receiver of the mails and events from now on.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Happening> {
        self.feed.follow()
    }

    /// Holds the events of SES, or lets them go on. On AWS they come after the answer to the sender, as a rule. Here
    /// they may come before it if the machine is busy.
    pub fn hold_events(&self, hold: bool) {
        self.hold_events.send_replace(hold);
    }

    /// Returns the data directory, if there is one.
    #[must_use]
    pub fn data_dir(&self) -> Option<&DataDir> {
        self.data_dir.as_ref()
    }

    /// Stops everything, in an order that loses nothing: first new requests, then the events of SES, which are
    /// delivered or queued, and then the functions and the services behind them.
    pub async fn stop(self) {
        if let Some(Err(error)) = self.data_dir.as_ref().map(DataDir::withdraw) {
            tracing::warn!(%error, "local.json could not be removed");
        }
        // A held call would hold the stop up.
        self.faults.clear();
        self.faults.release().await;
        self.stop_front.cancel();
        let _ = self.front.await;
        self.hold_events.send_replace(false);
        self.stop_events.cancel();
        let _ = self.events.await;
        self.lambda.stop().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
