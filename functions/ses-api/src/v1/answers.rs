//! The answers of version 1.

use domain::account::Account;
use jiff::Timestamp;
use uuid::Uuid;

use crate::answer::{ApiAnswer, Protocol};
use crate::identity::Identity;
use crate::xml::{NAMESPACE, Xml};

/// The figures of 15 minutes, as `GetSendStatistics` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendDataPoint {
    /// The beginning of the 15 minutes.
    pub at: Timestamp,
    /// How many mails were sent.
    pub delivery_attempts: u64,
    /// How many of them bounced.
    pub bounces: u64,
    /// How many complaints came.
    pub complaints: u64,
    /// How many mails SES rejected.
    pub rejects: u64,
}

/// Answers `SendEmail` or `SendRawEmail` with the id of the mail.
#[must_use]
pub fn sent(is_raw: bool, message_id: &str, request_id: Uuid) -> ApiAnswer {
    let action = if is_raw { "SendRawEmail" } else { "SendEmail" };
    answer(action, request_id, |xml| xml.text("MessageId", message_id))
}

/// Answers `GetSendQuota` with the figures that the caller may use.
#[must_use]
pub fn quota(account: &Account, request_id: Uuid) -> ApiAnswer {
    answer("GetSendQuota", request_id, |xml| {
        xml.text("Max24HourSend", &account.max_24_hour_send.to_string())
            .text("MaxSendRate", &account.max_send_rate.to_string())
            .text("SentLast24Hours", &account.sent_last_24_hours.to_string())
    })
}

