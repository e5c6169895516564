//! `POST /suppressions` and `POST /suppressions/batch/add`: adds addresses to the suppression list.

use aws::{Evidence, StoreError};
use domain::address::EmailAddress;
use domain::idempotency::nth_id;
use domain::message::InvalidEmail;
use domain::suppression::{SuppressionReason, TopicChoice};
use domain::time::possible;
use domain::unsubscribe::Topic;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::BATCH_MAX;
use super::body::CreatedBody;
use crate::error::ApiError;
use crate::json::object;
use crate::request::Request;
use crate::response::Response;
use crate::spelling;
use crate::state::SendApiState;
use sending::{Deadlines, Ids};
use suppression::added;

/// The longest note, in characters.
const NOTE_MAX: usize = 500;
/// The fields of a request.
const FIELDS: [&str; 5] = ["email", "reason", "note", "expires_at", "topic"];
/// How many addresses are written side by side.
const AT_ONCE: usize = 10;

/// The suppression that a request adds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NewSuppression {
    address: EmailAddress,
    reason: SuppressionReason,
    note: Option<String>,
    expires_at: Option<Timestamp>,
    /// The topic that the person left. Without one, the address is suppressed for all mail.
    topic: Option<Topic>,
}

#[derive(Serialize)]
struct CreatedAllBody {
    data: Vec<CreatedBody>,
}

pub(crate) async fn create(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
) -> Result<Response, ApiError> {
    let api_key = state.authentication.authenticate_full(request, deadlines).await?;
    let wanted = wanted(object(request)?, deadlines.arrived)?;
    if let Some(topic) = &wanted.topic {
        let choice = TopicChoice {
            at: deadlines.arrived,
            is_unsubscribed: true,
            source: format!("key {}", api_key.id),
        };
        let recorded = state.lifting.choose(&wanted.address, topic, &choice, ids.message);
        let recorded = deadlines.before_answering(recorded).await??;
        return Ok(Response::created(&CreatedBody::of(recorded.id)));
    }
    let put = put(state, &wanted, &api_key.id, deadlines.arrived, ids.message);
    let id = deadlines.before_answering(put).await??;
    let event = added(id, &wanted.address, wanted.reason, deadlines.arrived);
    state.lifting.emitter.emit_or_log(&[event], deadlines.now()).await;
    Ok(Response::created(&CreatedBody::of(id)))
}

pub(crate) async fn create_all(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
) -> Result<Response, ApiError> {
    let api_key = state.authentication.authenticate_full(request, deadlines).await?;
    let emails = object(request)?.remove("emails");
    let texts = texts("emails", emails.unwrap_or_default())?;
    let parsed = texts.iter().enumerate().map(|(index, text)| {
        let address = EmailAddress::parse(text);
        address.map_err(|error| InvalidEmail::field(&format!("emails[{index}]"), error))
    });
    // All of them are checked before the first one is written.
    let addresses: Vec<EmailAddress> = parsed.collect::<Result<_, _>>()?;
    let (mut data, mut events) = (Vec::new(), Vec::new());
    for (chunk, addresses) in addresses.chunks(AT_ONCE).enumerate() {
        let puts = addresses.iter().enumerate().map(|(index, address)| {
            let wanted = NewSuppression {
                address: address.clone(),
                reason: SuppressionReason::Manual,
                note: None,
                expires_at: None,
                topic: None,
            };
            let id = nth_id(ids.message, chunk * AT_ONCE + index);
            let key_id = &api_key.id;
            async move { put(state, &wanted, key_id, deadlines.arrived, id).await }
        });
        let ids = deadlines.before_answering(try_join_all(puts)).await??;
        let new = addresses.iter().zip(&ids);
        events.extend(new.map(|(address, id)| added(*id, address, SuppressionReason::Manual, deadlines.arrived)));
        data.extend(ids.into_iter().map(CreatedBody::of));
    }
    state.lifting.emitter.emit_or_log(&events, deadlines.now()).await;
    Ok(Response::created(&CreatedAllBody { data }))
}

/// Reads an array of 1 to 100 strings.
pub(super) fn texts(field: &str, value: Value) -> Result<Vec<String>, InvalidEmail> {
    let wrong = || InvalidEmail::field(field, format_args!("must be an array of 1 to {BATCH_MAX} strings"));
    let Value::Array(values) = value else {
        return Err(wrong());
    };
    let text = |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    let texts: Option<Vec<String>> = values.into_iter().map(text).collect();
    texts
        .filter(|texts| (1..=BATCH_MAX).contains(&texts.len()))
        .ok_or_else(wrong)
}

