//! The requests and answers of the suppression list, which is Okite's own.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html>

use domain::address::EmailAddress;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::json;
use crate::answer::ApiAnswer;
use crate::fault::{ApiFault, FaultKind};
use crate::send::{address_fault, missing};

/// The most entries on a page, as in SES.
const PAGE_SIZE_MAX: usize = 1_000;

/// Why an address is suppressed, in the two words of SES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ListedReason {
    /// Mail to the address bounced.
    Bounce,
    /// The person complained.
    Complaint,
}

impl ListedReason {
    fn parse(text: &str) -> Result<Self, ApiFault> {
        match text {
            "BOUNCE" => Ok(Self::Bounce),
            "COMPLAINT" => Ok(Self::Complaint),
            _ => Err(ApiFault::invalid("Reason must be BOUNCE or COMPLAINT.")),
        }
    }
}

/// The request of `PutSuppressedDestination`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutSuppressed {
    /// The address to suppress.
    pub address: EmailAddress,
    /// The reason.
    pub reason: ListedReason,
}

impl PutSuppressed {
    /// Reads the request.
    ///
    /// # Errors
    /// A [`ApiFault`] with the first problem found.
    pub fn read(body: &[u8]) -> Result<Self, ApiFault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Request {
            email_address: Option<String>,
            reason: Option<String>,
        }
        let request: Request = json::read(body)?;
        let address = request.email_address.ok_or_else(|| missing("EmailAddress"))?;
        let reason = request.reason.ok_or_else(|| missing("Reason"))?;
        Ok(Self {
            address: destination(&address)?,
            reason: ListedReason::parse(&reason)?,
        })
    }
}

/// The request of `ListSuppressedDestinations`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListSuppressed {
    /// The reasons to list. If empty, all are.
    pub reasons: Vec<ListedReason>,
    /// The time from which entries are listed.
    pub from: Option<Timestamp>,
    /// The time until which entries are listed.
    pub to: Option<Timestamp>,
    /// The most entries on the page.
    pub page_size: usize,
    /// The token of the page before.
    pub next_token: Option<String>,
}

impl ListSuppressed {
    /// Reads the request from its query string.
    ///
    /// # Errors
    /// A [`ApiFault`] with the first problem found.
    pub fn read(query: &str) -> Result<Self, ApiFault> {
        let mut request = Self {
            page_size: PAGE_SIZE_MAX,
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "Reason" => request.reasons.push(ListedReason::parse(&value)?),
                "StartDate" => request.from = Some(time("StartDate", &value)?),
                "EndDate" => request.to = Some(time("EndDate", &value)?),
                "PageSize" => request.page_size = page_size(&value)?,
                "NextToken" => request.next_token = Some(value.into_owned()),
                "TenantName" => {
                    return Err(ApiFault::invalid(
                        "TenantName is not supported: Okite has one suppression list.",
                    ));
                }
                _ => {}
            }
        }
        Ok(request)
    }
}

fn time(name: &str, value: &str) -> Result<Timestamp, ApiFault> {
    value
        .parse()
        .map_err(|_| ApiFault::invalid(format!("{name} must be a time such as 2026-01-31T23:59:59Z.")))
}

pub(super) fn page_size(value: &str) -> Result<usize, ApiFault> {
    let size = value.parse().ok().filter(|size| (1..=PAGE_SIZE_MAX).contains(size));
    size.ok_or_else(|| ApiFault::invalid(format!("PageSize must be a whole number from 1 to {PAGE_SIZE_MAX}.")))
}

/// Reads the address that a path or a request names. Where a client has decoded a plus to a space, the space is a plus.
///
/// # Errors
/// A [`ApiFault`] if the text is no address.
pub fn destination(text: &str) -> Result<EmailAddress, ApiFault> {
    let plus = |error| match text.trim() {
        text if text.contains(' ') => EmailAddress::parse(&text.replace(' ', "+")),
        _ => Err(error),
    };
    EmailAddress::parse(text)
        .or_else(plus)
        .map_err(|error| address_fault("EmailAddress", error))
}

/// An entry of the suppression list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressedDestination {
    /// The address.
    pub address: String,
    /// The reason.
    pub reason: ListedReason,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// SES's id of the mail that led to the entry.
    pub message_id: Option<String>,
}

impl SuppressedDestination {
    fn json(&self) -> Value {
        json!({
            "EmailAddress": self.address,
            "Reason": self.reason,
            // Seconds since 1970 with a fraction: the protocol's form of a time in JSON.
            "LastUpdateTime": self.updated_at.as_duration().as_secs_f64(),
        })
    }
}

