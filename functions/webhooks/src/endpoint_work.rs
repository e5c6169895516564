//! The work on the messages of one endpoint in an invocation.
//!
//! | the endpoint | its messages |
//! |---|---|
//! | is deleted | are dropped |
//! | is disabled | fail without an attempt |
//! | is a listener | wait in the table, where `okite listen` finds them |
//! | is healthy | are attempted, two at a time |
//! | is slow | are attempted by the worker whose turn it is to wait, and wait in the table for every other one |
//! | is parked | wait in the table, but for one probe |
//!
//! A message is acknowledged after its result is in the table, or after a copy of it is in the queue. So a message may
//! be attempted twice, and none is lost.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::{QueuedDelivery, StoreError};
use domain::time::plus;
use domain::webhook::{
    Admission, Asked, Delivery, DeliveryMessage, EndpointHealth, EndpointState, EventDeliveryState, Target,
};
use futures_util::{StreamExt, stream};

use crate::event::ReceivedDelivery;
use crate::invocation::Invocation;
use crate::known::KnownEndpoint;
use crate::log;
use crate::state::Courier;

/// How many deliveries to an endpoint are attempted at a time, in one invocation.
const AT_ONCE: usize = 2;
/// The delay of messages for which an invocation had no time.
const BACK_IN: Duration = Duration::from_secs(5);

/// The endpoint of some messages, as the invocation knows it.
pub(crate) struct EndpointWork<'a> {
    pub(crate) courier: &'a Courier,
    pub(crate) invocation: &'a Invocation,
    pub(crate) known: &'a KnownEndpoint,
    /// The URL that its events are posted to.
    pub(crate) url: &'a str,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    health: EndpointHealth,
    is_disabled: bool,
    /// How many deliveries were begun.
    begun: usize,
    has_probed: bool,
    /// Whether another worker had the turn to wait.
    is_refused_turn: bool,
}

/// The result for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    /// It is acknowledged.
    Done,
    /// It comes again after the visibility timeout, because its result could not be kept.
    Again,
    /// It goes back to the queue, because there was no time left.
    Back,
}

impl Courier {
    /// Works on the messages of an endpoint. Returns the ids of those that come again.
    pub(crate) async fn work(&self, id: &str, messages: Vec<ReceivedDelivery>, invocation: &Invocation) -> Vec<String> {
        let all = |messages: Vec<ReceivedDelivery>| messages.into_iter().map(|message| message.message_id).collect();
        let known = match self.known.get(&self.webhooks, id, invocation.now()).await {
            Ok(Some(known)) => known,
            Ok(None) => {
                log::dropped(id, messages.len());
                return Vec::new();
            }
            Err(error) => {
                log::store(id, &error, "the endpoint cannot be read, so its messages come again");
                return all(messages);
            }
        };
        match (&known.endpoint.target, known.endpoint.state) {
            (_, EndpointState::Disabled) => {
                self.each(id, messages, async |delivery| {
                    self.deliveries.put_failed(delivery, invocation.now()).await
                })
                .await
            }
            (Target::Listener { .. }, EndpointState::Enabled) => {
                self.each(id, messages, async |delivery| {
                    let now = invocation.now();
                    self.deliveries.put_waiting(delivery, now, now).await
                })
                .await
            }
            (Target::Url(url), EndpointState::Enabled) => {
                let health = match self.webhooks.health(id).await {
                    Ok(Some(health)) => health,
                    Ok(None) => {
                        log::dropped(id, messages.len());
                        return Vec::new();
                    }
                    Err(error) => {
                        log::store(
                            id,
                            &error,
                            "the health of the endpoint cannot be read, so its messages come again",
                        );
                        return all(messages);
                    }
                };
                let work = EndpointWork {
                    courier: self,
                    invocation,
                    known: &known,
                    url,
                    progress: Mutex::new(Progress {
                        health,
                        is_disabled: false,
                        begun: 0,
                        has_probed: false,
                        is_refused_turn: false,
                    }),
                };
                work.all(messages).await
            }
        }
    }