fn wanted(mut object: Map<String, Value>, now: Timestamp) -> Result<NewSuppression, ApiError> {
    spelling::check(&object, &FIELDS, "")?;
    let mut text = |field: &str| match object.remove(field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InvalidEmail::field(field, "must be a string")),
    };
    let missing = || InvalidEmail::Missing("The field `email` is required.".to_owned());
    let email = text("email")?.ok_or_else(missing)?;
    let address = EmailAddress::parse(&email).map_err(|error| InvalidEmail::field("email", error))?;
    let topic = text("topic")?.as_deref().map(Topic::parse).transpose();
    let topic = topic.map_err(|error| InvalidEmail::field("topic", error))?;
    let (reason, note, expires_at) = (text("reason")?, text("note")?, text("expires_at")?);
    if topic.is_some() && (reason.is_some() || note.is_some() || expires_at.is_some()) {
        let problem = "a person who left a topic has neither `reason` nor `note` nor `expires_at`; leave them out";
        return Err(InvalidEmail::field("topic", problem).into());
    }
    let reason = match reason.as_deref() {
        None | Some("manual") => SuppressionReason::Manual,
        Some("bounce") => SuppressionReason::Bounce,
        Some("complaint") => SuppressionReason::Complaint,
        Some(_) => return Err(InvalidEmail::field("reason", "must be `manual`, `bounce` or `complaint`").into()),
    };
    if note.as_ref().is_some_and(|note| note.chars().count() > NOTE_MAX) {
        let problem = format_args!("must have at most {NOTE_MAX} characters");
        return Err(InvalidEmail::field("note", problem).into());
    }
    let expires_at: Option<Timestamp> = expires_at
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| InvalidEmail::field("expires_at", "must be a time like 2027-01-31T12:00:00Z"))?;
    if expires_at.is_some_and(|end| end <= now || possible(end).is_none()) {
        return Err(InvalidEmail::field("expires_at", "must be in the future, and before the year 2200").into());
    }
    if expires_at.is_some() && reason != SuppressionReason::Manual {
        let problem = "is allowed only with the reason `manual`. Bounces and complaints do not expire";
        return Err(InvalidEmail::field("expires_at", problem).into());
    }
    Ok(NewSuppression {
        address,
        reason,
        note,
        expires_at,
        topic,
    })
}

/// Adds an address to the list, and returns the id of its entry.
async fn put(
    state: &SendApiState,
    wanted: &NewSuppression,
    key_id: &str,
    now: Timestamp,
    new_id: Uuid,
) -> Result<Uuid, StoreError> {
    let source = format!("key {key_id}");
    let evidence = Evidence {
        diagnostic: wanted.note.as_deref(),
        source: &source,
        ..Evidence::default()
    };
    let (list, address) = (&state.suppressions, &wanted.address);
    match wanted.reason {
        SuppressionReason::Manual => {
            list.record_manual(address, now, wanted.expires_at, evidence, new_id)
                .await?;
        }
        reason => {
            list.record(address, reason, now, evidence, new_id).await?;
        }
    }
    let entry = list.get(address).await?;
    Ok(entry.map_or(new_id, |entry| entry.id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<NewSuppression, ApiError> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        wanted(object(&Request::with_body(body.to_string().as_bytes()))?, now)
    }

    #[test]
    fn reads_an_address_with_and_without_optional_fields() {
        let plain = read(&json!({ "email": "Anna@Example.org", "reason": null })).unwrap();
        assert_eq!(
            (plain.address.normalised(), plain.reason),
            ("anna@example.org", SuppressionReason::Manual)
        );
        let whole = read(
            &json!({ "email": "a@b.example", "reason": "manual", "note": "asked by phone",
                                 "expires_at": "2026-02-01T00:00:00+01:00" }),
        )
        .unwrap();
        assert_eq!(whole.note.as_deref(), Some("asked by phone"));
        assert_eq!(whole.expires_at.unwrap().to_string(), "2026-01-31T23:00:00Z");
    }

    #[test]
    fn names_the_invalid_field() {
        for (body, field) in [
            (json!({}), "email"),
            (json!({ "email": 7 }), "email"),
            (json!({ "email": "anna" }), "email"),
            (json!({ "email": "a@b.example", "reason": "blocked" }), "reason"),
            (json!({ "email": "a@b.example", "note": "x".repeat(501) }), "note"),
            (json!({ "email": "a@b.example", "topic": "News" }), "topic"),
            (
                json!({ "email": "a@b.example", "expiresAt": "2027-01-01T00:00:00Z" }),
                "expires_at",
            ),
            (json!({ "email": "a@b.example", "topic": "news", "note": "x" }), "topic"),
            (
                json!({ "email": "a@b.example", "expires_at": "tomorrow" }),
                "expires_at",
            ),
            (
                json!({ "email": "a@b.example", "expires_at": "2025-01-01T00:00:00Z" }),
                "expires_at",
            ),
            (
                json!({ "email": "a@b.example", "expires_at": "9999-12-30T22:00:00.001Z" }),
                "expires_at",
            ),
            (
                json!({ "email": "a@b.example", "expires_at": "2200-01-01T00:00:00.001Z" }),
                "expires_at",
            ),
            (
                json!({ "email": "a@b.example", "reason": "bounce", "expires_at": "2027-01-01T00:00:00Z" }),
                "expires_at",
            ),
        ] {
            let error = read(&body).unwrap_err();
            assert_eq!(error.status, 422);
            assert!(error.message.contains(&format!("`{field}`")), "{}", error.message);
        }
        assert_eq!(read(&json!([])).unwrap_err().status, 422);
        assert_eq!(object(&Request::with_body(b"{")).unwrap_err().status, 400);
    }

    #[test]
    fn accepts_one_to_a_hundred_strings() {
        assert_eq!(texts("ids", json!(["a"])).unwrap(), ["a"]);
        for wrong in [json!([]), json!("a"), json!([1]), json!(null), json!(vec!["a"; 101])] {
            assert!(texts("ids", wrong).is_err());
        }
    }
}
