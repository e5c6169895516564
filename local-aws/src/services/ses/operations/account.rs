//! `GetAccount` and `PutAccountSendingAttributes`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde_json::{Value, json};

use super::input::{self, Sending};
use crate::services::ses::Ses;
use crate::services::ses::error::SesError;

pub(in crate::services::ses) async fn get(State(ses): State<Arc<Ses>>) -> Json<Value> {
    let now = ses.clock.now();
    let mut state = ses.state();
    let sent = state.account.sent.total(now);
    let settings = &state.account.settings;
    let mut account = json!({
        "DedicatedIpAutoWarmupEnabled": false,
        "EnforcementStatus": settings.enforcement_status.as_str(),
        "ProductionAccessEnabled": settings.production_access,
        "SendQuota": {
            "Max24HourSend": settings.max_24_hour_send,
            "MaxSendRate": settings.max_send_rate,
            "SentLast24Hours": sent,
        },
        "SendingEnabled": settings.sending_enabled,
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    });
    // An account has details once its owner has asked to leave the sandbox.
    if settings.production_access {
        account["Details"] = json!({
            "MailType": "TRANSACTIONAL",
            "WebsiteURL": "https://example.com",
            "ContactLanguage": "EN",
            "UseCaseDescription": "Local development",
            "AdditionalContactEmailAddresses": [],
            "ReviewDetails": {"Status": "GRANTED", "CaseId": "000000000000"},
        });
    }
    Json(account)
}

pub(in crate::services::ses) async fn put_sending(
    State(ses): State<Arc<Ses>>,
    body: Bytes,
) -> Result<Json<Value>, SesError> {
    let Sending { sending_enabled } = input::json(&body)?;
    ses.state()
        .change_account(|settings| settings.sending_enabled = sending_enabled);
    Ok(Json(json!({})))
}
