//! The processes of a world: the pipeline, the worker and requests, each over a network of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws::{ApiKeys, Claims, Hints, Marks, Messages, Outbox, Permits, Ses, Suppressions};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use domain::api_key::{ApiKeyRecord, KeyPermission};
use domain::idempotency::{RequestBody, RequestKey};
use domain::pacing::PacingPolicy;
use domain::queue::{DeadlineDefaults, WhenBusy};
use domain::stream::Stream;
use domain::suppression::SoftBounceTiers;
use domain::webhook::ENDPOINTS_REMEMBERED;
use emitter::{Emitter, EmitterConfig};
use futures_util::future::poll_fn;
use jiff::Timestamp;
use sending::{Deadlines, HintQueues, Ids, MailQueue, NotSent, Origin, Outcomes, Receipt, Rules, Sending, Worker};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{BULK_HINTS, EVENTS, HINTS, KEY, TIMEOUT, WAIT, World, dynamodb, queue_url_of, sdk};
use crate::network::{Call, Network};
use crate::request::Request;

/// How a request ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// Its number.
    pub(crate) number: u32,
    /// When it came.
    pub(crate) at: Timestamp,
    /// The id of the email at place 0, if it has the key as the first.
    pub(crate) message: Uuid,
    /// One outcome for each email; `None` if the process ended first.
    pub(crate) outcomes: Option<Vec<Result<Receipt, NotSent>>>,
    pub(crate) calls: Vec<Call>,
    /// Whether events may be lost: a table of webhooks did not answer.
    pub(crate) may_lack_events: bool,
}

impl Ended {
    pub(crate) fn only(&self) -> &Result<Receipt, NotSent> {
        &self.outcomes.as_ref().unwrap()[0]
    }

    pub(crate) fn each(&self) -> &[Result<Receipt, NotSent>] {
        self.outcomes.as_ref().unwrap()
    }

    /// How many calls an operation had.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|call| call.operation == operation).count()
    }
}

