//! `GET /webhooks/{id}/events/{event}/attempts`: lists the attempts to deliver an event, newest first.

use domain::webhook::Attempt;
use jiff::Timestamp;
use sending::Deadlines;
use serde::Serialize;

use super::body::ListBody;
use super::find;
use crate::error::ApiError;
use crate::request::{Request, limit_of};
use crate::response::{Response, to_the_millisecond};
use crate::route::Operation;
use crate::state::SendApiState;

#[derive(Serialize)]
struct AttemptBody<'a> {
    /// The time of the attempt in milliseconds, which no other attempt of the event has.
    id: String,
    /// The status of the answer; 0 if there was none. SDKs expect a number.
    http_status_code: u16,
    response: &'a str,
    #[serde(serialize_with = "to_the_millisecond")]
    sent_at: Timestamp,
    okite_error: Option<&'a str>,
    okite_duration_ms: u64,
}

impl<'a> AttemptBody<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        Self {
            id: attempt.at.as_millisecond().to_string(),
            http_status_code: attempt.status.unwrap_or(0),
            response: &attempt.answer,
            sent_at: attempt.at,
            okite_error: attempt.error.as_deref(),
            okite_duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

pub(crate) async fn attempts(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
    event: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let query = request.query(Operation::ListWebhookAttempts.parameters())?;
    let limit = limit_of(query.parameter("limit"))?;
    let after = after(query.parameter("after"))?;
    let webhook = find::webhook(state, deadlines, id).await?;
    let record = find::event(state, deadlines, &webhook, event).await?;
    let (page, has_more) = page(&record.attempts, after, limit);
    let data = page.into_iter().map(AttemptBody::of).collect();
    Ok(Response::ok(&ListBody::of(data, has_more)))
}

fn after(parameter: Option<&str>) -> Result<Option<i64>, ApiError> {
    let id = parameter.map(str::parse).transpose();
    id.map_err(|_| ApiError::invalid_parameter("after", "the id of an attempt"))
}

/// Returns a page of attempts, newest first, and whether there are older ones. `attempts` begins with the oldest.
fn page(attempts: &[Attempt], after: Option<i64>, limit: usize) -> (Vec<&Attempt>, bool) {
    let is_older = |attempt: &&Attempt| after.is_none_or(|after| attempt.at.as_millisecond() < after);
    let mut wanted = attempts.iter().rev().filter(is_older);
    let page = wanted.by_ref().take(limit).collect();
    (page, wanted.next().is_some())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn attempt(milliseconds: i64, status: Option<u16>) -> Attempt {
        Attempt {
            at: Timestamp::from_millisecond(milliseconds).unwrap(),
            status,
            error: status.is_none().then(|| "the connection was refused".to_owned()),
            duration: Duration::from_millis(12),
            answer: String::new(),
        }
    }

    #[test]
    fn pages_hold_each_attempt_once() {
        let attempts = [1, 2, 3].map(|at| attempt(at, Some(500)));
        let on_page = |after, limit| {
            let (page, has_more) = page(&attempts, after, limit);
            let ids: Vec<i64> = page.iter().map(|attempt| attempt.at.as_millisecond()).collect();
            (ids, has_more)
        };
        assert_eq!(on_page(None, 2), (vec![3, 2], true));
        assert_eq!(on_page(Some(2), 2), (vec![1], false));
        assert_eq!(on_page(None, 3), (vec![3, 2, 1], false));
        assert_eq!(after(Some("x")).unwrap_err().status, 422);
    }

    #[test]
    fn an_attempt_without_an_answer_has_a_number_for_its_status() {
        let attempt = attempt(1_795_867_200_123, None);
        assert_eq!(
            serde_json::to_value(AttemptBody::of(&attempt)).unwrap(),
            json!({
                "id": "1795867200123", "http_status_code": 0, "response": "", "sent_at": "2026-11-28T12:00:00.123Z",
                "okite_error": "the connection was refused", "okite_duration_ms": 12,
            })
        );
    }
}
