//! The events of a target as they happen, for `okite tail` and `okite listen`.
//!
//! A command makes an endpoint without a URL, reads each second what waits for it, and gives each event to its
//! [`EventSink`].

mod listener;
mod poll;

use std::collections::BTreeSet;
use std::io;

use domain::webhook::{AfterAttempt, Attempt, Delivery, EventKind, SigningSecret};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::target::Target;
use crate::webhook_tables::WebhookError;
use listener::Listener;

/// Why the events ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error("an event could not be printed: {0}")]
    Line(#[source] io::Error),
    #[error("the listener was deleted while it ran. Run this command again to go on")]
    Deleted,
}

/// The work of a command for each event.
pub(crate) trait EventSink {
    /// Passes an event on. The attempt is recorded before the event is shown: an event that cannot be printed must not
    /// come again.
    async fn pass_on(&mut self, delivery: &Delivery, at: Timestamp) -> (Attempt, AfterAttempt);

    /// Shows an event and the attempt to pass it on.
    fn show(&mut self, delivery: &Delivery, attempt: &Attempt) -> io::Result<()>;
}

/// Returns an event as a JSON object, with the body that an endpoint gets.
pub(crate) fn event_json(delivery: &Delivery, at: Timestamp) -> Value {
    json!({
        "at": at,
        "type": delivery.kind.as_str(),
        "id": delivery.event.as_str(),
        "payload": body(delivery),
    })
}

/// Returns the body of an event.
pub(crate) fn body(delivery: &Delivery) -> Value {
    serde_json::from_str(&delivery.body).unwrap_or_default()
}

/// A listener that has started, and will be deleted by [`EventFeed::run`].
pub(crate) struct EventFeed<'a> {
    listener: Listener,
    target: &'a Target,
}

impl<'a> EventFeed<'a> {
    /// Starts to listen. `secret` is that of the endpoint, of which no request is signed by Okite itself.
    pub(crate) async fn start(
        events: BTreeSet<EventKind>,
        secret: &SigningSecret,
        target: &'a Target,
    ) -> Result<Self, FeedError> {
        let listener = Listener::start(events, secret, target).await?;
        Ok(Self { listener, target })
    }

    pub(crate) fn id(&self) -> &str {
        self.listener.id()
    }

    pub(crate) fn target_name(&self) -> String {
        self.listener.target_name()
    }

    /// Gives each event to the sink until `stop` completes or something fails for good.
    pub(crate) async fn run(
        mut self,
        mut sink: impl EventSink,
        stop: impl Future<Output = ()>,
    ) -> Result<(), FeedError> {
        let ended = tokio::select! {
            ended = poll::run(&mut self.listener, &mut sink, self.target) => ended,
            () = stop => Ok(()),
        };
        self.listener.end().await;
        ended
    }
}
