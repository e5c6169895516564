//! The requests and answers of `GetEmailIdentity` and `ListEmailIdentities`.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html>

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::json;
use super::suppression::page_size;
use crate::answer::ApiAnswer;
use crate::fault::{ApiFault, FaultKind};
use crate::identity::Identity;

/// A page of identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityPage {
    /// The identities.
    pub identities: Vec<Identity>,
    /// The token of the next page.
    pub next_token: Option<String>,
}

/// The request of `ListEmailIdentities`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListEmailIdentities {
    /// The most entries on the page.
    pub page_size: Option<usize>,
    /// The token of the page before.
    pub next_token: Option<String>,
}

impl ListEmailIdentities {
    /// Reads the request from its query string.
    ///
    /// # Errors
    /// A [`ApiFault`] if the page size is not valid.
    pub fn by_query(query: &str) -> Result<Self, ApiFault> {
        let mut request = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "PageSize" => request.page_size = Some(page_size(&value)?),
                "NextToken" => request.next_token = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(request)
    }

    /// Reads the request from its body.
    ///
    /// # Errors
    /// A [`ApiFault`] if the body or the page size is not valid.
    pub fn by_body(body: &[u8]) -> Result<Self, ApiFault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Request {
            page_size: Option<u64>,
            next_token: Option<String>,
        }
        let request: Request = json::read(body)?;
        Ok(Self {
            page_size: request.page_size.map(|size| page_size(&size.to_string())).transpose()?,
            next_token: request.next_token,
        })
    }
}

/// Answers `GetEmailIdentity`.
///
/// # Errors
/// If there is no identity of the name.
pub fn identity(identity: Option<&Identity>, request_id: Uuid) -> Result<ApiAnswer, ApiFault> {
    let Some(identity) = identity else {
        return Err(ApiFault::new(FaultKind::NotFound, "The email identity does not exist."));
    };
    Ok(json::answer(
        request_id,
        &json!({
            "IdentityType": identity_type(identity),
            "FeedbackForwardingStatus": false,
            "VerifiedForSendingStatus": identity.is_verified,
            "VerificationStatus": status(identity),
        }),
    ))
}

/// Answers `ListEmailIdentities`.
#[must_use]
pub fn identities(page: &IdentityPage, request_id: Uuid) -> ApiAnswer {
    let entry = |identity: &Identity| {
        json!({
            "IdentityType": identity_type(identity),
            "IdentityName": identity.name,
            "SendingEnabled": identity.is_verified,
            "VerificationStatus": status(identity),
        })
    };
    let entries: Vec<Value> = page.identities.iter().map(entry).collect();
    let mut body = json!({ "EmailIdentities": entries });
    if let Some(token) = &page.next_token {
        body["NextToken"] = json!(token);
    }
    json::answer(request_id, &body)
}

fn identity_type(identity: &Identity) -> &'static str {
    if identity.is_address() {
        "EMAIL_ADDRESS"
    } else {
        "DOMAIN"
    }
}

fn status(identity: &Identity) -> &'static str {
    if identity.is_verified { "SUCCESS" } else { "PENDING" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Identity {
        Identity {
            name: "example.com".to_owned(),
            is_verified: true,
        }
    }

    #[test]
    fn reads_which_page_to_list() {
        let wanted = ListEmailIdentities {
            page_size: Some(10),
            next_token: Some("t".to_owned()),
        };
        assert_eq!(
            ListEmailIdentities::by_query("PageSize=10&NextToken=t").as_ref(),
            Ok(&wanted)
        );
        assert_eq!(
            ListEmailIdentities::by_body(br#"{"PageSize": 10, "NextToken": "t"}"#).as_ref(),
            Ok(&wanted)
        );
        assert_eq!(ListEmailIdentities::by_body(b""), Ok(ListEmailIdentities::default()));
        assert!(ListEmailIdentities::by_body(br#"{"PageSize": 0}"#).is_err());
        assert!(ListEmailIdentities::by_query("PageSize=x").is_err());
    }

    #[test]
    fn answers_have_the_members_of_ses() {
        let answer = identity(Some(&domain()), Uuid::nil()).unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&body["IdentityType"], &body["VerificationStatus"]),
            (&json!("DOMAIN"), &json!("SUCCESS"))
        );
        assert_eq!(identity(None, Uuid::nil()).unwrap_err().kind, FaultKind::NotFound);
        let address = Identity {
            name: "a@example.com".to_owned(),
            is_verified: false,
        };
        let page = IdentityPage {
            identities: vec![domain(), address],
            next_token: None,
        };
        let body: Value = serde_json::from_str(&identities(&page, Uuid::nil()).body).unwrap();
        assert_eq!(body["EmailIdentities"][1]["IdentityType"], "EMAIL_ADDRESS");
        assert_eq!(body["EmailIdentities"][1]["VerificationStatus"], "PENDING");
        assert_eq!(body.get("NextToken"), None);
    }
}
