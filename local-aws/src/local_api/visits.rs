//! `/_local/outbox/ID/open` and `/click`: somebody plays the recipient of a mail.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{ChangeResult, LocalApi, LocalApiError, outbox, read};
use crate::services::ses::{Click, Visit, Visitor};

pub(super) async fn open(State(api): State<Arc<LocalApi>>, Path(id): Path<String>, body: Bytes) -> ChangeResult {
    let visitor = if body.is_empty() {
        Visitor::default()
    } else {
        read(&body)?
    };
    visit(&api, &id, &Visit::Open(visitor))
}

pub(super) async fn click(State(api): State<Arc<LocalApi>>, Path(id): Path<String>, body: Bytes) -> ChangeResult {
    let click: Click = read(&body)?;
    visit(&api, &id, &Visit::Click(click))
}

fn visit(api: &LocalApi, id: &str, visit: &Visit) -> ChangeResult {
    let mail = outbox::find(api, id)?.mail;
    let visited = api.ses.visit(&mail.ses_message_id, visit);
    visited.map_err(LocalApiError::bad_request)?;
    Ok(StatusCode::NO_CONTENT)
}
