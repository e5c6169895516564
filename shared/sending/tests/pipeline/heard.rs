//! The events that a webhook hears of: an endpoint that wants every kind, and what is on its way to it, in SQS or as a
//! delivery that waits in its table.

use std::collections::{BTreeMap, BTreeSet};

use domain::record::MessageRecord;
use domain::webhook::{DeliveryMessage, EventId, EventKind, WebhookEvent};
use serde_json::Value;
use uuid::Uuid;

use crate::world::{EVENTS, World};

/// An event on its way to the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) kind: EventKind,
    /// Our id of the mail.
    pub(crate) mail: Uuid,
    /// The recipient.
    pub(crate) to: String,
}

/// The events on their way, by their ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllHeard(pub(crate) BTreeMap<EventId, Heard>);

impl AllHeard {
    /// Adds the event with this body.
    pub(crate) fn add(&mut self, event: &EventId, kind: EventKind, body: &str) -> Result<(), String> {
        let body: Value = serde_json::from_str(body).unwrap();
        let heard = Heard {
            kind,
            mail: body["data"]["email_id"].as_str().unwrap().parse().unwrap(),
            to: body["data"]["to"][0].as_str().unwrap().to_owned(),
        };
        match self.0.insert(event.clone(), heard.clone()) {
            Some(before) if before != heard => Err(format!("{event} is {before:?} and {heard:?}")),
            _ => Ok(()),
        }
    }

    /// The events about a mail.
    pub(crate) fn of(&self, mail: Uuid) -> impl Iterator<Item = (&EventId, &Heard)> {
        self.0.iter().filter(move |(_, heard)| heard.mail == mail)
    }

    /// Whether an event of this kind about this recipient of a mail is on its way.
    pub(crate) fn has(&self, mail: Uuid, kind: EventKind, to: &str) -> bool {
        self.of(mail).any(|(_, heard)| heard.kind == kind && heard.to == to)
    }

    /// Checks that all of these events are on their way.
    pub(crate) fn check_has(&self, events: &[WebhookEvent]) -> Result<(), String> {
        let missing: Vec<&WebhookEvent> = events.iter().filter(|event| !self.0.contains_key(&event.id)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("these events were not emitted: {missing:?}"))
        }
    }

    /// Checks that each recipient of a mail has one event of each kind at most. A mail that got another time `times`
    /// times may have been scheduled and queued as often.
    pub(crate) fn check_once(&self, mail: Uuid, times: usize) -> Result<(), String> {
        let mut ids: BTreeMap<(EventKind, &str), Vec<&EventId>> = BTreeMap::new();
        for (id, heard) in self.of(mail) {
            ids.entry((heard.kind, &heard.to)).or_default().push(id);
        }
        for ((kind, to), ids) in ids {
            let most = if is_waiting(kind) { 1 + times } else { 1 };
            if ids.len() > most {
                return Err(format!("{to} hears of {kind:?} as {ids:?}"));
            }
        }
        Ok(())
    }

    /// Checks that no end of a mail is told of but the one that its row has.
    pub(crate) fn check_ends(&self, mail: Uuid, ends: &[WebhookEvent]) -> Result<(), String> {
        let ends: BTreeSet<&EventId> = ends.iter().map(|event| &event.id).collect();
        let mut heard = self.of(mail).filter(|(_, heard)| !is_waiting(heard.kind));
        match heard.find(|(id, _)| !ends.contains(id)) {
            Some(wrong) => Err(format!("{wrong:?} did not happen")),
            None => Ok(()),
        }
    }

    /// Whether it is told of a mail that it waits.
    pub(crate) fn is_told_to_wait(&self, mail: Uuid) -> bool {
        self.of(mail).any(|(_, heard)| is_waiting(heard.kind))
    }
}

fn is_waiting(kind: EventKind) -> bool {
    matches!(kind, EventKind::EmailQueued | EventKind::EmailScheduled)
}

impl World {
    /// From now on, every process emits events to the endpoint.
    pub(crate) fn listen(&self) {
        self.listens.set(true);
        self.heard.take();
    }

    /// Takes up the events that were emitted since.
    pub(crate) async fn hear(&self) -> Result<(), String> {
        let mut emitted = Vec::new();
        for message in self.sqs.messages_of(EVENTS).unwrap() {
            let DeliveryMessage::Whole(delivery) = DeliveryMessage::read(&message.body).unwrap() else {
                return Err("an emitter sends whole deliveries".to_owned());
            };
            emitted.push((delivery.event, delivery.kind, delivery.body));
        }
        emitted.extend(self.take_deliveries().await);
        let mut heard = self.heard.borrow_mut();
        for (event, kind, body) in emitted {
            heard.add(&event, kind, &body)?;
        }
        Ok(())
    }

    /// The events that a row proves at this time.
    pub(crate) fn proved(&self, row: &MessageRecord) -> (Vec<WebhookEvent>, Vec<WebhookEvent>) {
        (row.waiting_events(), row.end_events(self.clock.now()))
    }
}
