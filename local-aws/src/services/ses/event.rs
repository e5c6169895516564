//! The events of a mail, in the two JSON forms that SES publishes.
//!
//! [`published`] is the form of event publishing through a configuration set (`eventType`, with tags). [`notification`]
//! is the older form of an identity's notifications (`notificationType`, without tags). Addresses are repeated as they
//! were sent. The shapes are those of
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html>.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::mail::Mail;
use super::mail_event::{Bounce, MailEvent, MailEventKind};
use super::mailbox::Mailbox;
use super::outbox::ses_id;

/// An accepted mail with everything that its events repeat.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) mail: Mail,
    pub(super) id: Uuid,
    pub(super) at: Timestamp,
    pub(super) region: String,
    pub(super) account_id: String,
    /// The name of the identity that authorized the sender.
    pub(super) identity: String,
}

/// Writes an event in the form of event publishing.
pub(super) fn published(accepted: &Accepted, event: &MailEvent) -> Value {
    let mut mail = mail(accepted);
    mail.insert("tags".to_owned(), tags(accepted, event.kind));
    record("eventType", mail, accepted, event)
}

/// Writes the object `mail` of an event in the form of event publishing.
pub(super) fn mail_with_tags(accepted: &Accepted) -> Value {
    let mut mail = mail(accepted);
    mail.insert("tags".to_owned(), tags(accepted, MailEventKind::Send));
    Value::Object(mail)
}

/// Writes an event in the form of an identity's notifications. `Send` and `Subscription` have none.
pub(super) fn notification(accepted: &Accepted, event: &MailEvent) -> Option<Value> {
    if matches!(event.kind, MailEventKind::Send | MailEventKind::Subscription) {
        return None;
    }
    let mut mail = mail(accepted);
    mail.insert("sourceIp".to_owned(), json!(SOURCE_IP));
    mail.insert("callerIdentity".to_owned(), json!(CALLER));
    Some(record("notificationType", mail, accepted, event))
}

const SOURCE_IP: &str = "127.0.0.1";
const OUTGOING_IP: &str = "192.0.2.25";
const CALLER: &str = "local-aws";

fn record(type_member: &str, mail: Map<String, Value>, accepted: &Accepted, event: &MailEvent) -> Value {
    let kind = event.kind;
    let recipient = event.recipient.as_deref().unwrap_or_default();
    let at = later(accepted.at, kind.after());
    let feedback_id = ses_id(Uuid::from_u128(accepted.id.as_u128().wrapping_add(event.index)), at);
    let detail = match kind {
        MailEventKind::Send => json!({}),
        MailEventKind::Delivery => json!({
            "timestamp": time(at),
            "processingTimeMillis": u64::try_from(kind.after().as_millis()).unwrap_or(u64::MAX),
            "recipients": [recipient],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": mta(&accepted.region),
        }),
        MailEventKind::Bounce(bounce) => {
            let (kind, sub_type) = bounce.types();
            json!({
                "feedbackId": feedback_id,
                "bounceType": kind,
                "bounceSubType": sub_type,
                "bouncedRecipients": [bounce.recipient(recipient)],
                "timestamp": time(at),
                "reportingMTA": bounce.reporting_mta(&accepted.region),
            })
        }
        MailEventKind::Complaint { on_account_list } => json!({
            "feedbackId": feedback_id,
            "complaintSubType": on_account_list.then_some("OnAccountSuppressionList"),
            "complainedRecipients": [{"emailAddress": recipient}],
            "timestamp": time(at),
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
            "arrivalDate": time(at),
        }),
        MailEventKind::Subscription => json!({
            "contactList": "Readers",
            "timestamp": time(at),
            "source": "UnsubscribeHeader",
            "newTopicPreferences": {"unsubscribeAll": true, "topicSubscriptionStatus": []},
            "oldTopicPreferences": {"unsubscribeAll": false, "topicSubscriptionStatus": []},
        }),
    };
    let mut record = Map::new();
    record.insert(type_member.to_owned(), json!(kind.name()));
    record.insert("mail".to_owned(), Value::Object(mail));
    record.insert(kind.name().to_ascii_lowercase(), detail);
    Value::Object(record)
}

