//! Reads the bodies of `POST /webhooks` and `PATCH /webhooks/{id}`.

use std::collections::BTreeSet;

use domain::message::InvalidEmail;
use domain::webhook::{EndpointState, EventKind};
use serde_json::{Map, Value};

/// The most entries of `events`, so that a long list of copies is no work.
const EVENTS_MAX: usize = 100;

/// The fields of a webhook that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewWebhook {
    pub(super) endpoint: String,
    pub(super) events: BTreeSet<EventKind>,
}

/// The changes that a request asks for. What is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebhookChange {
    pub(super) endpoint: Option<String>,
    pub(super) events: Option<BTreeSet<EventKind>>,
    pub(super) state: Option<EndpointState>,
}

impl NewWebhook {
    pub(super) fn read(mut object: Map<String, Value>) -> Result<Self, InvalidEmail> {
        only(&object, &["endpoint", "events"])?;
        let missing = |field| InvalidEmail::Missing(format!("The field `{field}` is required."));
        Ok(Self {
            endpoint: endpoint(&mut object)?.ok_or_else(|| missing("endpoint"))?,
            events: events(&mut object)?.ok_or_else(|| missing("events"))?,
        })
    }
}

impl WebhookChange {
    pub(super) fn read(mut object: Map<String, Value>) -> Result<Self, InvalidEmail> {
        // The Python SDK sends the id of the path in the body too.
        object.remove("webhook_id");
        only(&object, &["endpoint", "events", "status"])?;
        let change = Self {
            endpoint: endpoint(&mut object)?,
            events: events(&mut object)?,
            state: state(&mut object)?,
        };
        if change.endpoint.is_none() && change.events.is_none() && change.state.is_none() {
            let message = "The request changes nothing. Give at least one of `endpoint`, `events` and `status`.";
            return Err(InvalidEmail::Whole(message.to_owned()));
        }
        Ok(change)
    }
}

/// Refuses fields that a webhook does not have: a misspelt one would be ignored otherwise.
fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), InvalidEmail> {
    if object.keys().all(|field| known.contains(&field.as_str())) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    Err(InvalidEmail::Whole(format!(
        "The request body has an unknown field, so nothing was changed. The fields are {}.",
        known.join(", ")
    )))
}

fn endpoint(object: &mut Map<String, Value>) -> Result<Option<String>, InvalidEmail> {
    match object.remove("endpoint") {
        None => Ok(None),
        Some(Value::String(url)) => Ok(Some(url)),
        Some(_) => Err(InvalidEmail::field("endpoint", "must be a string")),
    }
}

/// Reads the names of events. Copies of a name count once.
fn events(object: &mut Map<String, Value>) -> Result<Option<BTreeSet<EventKind>>, InvalidEmail> {
    let Some(value) = object.remove("events") else {
        return Ok(None);
    };
    let names = match value {
        Value::Array(names) if (1..=EVENTS_MAX).contains(&names.len()) => names,
        _ => {
            let problem = format!(
                "must be an array of 1 to {EVENTS_MAX} names. The names are {}",
                known_events()
            );
            return Err(InvalidEmail::field("events", problem));
        }
    };
    let kinds = names.iter().enumerate().map(|(index, name)| {
        let kind = name.as_str().and_then(EventKind::parse);
        kind.ok_or_else(|| {
            let problem = format!(
                "is not the name of an event that Okite has. The names are {}",
                known_events()
            );
            InvalidEmail::field(&format!("events[{index}]"), problem)
        })
    });
    kinds.collect::<Result<_, _>>().map(Some)
}

fn known_events() -> String {
    EventKind::ALL.map(|kind| format!("`{}`", kind.as_str())).join(", ")
}

fn state(object: &mut Map<String, Value>) -> Result<Option<EndpointState>, InvalidEmail> {
    match object.remove("status") {
        None => Ok(None),
        Some(Value::String(status)) if status == "enabled" => Ok(Some(EndpointState::Enabled)),
        Some(Value::String(status)) if status == "disabled" => Ok(Some(EndpointState::Disabled)),
        Some(_) => Err(InvalidEmail::field("status", "must be `enabled` or `disabled`")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn copies_of_an_event_count_once() {
        let read = NewWebhook::read(object(json!({
            "endpoint": "https://shop.example.com/hook",
            "events": ["email.sent", "email.bounced", "email.sent"],
        })));
        assert_eq!(
            read.unwrap().events,
            BTreeSet::from([EventKind::EmailSent, EventKind::EmailBounced])
        );
    }

    #[test]
    fn an_unknown_event_is_refused_with_the_names_of_all_events() {
        for (events, place) in [
            (json!(["email.sent", "domain.created"]), "`events[1]`"),
            (json!([7]), "`events[0]`"),
            (json!([]), "`events`"),
            (json!("email.sent"), "`events`"),
            (Value::Array(vec![json!("email.sent"); 101]), "`events`"),
        ] {
            let read = NewWebhook::read(object(json!({ "endpoint": "x", "events": events })));
            let message = read.unwrap_err().to_string();
            assert!(message.starts_with(place), "{message}");
            for kind in EventKind::ALL {
                assert!(message.contains(kind.as_str()), "{message}");
            }
        }
    }

    #[test]
    fn a_new_webhook_needs_both_fields_and_takes_no_others() {
        for (body, words) in [
            (json!({ "events": ["email.sent"] }), "`endpoint` is required"),
            (json!({ "endpoint": "x" }), "`events` is required"),
            (json!({ "endpoint": 1, "events": ["email.sent"] }), "must be a string"),
            (json!({ "endpoint": "x", "event": ["email.sent"] }), "unknown field"),
            (
                json!({ "endpoint": "x", "events": ["email.sent"], "status": "enabled" }),
                "unknown field",
            ),
        ] {
            let message = NewWebhook::read(object(body)).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn a_change_names_what_it_changes() {
        let read = |body| WebhookChange::read(object(body));
        assert_eq!(
            read(json!({ "status": "disabled", "webhook_id": "0199" })).unwrap(),
            WebhookChange {
                endpoint: None,
                events: None,
                state: Some(EndpointState::Disabled),
            }
        );
        for body in [
            json!({}),
            json!({ "status": "paused" }),
            json!({ "status": true }),
            json!({ "id": "x" }),
        ] {
            assert!(read(body.clone()).is_err(), "{body}");
        }
    }
}
