//! Reads an identity from SES.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::types::{BehaviorOnMxFailure, DkimAttributes};

use super::IdentityState;
use crate::aws_error::failed;
use crate::dns::Known;

/// Reads the state of an identity; `None` if SES does not have it in the region.
pub(crate) async fn read(client: &Client, name: &str) -> Known<Option<IdentityState>> {
    let answer = client.get_email_identity().email_identity(name).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(SdkError::ServiceError(error)) if error.err().is_not_found_exception() => return Ok(None),
        Err(error) => return Err(failed("GetEmailIdentity", &error)),
    };
    let dkim = answer.dkim_attributes();
    let mail_from = answer.mail_from_attributes();
    let error = answer.verification_info().and_then(|info| info.error_type());
    let own_domain = mail_from.filter(|attributes| !attributes.mail_from_domain().is_empty());
    Ok(Some(IdentityState {
        verified: answer.verified_for_sending_status(),
        status: answer
            .verification_status()
            .map_or("PENDING", |status| status.as_str())
            .to_owned(),
        error: error.map(|error| error.as_str().to_owned()),
        dkim: dkim
            .and_then(|dkim| dkim.status())
            .map_or("NOT_STARTED", |status| status.as_str())
            .to_owned(),
        signing: dkim.is_some_and(DkimAttributes::signing_enabled),
        dkim_tokens: dkim.map(|dkim| dkim.tokens().to_vec()).unwrap_or_default(),
        dkim_zone: dkim
            .and_then(|dkim| dkim.signing_hosted_zone())
            .unwrap_or("dkim.amazonses.com")
            .to_owned(),
        mail_from: own_domain.map(|attributes| {
            let status = attributes.mail_from_domain_status().as_str();
            (attributes.mail_from_domain().to_owned(), status.to_owned())
        }),
        mail_from_required: mail_from
            .is_some_and(|attributes| *attributes.behavior_on_mx_failure() == BehaviorOnMxFailure::RejectMessage),
    }))
}