impl Bounce {
    fn types(self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownUser => ("Permanent", "General"),
            Self::AutoReply => ("Transient", "General"),
            Self::GloballySuppressed => ("Permanent", "Suppressed"),
            Self::OnAccountList => ("Permanent", "OnAccountSuppressionList"),
            Self::Unsubscribed => ("Permanent", "UnsubscribedRecipient"),
        }
    }

    fn recipient(self, address: &str) -> Value {
        let diagnostic = match self {
            // A reply is not a report on a delivery, so it has neither a status nor a diagnostic code.
            Self::AutoReply => return json!({ "emailAddress": address }),
            Self::UnknownUser => "smtp; 550 5.1.1 user unknown",
            Self::GloballySuppressed => {
                "Amazon SES has suppressed sending to this address because it has a recent history \
                 of bouncing as an invalid address."
            }
            Self::OnAccountList => {
                "Amazon SES did not send the message to this address because it is on the \
                 suppression list for your account."
            }
            Self::Unsubscribed => {
                "Amazon SES did not send the message to this address because it is unsubscribed from the contact \
                 list or the topic."
            }
        };
        json!({
            "emailAddress": address,
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": diagnostic,
        })
    }

    fn reporting_mta(self, region: &str) -> String {
        match self {
            Self::UnknownUser | Self::AutoReply => format!("dns; {}", mta(region)),
            Self::GloballySuppressed | Self::OnAccountList | Self::Unsubscribed => "dns; amazonses.com".to_owned(),
        }
    }
}

/// Returns the name of the sending server. Names in us-east-1 have no region.
fn mta(region: &str) -> String {
    match region {
        "us-east-1" => "a8-31.smtp-out.amazonses.com".to_owned(),
        region => format!("a8-31.smtp-out.{region}.amazonses.com"),
    }
}

/// Writes the `mail` object without the members that only one of the two forms has.
fn mail(accepted: &Accepted) -> Map<String, Value> {
    let Accepted {
        mail,
        region,
        account_id,
        identity,
        ..
    } = accepted;
    let given = |mailboxes: &[Mailbox]| -> Vec<String> { mailboxes.iter().map(|m| m.given.clone()).collect() };
    let message_id = ses_id(accepted.id, accepted.at);

    let mut common = Map::new();
    let people = match &mail.raw {
        Some(raw) => [
            ("from", raw.from.clone()),
            ("sender", raw.sender.clone()),
            ("replyTo", raw.reply_to.clone()),
            ("to", raw.to.clone()),
            ("cc", raw.cc.clone()),
        ],
        None => [
            ("from", vec![mail.from.given.clone()]),
            ("sender", Vec::new()),
            ("replyTo", given(&mail.reply_to)),
            ("to", given(&mail.to)),
            ("cc", given(&mail.cc)),
        ],
    };
    for (member, people) in people {
        if !people.is_empty() {
            common.insert(member.to_owned(), json!(people));
        }
    }
    if let Some(date) = mail.raw.as_ref().and_then(|raw| raw.date.as_ref()) {
        common.insert("date".to_owned(), json!(date));
    }
    // SES gives a mail an id of its own, whatever its header says.
    common.insert("messageId".to_owned(), json!(message_id));
    common.insert("subject".to_owned(), json!(mail.subject));

    let destination: Vec<&str> = mail.recipients().map(|m| m.given.as_str()).collect();
    let fields = [
        ("timestamp", json!(time(accepted.at))),
        ("source", json!(mail.from.given)),
        (
            "sourceArn",
            json!(format!("arn:aws:ses:{region}:{account_id}:identity/{identity}")),
        ),
        ("sendingAccountId", json!(account_id)),
        ("messageId", json!(message_id)),
        ("destination", json!(destination)),
        ("headersTruncated", json!(false)),
        ("headers", headers(mail)),
        ("commonHeaders", Value::Object(common)),
    ];
    fields
        .into_iter()
        .map(|(member, value)| (member.to_owned(), value))
        .collect()
}

