//! Raw mails over real sockets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{answer, production, refused};

#[tokio::test]
async fn accepts_a_raw_mail_and_shows_its_parts_and_its_envelope() {
    let mut server = production().await;
    let source = "From: =?utf-8?Q?Zo=C3=AB?= <zoe@example.com>\r\nTo: Bob <bob@example.net>, lost@example.net\r\n\
        Bcc: eve@example.net\r\nReply-To: help@example.com\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\n\
        Message-ID: <own@example.com>\r\nX-SES-CONFIGURATION-SET: shop\r\nX-SES-MESSAGE-TAGS: shop_id=m-1\r\n\
        Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hi";
    let request = json!({
        "FromEmailAddress": "bounces@example.com",
        "Destination": {"ToAddresses": ["Bob@example.net", "bounce@simulator.amazonses.com"]},
        "Content": {"Raw": {"Data": STANDARD.encode(source)}},
    });
    let sent = answer(server.call(Method::POST, "/v2/email/outbound-emails").json(&request)).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let mail = server.ses.outbox().remove(0);
    let kept = String::from_utf8(mail.source.as_deref().unwrap().to_vec()).unwrap();
    let removed = [
        "Bcc: eve@example.net\r\n",
        "X-SES-CONFIGURATION-SET: shop\r\n",
        "X-SES-MESSAGE-TAGS: shop_id=m-1\r\n",
    ];
    assert_eq!(
        kept,
        removed
            .iter()
            .fold(source.to_owned(), |source, field| source.replace(field, ""))
    );
    let mut shown = json!(mail);
    let headers = shown["headers"].take();
    assert_eq!(headers["Message-ID"], "<own@example.com>");
    assert_eq!(headers["Bcc"], Value::Null);
    shown["at"].take();
    assert_eq!(
        shown,
        json!({
            "ses_message_id": sent.body["MessageId"],
            "raw": true,
            "envelope": {"from": "bounces@example.com", "to": ["Bob@example.net", "bounce@simulator.amazonses.com"]},
            "from": "Zoë <zoe@example.com>",
            "to": ["Bob <bob@example.net>", "lost@example.net"],
            "cc": [],
            "bcc": ["bounce@simulator.amazonses.com"],
            "reply_to": ["help@example.com"],
            "subject": "Grüße",
            "text": null,
            "html": "<p>Hi",
            "headers": null,
            "attachments": [],
            "tags": [{"name": "shop_id", "value": "m-1"}],
            "at": null,
        })
    );

    let events: Vec<Value> = std::iter::from_fn(|| server.events.try_recv().ok())
        .map(|event| event.event)
        .collect();
    let types: Vec<&Value> = events.iter().map(|event| &event["eventType"]).collect();
    assert_eq!(types, ["Send", "Delivery", "Bounce"]);
    let mail = &events[0]["mail"];
    assert_eq!(mail["source"], "bounces@example.com");
    assert_eq!(
        mail["destination"],
        json!(["Bob@example.net", "bounce@simulator.amazonses.com"])
    );
    assert_eq!(mail["messageId"], sent.body["MessageId"]);
    let names: Vec<&Value> = mail["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["name"])
        .collect();
    assert_eq!(
        names,
        [
            "From",
            "To",
            "Reply-To",
            "Date",
            "Message-ID",
            "X-SES-CONFIGURATION-SET",
            "X-SES-MESSAGE-TAGS",
            "Subject",
            "Content-Type",
        ]
    );
    assert_eq!(
        mail["commonHeaders"],
        json!({
            "from": ["Zoë <zoe@example.com>"],
            "replyTo": ["help@example.com"],
            "to": ["Bob <bob@example.net>", "lost@example.net"],
            "date": "Fri, 15 Jan 2027 08:00:00 +0000",
            "messageId": sent.body["MessageId"],
            "subject": "Grüße",
        })
    );
    assert_eq!(mail["tags"]["shop_id"], json!(["m-1"]));
    assert_eq!(mail["tags"]["ses:configuration-set"], json!(["shop"]));
    assert_eq!(
        events[2]["bounce"]["bouncedRecipients"][0]["emailAddress"],
        "bounce@simulator.amazonses.com"
    );
}

#[tokio::test]
async fn refuses_a_raw_mail_with_the_errors_of_ses() {
    let server = production().await;
    let send = async |source: &str| {
        let request = json!({
            "Destination": {"ToAddresses": ["invalid@invalid"]},
            "Content": {"Raw": {"Data": STANDARD.encode(source)}},
        });
        answer(server.call(Method::POST, "/v2/email/outbound-emails").json(&request)).await
    };
    let missing = send("To: bob@example.net\r\n\r\nHi").await;
    refused(&missing, 400, "BadRequestException");
    assert_eq!(missing.body["message"], "Missing required header 'From'.");
    // A library sends this to see whether SES is there.
    let invalid = send("From: <invalid@invalid>\r\nTo: <invalid@invalid>\r\n Subject: Invalid\r\n\r\nInvalid").await;
    refused(&invalid, 400, "MessageRejected");
    let request = json!({"Content": {"Raw": {"Data": "%"}}});
    let answer = answer(server.call(Method::POST, "/v2/email/outbound-emails").json(&request)).await;
    refused(&answer, 400, "SerializationException");
    assert!(server.ses.outbox().is_empty());
}
