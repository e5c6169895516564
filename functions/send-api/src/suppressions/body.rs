//! A suppression, as the answers show it.

use domain::bounce::BounceReason;
use domain::suppression::{RegisterEvidence, Suppression, SuppressionEntry, SuppressionReason, mail_of};
use domain::unsubscribe::Topic;
use jiff::Timestamp;
use serde::Serialize;
use suppression::evidence;
use uuid::Uuid;

use crate::response::to_the_millisecond;

/// An active entry of the suppression list.
#[derive(Serialize)]
pub(super) struct SuppressionBody<'a> {
    object: &'static str,
    id: Uuid,
    /// The address in lower case.
    email: &'a str,
    /// The cause, in the terms of the Resend API.
    origin: &'static str,
    /// The id of the email whose event suppressed the address, if an event did: Okite's, or else SES's.
    source_id: Option<&'a str>,
    #[serde(serialize_with = "to_the_millisecond")]
    created_at: Timestamp,
    /// The cause, in Okite's terms.
    reason: &'static str,
    /// The topic that the person left. Without one, the suppression concerns all mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    since: Timestamp,
    /// When the suppression ends by itself, if it has an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// SES's subtype of the bounce or complaint.
    #[serde(skip_serializing_if = "Option::is_none")]
    subtype: Option<&'a str>,
    /// Why the mail bounced, by Okite's judgement. A suppression without an event has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_reason: Option<&'static str>,
    /// The receiving server's answer, or the note of the operator who added the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// Returns why the mail bounced: by the evidence of the register or, for soft bounces, by that of the bounce from which
/// on they suppress.
fn bounce_reason(entry: &SuppressionEntry, suppression: Suppression) -> Option<BounceReason> {
    if suppression.reason == SuppressionReason::Soft {
        let mut bounces = entry
            .soft_bounces
            .iter()
            .filter(|bounce| bounce.at == suppression.since);
        return bounces.find_map(|bounce| bounce.reason);
    }
    evidence(entry, suppression.reason)?.bounce_reason
}

/// Returns the id of the email that made Okite suppress an address. A pass over SES's list and a person have none.
fn source_id<'a>(
    entry: &'a SuppressionEntry,
    reason: SuppressionReason,
    evidence: Option<&'a RegisterEvidence>,
) -> Option<&'a str> {
    match reason {
        SuppressionReason::Manual | SuppressionReason::Unreadable | SuppressionReason::Unsubscribed => None,
        SuppressionReason::Soft => {
            let bounces = entry.soft_bounces.iter();
            let of_mails = bounces.filter_map(|bounce| Some((bounce.at, mail_of(&bounce.source)?)));
            of_mails.max().map(|(_, mail)| mail)
        }
        SuppressionReason::Bounce | SuppressionReason::Complaint | SuppressionReason::Blocked => {
            mail_of(&evidence?.source)
        }
    }
}

impl<'a> SuppressionBody<'a> {
    pub(super) fn of(entry: &'a SuppressionEntry, suppression: Suppression) -> Self {
        let Suppression { reason, since } = suppression;
        let evidence = evidence(entry, reason);
        let text = |text: &'a String| Some(text.as_str()).filter(|text| !text.is_empty());
        Self {
            object: "suppression",
            id: entry.id,
            email: entry.address.normalised(),
            origin: reason.origin(),
            source_id: source_id(entry, reason, evidence),
            created_at: since,
            reason: reason.as_str(),
            topic: None,
            since,
            expires_at: entry
                .registers
                .manual_expires_at
                .filter(|_| reason == SuppressionReason::Manual),
            subtype: evidence.and_then(|evidence| text(&evidence.subtype)),
            bounce_reason: bounce_reason(entry, suppression).map(BounceReason::as_str),
            note: evidence.and_then(|evidence| text(evidence.diagnostic.as_ref()?)),
        }
    }
}

impl<'a> SuppressionBody<'a> {
    /// Shows that a person left a topic. Returns `None` if that is not so.
    pub(super) fn of_topic(entry: &'a SuppressionEntry, topic: &'a Topic) -> Option<Self> {
        let suppression = entry.registers.topics.suppression(topic)?;
        Some(Self {
            topic: Some(topic.as_str()),
            ..Self::of(entry, suppression)
        })
    }
}

/// The answer when an address was added to the list.
#[derive(Serialize)]
pub(super) struct CreatedBody {
    pub(super) object: &'static str,
    pub(super) id: Uuid,
}

impl CreatedBody {
    pub(super) fn of(id: Uuid) -> Self {
        Self {
            object: "suppression",
            id,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::address::EmailAddress;
    use domain::suppression::{Registers, SoftBounce};
    use serde_json::{Value, json};

    use domain::suppression::Register;

    use super::*;

    const MAIL: &str = "01a20241-2c4e-7a91-9d0b-51f0a3c4e6d7";

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_791_330_476_000 + milliseconds).unwrap()
    }

    fn shown(reason: SuppressionReason, register: Register, source: &str, soft: &[&str]) -> Value {
        let evidence = RegisterEvidence {
            address: "Anna@Example.ORG".to_owned(),
            source: source.to_owned(),
            ..RegisterEvidence::default()
        };
        let soft = soft.iter().zip(0..);
        let entry = SuppressionEntry {
            id: Uuid::from_u128(7),
            address: EmailAddress::parse("ANNA@Bücher.example").unwrap(),
            registers: Registers::default(),
            soft_bounces: soft
                .map(|(source, number)| SoftBounce {
                    at: at(number),
                    source: (*source).to_owned(),
                    reason: None,
                })
                .collect(),
            evidence: BTreeMap::from([(register, evidence)]),
        };
        let suppression = Suppression { reason, since: at(678) };
        serde_json::to_value(SuppressionBody::of(&entry, suppression)).unwrap()
    }

    #[test]
    fn has_the_address_and_the_time_in_the_form_of_the_contract() {
        let shown = shown(
            SuppressionReason::Manual,
            SuppressionReason::Manual.into(),
            "key a1b2",
            &[],
        );
        assert_eq!(
            [&shown["email"], &shown["created_at"], &shown["source_id"]],
            [
                &json!("anna@xn--bcher-kva.example"),
                &json!("2026-10-06T23:47:56.678Z"),
                &Value::Null
            ]
        );
    }

    #[test]
    fn names_the_email_that_suppressed_the_address() {
        let ses_id = "0100019b0a1b2c3d-00000000-0000-0000-0000-000000000000-000000";
        for (source, id) in [
            (format!("f-1#{MAIL}"), json!(MAIL)),
            (format!("f-1#{ses_id}"), json!(ses_id)),
            ("f-1".to_owned(), Value::Null),
            ("SES's list".to_owned(), Value::Null),
            ("key a1b2".to_owned(), Value::Null),
            ("an import # of two words".to_owned(), Value::Null),
            ("f-1#".to_owned(), Value::Null),
        ] {
            for reason in [
                SuppressionReason::Bounce,
                SuppressionReason::Complaint,
                SuppressionReason::Blocked,
            ] {
                assert_eq!(shown(reason, reason.into(), &source, &[])["source_id"], id, "{source}");
            }
            let echo = shown(SuppressionReason::Bounce, Register::BounceEcho, &source, &[]);
            assert_eq!(echo["source_id"], id, "{source}");
        }
        let newest = format!("f-1#{MAIL}");
        let soft = shown(
            SuppressionReason::Soft,
            Register::BounceEcho,
            "",
            &["f-0#01a20241-2c4e-7a91-9d0b-51f0a3c4e6d6", &newest, "f-2"],
        );
        assert_eq!(soft["source_id"], MAIL);
    }
}