/// Lists the headers of the mail that SES builds, or of the one that the caller built. None of them holds the blind
/// copies.
fn headers(mail: &Mail) -> Value {
    let written = |(name, value): (&str, String)| json!({"name": name, "value": value});
    let own = mail.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
    if mail.raw.is_some() {
        return own.map(written).collect();
    }
    let joined = |mailboxes: &[Mailbox]| {
        let given: Vec<&str> = mailboxes.iter().map(|m| m.given.as_str()).collect();
        given.join(", ")
    };
    let content_type = match (&mail.text, &mail.html) {
        _ if !mail.attachments.is_empty() => "multipart/mixed; boundary=\"----=_Part_1\"",
        (Some(_), Some(_)) => "multipart/alternative; boundary=\"----=_Part_1\"",
        (None, Some(_)) => "text/html; charset=UTF-8",
        _ => "text/plain; charset=UTF-8",
    };
    let mut headers = vec![("From", mail.from.given.clone())];
    for (name, mailboxes) in [("Reply-To", &mail.reply_to), ("To", &mail.to), ("Cc", &mail.cc)] {
        if !mailboxes.is_empty() {
            headers.push((name, joined(mailboxes)));
        }
    }
    headers.push(("Subject", mail.subject.clone()));
    headers.push(("MIME-Version", "1.0".to_owned()));
    headers.push(("Content-Type", content_type.to_owned()));
    headers.into_iter().chain(own).map(written).collect()
}

/// Lists the tags, SES's own and the caller's, each with its values.
fn tags(accepted: &Accepted, kind: MailEventKind) -> Value {
    let mail = &accepted.mail;
    let mut tags = Map::new();
    let mut put = |name: &str, value: &str| {
        tags.insert(name.to_owned(), json!([value]));
    };
    put("ses:source-tls-version", "TLSv1.3");
    put("ses:operation", "SendEmail");
    put(
        "ses:configuration-set",
        mail.configuration_set.as_deref().unwrap_or_default(),
    );
    put("ses:source-ip", SOURCE_IP);
    put("ses:from-domain", &mail.from.domain);
    put("ses:caller-identity", CALLER);
    if kind == MailEventKind::Delivery {
        put("ses:outgoing-ip", OUTGOING_IP);
    }
    for tag in &mail.tags {
        put(&tag.name, &tag.value);
    }
    Value::Object(tags)
}

fn later(at: Timestamp, after: Duration) -> Timestamp {
    SignedDuration::try_from(after)
        .ok()
        .and_then(|after| at.checked_add(after).ok())
        .unwrap_or(at)
}

