//! Unsubscribe links in mail of applications that speak to Amazon SES: the API key has the topic, for such an
//! application cannot name one.

use domain::stream::Stream;
use domain::unsubscribe::Topic;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{ANNA, BOTH, Caller, DOOR, Raw, mime};
use crate::support::Okite;

const NEWS: &str = "ok_newsdoor_secret";
const LINK: &str = "List-Unsubscribe";
const POST: &str = "List-Unsubscribe-Post";

fn simple() -> Value {
    json!({
        "FromEmailAddress": "Acme <hello@example.com>",
        "Destination": {"ToAddresses": [ANNA]},
        "Content": {"Simple": {
            "Subject": {"Data": "News"},
            "Body": {"Text": {"Data": "Leave: {{{UNSUBSCRIBE_URL}}}"}, "Html": {"Data": "<a href=\"{{{UNSUBSCRIBE_URL}}}\">x</a>"}},
        }},
    })
}

#[tokio::test]
async fn a_simple_mail_of_a_key_with_a_topic_gets_the_link_and_a_raw_mail_stays_as_it_is() {
    let okite = Okite::door().await;
    let change = |record: &mut domain::api_key::ApiKeyRecord| {
        record.stream = Stream::Bulk;
        record.topic = Some(Topic::parse("news").unwrap());
    };
    okite.put_door_key(NEWS, change).await;
    let newest = async || okite.outbox().await.pop().unwrap();
    let send = async |key: &str, body: &Value| {
        let path = "/v2/email/outbound-emails";
        Caller::of(key).call(&okite, Method::POST, path, body).await
    };
    send(NEWS, &simple()).await.message_id();
    let mail = newest().await;
    assert_eq!(mail["headers"][POST], "List-Unsubscribe=One-Click");
    let link = mail["headers"][LINK].as_str().unwrap();
    let link = link.strip_prefix('<').and_then(|link| link.strip_suffix('>')).unwrap();
    let path = link.strip_prefix(&okite.local.url).unwrap();
    assert_eq!(mail["text"], format!("Leave: {link}"));
    assert!(mail["html"].as_str().unwrap().contains(link));

    // Version 1 gets it as well.
    let form = "Action=SendEmail&Version=2010-12-01&Source=hello%40example.com\
                &Destination.ToAddresses.member.1=anna%40example.net&Message.Subject.Data=News&Message.Body.Text.Data=Hi";
    Caller::of(NEWS).act(&okite, form).await.message_id();
    let mail = newest().await;
    assert_eq!(
        (&mail["headers"][LINK], &mail["text"]),
        (&json!(format!("<{link}>")), &json!("Hi"))
    );

    // A raw mail goes out byte by byte.
    for version in BOTH {
        Caller::of(NEWS)
            .send(&okite, version, &Raw::new("Raw"))
            .await
            .message_id();
        let mail = newest().await;
        assert_eq!(okite.source(&mail).await, mime("Raw"), "{version:?}");
        let tags = mail["tags"].as_array().unwrap();
        assert!(
            tags.contains(&json!({"name": "okite_topic", "value": "news"})),
            "{tags:?}"
        );
    }

    let click = okite.request(Method::POST, path).body("List-Unsubscribe=One-Click");
    let click = click.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(click.send().await.unwrap().status(), 200);

    // Now neither goes. Mail of a key without a topic does.
    let before = okite.outbox().await.len();
    send(NEWS, &simple()).await;
    for version in BOTH {
        Caller::of(NEWS).send(&okite, version, &Raw::new("Raw")).await;
    }
    assert_eq!(okite.outbox().await.len(), before);
    Caller::of(DOOR)
        .send(&okite, BOTH[0], &Raw::new("Receipt"))
        .await
        .message_id();
    assert_eq!(newest().await["subject"], "Receipt");
    assert_eq!(okite.outbox().await.len(), before + 1);
}