    /// Writes each delivery without an attempt. Returns the ids of the messages that come again.
    async fn each(
        &self,
        id: &str,
        messages: Vec<ReceivedDelivery>,
        write: impl AsyncFn(&Delivery) -> Result<bool, StoreError>,
    ) -> Vec<String> {
        let mut again = Vec::new();
        for ReceivedDelivery {
            message_id, message, ..
        } in messages
        {
            let written = match &message {
                DeliveryMessage::Whole(delivery) => write(delivery).await.map(drop),
                DeliveryMessage::Stored { endpoint, event } => match self.deliveries.get(endpoint, event).await {
                    Ok(Some(record)) => write(&record.delivery).await.map(drop),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = written {
                log::store(id, &error, "a delivery cannot be written, so its message comes again");
                again.push(message_id);
            }
        }
        again
    }

    /// Puts copies of messages into the queue. Returns the ids of those that it did not take, which come again.
    async fn give_back(&self, messages: Vec<ReceivedDelivery>) -> Vec<String> {
        if messages.is_empty() {
            return Vec::new();
        }
        let (ids, copies): (Vec<String>, Vec<QueuedDelivery>) = messages
            .into_iter()
            .map(|message| {
                let copy = QueuedDelivery {
                    message: message.message,
                    delay: BACK_IN,
                };
                (message.message_id, copy)
            })
            .unzip();
        let queued = self.queue.send_all(&copies).await;
        let mut again = Vec::new();
        for ((id, copy), queued) in ids.into_iter().zip(&copies).zip(queued) {
            if let Err(error) = queued {
                log::not_queued(copy.message.endpoint(), &error);
                again.push(id);
            }
        }
        again
    }
}

impl EndpointWork<'_> {
    /// Works on all messages. Returns the ids of those that come again.
    async fn all(&self, mut messages: Vec<ReceivedDelivery>) -> Vec<String> {
        // Deliveries of the table come first, because a parked endpoint is probed with it.
        if self.health().is_parked() {
            messages.sort_by_key(|message| matches!(message.message, DeliveryMessage::Whole(_)));
        }
        // A probe decides about the others, so it is alone.
        let at_once = if self.health().is_parked() { 1 } else { AT_ONCE };
        let mut handled = stream::iter(messages)
            .map(async |message| {
                let handled = self.one(&message).await;
                (message, handled)
            })
            .buffer_unordered(at_once);
        let (mut again, mut back) = (Vec::new(), Vec::new());
        while let Some((message, handled)) = handled.next().await {
            match handled {
                Handled::Done => {}
                Handled::Again => again.push(message.message_id),
                Handled::Back => back.push(message),
            }
        }
        again.extend(self.courier.give_back(back).await);
        again
    }

    async fn one(&self, received: &ReceivedDelivery) -> Handled {
        match self.decided(received).await {
            Ok(handled) => handled,
            Err(error) => {
                log::store(
                    &self.known.endpoint.id,
                    &error,
                    "the result of a delivery cannot be kept, so its message comes again",
                );
                Handled::Again
            }
        }
    }

    async fn decided(&self, received: &ReceivedDelivery) -> Result<Handled, StoreError> {
        let is_slow = self.is_slow();
        if !self.may_begin(is_slow) {
            return Ok(Handled::Back);
        }
        let Some((delivery, asked)) = self.delivery(received).await? else {
            return Ok(Handled::Done);
        };
        let now = self.invocation.now();
        if self.progress().is_disabled {
            self.courier.deliveries.put_failed(&delivery, now).await?;
            return Ok(Handled::Done);
        }
        let attempted = match self.admit(asked) {
            Admission::Attempt | Admission::EarlyProbe if is_slow && !self.may_wait().await => None,
            Admission::Attempt => self.attempt(&delivery, false).await?,
            Admission::EarlyProbe => self.attempt(&delivery, true).await?,
            Admission::Wait | Admission::Later => None,
        };
        if let Some(handled) = attempted {
            return Ok(handled);
        }
        match asked {
            Asked::Attempt => {
                self.courier.deliveries.put_waiting(&delivery, now, now).await?;
            }
            // It is in the table already.
            Asked::HandedOver { .. } => {}
        }
        Ok(Handled::Done)
    }

    fn is_slow(&self) -> bool {
        self.courier
            .slow
            .is_slow(&self.known.endpoint.id, self.invocation.now())
    }

    /// Takes the turn to wait for slow endpoints. The turn lasts as long as a request may take. Returns whether this
    /// worker may wait.
    pub(crate) async fn may_wait(&self) -> bool {
        if self.progress().is_refused_turn {
            return false;
        }
        let now = self.invocation.now();
        let until = plus(now, self.courier.limits.request);
        let taken = self.courier.webhooks.take_turn(&self.courier.slow.worker, now, until);
        let may = taken.await.unwrap_or_else(|error| {
            log::store(
                &self.known.endpoint.id,
                &error,
                "the turn to wait for a slow endpoint cannot be taken, so its deliveries wait in the table",
            );
            false
        });
        self.progress().is_refused_turn |= !may;
        may
    }

    /// Returns whether a delivery may be begun, and counts it: for some seconds, and in any case as many as are
    /// attempted at a time, so that every invocation gets on.
    fn may_begin(&self, is_slow: bool) -> bool {
        let mut progress = self.progress();
        let may = progress.begun < AT_ONCE || self.invocation.may_begin(is_slow);
        progress.begun = progress.begun.saturating_add(usize::from(may));
        may
    }

    /// Returns the delivery of a message and what the message asks for; `None` if nothing remains to be done.
    async fn delivery(&self, received: &ReceivedDelivery) -> Result<Option<(Delivery, Asked)>, StoreError> {
        let (endpoint, event) = match &received.message {
            DeliveryMessage::Whole(delivery) if delivery.attempts == 0 && !received.is_repeated => {
                return Ok(Some(((**delivery).clone(), Asked::Attempt)));
            }
            DeliveryMessage::Whole(delivery) => (&delivery.endpoint, &delivery.event),
            DeliveryMessage::Stored { endpoint, event } => (endpoint, event),
        };
        let record = self.courier.deliveries.get(endpoint, event).await?;
        Ok(match (record, &received.message) {
            (Some(record), _) if record.state != EventDeliveryState::Waiting => None,
            (Some(record), _) => {
                let asked = record
                    .due_at
                    .map_or(Asked::Attempt, |due_at| Asked::HandedOver { due_at });
                Some((record.delivery, asked))
            }
            (None, DeliveryMessage::Whole(delivery)) => Some(((**delivery).clone(), Asked::Attempt)),
            // It has lapsed.
            (None, DeliveryMessage::Stored { .. }) => None,
        })
    }

    fn admit(&self, asked: Asked) -> Admission {
        let mut progress = self.progress();
        let admission = progress
            .health
            .admit(asked, !progress.has_probed, self.invocation.now());
        progress.has_probed |= matches!(admission, Admission::Attempt | Admission::EarlyProbe);
        admission
    }

    /// Returns the health of the endpoint, as far as the invocation knows it.
    pub(crate) fn health(&self) -> EndpointHealth {
        self.progress().health.clone()
    }

    pub(crate) fn set_health(&self, health: EndpointHealth) {
        self.progress().health = health;
    }

    /// Notes that the endpoint is disabled.
    pub(crate) fn set_disabled(&self) {
        self.progress().is_disabled = true;
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
