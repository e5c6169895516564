//! The content of a mail reaches Amazon SES unchanged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Okite, email, email_with};

/// Sends a mail and returns what SES got.
async fn sent(email: &Value) -> Value {
    let okite = Okite::start().await;
    okite.send(email).await;
    let mut outbox = okite.outbox().await;
    assert_eq!(outbox.len(), 1);
    outbox.remove(0)
}

fn bytes(content: &Value) -> Vec<u8> {
    STANDARD.decode(content.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn html_and_text_arrive_as_they_are() {
    let (html, text) = (
        "<p>Grüße &amp; «hello» 🎉</p>\r\n<pre>  a\tb</pre>",
        "Grüße & «hello» 🎉\n\n  a\tb\n",
    );
    let mut mail = email("success@simulator.amazonses.com");
    mail["html"] = json!(html);
    mail["text"] = json!(text);
    let mail = sent(&mail).await;
    assert_eq!((&mail["html"], &mail["text"]), (&json!(html), &json!(text)));
}

#[tokio::test]
async fn an_empty_text_beside_html_is_no_text() {
    let mut mail = email_with("text", "");
    mail["html"] = json!("<p>Hi</p>");
    let mail = sent(&mail).await;
    assert_eq!((&mail["html"], &mail["text"]), (&json!("<p>Hi</p>"), &Value::Null));
}

#[tokio::test]
async fn a_missing_text_is_made_of_the_html() {
    let mut mail = email("success@simulator.amazonses.com");
    mail["html"] =
        json!("<style>p{}</style><p>Hello&nbsp;Anna,</p><p><a href='https://example.com/?a=1&amp;b=2'>Open</a>");
    for text in [None, Some(Value::Null)] {
        match text {
            None => drop(mail.as_object_mut().unwrap().remove("text")),
            Some(null) => mail["text"] = null,
        }
        let got = sent(&mail).await;
        assert_eq!(got["text"], "Hello Anna,\n\nOpen (https://example.com/?a=1&b=2)");
        assert_eq!(got["html"], mail["html"]);
    }
}

#[tokio::test]
async fn html_that_no_text_can_be_made_of_is_sent_by_itself() {
    let okite = Okite::start().await;
    let deep = "<div>".repeat(200_000);
    for html in ["<img src='cid:a'>", &deep, &format!("<p>{}", "x".repeat(5_000_000))] {
        let mut mail = email_with("html", html);
        mail.as_object_mut().unwrap().remove("text");
        okite.send(&mail).await;
        let got = okite.outbox().await.pop().unwrap();
        assert!(got["html"] == html && got["text"].is_null(), "{html:.20}");
    }
}

#[tokio::test]
async fn a_subject_of_any_script_arrives_as_it_is() {
    let subject = "Rechnung № 7 – für Łukasz 你好 🎉, \"quoted\"";
    assert_eq!(sent(&email_with("subject", subject)).await["subject"], subject);
}

#[tokio::test]
async fn addresses_of_every_list_arrive_with_their_names() {
    let mut mail = email(json!(["Anna <Anna@example.net>", "plain@example.net"]));
    mail["from"] = json!("Acme, Inc. <hello@example.com>");
    mail["cc"] = json!("Bob \"Bobby\" B. <bob@example.net>");
    mail["bcc"] = json!(["carol@example.net"]);
    mail["reply_to"] = json!(["Help <help@example.com>", "other@example.com"]);
    let mail = sent(&mail).await;
    assert_eq!(mail["from"], "\"Acme, Inc.\" <hello@example.com>");
    assert_eq!(mail["to"], json!(["Anna <Anna@example.net>", "plain@example.net"]));
    assert_eq!(mail["cc"], json!(["\"Bob \\\"Bobby\\\" B.\" <bob@example.net>"]));
    assert_eq!(mail["bcc"], json!(["carol@example.net"]));
    assert_eq!(
        mail["reply_to"],
        json!(["Help <help@example.com>", "other@example.com"])
    );
}

#[tokio::test]
async fn names_and_domains_beyond_ascii_are_encoded_as_mail_wants_them() {
    let mut mail = email("Jörg Müßig <Joerg@bücher.example>");
    mail["from"] = json!("Ünï <hello@example.com>");
    let mail = sent(&mail).await;
    let from = mail["from"].as_str().unwrap();
    assert!(from.is_ascii() && from.ends_with(" <hello@example.com>"), "{from}");
    let word = from.split(' ').next().unwrap().split('?').nth(3).unwrap();
    assert_eq!(STANDARD.decode(word).unwrap(), "Ünï".as_bytes(), "{from}");
    let to = mail["to"][0].as_str().unwrap();
    assert!(to.is_ascii() && to.ends_with(" <Joerg@xn--bcher-kva.example>"), "{to}");
}

#[tokio::test]
async fn headers_and_tags_arrive_beside_our_own() {
    let mut mail = email("success@simulator.amazonses.com");
    mail["headers"] = json!({
        "List-Unsubscribe": "<https://example.com/u?id=1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "X-Entity-Ref-ID": "7",
    });
    mail["tags"] = json!([{ "name": "campaign", "value": "spring-2027" }, { "name": "A_b-1", "value": "x" }]);
    let got = sent(&mail).await;
    assert_eq!(got["headers"], mail["headers"]);
    let tags = got["tags"].as_array().unwrap();
    assert!(
        mail["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag)),
        "{tags:?}"
    );
    assert_eq!(tags.len(), 5);
}

#[tokio::test]
async fn the_headers_of_anymail_arrive_and_become_tags_where_they_fit() {
    let mut mail = email("success@simulator.amazonses.com");
    mail["headers"] = json!({
        "X-Tags": r#"["welcome", "two words", "spring"]"#,
        "X-Metadata": r#"{"order": 17, "plan": "pro", "note": "a b", "okite_id": "mine"}"#,
    });
    mail["tags"] = json!([{ "name": "plan", "value": "own" }]);
    let got = sent(&mail).await;
    assert_eq!(got["headers"], mail["headers"]);
    let tags: Vec<String> = got["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| format!("{}={}", tag["name"].as_str().unwrap(), tag["value"].as_str().unwrap()))
        .filter(|tag| !tag.starts_with("okite_"))
        .collect();
    assert_eq!(tags, ["plan=own", "order=17", "tag=welcome", "tag_2=spring"]);
}

#[tokio::test]
async fn the_bytes_of_a_file_may_come_in_three_forms() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut mail = email("success@simulator.amazonses.com");
    let long = "x".repeat(80);
    mail["attachments"] = json!([
        { "filename": "1.bin", "content": STANDARD.encode(&every_byte) },
        { "filename": "2.bin", "content": every_byte, "content_type": "text/plain; charset=utf-8; name=\"x\"" },
        { "filename": "3.bin", "content": { "type": "Buffer", "data": every_byte },
          "content_type": format!("text/plain; name=\"{long}\"; charset=utf-8") },
    ]);
    let files = sent(&mail).await["attachments"].clone();
    for n in 0..3 {
        assert_eq!(bytes(&files[n]["content"]), every_byte, "{n}");
    }
    assert_eq!(files[1]["content_type"], "text/plain; charset=utf-8; name=\"x\"");
    assert_eq!(files[2]["content_type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn attachments_arrive_byte_for_byte() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let lines = b"a\r\nb\nc\r.\r\n..\r\n".to_vec();
    let mut mail = email_with("html", "<img src=\"cid:logo\">");
    mail["attachments"] = json!([
        { "filename": "every byte.bin", "content": STANDARD.encode(&every_byte) },
        { "filename": "Übersicht.txt", "content": STANDARD.encode(&lines), "content_type": "text/plain; charset=utf-8" },
        { "filename": "logo.png", "content": STANDARD.encode([0x89, b'P']), "content_type": "image/png", "content_id": "logo" },
        { "filename": "old.png", "content": STANDARD.encode([0]), "inline_content_id": "old" },
    ]);
    let files = sent(&mail).await["attachments"].clone();
    assert_eq!(files[0]["filename"], "every byte.bin");
    assert_eq!(bytes(&files[0]["content"]), every_byte);
    assert_eq!(files[0]["content_id"], Value::Null);
    assert_eq!(files[1]["filename"], "Übersicht.txt");
    assert_eq!(files[1]["content_type"], "text/plain; charset=utf-8");
    assert_eq!(bytes(&files[1]["content"]), lines);
    assert_eq!(
        (&files[2]["content_type"], &files[2]["content_id"]),
        (&json!("image/png"), &json!("logo"))
    );
    assert_eq!(files[3]["content_id"], "old");
    assert_eq!(files.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn files_of_the_size_that_is_promised_arrive() {
    let file: Vec<u8> = (0..4_400_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let attachment = json!([{ "filename": "large.bin", "content": STANDARD.encode(&file) }]);
    let mail = sent(&email_with("attachments", attachment)).await;
    assert!(
        bytes(&mail["attachments"][0]["content"]) == file,
        "the file is not as it was"
    );
}

#[tokio::test]
async fn an_array_of_bytes_as_large_as_a_request_can_be_arrives() {
    let file: Vec<u8> = (0..1_600_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let attachment = json!([{ "filename": "large.bin", "content": { "type": "Buffer", "data": file } }]);
    let mail = sent(&email_with("attachments", attachment)).await;
    assert!(
        bytes(&mail["attachments"][0]["content"]) == file,
        "the file is not as it was"
    );
}