impl World {
    /// The pipeline over `connector`, in a process of its own.
    pub(crate) fn sending(&self, connector: &(impl HttpConnector + Clone + 'static)) -> Sending {
        let connector = SharedHttpConnector::new(connector.clone());
        let dynamodb = dynamodb(&sdk(&self.dynamodb_url, connector.clone()));
        let ses = aws::sesv2(&sdk(&self.ses_url, connector.clone()));
        let emitter = EmitterConfig {
            region: "us-east-1".to_owned(),
            webhooks_table: self.tables["WebhooksTable"].clone(),
            deliveries_table: self.tables["DeliveriesTable"].clone(),
            queue_url: queue_url_of(EVENTS),
            endpoints_age_max: ENDPOINTS_REMEMBERED,
        };
        let emitter = Emitter::new(emitter, &dynamodb, aws::sqs(&sdk(&self.queue_url, connector.clone())));
        let hints = Hints::new(
            aws::sqs_for_worker(&sdk(&self.queue_url, connector)),
            queue_url_of(HINTS),
        );
        let table = |name: &str| self.tables[name].clone();
        let policy = PacingPolicy {
            account_share: 1.0,
            burst: Duration::ZERO,
            wait: WAIT,
            bulk_reserve: 0.0,
        };
        let queue = MailQueue {
            outbox: Outbox::new(dynamodb.clone(), table("OutboxTable")),
            hints,
            deadlines: DeadlineDefaults::default(),
        };
        Sending {
            queue: self.has_queue.get().then_some(queue),
            emitter: self.listens.get().then_some(emitter),
            rules: Rules {
                wait: WAIT,
                soft_bounce_tiers: SoftBounceTiers::default(),
                message_retention: self.retention.get(),
            },
            suppressions: Suppressions::new(dynamodb.clone(), table("SuppressionsTable")),
            claims: Claims::new(dynamodb.clone(), table("MessagesTable")),
            messages: Messages::new(dynamodb.clone(), table("MessagesTable")),
            marks: Marks::new(dynamodb.clone(), table("UsageTable")),
            permits: Permits::new(dynamodb, table("UsageTable"), &self.region(), policy),
            ses: Ses::new(ses, self.configuration_set.clone()),
        }
    }

    /// The API keys, over a network without faults.
    pub(crate) fn keys(&self) -> ApiKeys {
        self.keys_over(self.shared.connector.clone())
    }

    fn keys_over(&self, connector: SharedHttpConnector) -> ApiKeys {
        let dynamodb = dynamodb(&sdk(&self.dynamodb_url, connector));
        ApiKeys::new(dynamodb, self.tables["ApiKeysTable"].clone())
    }

    /// The API key of all requests, as it is when a world begins.
    pub(crate) fn key(&self) -> ApiKeyRecord {
        ApiKeyRecord {
            id: KEY.to_owned(),
            secret_sha256: String::new(),
            secret_access_key: None,
            name: "tests".to_owned(),
            permission: KeyPermission::Sending,
            stream: Stream::Transactional,
            when_busy: WhenBusy::default(),
            from_domains: Vec::new(),
            topic: None,
            created_at: self.clock.now(),
        }
    }

    /// The queue's worker over `connector`, in a process of its own.
    pub(crate) fn worker(&self, connector: &(impl HttpConnector + Clone + 'static)) -> Worker {
        let shared = SharedHttpConnector::new(connector.clone());
        let hints = |name| {
            Hints::new(
                aws::sqs_for_worker(&sdk(&self.queue_url, shared.clone())),
                queue_url_of(name),
            )
        };
        Worker {
            outbox: Outbox::new(
                dynamodb(&sdk(&self.dynamodb_url, shared.clone())),
                self.tables["OutboxTable"].clone(),
            ),
            hints: HintQueues {
                transactional: hints(HINTS),
                bulk: hints(BULK_HINTS),
            },
            keys: self.keys_over(shared.clone()),
            sending: Sending {
                queue: None,
                ..self.sending(connector)
            },
        }
    }

    /// Carries out a request.
    pub(crate) async fn submit(&self, request: &Request) -> Ended {
        self.requests.set(self.requests.get() + 1);
        let number = self.requests.get();
        let network = Network::new(Arc::clone(&self.shared), number, request.faults.clone());
        let sending = self.sending(&network);
        if request.is_warm {
            network.open();
            sending.warm_up().await;
            network.close();
        }
        let ids = Ids {
            message: self.new_id(),
            nonce: self.new_id(),
        };
        let now = self.clock.now();
        let body = json!({ "subject": request.body, "mails": request.mails.len() });
        let key = request.key.as_deref().map(|key| {
            let mut hash = RequestBody::default();
            hash.add_invalid(&body);
            RequestKey::new(("k", "POST /emails", key), hash)
        });
        let origin = Origin {
            key_id: KEY,
            stream: request.stream,
            key,
            emails: request.mails.len(),
            patience: request.patience,
            ids,
        };
        let submissions = request.submissions();
        let deadlines = Deadlines::new(now, Instant::now() + TIMEOUT);
        // The future is too large for the stack of a test.
        let submitted = Box::pin(sending.submit_all(&submissions, &origin, &deadlines));
        let submitted = unless_dead(submitted, request.dies_after);
        let ended: Option<Result<Outcomes, NotSent>> = tokio::select! {
            ended = submitted => ended,
            () = network.is_dead.cancelled() => None,
        };
        let outcomes = ended.map(|ended| match ended {
            Ok(outcomes) => outcomes.each,
            Err(error) => vec![Err(error); submissions.len()],
        });
        Ended {
            number,
            at: now,
            message: ids.message,
            outcomes,
            calls: network.calls(),
            may_lack_events: network.may_lack_events(),
        }
    }
}

/// Drops a future after so many polls.
pub(crate) async fn unless_dead<T>(mut future: Pin<Box<impl Future<Output = T>>>, mut polls: Option<u32>) -> Option<T> {
    poll_fn(|context| {
        if let Some(left) = &mut polls {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => return Poll::Ready(None),
            }
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}