/// Answers `GetSendStatistics`.
#[must_use]
pub fn statistics(points: &[SendDataPoint], request_id: Uuid) -> ApiAnswer {
    answer("GetSendStatistics", request_id, |xml| {
        xml.element("SendDataPoints", |xml| {
            xml.each(points, |xml, point| {
                xml.element("member", |xml| {
                    xml.text("Timestamp", &point.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
                        .text("DeliveryAttempts", &point.delivery_attempts.to_string())
                        .text("Bounces", &point.bounces.to_string())
                        .text("Complaints", &point.complaints.to_string())
                        .text("Rejects", &point.rejects.to_string())
                })
            })
        })
    })
}

/// Answers `ListVerifiedEmailAddresses` with those of the identities that are verified addresses.
#[must_use]
pub fn verified_addresses(identities: &[Identity], request_id: Uuid) -> ApiAnswer {
    answer("ListVerifiedEmailAddresses", request_id, |xml| {
        xml.element("VerifiedEmailAddresses", |xml| {
            xml.each(identities, |xml, identity| {
                let verified = Some(identity).filter(|identity| identity.is_verified && identity.is_address());
                xml.maybe(verified, |xml, identity| xml.text("member", &identity.name))
            })
        })
    })
}

/// Answers `ListIdentities`.
#[must_use]
pub fn identities(identities: &[Identity], next_token: Option<&str>, request_id: Uuid) -> ApiAnswer {
    answer("ListIdentities", request_id, |xml| {
        xml.element("Identities", |xml| {
            xml.each(identities, |xml, identity| xml.text("member", &identity.name))
        })
        .maybe(next_token, |xml, token| xml.text("NextToken", token))
    })
}

/// Answers `GetIdentityVerificationAttributes`. An identity that the account does not have is left out, as in SES.
#[must_use]
pub fn verification(identities: &[Identity], request_id: Uuid) -> ApiAnswer {
    answer("GetIdentityVerificationAttributes", request_id, |xml| {
        xml.element("VerificationAttributes", |xml| {
            xml.each(identities, |xml, identity| {
                let status = if identity.is_verified { "Success" } else { "Pending" };
                xml.element("entry", |xml| {
                    xml.text("key", &identity.name)
                        .element("value", |xml| xml.text("VerificationStatus", status))
                })
            })
        })
    })
}

/// Answers `GetAccountSendingEnabled`.
#[must_use]
pub fn account_sending_enabled(is_enabled: bool, request_id: Uuid) -> ApiAnswer {
    answer("GetAccountSendingEnabled", request_id, |xml| {
        xml.text("Enabled", &is_enabled.to_string())
    })
}

/// Writes the answer of an action, with what `result` writes.
fn answer(action: &str, request_id: Uuid, result: impl FnOnce(Xml) -> Xml) -> ApiAnswer {
    let body = Xml::default().element(&format!("{action}Response xmlns=\"{NAMESPACE}\""), |xml| {
        xml.element(&format!("{action}Result"), result)
            .element("ResponseMetadata", |xml| xml.text("RequestId", &request_id.to_string()))
    });
    ApiAnswer::new(Protocol::V1, 200, request_id, body.finish())
}

#[cfg(test)]
mod tests {
    use domain::account::EnforcementStatus;

    use super::*;

    const ID: &str = "<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>";

    fn result(answer: &ApiAnswer, action: &str) -> String {
        let before = format!("<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>");
        let after = format!("</{action}Result>{ID}</{action}Response>");
        let rest = answer
            .body
            .strip_prefix(&before)
            .unwrap_or_else(|| panic!("{}", answer.body));
        rest.strip_suffix(&after)
            .unwrap_or_else(|| panic!("{}", answer.body))
            .to_owned()
    }

    fn some_identities() -> Vec<Identity> {
        [("example.com", true), ("a@example.org", true), ("b@example.org", false)]
            .map(|(name, is_verified)| Identity {
                name: name.to_owned(),
                is_verified,
            })
            .to_vec()
    }

    #[test]
    fn writes_the_elements_of_each_answer() {
        let account = Account {
            max_24_hour_send: 50_000.0,
            sent_last_24_hours: 12.0,
            max_send_rate: 13.5,
            production_access: true,
            sending_enabled: true,
            enforcement_status: EnforcementStatus::Healthy,
        };
        let point = SendDataPoint {
            at: Timestamp::UNIX_EPOCH,
            delivery_attempts: 5,
            bounces: 1,
            complaints: 0,
            rejects: 2,
        };
        for (answer, action, wanted) in [
            (
                sent(true, "0<1", Uuid::nil()),
                "SendRawEmail",
                "<MessageId>0&lt;1</MessageId>",
            ),
            (sent(false, "1", Uuid::nil()), "SendEmail", "<MessageId>1</MessageId>"),
            (
                quota(&account, Uuid::nil()),
                "GetSendQuota",
                "<Max24HourSend>50000</Max24HourSend><MaxSendRate>13.5</MaxSendRate><SentLast24Hours>12</SentLast24Hours>",
            ),
            (
                statistics(&[point], Uuid::nil()),
                "GetSendStatistics",
                "<SendDataPoints><member><Timestamp>1970-01-01T00:00:00Z</Timestamp><DeliveryAttempts>5</DeliveryAttempts>\
                 <Bounces>1</Bounces><Complaints>0</Complaints><Rejects>2</Rejects></member></SendDataPoints>",
            ),
            (
                verified_addresses(&some_identities(), Uuid::nil()),
                "ListVerifiedEmailAddresses",
                "<VerifiedEmailAddresses><member>a@example.org</member></VerifiedEmailAddresses>",
            ),
            (
                identities(&some_identities()[..1], Some("t"), Uuid::nil()),
                "ListIdentities",
                "<Identities><member>example.com</member></Identities><NextToken>t</NextToken>",
            ),
            (
                verification(&some_identities()[2..], Uuid::nil()),
                "GetIdentityVerificationAttributes",
                "<VerificationAttributes><entry><key>b@example.org</key><value><VerificationStatus>Pending\
                 </VerificationStatus></value></entry></VerificationAttributes>",
            ),
            (
                account_sending_enabled(true, Uuid::nil()),
                "GetAccountSendingEnabled",
                "<Enabled>true</Enabled>",
            ),
        ] {
            assert_eq!(result(&answer, action), wanted);
        }
    }
}
