//! The JSON of an event, as an endpoint receives it. Its names are those of the Resend API; names that Okite adds begin
//! with `okite_`.

use std::collections::BTreeMap;

use domain::record::Visit;
use domain::unsubscribe::Topic;
use domain::webhook::{
    AccountEvent, BounceFacts, EmailEvent, EmailOutcome, EventSubject, SuppressionEvent, WebhookEvent,
};
use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Payload<'a> {
    r#type: &'static str,
    created_at: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Email(Box<EmailData<'a>>),
    Suppression(SuppressionData<'a>),
    Verdict {
        from: Option<&'a str>,
        to: &'a str,
    },
    Brake {
        from: &'a str,
        to: &'a str,
        by: &'a str,
        why: &'a str,
    },
}

#[derive(Serialize)]
struct EmailData<'a> {
    email_id: &'a str,
    /// The header `Message-ID` that SES gives the mail; empty as long as SES's id is not known.
    message_id: String,
    created_at: String,
    from: &'a str,
    /// The recipient of the event alone; every recipient if nobody knows which it is.
    to: &'a [String],
    subject: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Header<'a>>,
    /// Every recipient of the mail.
    okite_recipients: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce: Option<Bounce<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click: Option<Click<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<Suppressed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    okite_delay: Option<Delay<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    okite_complaint: Option<Complaint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    okite_open: Option<Open<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    okite_scheduled_at: Option<String>,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bounce<'a> {
    r#type: &'a str,
    sub_type: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostic_code: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Click<'a> {
    ip_address: &'a str,
    link: &'a str,
    timestamp: String,
    user_agent: &'a str,
}

#[derive(Serialize)]
struct Failed<'a> {
    reason: &'a str,
}

#[derive(Serialize)]
struct Suppressed<'a> {
    r#type: &'a str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Delay<'a> {
    r#type: Option<&'a str>,
    diagnostic_code: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Complaint<'a> {
    feedback_type: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    ip_address: &'a str,
    timestamp: String,
    user_agent: &'a str,
}

#[derive(Serialize)]
struct SuppressionData<'a> {
    id: &'a str,
    email: &'a str,
    origin: &'static str,
    source_id: Option<&'a str>,
    created_at: String,
    okite_reason: &'static str,
    /// The topic that the change concerns. Without one, it concerns all mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    okite_topic: Option<&'a str>,
}

/// Writes the body of the request for an event. `region` is that of the account: SES's `Message-ID` names it.
#[must_use]
pub fn payload(event: &WebhookEvent, region: &str) -> String {
    let data = match &event.subject {
        EventSubject::Email(email) => Data::Email(Box::new(email_data(email, event.created_at, region))),
        EventSubject::Suppression(suppression) => Data::Suppression(suppression_data(suppression)),
        EventSubject::Account(AccountEvent::VerdictChanged { from, to }) => Data::Verdict {
            from: from.as_deref(),
            to,
        },
        EventSubject::Account(AccountEvent::BrakeChanged { from, to, by, why }) => Data::Brake { from, to, by, why },
    };
    let payload = Payload {
        r#type: event.kind().as_str(),
        created_at: time(event.created_at),
        data,
    };
    // Texts and numbers always become JSON.
    serde_json::to_string(&payload).unwrap_or_default()
}

fn email_data<'a>(email: &'a EmailEvent, at: Timestamp, region: &str) -> EmailData<'a> {
    let mut data = EmailData {
        email_id: &email.email_id,
        message_id: email
            .ses_id
            .as_deref()
            .map(|id| message_id(id, region))
            .unwrap_or_default(),
        created_at: time(email.email_created_at),
        from: &email.from,
        to: if email.to.is_empty() {
            &email.recipients
        } else {
            std::slice::from_ref(&email.to)
        },
        subject: &email.subject,
        tags: &email.tags,
        headers: email
            .headers
            .iter()
            .map(|(name, value)| Header { name, value })
            .collect(),
        okite_recipients: &email.recipients,
        bounce: None,
        click: None,
        failed: None,
        suppressed: None,
        okite_delay: None,
        okite_complaint: None,
        okite_open: None,
        okite_scheduled_at: None,
    };
    match &email.outcome {
        EmailOutcome::Bounced(bounce) => {
            data.bounce = Some(Bounce {
                r#type: &bounce.bounce_type,
                sub_type: &bounce.sub_type,
                message: bounce_message(bounce),
                diagnostic_code: bounce.diagnostic.as_deref(),
            });
        }
        EmailOutcome::Clicked { link, visit } => {
            let Open {
                ip_address,
                timestamp,
                user_agent,
            } = open(visit, at);
            data.click = Some(Click {
                ip_address,
                link,
                timestamp,
                user_agent,
            });
        }
        EmailOutcome::Opened(visit) => data.okite_open = Some(open(visit, at)),
        EmailOutcome::Failed { reason } => data.failed = Some(Failed { reason }),
        EmailOutcome::Suppressed { reason } => {
            data.suppressed = Some(Suppressed {
                r#type: reason,
                message: format!("Okite has suppressed sending to this address (reason: {reason})."),
            });
        }
        EmailOutcome::Delayed { delay_type, diagnostic } => {
            data.okite_delay = Some(Delay {
                r#type: delay_type.as_deref(),
                diagnostic_code: diagnostic.as_deref(),
            });
        }
        EmailOutcome::Complained { feedback_type } => {
            data.okite_complaint = Some(Complaint {
                feedback_type: feedback_type.as_deref(),
            });
        }
        EmailOutcome::Scheduled { at } => data.okite_scheduled_at = Some(time(*at)),
        EmailOutcome::Sent | EmailOutcome::Delivered | EmailOutcome::Queued | EmailOutcome::Canceled => {}
    }
    data
}

