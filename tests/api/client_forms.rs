//! The forms in which real clients write a request: each is taken as it is meant, or refused with its cause.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite, email, email_with, eventually};

const GOOD: &str = "success@simulator.amazonses.com";

fn ids(list: &Value) -> Vec<Value> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].clone())
        .collect()
}

async fn last_sent(okite: &Okite) -> Value {
    okite.outbox().await.pop().unwrap()
}

#[tokio::test]
async fn an_empty_text_in_an_optional_field_is_an_absent_field() {
    let okite = Okite::start().await;
    let mut mail = email(GOOD);
    for field in ["cc", "bcc", "reply_to", "headers", "tags", "attachments", "html"] {
        mail[field] = json!("");
    }
    okite.send(&mail).await;
    let got = last_sent(&okite).await;
    assert_eq!([&got["cc"], &got["bcc"], &got["reply_to"]], [&json!([]); 3]);
    for field in ["from", "to"] {
        okite
            .post(&email_with(field, ""))
            .await
            .refused(422, "validation_error");
    }
    let batch = json!([email_with("attachments", json!([])), email_with("attachments", "")]);
    assert_eq!(okite.post_to("/emails/batch", &batch).await.status, 200);
}

#[tokio::test]
async fn a_name_in_encoded_words_goes_out_as_one_that_receivers_decode() {
    let okite = Okite::start().await;
    for from in [
        "=?UTF-8?Q?Zo=C3=AB_B=2E?= <zoe@example.com>",
        "\"=?UTF-8?B?Wm/DqyBCLg==?=\" <zoe@example.com>",
        "Zoë B. <zoe@example.com>",
    ] {
        okite.send(&email_with("from", from)).await;
        let sent = last_sent(&okite).await;
        assert_eq!(sent["from"], "=?utf-8?b?Wm/DqyBCLg==?= <zoe@example.com>", "{from}");
        let path = format!("outbox/{}", sent["ses_message_id"].as_str().unwrap());
        let shown = okite.local(Method::GET, &path, &Value::Null).await.body;
        assert_eq!(shown["decoded"]["from"]["name"], "Zoë B.", "{shown}");
    }
}

#[tokio::test]
async fn headers_beyond_ascii_are_encoded_and_folded_ones_joined() {
    let okite = Okite::start().await;
    let mut mail = email(GOOD);
    mail["headers"] = json!({
        "X-Campaign": "Frühling",
        "List-Unsubscribe": "<https://example.com/u>,\r\n <mailto:u@example.com>",
        "message-id": "<1@example.com>",
        "Date": "Sat, 28 Nov 2026 08:00:00 +0000",
        "X-None": null,
    });
    let answer = okite.send(&mail).await;
    assert_eq!(
        last_sent(&okite).await["headers"],
        json!({
            "X-Campaign": "=?utf-8?b?RnLDvGhsaW5n?=",
            "List-Unsubscribe": "<https://example.com/u>, <mailto:u@example.com>",
        })
    );
    let notes = answer["okite_notes"].as_array().unwrap();
    for name in ["`Message-ID`", "`Date`"] {
        assert!(
            notes.iter().any(|note| note.as_str().unwrap().contains(name)),
            "{notes:?}"
        );
    }
    let batch = okite.post_to("/emails/batch", &json!([mail, email(GOOD)])).await.body;
    assert_eq!(batch["data"][0]["okite_notes"], answer["okite_notes"]);
    assert_eq!(batch["data"][1].get("okite_notes"), None);
}

#[tokio::test]
async fn a_file_arrives_from_every_form_of_base64() {
    let okite = Okite::start().await;
    let every_byte: Vec<u8> = (0..=255).chain([0xfb, 0xff]).collect();
    let text = STANDARD.encode(&every_byte);
    let lines = |end: &str| {
        let lines: Vec<&[u8]> = text.as_bytes().chunks(76).collect();
        String::from_utf8(lines.join(end.as_bytes())).unwrap() + end
    };
    let url_safe = text.replace('+', "-").replace('/', "_");
    let files = [
        lines("\n"),
        lines("\r\n"),
        url_safe.clone(),
        text.trim_end_matches('=').to_owned(),
        url_safe.trim_end_matches('=').to_owned(),
        format!("data:application/octet-stream;base64,{text}"),
    ];
    let attachments: Vec<Value> = files
        .iter()
        .enumerate()
        .map(|(number, content)| json!({ "filename": format!("{number}.bin "), "content": content }))
        .collect();
    okite.send(&email_with("attachments", attachments)).await;
    let sent = last_sent(&okite).await["attachments"].clone();
    for (number, file) in files.iter().enumerate() {
        assert_eq!(
            STANDARD.decode(sent[number]["content"].as_str().unwrap()).unwrap(),
            every_byte,
            "{file:.30}"
        );
        assert_eq!(sent[number]["filename"], format!("{number}.bin"));
    }
    let object = json!([{ "filename": "a.bin", "content": { "0": 104, "1": 105 } }]);
    let answer = okite.post(&email_with("attachments", object)).await;
    assert!(answer.refused(422, "invalid_attachment").contains("Uint8Array"));
}

