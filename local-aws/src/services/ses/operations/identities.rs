//! The operations of identities.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{self, QueryString};
use crate::services::ses::error::SesError;
use crate::services::ses::identities::Identity;
use crate::services::ses::page::{PageRequest, page};
use crate::services::ses::{Ses, SesState};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateEmailIdentity {
    email_identity: String,
}

pub(in crate::services::ses) async fn create(
    State(ses): State<Arc<Ses>>,
    body: Bytes,
) -> Result<Json<Value>, SesError> {
    let create: CreateEmailIdentity = input::json(&body)?;
    let SesState {
        identities,
        account_file,
        ..
    } = &mut *ses.state();
    let identity = identities.create(&create.email_identity)?;
    account_file.identity(Some(identity));
    Ok(Json(json!({
        "IdentityType": identity_type(identity),
        "VerifiedForSendingStatus": identity.verified,
        "DkimAttributes": dkim(identity),
    })))
}

pub(in crate::services::ses) async fn get(
    State(ses): State<Arc<Ses>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, SesError> {
    let state = ses.state();
    let identity = state
        .identities
        .get(&name)
        .ok_or_else(|| SesError::NotFound(format!("Email identity {name} does not exist.")))?;
    Ok(Json(json!({
        "IdentityType": identity_type(identity),
        "FeedbackForwardingStatus": true,
        "VerifiedForSendingStatus": identity.verified,
        "VerificationStatus": status(identity),
        "VerificationInfo": {},
        "DkimAttributes": dkim(identity),
        "MailFromAttributes": mail_from(identity),
        "Policies": {},
        "Tags": [],
    })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutMailFrom {
    #[serde(default)]
    mail_from_domain: String,
}

pub(in crate::services::ses) async fn put_mail_from(
    State(ses): State<Arc<Ses>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, SesError> {
    let PutMailFrom { mail_from_domain } = input::json(&body)?;
    let SesState {
        identities,
        account_file,
        ..
    } = &mut *ses.state();
    account_file.identity(Some(identities.set_mail_from(&name, &mail_from_domain)?));
    Ok(Json(json!({})))
}

pub(in crate::services::ses) async fn list_by_query(
    State(ses): State<Arc<Ses>>,
    uri: Uri,
) -> Result<Json<Value>, SesError> {
    list(&ses, &QueryString::parse(&uri)?.page()?)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEmailIdentities {
    next_token: Option<String>,
    page_size: Option<usize>,
    filter: Option<Value>,
}

pub(in crate::services::ses) async fn list_by_body(
    State(ses): State<Arc<Ses>>,
    body: Bytes,
) -> Result<Json<Value>, SesError> {
    let ListEmailIdentities {
        next_token,
        page_size,
        filter,
    } = input::json(&body)?;
    if filter.is_some() {
        return Err(SesError::BadRequest(
            "The simulator does not filter identities.".to_owned(),
        ));
    }
    let asked = PageRequest {
        token: next_token,
        size: page_size,
    };
    list(&ses, &asked)
}

fn list(ses: &Ses, asked: &PageRequest) -> Result<Json<Value>, SesError> {
    let state = ses.state();
    let entries = state.identities.iter().map(|identity| {
        let info = json!({
            "IdentityType": identity_type(identity),
            "IdentityName": identity.name,
            "SendingEnabled": identity.verified,
            "VerificationStatus": status(identity),
        });
        (identity.name.to_ascii_lowercase(), info)
    });
    let page = page(entries, asked)?;
    Ok(Json(json!({
        "EmailIdentities": page.entries,
        "NextToken": page.next_token,
    })))
}

fn identity_type(identity: &Identity) -> &'static str {
    if identity.is_address() {
        "EMAIL_ADDRESS"
    } else {
        "DOMAIN"
    }
}

fn status(identity: &Identity) -> &'static str {
    if identity.verified { "SUCCESS" } else { "PENDING" }
}

/// Writes the DKIM attributes. A domain is verified by DKIM. An address by itself has none.
fn dkim(identity: &Identity) -> Value {
    if identity.is_address() {
        return json!({
            "SigningEnabled": false,
            "Status": identity.dkim,
            "SigningAttributesOrigin": "AWS_SES",
        });
    }
    json!({
        "SigningEnabled": true,
        "Status": identity.dkim,
        "Tokens": ["local1", "local2", "local3"],
        "SigningHostedZone": "dkim.amazonses.com",
        "SigningAttributesOrigin": "AWS_SES",
        "CurrentSigningKeyLength": "RSA_2048_BIT",
        "NextSigningKeyLength": "RSA_2048_BIT",
    })
}

fn mail_from(identity: &Identity) -> Value {
    let mut attributes = json!({ "BehaviorOnMxFailure": "USE_DEFAULT_VALUE" });
    if let Some(mail_from) = &identity.mail_from {
        attributes["MailFromDomain"] = json!(mail_from.domain);
        attributes["MailFromDomainStatus"] = json!(mail_from.status);
    }
    attributes
}