fn suppression_data(suppression: &SuppressionEvent) -> SuppressionData<'_> {
    SuppressionData {
        id: &suppression.id,
        email: &suppression.email,
        origin: suppression.reason.origin(),
        source_id: suppression.source_id.as_deref(),
        created_at: time(suppression.since),
        okite_reason: suppression.reason.as_str(),
        okite_topic: suppression.topic.as_ref().map(Topic::as_str),
    }
}

fn open(visit: &Visit, at: Timestamp) -> Open<'_> {
    Open {
        ip_address: visit.ip_address.as_deref().unwrap_or_default(),
        timestamp: time(at),
        user_agent: visit.user_agent.as_deref().unwrap_or_default(),
    }
}

/// Returns the text by which a person, and a client that reads nothing else, tells kinds of bounces apart.
/// django-anymail looks for "suppressed sending" and for "bounce message".
fn bounce_message(bounce: &BounceFacts) -> String {
    let BounceFacts {
        bounce_type, sub_type, ..
    } = bounce;
    if sub_type.contains("Suppress") {
        return "Amazon SES has suppressed sending to this address, which is on a suppression list of the account."
            .to_owned();
    }
    let kind = match bounce_type.as_str() {
        "Permanent" => "hard bounce message",
        "Transient" => "temporary bounce message",
        _ => "bounce message",
    };
    format!("The recipient's mail server sent a {kind} ({bounce_type}/{sub_type}).")
}