/// Answers `GetSuppressedDestination`. Nothing is there: [`FaultKind::NotFound`].
///
/// # Errors
/// If there is no entry.
pub fn suppressed(entry: Option<&SuppressedDestination>, request_id: Uuid) -> Result<ApiAnswer, ApiFault> {
    let Some(entry) = entry else {
        return Err(ApiFault::new(
            FaultKind::NotFound,
            "The address does not exist on your suppression list.",
        ));
    };
    let mut body = entry.json();
    if let Some(id) = &entry.message_id {
        body["Attributes"] = json!({ "MessageId": id });
    }
    Ok(json::answer(request_id, &json!({ "SuppressedDestination": body })))
}

/// Answers `ListSuppressedDestinations` with a page.
#[must_use]
pub fn suppressed_list(entries: &[SuppressedDestination], next_token: Option<&str>, request_id: Uuid) -> ApiAnswer {
    let entries: Vec<Value> = entries.iter().map(SuppressedDestination::json).collect();
    let mut body = json!({ "SuppressedDestinationSummaries": entries });
    if let Some(token) = next_token {
        body["NextToken"] = json!(token);
    }
    json::answer(request_id, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> SuppressedDestination {
        SuppressedDestination {
            address: "a@example.net".to_owned(),
            reason: ListedReason::Complaint,
            updated_at: "2026-01-02T03:04:05.5Z".parse().unwrap(),
            message_id: Some("1".to_owned()),
        }
    }

    #[test]
    fn reads_what_to_suppress() {
        let put = PutSuppressed::read(br#"{"EmailAddress": "a+b@example.net", "Reason": "BOUNCE"}"#).unwrap();
        assert_eq!(put.address.as_given(), "a+b@example.net");
        assert_eq!(put.reason, ListedReason::Bounce);
        for (body, words) in [
            ("{}", "Missing required parameter: EmailAddress."),
            (
                r#"{"EmailAddress": "a@example.net"}"#,
                "Missing required parameter: Reason.",
            ),
            (
                r#"{"EmailAddress": "a@example.net", "Reason": "x"}"#,
                "Reason must be BOUNCE or COMPLAINT.",
            ),
            (
                r#"{"EmailAddress": "a", "Reason": "BOUNCE"}"#,
                "Missing final '@domain' (EmailAddress)",
            ),
        ] {
            assert_eq!(PutSuppressed::read(body.as_bytes()).unwrap_err().message, words);
        }
    }

    #[test]
    fn reads_which_page_to_list() {
        let list = ListSuppressed::read(
            "Reason=BOUNCE&Reason=COMPLAINT&StartDate=2026-01-02T03%3A04%3A05Z&PageSize=10&NextToken=a%2Fb",
        )
        .unwrap();
        assert_eq!(list.reasons, [ListedReason::Bounce, ListedReason::Complaint]);
        assert_eq!(list.from, Some("2026-01-02T03:04:05Z".parse().unwrap()));
        assert_eq!((list.page_size, list.next_token.as_deref()), (10, Some("a/b")));
        assert_eq!(ListSuppressed::read("").unwrap().page_size, 1_000);
        for query in [
            "PageSize=0",
            "PageSize=1001",
            "PageSize=x",
            "StartDate=x",
            "Reason=x",
            "TenantName=x",
        ] {
            assert!(ListSuppressed::read(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_space_in_an_address_is_a_plus() {
        assert_eq!(destination("a b@example.net").unwrap().as_given(), "a+b@example.net");
        assert!(destination("a").is_err());
    }

    #[test]
    fn answers_have_the_members_of_ses() {
        let answer = suppressed(Some(&entry()), Uuid::nil()).unwrap();
        assert_eq!(
            answer.body,
            r#"{"SuppressedDestination":{"Attributes":{"MessageId":"1"},"EmailAddress":"a@example.net","LastUpdateTime":1767323045.5,"Reason":"COMPLAINT"}}"#
        );
        let answer = suppressed_list(&[entry()], Some("t"), Uuid::nil());
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["NextToken"], "t");
        assert_eq!(
            body["SuppressedDestinationSummaries"][0]["EmailAddress"],
            "a@example.net"
        );
        assert_eq!(suppressed(None, Uuid::nil()).unwrap_err().kind, FaultKind::NotFound);
    }
}
