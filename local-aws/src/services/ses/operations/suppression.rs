//! The operations of the account's suppression list.
//!
//! In the sandbox SES refuses all of them. The type of the error is an assumption: the model has none better than
//! `BadRequestException`.

use std::sync::{Arc, MutexGuard};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{self, QueryString};
use crate::services::ses::error::SesError;
use crate::services::ses::mailbox::Mailbox;
use crate::services::ses::page::page;
use crate::services::ses::suppression_list::{Suppressed, SuppressionQuery, SuppressionReason};
use crate::services::ses::{Ses, SesState};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSuppressedDestination {
    email_address: String,
    reason: String,
}

pub(in crate::services::ses) async fn put(State(ses): State<Arc<Ses>>, body: Bytes) -> Result<Json<Value>, SesError> {
    let put: PutSuppressedDestination = input::json(&body)?;
    let now = ses.clock.now();
    let mut state = out_of_sandbox(&ses)?;
    let address = Mailbox::parse(&put.email_address)?.bare();
    let reason = SuppressionReason::parse(&put.reason)?;
    let SesState {
        suppression_list,
        account_file,
        ..
    } = &mut *state;
    suppression_list.put(&address, reason, now);
    account_file.suppressed(suppression_list.get(&address));
    Ok(Json(json!({})))
}

pub(in crate::services::ses) async fn list(State(ses): State<Arc<Ses>>, uri: Uri) -> Result<Json<Value>, SesError> {
    let asked = QueryString::parse(&uri)?;
    let query = SuppressionQuery {
        reasons: asked
            .all("Reason")
            .map(SuppressionReason::parse)
            .collect::<Result<_, _>>()?,
        from: asked.parsed("StartDate")?,
        to: asked.parsed("EndDate")?,
    };
    let state = out_of_sandbox(&ses)?;
    let matching = state.suppression_list.matching(&query);
    let entries = matching.map(|s| (s.address.to_ascii_lowercase(), summary(s)));
    let page = page(entries, &asked.page()?)?;
    Ok(Json(json!({
        "SuppressedDestinationSummaries": page.entries,
        "NextToken": page.next_token,
    })))
}

pub(in crate::services::ses) async fn get(
    State(ses): State<Arc<Ses>>,
    Path(address): Path<String>,
) -> Result<Json<Value>, SesError> {
    let state = out_of_sandbox(&ses)?;
    let found = state.suppression_list.get(&address);
    let suppressed = found.ok_or_else(|| missing(&address))?;
    Ok(Json(json!({ "SuppressedDestination": summary(suppressed) })))
}

pub(in crate::services::ses) async fn delete(
    State(ses): State<Arc<Ses>>,
    Path(address): Path<String>,
) -> Result<Json<Value>, SesError> {
    let mut state = out_of_sandbox(&ses)?;
    let removed = state.suppression_list.remove(&address);
    removed.ok_or_else(|| missing(&address))?;
    state.account_file.not_suppressed(&address);
    Ok(Json(json!({})))
}

fn out_of_sandbox(ses: &Ses) -> Result<MutexGuard<'_, SesState>, SesError> {
    let state = ses.state();
    if state.account.settings.production_access {
        Ok(state)
    } else {
        Err(SesError::BadRequest(
            "The account-level suppression list cannot be managed while the account is in the \
             sandbox."
                .to_owned(),
        ))
    }
}

fn missing(address: &str) -> SesError {
    SesError::NotFound(format!(
        "Email address {address} does not exist on your suppression list."
    ))
}

fn summary(suppressed: &Suppressed) -> Value {
    json!({
        "EmailAddress": suppressed.address,
        "Reason": suppressed.reason.as_str(),
        // Seconds since 1970 with a fraction: the protocol's form of a time in JSON.
        "LastUpdateTime": suppressed.updated_at.as_duration().as_secs_f64(),
    })
}