/// Returns the `Message-ID` that SES gives a mail.
/// <https://docs.aws.amazon.com/ses/latest/dg/header-fields.html>
fn message_id(ses_id: &str, region: &str) -> String {
    // The oldest region has the domain that SES had before there were others.
    let domain = if region == "us-east-1" { "email" } else { region };
    format!("<{ses_id}@{domain}.amazonses.com>")
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use domain::suppression::SuppressionReason;
    use domain::webhook::{EventId, SuppressionChange};
    use serde_json::{Value, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn json_of(subject: EventSubject) -> Value {
        let created_at = at("2026-11-28T12:00:00.5Z");
        let event = WebhookEvent {
            id: EventId::of(created_at, &[]),
            created_at,
            subject,
        };
        serde_json::from_str(&payload(&event, "eu-west-1")).unwrap()
    }

    fn email(outcome: EmailOutcome) -> EmailEvent {
        EmailEvent {
            email_id: "0199".to_owned(),
            ses_id: Some("0100-s".to_owned()),
            email_created_at: at("2026-11-28T11:59:00Z"),
            from: "Acme <news@acme.example>".to_owned(),
            to: "anna@example.org".to_owned(),
            recipients: vec!["anna@example.org".to_owned(), "ben@example.org".to_owned()],
            subject: "Hello".to_owned(),
            tags: BTreeMap::from([("campaign".to_owned(), "autumn".to_owned())]),
            headers: vec![("X-Metadata".to_owned(), r#"{"order": 7}"#.to_owned())],
            outcome,
        }
    }

    #[test]
    fn an_email_event_has_the_fields_of_the_contract() {
        assert_eq!(
            json_of(EventSubject::Email(Box::new(email(EmailOutcome::Sent)))),
            json!({
                "type": "email.sent",
                "created_at": "2026-11-28T12:00:00.500Z",
                "data": {
                    "email_id": "0199",
                    "message_id": "<0100-s@eu-west-1.amazonses.com>",
                    "created_at": "2026-11-28T11:59:00.000Z",
                    "from": "Acme <news@acme.example>",
                    "to": ["anna@example.org"],
                    "subject": "Hello",
                    "tags": {"campaign": "autumn"},
                    "headers": [{"name": "X-Metadata", "value": "{\"order\": 7}"}],
                    "okite_recipients": ["anna@example.org", "ben@example.org"],
                },
            })
        );
    }

    #[test]
    fn an_event_of_nobody_knows_whom_names_every_recipient() {
        let mut event = email(EmailOutcome::Opened(Visit::default()));
        event.to.clear();
        let data = &json_of(EventSubject::Email(Box::new(event)))["data"];
        assert_eq!(data["to"], json!(["anna@example.org", "ben@example.org"]));
    }

    #[test]
    fn each_outcome_has_its_own_part() {
        let visit = || Visit {
            ip_address: Some("203.0.113.7".to_owned()),
            user_agent: Some("Mail/1".to_owned()),
        };
        let bounce = BounceFacts {
            bounce_type: "Permanent".to_owned(),
            sub_type: "General".to_owned(),
            diagnostic: Some("550 5.1.1 unknown".to_owned()),
        };
        let visited =
            json!({"ipAddress": "203.0.113.7", "timestamp": "2026-11-28T12:00:00.500Z", "userAgent": "Mail/1"});
        let mut clicked = visited.clone();
        clicked["link"] = json!("https://acme.example/");
        for (outcome, kind, part, expected) in [
            (
                EmailOutcome::Bounced(bounce),
                "email.bounced",
                "bounce",
                json!({
                    "type": "Permanent",
                    "subType": "General",
                    "message": "The recipient's mail server sent a hard bounce message (Permanent/General).",
                    "diagnosticCode": "550 5.1.1 unknown",
                }),
            ),
            (EmailOutcome::Opened(visit()), "email.opened", "okite_open", visited),
            (
                EmailOutcome::Clicked {
                    link: "https://acme.example/".to_owned(),
                    visit: visit(),
                },
                "email.clicked",
                "click",
                clicked,
            ),
            (
                EmailOutcome::Failed {
                    reason: "expired".to_owned(),
                },
                "email.failed",
                "failed",
                json!({"reason": "expired"}),
            ),
            (
                EmailOutcome::Suppressed {
                    reason: "bounce".to_owned(),
                },
                "email.suppressed",
                "suppressed",
                json!({
                    "type": "bounce",
                    "message": "Okite has suppressed sending to this address (reason: bounce).",
                }),
            ),
            (
                EmailOutcome::Delayed {
                    delay_type: Some("MailboxFull".to_owned()),
                    diagnostic: None,
                },
                "email.delivery_delayed",
                "okite_delay",
                json!({"type": "MailboxFull", "diagnosticCode": null}),
            ),
            (
                EmailOutcome::Complained {
                    feedback_type: Some("abuse".to_owned()),
                },
                "email.complained",
                "okite_complaint",
                json!({"feedbackType": "abuse"}),
            ),
            (
                EmailOutcome::Scheduled {
                    at: at("2026-12-01T00:00:00Z"),
                },
                "email.scheduled",
                "okite_scheduled_at",
                json!("2026-12-01T00:00:00.000Z"),
            ),
        ] {
            let payload = json_of(EventSubject::Email(Box::new(email(outcome))));
            assert_eq!(
                (&payload["type"], &payload["data"][part]),
                (&json!(kind), &expected),
                "{kind}"
            );
            // The eight fields that every event has, and its own.
            assert_eq!(payload["data"].as_object().unwrap().len(), 10, "{kind}");
        }
    }

    #[test]
    fn an_address_that_ses_suppresses_reads_so() {
        for sub_type in ["Suppressed", "OnAccountSuppressionList"] {
            let bounce = BounceFacts {
                bounce_type: "Permanent".to_owned(),
                sub_type: sub_type.to_owned(),
                diagnostic: None,
            };
            assert!(bounce_message(&bounce).contains("suppressed sending"), "{sub_type}");
        }
    }

    #[test]
    fn a_suppression_has_the_shape_that_the_list_has() {
        let suppression = SuppressionEvent {
            id: "0198".to_owned(),
            email: "anna@example.org".to_owned(),
            change: SuppressionChange::Removed,
            reason: SuppressionReason::Soft,
            topic: None,
            since: at("2026-11-01T00:00:00Z"),
            source_id: None,
        };
        let of_topic = SuppressionEvent {
            reason: SuppressionReason::Unsubscribed,
            topic: Some(Topic::parse("news").unwrap()),
            ..suppression.clone()
        };
        let of_topic = json_of(EventSubject::Suppression(of_topic));
        assert_eq!(
            (&of_topic["data"]["okite_topic"], &of_topic["data"]["okite_reason"]),
            (&json!("news"), &json!("unsubscribed"))
        );
        let payload = json_of(EventSubject::Suppression(suppression));
        assert_eq!(
            (&payload["type"], &payload["data"]),
            (
                &json!("suppression.removed"),
                &json!({
                    "id": "0198",
                    "email": "anna@example.org",
                    "origin": "bounce",
                    "source_id": null,
                    "created_at": "2026-11-01T00:00:00.000Z",
                    "okite_reason": "soft",
                })
            )
        );
    }

    #[test]
    fn a_change_of_the_account_names_both_levels() {
        let verdict = AccountEvent::VerdictChanged {
            from: None,
            to: "warn".to_owned(),
        };
        assert_eq!(
            json_of(EventSubject::Account(verdict))["data"],
            json!({"from": null, "to": "warn"})
        );
        let brake = AccountEvent::BrakeChanged {
            from: "none".to_owned(),
            to: "bulk".to_owned(),
            by: "reporter".to_owned(),
            why: "bounce rate 6 %".to_owned(),
        };
        assert_eq!(
            json_of(EventSubject::Account(brake))["data"],
            json!({"from": "none", "to": "bulk", "by": "reporter", "why": "bounce rate 6 %"})
        );
    }

    #[test]
    fn the_first_region_has_a_domain_of_its_own() {
        assert_eq!(message_id("x", "us-east-1"), "<x@email.amazonses.com>");
    }
}
