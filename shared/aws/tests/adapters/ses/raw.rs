//! A raw mail by its wire.

use aws_smithy_types::base64;
use domain::address::Mailbox;
use domain::message::raw::{ListManagement, RawEmail, RawEnvelope, RawMessage};
use domain::message::{Mail, MailContent, SesOptions, Tag, Tracking};
use domain::recipient::ResolvedRecipients;
use serde_json::{Value, json};

use super::wire::{ACCEPTED, ID, send, ses};
use crate::support::{Answer, Fake, Request, everybody};

#[tokio::test]
async fn a_raw_mail_goes_out_with_its_bytes_and_to_those_who_are_left() {
    let mime = b"From: Ada <ada@example.com>\r\nTo: anna@example.org\r\nX-Tag: shop\r\n\r\nGr\xfc\xdfe".to_vec();
    let envelope = RawEnvelope {
        source: Some("Shop <shop@example.com>".to_owned()),
        destinations: vec!["anna@example.org".to_owned(), "bob@example.org".to_owned()],
        tags: vec![Tag::new("a", "b").unwrap()],
        ..RawEnvelope::default()
    };
    let raw = |envelope| Mail {
        topic: None,
        content: MailContent::Raw(Box::new(
            RawEmail::new(RawMessage::read(mime.clone()).unwrap(), envelope).unwrap(),
        )),
        options: SesOptions {
            tenant: Some("t".to_owned()),
            list_management: Some(ListManagement {
                contact_list_name: "news".to_owned(),
                topic_name: None,
            }),
            feedback_address: Some(Mailbox::parse("f@example.com").unwrap()),
            tracking: Tracking::default(),
        },
    };
    let fake = Fake::start(|_, _| Answer::ok(ACCEPTED)).await;
    let mail = raw(envelope);
    let destination = ResolvedRecipients {
        to: vec![&mail.lines()[0][1]],
        ..ResolvedRecipients::default()
    };
    send(&ses(&fake.endpoint), &mail, &destination).await.unwrap();
    // Without a sender of its own, the request names none: SES takes the one of the header.
    let mail = raw(RawEnvelope::default());
    send(&ses(&fake.endpoint), &mail, &everybody(&mail)).await.unwrap();
    let bodies: Vec<Value> = fake.requests().iter().map(Request::json).collect();
    assert_eq!(
        bodies[0],
        json!({
            "FromEmailAddress": "Shop <shop@example.com>",
            "FeedbackForwardingEmailAddress": "f@example.com",
            "Destination": { "ToAddresses": ["bob@example.org"] },
            "Content": { "Raw": { "Data": base64::encode(&mime) } },
            "ConfigurationSetName": "okite-ConfigurationSet",
            "TenantName": "t",
            "ListManagementOptions": { "ContactListName": "news" },
            "EmailTags": [
                { "Name": "okite_id", "Value": ID.to_string() },
                { "Name": "okite_attempt", "Value": "1" },
                { "Name": "okite_stream", "Value": "transactional" },
                { "Name": "a", "Value": "b" },
                { "Name": "tag", "Value": "shop" },
            ],
        })
    );
    assert_eq!(bodies[1].get("FromEmailAddress"), None);
    assert_eq!(bodies[1]["Destination"], json!({ "ToAddresses": ["anna@example.org"] }));
}