#[tokio::test]
async fn an_inline_image_without_a_type_is_shown_in_the_page() {
    let okite = Okite::start().await;
    let mut mail = email_with("html", "<img src=\"cid:logo@x\">");
    let png = STANDARD.encode([0x89, b'P', b'N', b'G']);
    mail["attachments"] = json!([{ "filename": "logo.png", "content": png, "content_id": "<logo@x>" }]);
    let id = okite.send(&mail).await["id"].as_str().unwrap().to_owned();
    let sent = last_sent(&okite).await;
    let file = &sent["attachments"][0];
    assert_eq!(
        (&file["content_id"], &file["content_type"]),
        (&json!("logo@x"), &json!("image/png"))
    );
    let page = okite
        .request(Method::GET, &format!("/_local/outbox/{id}/html"))
        .send()
        .await
        .unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains(&format!("data:image/png;base64,{png}")), "{html}");
}

#[tokio::test]
async fn limits_count_characters_and_people() {
    let okite = Okite::start().await;
    okite.send(&email_with("subject", "漢".repeat(980))).await;
    let name = format!("{}.pdf", "漢".repeat(90));
    let file = json!([{ "filename": name, "content": "aGk=" }]);
    okite.send(&email_with("attachments", file)).await;
    assert_eq!(last_sent(&okite).await["attachments"][0]["filename"], name);
    let mut people: Vec<String> = (0..50).map(|number| format!("p{number}@example.net")).collect();
    people.push("P0@EXAMPLE.net".to_owned());
    okite.send(&email(people)).await;
    assert_eq!(last_sent(&okite).await["to"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn a_body_in_another_encoding_is_refused_with_its_cause() {
    let okite = Okite::start().await;
    let text = email(GOOD).to_string();
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    for (body, status, cause) in [
        (format!("\u{feff}{text}").into_bytes(), 400, "byte order mark"),
        (utf16, 400, "UTF-16"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec(), 415, "gzip"),
    ] {
        let message = okite.post_text(body).await;
        let message = message.refused(status, "validation_error");
        assert!(message.contains(cause), "{message}");
    }
    let request = okite
        .request(Method::POST, "/emails")
        .bearer_auth(KEY)
        .body("from=a&to=b");
    let answer = Answer::of(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")).await;
    assert!(answer.refused(415, "validation_error").contains("form"));
    let request = okite
        .request(Method::POST, "/suppressions")
        .bearer_auth(KEY)
        .body(&b"\x1b\x20\x00"[..]);
    let answer = Answer::of(request.header(CONTENT_ENCODING, "br")).await;
    assert!(answer.refused(415, "validation_error").contains("br"));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn one_mail_in_other_words_is_one_mail_under_one_key() {
    let okite = Okite::start().await;
    let mut plain = email("Anna <success@simulator.amazonses.com>");
    plain["attachments"] = json!([{ "filename": "a.txt", "content": "aGk=" }]);
    let first = okite.post_keyed("k", &plain).await;
    assert_eq!(first.status, 200, "{first:?}");
    let mut other = plain.clone();
    other["cc"] = Value::Null;
    other["reply_to"] = json!("");
    other["to"] = json!([
        "\"Anna\" <success@simulator.amazonses.com>",
        "SUCCESS@simulator.amazonses.com"
    ]);
    other["colour"] = json!("blue");
    other["attachments"] = json!([{ "content": [104, 105], "filename": "a.txt ", "content_type": "" }]);
    let repeated = okite.post_keyed("k", &other).await;
    assert_eq!((repeated.status, &repeated.body), (200, &first.body));
    other["cc"] = json!("bob@example.net");
    okite
        .post_keyed("k", &other)
        .await
        .refused(409, "invalid_idempotent_request");
    assert_eq!(okite.outbox().await.len(), 1);
    let batch = |cc: &Value| {
        let mut mail = email(GOOD);
        mail["cc"] = cc.clone();
        let request = okite.request(Method::POST, "/emails/batch").bearer_auth(KEY);
        Answer::of(request.header("idempotency-key", "b").json(&json!([mail])))
    };
    let first = batch(&json!("")).await;
    assert_eq!(batch(&Value::Null).await.body, first.body);
    batch(&json!("bob@example.net"))
        .await
        .refused(409, "invalid_idempotent_request");
}

#[tokio::test]
async fn all_emails_are_listed_the_newest_first_in_pages_both_ways() {
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 500 })).await;
    okite.report().await;
    assert_eq!(
        okite.get("/emails").await.body,
        json!({ "object": "list", "has_more": false, "data": [] })
    );
    let mut sent = Vec::new();
    for number in 0..9 {
        let mail = email(format!("success+{number}@simulator.amazonses.com"));
        sent.insert(0, okite.send(&mail).await["id"].clone());
    }
    let mut many = email(json!([
        "success+9@simulator.amazonses.com",
        "success+10@simulator.amazonses.com"
    ]));
    many["cc"] = json!("bounce@simulator.amazonses.com");
    sent.insert(0, okite.send(&many).await["id"].clone());
    let all = okite.get("/emails").await.body;
    assert_eq!((ids(&all), &all["has_more"]), (sent.clone(), &json!(false)));
    let mut cursor = String::new();
    for (from, to, has_more) in [(0, 4, true), (4, 8, true), (8, 10, false)] {
        let page = okite.get(&format!("/emails?limit=4{cursor}")).await.body;
        assert_eq!(
            (ids(&page), &page["has_more"]),
            (sent[from..to].to_vec(), &json!(has_more))
        );
        cursor = format!("&after={}", sent[to - 1].as_str().unwrap());
    }
    let back = okite
        .get(&format!("/emails?limit=4&before={}", sent[8].as_str().unwrap()))
        .await
        .body;
    assert_eq!((ids(&back), &back["has_more"]), (sent[4..8].to_vec(), &json!(true)));
    let both = format!("/emails?after={0}&before={0}", sent[0].as_str().unwrap());
    okite.get(&both).await.refused(422, "invalid_parameter");
    eventually("the bounce is listed", async || {
        okite.get("/emails?limit=1").await.body["data"][0]["last_event"] == "bounced"
    })
    .await;
    let listed = &okite.get("/emails?limit=1").await.body["data"][0];
    assert_eq!(
        (&listed["to"], &listed["cc"], &listed["subject"]),
        (&many["to"], &json!([many["cc"]]), &many["subject"])
    );
}

#[tokio::test]
async fn a_plus_in_a_query_is_part_of_the_address() {
    let okite = Okite::start().await;
    let id = okite.send(&email("success+a@simulator.amazonses.com")).await["id"].clone();
    for to in [
        "success+a@simulator.amazonses.com",
        "success%2Ba%40simulator.amazonses.com",
        "success%20a@simulator.amazonses.com",
    ] {
        let answer = okite.get(&format!("/emails?to={to}")).await;
        assert_eq!((answer.status, ids(&answer.body)), (200, vec![id.clone()]), "{to}");
    }
}

#[tokio::test]
async fn a_suppression_names_the_email_that_caused_it() {
    let okite = Okite::start().await;
    let gone = "Bounce+Gone@simulator.amazonses.com";
    let sent = okite.send(&email(gone)).await;
    let path = "/suppressions/BOUNCE%2Bgone@simulator.amazonses.com";
    eventually("the address is suppressed", async || {
        okite.get(path).await.status == 200
    })
    .await;
    let shown = okite.get(path).await.body;
    assert_eq!(
        (&shown["source_id"], &shown["email"]),
        (&sent["id"], &json!(gone.to_lowercase()))
    );
    let created_at = shown["created_at"].as_str().unwrap();
    assert!(
        created_at.len() == 24 && created_at.ends_with('Z') && created_at.parse::<jiff::Timestamp>().is_ok(),
        "{created_at}"
    );
    let mail = okite
        .get(&format!("/emails/{}", shown["source_id"].as_str().unwrap()))
        .await;
    assert_eq!((mail.status, &mail.body["id"]), (200, &sent["id"]));
    // A classic notification does not carry Okite's id, and SES's finds the email too.
    let sent = okite.send(&email("carl@example.net")).await;
    let ses_id = last_sent(&okite).await["ses_message_id"].clone();
    let event = json!({
        "notificationType": "Complaint",
        "mail": { "messageId": ses_id, "timestamp": "2026-01-01T00:00:00.000Z", "destination": ["carl@example.net"] },
        "complaint": { "complainedRecipients": [{ "emailAddress": "carl@example.net" }], "feedbackId": "c-1",
                       "complaintFeedbackType": "abuse", "timestamp": "2026-01-01T00:00:01.000Z" },
    });
    assert_eq!(okite.publish(&event).await, (1, 0));
    let source = okite.get("/suppressions/carl@example.net").await.body["source_id"].clone();
    let path = format!("/emails/{}", source.as_str().unwrap());
    eventually("the email is found", async || okite.get(&path).await.status == 200).await;
    assert_eq!(okite.get(&path).await.body["id"], sent["id"]);
}
