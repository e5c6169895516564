//! The operations of configuration sets.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde_json::{Value, json};

use super::input::{self, Sending};
use crate::services::ses::Ses;
use crate::services::ses::error::SesError;

pub(in crate::services::ses) async fn get(
    State(ses): State<Arc<Ses>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, SesError> {
    let state = ses.state();
    let set = state.configuration_sets.get(&name)?;
    Ok(Json(json!({
        "ConfigurationSetName": set.name,
        "DeliveryOptions": {"TlsPolicy": "OPTIONAL"},
        "ReputationOptions": {"ReputationMetricsEnabled": true},
        "SendingOptions": {"SendingEnabled": set.sending_enabled},
        "Tags": [],
    })))
}

pub(in crate::services::ses) async fn put_sending(
    State(ses): State<Arc<Ses>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, SesError> {
    let Sending { sending_enabled } = input::json(&body)?;
    let mut state = ses.state();
    state.configuration_sets.get_mut(&name)?.sending_enabled = sending_enabled;
    state.account_file.configuration_set(&name, sending_enabled);
    Ok(Json(json!({})))
}

pub(in crate::services::ses) async fn event_destinations(
    State(ses): State<Arc<Ses>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, SesError> {
    let state = ses.state();
    let set = state.configuration_sets.get(&name)?;
    let destinations: Vec<Value> = set
        .topic_arn
        .iter()
        .map(|topic_arn| {
            json!({
                "Name": "events",
                "Enabled": true,
                "MatchingEventTypes": set.event_types,
                "SnsDestination": {"TopicArn": topic_arn},
            })
        })
        .collect();
    Ok(Json(json!({ "EventDestinations": destinations })))
}