/// Writes a time as SES does, with milliseconds.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::mail_event::events_of;
    use super::super::mailbox_simulator::{RecipientOutcome, outcome_at};
    use super::super::send_email::{SendEmailRequest, check};
    use super::super::suppression_list::SuppressionReason;
    use super::*;

    fn accepted(to: &str) -> Accepted {
        let request: SendEmailRequest = serde_json::from_value(json!({
            "FromEmailAddress": "Ada <ada@mail.example.com>",
            "Destination": {"ToAddresses": [to], "BccAddresses": ["eve@example.net"]},
            "ReplyToAddresses": ["help@example.com"],
            "ConfigurationSetName": "shop",
            "EmailTags": [{"Name": "shop_id", "Value": "m-1"}],
            "Content": {"Simple": {
                "Subject": {"Data": "Héllo"},
                "Body": {"Text": {"Data": "Hello"}},
                "Headers": [{"Name": "X-A", "Value": "v"}],
            }},
        }))
        .unwrap();
        Accepted {
            mail: check(request).unwrap(),
            id: Uuid::from_u128(1),
            at: Timestamp::from_millisecond(1_800_000_000_007).unwrap(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            identity: "example.com".to_owned(),
        }
    }

    /// Returns the records of the To recipient without the `Send`.
    fn records(to: &str) -> Vec<Value> {
        let accepted = accepted(to);
        let outcomes = accepted.mail.to.iter().map(|m| (m, outcome_at(m)));
        events_of(outcomes)
            .iter()
            .skip(1)
            .map(|event| published(&accepted, event))
            .collect()
    }

    #[test]
    fn writes_every_member_of_a_bounce() {
        let records = records("Bob <bounce+x@simulator.amazonses.com>");
        let message_id = "010001a3185c5007-00000000-0000-0000-0000-000000000001-000000";
        assert_eq!(
            records,
            [json!({
                "eventType": "Bounce",
                "bounce": {
                    "feedbackId": "010001a3185c509d-00000000-0000-0000-0000-000000000003-000000",
                    "bounceType": "Permanent",
                    "bounceSubType": "General",
                    "bouncedRecipients": [{
                        "emailAddress": "Bob <bounce+x@simulator.amazonses.com>",
                        "action": "failed",
                        "status": "5.1.1",
                        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                    }],
                    "timestamp": "2027-01-15T08:00:00.157Z",
                    "reportingMTA": "dns; a8-31.smtp-out.amazonses.com",
                },
                "mail": {
                    "timestamp": "2027-01-15T08:00:00.007Z",
                    "source": "Ada <ada@mail.example.com>",
                    "sourceArn": "arn:aws:ses:us-east-1:000000000000:identity/example.com",
                    "sendingAccountId": "000000000000",
                    "messageId": message_id,
                    "destination": ["Bob <bounce+x@simulator.amazonses.com>", "eve@example.net"],
                    "headersTruncated": false,
                    "headers": [
                        {"name": "From", "value": "Ada <ada@mail.example.com>"},
                        {"name": "Reply-To", "value": "help@example.com"},
                        {"name": "To", "value": "Bob <bounce+x@simulator.amazonses.com>"},
                        {"name": "Subject", "value": "Héllo"},
                        {"name": "MIME-Version", "value": "1.0"},
                        {"name": "Content-Type", "value": "text/plain; charset=UTF-8"},
                        {"name": "X-A", "value": "v"},
                    ],
                    "commonHeaders": {
                        "from": ["Ada <ada@mail.example.com>"],
                        "replyTo": ["help@example.com"],
                        "to": ["Bob <bounce+x@simulator.amazonses.com>"],
                        "messageId": message_id,
                        "subject": "Héllo",
                    },
                    "tags": {
                        "ses:source-tls-version": ["TLSv1.3"],
                        "ses:operation": ["SendEmail"],
                        "ses:configuration-set": ["shop"],
                        "ses:source-ip": ["127.0.0.1"],
                        "ses:from-domain": ["mail.example.com"],
                        "ses:caller-identity": ["local-aws"],
                        "shop_id": ["m-1"],
                    },
                },
            })]
        );
    }

    #[test]
    fn a_delivery_names_its_recipient_and_the_outgoing_address() {
        let records = records("success@simulator.amazonses.com");
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["eventType"], "Delivery");
        assert_eq!(
            records[0]["delivery"],
            json!({
                "timestamp": "2027-01-15T08:00:00.107Z",
                "processingTimeMillis": 100,
                "recipients": ["success@simulator.amazonses.com"],
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": "a8-31.smtp-out.amazonses.com",
            })
        );
        assert_eq!(records[0]["mail"]["tags"]["ses:outgoing-ip"], json!([OUTGOING_IP]));
    }

    #[test]
    fn a_person_unsubscribes_after_the_delivery_and_gets_no_mail_afterwards() {
        let unsubscribe = records("unsubscribe@simulator.amazonses.com");
        assert_eq!(unsubscribe[0]["eventType"], "Delivery");
        assert_eq!(unsubscribe[1]["eventType"], "Subscription");
        let subscription = &unsubscribe[1]["subscription"];
        assert_eq!(subscription["newTopicPreferences"]["unsubscribeAll"], true);
        assert_eq!(subscription["timestamp"], "2027-01-15T08:00:00.257Z");
        let bounce = records("unsubscribed@simulator.amazonses.com");
        assert_eq!((bounce.len(), &bounce[0]["eventType"]), (1, &json!("Bounce")));
        assert_eq!(bounce[0]["bounce"]["bounceSubType"], "UnsubscribedRecipient");
    }

    #[test]
    fn a_complaint_follows_its_delivery() {
        let records = records("complaint@simulator.amazonses.com");
        assert_eq!(records[0]["eventType"], "Delivery");
        assert_eq!(records[1]["eventType"], "Complaint");
        let complaint = &records[1]["complaint"];
        assert_eq!(complaint["complaintSubType"], Value::Null);
        assert!(complaint.as_object().unwrap().contains_key("complaintSubType"));
        assert_eq!(complaint["complaintFeedbackType"], "abuse");
        assert_eq!(
            complaint["complainedRecipients"],
            json!([{"emailAddress": "complaint@simulator.amazonses.com"}])
        );
    }

    #[test]
    fn an_out_of_office_reply_follows_its_delivery_without_status_or_diagnostic() {
        let records = records("ooto@simulator.amazonses.com");
        assert_eq!(records[0]["eventType"], "Delivery");
        let bounce = &records[1]["bounce"];
        assert_eq!(bounce["bounceType"], "Transient");
        assert_eq!(bounce["bounceSubType"], "General");
        assert_eq!(
            bounce["bouncedRecipients"],
            json!([{"emailAddress": "ooto@simulator.amazonses.com"}])
        );
    }

    #[test]
    fn suppressed_addresses_bounce_without_a_delivery() {
        let records = records("suppressionlist@simulator.amazonses.com");
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["bounce"]["bounceType"], "Permanent");
        assert_eq!(records[0]["bounce"]["bounceSubType"], "Suppressed");
        assert_eq!(records[0]["bounce"]["reportingMTA"], "dns; amazonses.com");
    }

    #[test]
    fn an_address_on_the_account_list_echoes_why_it_is_there() {
        let accepted = accepted("bob@example.net");
        let echo = |reason| {
            let outcomes = accepted
                .mail
                .to
                .iter()
                .map(|m| (m, RecipientOutcome::AccountSuppressed(reason)));
            published(&accepted, &events_of(outcomes)[1])
        };
        let bounce = echo(SuppressionReason::Bounce);
        assert_eq!(bounce["bounce"]["bounceType"], "Permanent");
        assert_eq!(bounce["bounce"]["bounceSubType"], "OnAccountSuppressionList");
        let complaint = echo(SuppressionReason::Complaint);
        assert_eq!(complaint["complaint"]["complaintSubType"], "OnAccountSuppressionList");
    }

    #[test]
    fn a_send_is_empty_and_comes_first() {
        let accepted = accepted("bob@example.net");
        let events = events_of(accepted.mail.recipients().map(|m| (m, outcome_at(m))));
        let send = published(&accepted, &events[0]);
        assert_eq!(send["eventType"], "Send");
        assert_eq!(send["send"], json!({}));
        assert!(events.iter().all(|h| h.kind.after() >= MailEventKind::Send.after()));
    }

    #[test]
    fn every_happening_has_a_feedback_id_of_its_own() {
        let accepted = accepted("bounce@simulator.amazonses.com");
        let outcomes = accepted.mail.recipients().map(|m| (m, RecipientOutcome::HardBounce));
        let ids: std::collections::BTreeSet<String> = events_of(outcomes)
            .iter()
            .skip(1)
            .map(|h| published(&accepted, h)["bounce"]["feedbackId"].to_string())
            .collect();
        assert_eq!(ids.len(), 2);
    }

    #[test]
    fn a_notification_has_the_older_member_names_and_no_tags() {
        let accepted = accepted("bounce@simulator.amazonses.com");
        let events = events_of(accepted.mail.to.iter().map(|m| (m, outcome_at(m))));
        assert_eq!(notification(&accepted, &events[0]), None);
        let bounce = notification(&accepted, &events[1]).unwrap();
        assert_eq!(bounce["notificationType"], "Bounce");
        assert_eq!(bounce["mail"]["sourceIp"], SOURCE_IP);
        assert_eq!(bounce["mail"]["tags"], Value::Null);
        assert_eq!(bounce["eventType"], Value::Null);
    }
}
