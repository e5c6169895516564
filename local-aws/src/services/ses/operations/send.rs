//! `SendEmail`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde_json::{Value, json};

use super::input;
use crate::services::ses::Ses;
use crate::services::ses::error::SesError;
use crate::services::ses::ids::new_id;
use crate::services::ses::send_email::check;

pub(in crate::services::ses) async fn send_email(
    State(ses): State<Arc<Ses>>,
    body: Bytes,
) -> Result<Json<Value>, SesError> {
    let mail = check(input::json(&body)?)?;
    let message_id = ses.send(mail, new_id(), ses.clock.now())?;
    Ok(Json(json!({ "MessageId": message_id })))
}
