//! One attempt at a delivery: the request, the health of the endpoint, the record, and what follows.

use std::pin::pin;
use std::time::Duration;

use aws::{QueuedDelivery, StoreError};
use domain::time::plus;
use domain::webhook::guard::EndpointUrl;
use domain::webhook::judgement::{AttemptError, AttemptOutcome, Judgement};
use domain::webhook::schedule::NextAttempt;
use domain::webhook::signature::signatures;
use domain::webhook::{
    AfterAttempt, Attempt, Delivery, DeliveryMessage, DisabledBecause, EndpointState, LastFailure, failures_to_park,
};

use crate::endpoint_work::{EndpointWork, Handled};
use crate::log;
use crate::request::{RequestEnd, SignedEvent};

/// How many waiting deliveries of a disabled endpoint fail at a time.
const FAILED_AT_ONCE: usize = 100;

impl EndpointWork<'_> {
    /// Attempts a delivery. `is_early` tells that it is a probe of a parked endpoint before the delivery is due, whose
    /// failure does not count for the delivery. Returns `None` if the answer was late and another worker has the turn
    /// to wait for it: the receiver may have the event, and gets it again with the same id.
    ///
    /// # Errors
    /// [`StoreError`] if the attempt may not have been recorded. The message comes again, and its receiver gets the
    /// event again, with the same id.
    pub(crate) async fn attempt(&self, delivery: &Delivery, is_early: bool) -> Result<Option<Handled>, StoreError> {
        let at = self.invocation.now();
        let url = EndpointUrl::parse(self.url, &self.courier.url_rules);
        let end = match &url {
            Ok(url) => {
                let signature = signatures(&self.known.secrets, &delivery.event, at, &delivery.body);
                let event = SignedEvent {
                    id: delivery.event.as_str(),
                    at,
                    signature: &signature,
                    body: &delivery.body,
                };
                let Some(end) = self.post(url, event).await else {
                    log::ended_early(delivery, url.host());
                    return Ok(None);
                };
                end
            }
            Err(_) => RequestEnd {
                outcome: AttemptOutcome::Failed(AttemptError::NotAllowed),
                answer: String::new(),
                duration: Duration::ZERO,
            },
        };
        let host = url.as_ref().map(EndpointUrl::host).unwrap_or_default();
        log::attempt(delivery, host, &end);
        let attempt = Attempt {
            at,
            status: end.outcome.status(),
            error: end.outcome.error().map(|error| error.to_string()),
            duration: end.duration,
            answer: end.answer,
        };
        let to_park = failures_to_park(end.outcome);
        match end.outcome.judge() {
            Judgement::Delivered => self.delivered(delivery, &attempt).await?,
            Judgement::Gone => return self.gone(delivery, &attempt).await.map(Some),
            Judgement::Failed { .. } if is_early => {
                self.count_failure(&attempt, to_park).await;
                self.record(delivery, &attempt, AfterAttempt::AsBefore).await?;
                self.give_up_if_due().await;
            }
            Judgement::Failed { retry_after } => {
                self.count_failure(&attempt, to_park).await;
                return self.failed(delivery, &attempt, retry_after).await.map(Some);
            }
        }
        Ok(Some(Handled::Done))
    }

    /// Posts an event. Returns `None` if there is no quick answer and another worker has the turn to wait.
    async fn post(&self, url: &EndpointUrl, event: SignedEvent<'_>) -> Option<RequestEnd> {
        let (id, slow) = (&self.known.endpoint.id, &self.courier.slow);
        let mut request = pin!(self.invocation.client.post(url, event));
        if let Ok(end) = tokio::time::timeout(self.courier.limits.quick, request.as_mut()).await {
            slow.quick(id);
            return Some(end);
        }
        slow.late(id, self.invocation.now());
        if self.may_wait().await {
            Some(request.await)
        } else {
            None
        }
    }

    async fn delivered(&self, delivery: &Delivery, attempt: &Attempt) -> Result<(), StoreError> {
        self.record(delivery, attempt, AfterAttempt::Delivered).await?;
        let (id, seen) = (&self.known.endpoint.id, self.health());
        match self.courier.webhooks.succeeded(id, &seen).await {
            Ok(_) => {
                if seen.is_parked() {
                    log::recovered(id);
                }
                self.set_health(seen.after_success());
            }
            // The next success ends the failures in a row.
            Err(error) => log::store(id, &error, "a success cannot be counted"),
        }
        Ok(())
    }

    /// Disables the endpoint. Should the process die then, the message comes again and fails without an attempt.
    async fn gone(&self, delivery: &Delivery, attempt: &Attempt) -> Result<Handled, StoreError> {
        let id = &self.known.endpoint.id;
        let disabled = self.courier.webhooks.disable_gone(id, self.url).await;
        if !self.is_disabled(disabled, DisabledBecause::Gone).await {
            // The endpoint has another URL by now. If it could not be disabled, the next attempt will try again.
            return self.failed(delivery, attempt, None).await;
        }
        self.record(delivery, attempt, AfterAttempt::Failed).await?;
        self.fail_waiting().await;
        Ok(Handled::Done)
    }

    async fn failed(
        &self,
        delivery: &Delivery,
        attempt: &Attempt,
        retry_after: Option<Duration>,
    ) -> Result<Handled, StoreError> {
        let then_at = |wait| AfterAttempt::WakeAt(plus(self.invocation.now(), wait));
        let (then, delay) = match NextAttempt::after(delivery.attempts.saturating_add(1), retry_after) {
            // A message for a parked endpoint would only become a row.
            NextAttempt::Queued(wait) if self.health().is_parked() => (then_at(wait), None),
            NextAttempt::Queued(wait) => (AfterAttempt::InQueue, Some(wait)),
            NextAttempt::Stored(wait) => (then_at(wait), None),
            NextAttempt::Never => (AfterAttempt::Failed, None),
        };
        self.record(delivery, attempt, then).await?;
        if let Some(delay) = delay {
            return self.queue_again(delivery, delay).await;
        }
        self.give_up_if_due().await;
        Ok(Handled::Done)
    }

    /// Queues a delivery that is in the table. If SQS does not take the message, the sweep hands the delivery over.
    async fn queue_again(&self, delivery: &Delivery, delay: Duration) -> Result<Handled, StoreError> {
        let message = DeliveryMessage::Stored {
            endpoint: delivery.endpoint.clone(),
            event: delivery.event.clone(),
        };
        let queued = self.courier.queue.send_all(&[QueuedDelivery { message, delay }]).await;
        if let Some(Err(error)) = queued.into_iter().next() {
            log::not_queued(&delivery.endpoint, &error);
            let now = self.invocation.now();
            self.courier
                .deliveries
                .put_waiting(delivery, plus(now, delay), now)
                .await?;
        }
        Ok(Handled::Done)
    }

    async fn record(&self, delivery: &Delivery, attempt: &Attempt, then: AfterAttempt) -> Result<(), StoreError> {
        self.courier.deliveries.record_attempt(delivery, attempt, then).await
    }

    /// Counts a failure in the health of the endpoint. A failure that cannot be counted is not worth another attempt.
    async fn count_failure(&self, attempt: &Attempt, to_park: u32) {
        let (id, seen) = (&self.known.endpoint.id, self.health());
        let failure = LastFailure {
            at: attempt.at,
            status: attempt.status,
            error: attempt.error.clone(),
        };
        let health = match self.courier.webhooks.failed(id, &failure, to_park, &seen).await {
            Ok(Some(health)) => health,
            // It was deleted.
            Ok(None) => return,
            Err(error) => {
                log::store(id, &error, "a failure cannot be counted");
                seen.clone().after_failure(failure, to_park)
            }
        };
        if health.is_parked() && !seen.is_parked() {
            log::parked(id, health.failures);
        }
        self.set_health(health);
    }

    /// Disables the endpoint if it has been parked for too long.
    async fn give_up_if_due(&self) {
        let health = self.health();
        let Some(parked_at) = health.parked_at.filter(|_| health.is_given_up(self.invocation.now())) else {
            return;
        };
        let disabled = self
            .courier
            .webhooks
            .disable_parked(&self.known.endpoint.id, parked_at)
            .await;
        if self.is_disabled(disabled, DisabledBecause::Parked).await {
            self.fail_waiting().await;
        }
    }

    /// Returns whether the endpoint is disabled, by the result of disabling it.
    async fn is_disabled(&self, disabled: Result<bool, StoreError>, because: DisabledBecause) -> bool {
        let id = &self.known.endpoint.id;
        let is_disabled = match disabled {
            Ok(true) => {
                log::disabled(id, because);
                Ok(true)
            }
            // Its owner disabled or deleted it, or another invocation did. Or it was changed and is enabled.
            Ok(false) => self.courier.webhooks.get(id).await.map(|endpoint| {
                let state = endpoint.map_or(EndpointState::Disabled, |endpoint| endpoint.state);
                state == EndpointState::Disabled
            }),
            Err(error) => Err(error),
        };
        // What is known of the endpoint is out of date.
        self.courier.known.forget(id);
        let is_disabled = is_disabled.unwrap_or_else(|error| {
            let problem = "an endpoint cannot be disabled; the next attempt will try again";
            log::store(id, &error, problem);
            false
        });
        if is_disabled {
            self.set_disabled();
        }
        is_disabled
    }

    /// Ends the deliveries that wait for the endpoint, which is disabled.
    async fn fail_waiting(&self) {
        let id = &self.known.endpoint.id;
        while self.invocation.has_time() {
            match self.courier.deliveries.fail_waiting(id, FAILED_AT_ONCE).await {
                Ok(step) if step.has_more => {}
                Ok(_) => break,
                Err(error) => {
                    log::store(id, &error, "a delivery of a disabled endpoint still waits");
                    break;
                }
            }
        }
    }
}
