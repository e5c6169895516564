//! The requests that the send API rejects before it looks up or sends anything: every documented error, in the
//! documented shape and order.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite, email, email_with};

/// More than the send API takes, and less than Lambda does.
const TOO_LARGE: usize = 5_900_001;

async fn assert_nothing_sent(okite: &Okite) {
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

/// Posts each email and expects the same error, whose message contains the given text. Nothing is sent.
async fn refuses_all(status: u16, name: &str, emails: impl IntoIterator<Item = (Value, &str)>) {
    let okite = Okite::start().await;
    for (email, names) in emails {
        let answer = okite.post(&email).await;
        let message = answer.refused(status, name);
        assert!(message.contains(names), "{names} is not in {message:?}");
        assert_eq!(answer.body.get("id"), None, "{answer:?}");
    }
    assert_nothing_sent(&okite).await;
}

/// The minimal email with each value in `field`.
fn each(field: &str, values: impl IntoIterator<Item = Value>) -> Vec<(Value, &str)> {
    values
        .into_iter()
        .map(|value| (email_with(field, value), field))
        .collect()
}

#[tokio::test]
async fn refuses_a_body_that_is_not_json() {
    let okite = Okite::start().await;
    let deep = ["[".repeat(10_000), "{\"a\":".repeat(10_000)];
    let bodies = [
        "",
        "{",
        "hello",
        "{'from': 1}",
        "{} {}",
        "\u{feff}{}",
        r#"{"subject":"\ud800"}"#,
        r#"{"\udc00":1}"#,
        r#"{"a":1e999}"#,
    ];
    for body in bodies.map(str::to_owned).into_iter().chain(deep) {
        okite.post_text(body).await.refused(400, "validation_error");
    }
    okite.post_text(&b"\xff\xfe"[..]).await.refused(400, "validation_error");
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn refuses_json_that_is_not_an_object() {
    refuses_all(
        422,
        "validation_error",
        [
            json!(null),
            json!([]),
            json!(1),
            json!("x"),
            json!([email("a@example.net")]),
        ]
        .map(|body| (body, "object")),
    )
    .await;
}

#[tokio::test]
async fn refuses_a_wrong_type_in_any_field_and_names_it() {
    let mut emails = Vec::new();
    for field in ["from", "to", "cc", "bcc", "reply_to", "subject", "html", "text"] {
        emails.extend(each(field, [json!(1), json!(true), json!({}), json!([1])]));
    }
    emails.extend(each(
        "headers",
        [json!("x"), json!([1]), json!({ "X-A": 1 }), json!({ "X-A": ["b"] })],
    ));
    emails.extend(each(
        "tags",
        [json!("x"), json!({}), json!([1]), json!([{ "name": 1, "value": "b" }])],
    ));
    emails.extend(each("attachments", [json!("x"), json!({}), json!([1])]));
    for field in ["filename", "content_type", "content_id"] {
        let mut file = json!({ "filename": "a.txt", "content": "aGk=" });
        file[field] = json!(1);
        emails.push((email_with("attachments", json!([file])), field));
    }
    refuses_all(422, "validation_error", emails).await;
}

#[tokio::test]
async fn refuses_an_email_without_a_required_field_and_names_it() {
    let without = |fields: &[&str]| {
        let mut email = email("success@simulator.amazonses.com");
        for field in fields {
            email.as_object_mut().unwrap().remove(*field);
        }
        email
    };
    let mut emails = Vec::new();
    for field in ["from", "to", "subject"] {
        emails.push((without(&[field]), field));
        emails.push((email_with(field, Value::Null), field));
    }
    emails.push((without(&["text"]), "`text`"));
    emails.push((email_with("text", ""), "`html`"));
    refuses_all(422, "missing_required_field", emails).await;
}

#[tokio::test]
async fn refuses_more_than_fifty_recipients_over_all_lists() {
    let people: Vec<String> = (0..51).map(|n| format!("p{n}@example.net")).collect();
    let mut spread = email(&people[..20]);
    spread["cc"] = json!(people[20..40]);
    spread["bcc"] = json!(people[40..]);
    refuses_all(422, "validation_error", [(email(people), "50"), (spread, "50")]).await;
}

#[tokio::test]
async fn takes_fifty_recipients() {
    let okite = Okite::start().await;
    let people: Vec<String> = (0..50).map(|n| format!("p{n}@example.net")).collect();
    okite.send(&email(people)).await;
    assert_eq!(okite.outbox().await[0]["to"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn refuses_line_breaks_wherever_they_could_become_a_header() {
    let mut emails = Vec::new();
    for line_break in ["\r\n", "\n", "\r", "\0"] {
        let injected = format!("Hi{line_break}Bcc: eve@example.net");
        emails.extend(each("subject", [json!(injected)]));
        emails.extend(each(
            "headers",
            [
                json!({ "X-A": injected }),
                json!({ format!("X-A{line_break}Bcc"): "v" }),
            ],
        ));
        let mailbox = format!("Anna{line_break}Bcc: eve@example.net <anna@example.net>");
        for field in ["from", "to", "cc", "bcc", "reply_to"] {
            emails.extend(each(
                field,
                [json!(mailbox), json!(format!("anna@example.net{line_break}x"))],
            ));
        }
        let file =
            json!([{ "filename": "a.txt", "content": "aGk=", "content_type": format!("text/plain{line_break}x") }]);
        emails.extend(each("attachments", [file]));
        emails.extend(each(
            "tags",
            [json!([{ "name": "a", "value": format!("b{line_break}") }])],
        ));
    }
    refuses_all(422, "validation_error", emails).await;
}

#[tokio::test]
async fn refuses_bad_addresses_without_repeating_them() {
    let okite = Okite::start().await;
    for field in ["from", "to", "cc", "bcc", "reply_to"] {
        for address in [
            "mrs-jane",
            "mrs-jane@",
            "mrs jane@example.net",
            "mrs-jäne@example.net",
            "mrs-jane@[127.0.0.1]",
        ] {
            let answer = okite.post(&email_with(field, address)).await;
            let message = answer.refused(422, "validation_error");
            assert!(message.contains(field) && !message.contains("mrs"), "{message}");
        }
    }
    okite.post(&email(json!([]))).await.refused(422, "validation_error");
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn refuses_headers_and_tags_that_are_not_the_callers() {
    let many: serde_json::Map<String, Value> = (0..16).map(|n| (format!("X-{n}"), json!("v"))).collect();
    let mut emails = each(
        "headers",
        [
            json!(many),
            json!({ "X-A": "1", "x-a": "2" }),
            json!({ "X-A": "é".repeat(800) }),
        ],
    );
    for name in [
        "From",
        "bcc",
        "Sender",
        "Content-Type",
        "DKIM-Signature",
        "X-SES-CONFIGURATION-SET",
        "Resent-To",
    ] {
        emails.extend(each("headers", [json!({ name: "v" })]));
    }
    let tag = |name: &str, value: &str| json!([{ "name": name, "value": value }]);
    let long = "a".repeat(257);
    emails.extend(each(
        "tags",
        [
            tag("okite_id", "x"),
            tag("OKITE_x", "x"),
            tag("a b", "x"),
            tag("a", ""),
            tag("a", &long),
        ],
    ));
    emails.extend(each("tags", [json!([{ "name": "a" }]), json!([{ "value": "a" }])]));
    refuses_all(422, "validation_error", emails).await;
}

#[tokio::test]
async fn refuses_unsupported_fields_by_name() {
    let mut emails = Vec::new();
    for field in ["template", "topic_id"] {
        emails.extend(each(field, [json!("x"), json!({ "id": "x" }), json!(false)]));
    }
    let path = json!([{ "filename": "a.txt", "path": "https://example.com/a.txt" }]);
    emails.push((email_with("attachments", path), "path"));
    refuses_all(422, "validation_error", emails).await;
}

#[tokio::test]
async fn refuses_attachments_that_cannot_be_sent() {
    let files = [
        json!({ "filename": "a.txt", "content": "%%%" }),
        json!({ "filename": "a.txt", "content": "aGl" }),
        json!({ "filename": "a.txt", "content": "" }),
        json!({ "filename": "a.txt", "content": 1 }),
        json!({ "filename": "a.txt" }),
        json!({ "content": "aGk=" }),
        json!({ "filename": "", "content": "aGk=" }),
        json!({ "filename": "README", "content": "aGk=" }),
        json!({ "filename": "a\r\nb.txt", "content": "aGk=" }),
        json!({ "filename": "setup.exe", "content": "aGk=" }),
        json!({ "filename": "setup.exe ", "content": "aGk=" }),
        json!({ "filename": "setup.exe\u{200b}.", "content": "aGk=" }),
        json!({ "filename": "invoice.pdf.JS", "content": "aGk=" }),
    ];
    refuses_all(
        422,
        "invalid_attachment",
        each("attachments", files.map(|file| json!([file]))),
    )
    .await;
}

#[tokio::test]
async fn refuses_bytes_that_are_none_and_names_the_file() {
    let mut files = Vec::new();
    for bytes in [
        json!([104, 256]),
        json!([-1]),
        json!([1.5]),
        json!(["1"]),
        json!([[104]]),
        json!([null]),
        json!([]),
    ] {
        files.push(json!({ "filename": "a.txt", "content": bytes }));
        files.push(json!({ "filename": "a.txt", "content": { "type": "Buffer", "data": bytes } }));
    }
    for content in [
        json!({}),
        json!({ "data": 1 }),
        json!({ "data": { "data": "aGk=" } }),
        json!(true),
    ] {
        files.push(json!({ "filename": "a.txt", "content": content }));
    }
    let good = json!({ "filename": "b.txt", "content": [104] });
    let emails = files
        .into_iter()
        .map(|file| (email_with("attachments", json!([good, file])), "`attachments[1]"));
    refuses_all(422, "invalid_attachment", emails).await;
}

#[tokio::test]
async fn refuses_a_field_that_is_given_twice() {
    let okite = Okite::start().await;
    let mail = email("success@simulator.amazonses.com").to_string();
    let rest = mail.strip_prefix('{').unwrap();
    for twice in [
        r#""to":"eve@example.net""#,
        r#""t\u006f":"eve@example.net""#,
        r#""headers":{"to":"a","to":"b"}"#,
        r#""tags":[{"name":"a","to":"b","to":"c"}]"#,
        r#""unknown":{"to":1,"to":1}"#,
    ] {
        let answer = okite.post_text(format!("{{{twice},{rest}")).await;
        assert!(answer.refused(422, "validation_error").contains("`to` is given twice"));
    }
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn refuses_a_known_field_in_another_spelling_and_names_the_right_one() {
    let mut emails = Vec::new();
    for (wrong, right) in [
        ("replyTo", "`reply_to`"),
        ("reply-to", "`reply_to`"),
        ("scheduledAt", "`scheduled_at`"),
        ("okiteDeadline", "`okite_deadline`"),
        ("topicId", "`topic_id`"),
        ("Bcc", "`bcc`"),
        ("okiteOnSuppressed", "`okite_on_suppressed`"),
    ] {
        emails.push((email_with(wrong, "x"), right));
    }
    for (wrong, right) in [
        ("contentType", "`content_type`"),
        ("contentId", "`content_id`"),
        ("Path", "`path`"),
        ("inlineContentId", "`inline_content_id`"),
    ] {
        let file = json!([{ "filename": "a.txt", "content": "aGk=", wrong: "x" }]);
        emails.push((email_with("attachments", file), right));
    }
    refuses_all(422, "validation_error", emails).await;
}

/// Every field with every odd value: an answer that is documented, and a mail only for a 200.
#[tokio::test]
async fn any_value_in_any_field_gets_a_documented_answer() {
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 10_000.0 })).await;
    okite.report().await;
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let values = [
        Value::Null,
        json!(""),
        json!(" "),
        json!("x".repeat(300_000)),
        json!("a\u{0}b\u{7f}\u{85}\u{2028}\u{202e}"),
        json!(0),
        json!(-1.5e300),
        json!(u64::MAX),
        json!(false),
        json!([]),
        json!({}),
        json!([[]]),
        json!([null, {}, [], 1]),
        json!(vec!["a@example.net"; 60]),
        json!({ "": "" }),
        json!({ "type": "Buffer", "data": [] }),
        deep,
    ];
    let files = [
        "filename",
        "content",
        "content_type",
        "content_id",
        "inline_content_id",
        "path",
    ];
    let mut mails = Vec::new();
    for value in values {
        for field in [
            "from",
            "to",
            "cc",
            "bcc",
            "reply_to",
            "subject",
            "html",
            "text",
            "headers",
            "tags",
            "attachments",
            "okite_on_suppressed",
            "okite_when_busy",
            "okite_deadline",
            "scheduled_at",
            "template",
            "topic_id",
            "unknown",
        ] {
            mails.push(email_with(field, value.clone()));
        }
        for field in files {
            let mut file = json!({ "filename": "a.txt", "content": "aGk=" });
            file[field] = value.clone();
            mails.push(email_with("attachments", json!([file])));
        }
        for name in ["X-A", "X-Tags", "X-Metadata", "From", ""] {
            mails.push(email_with("headers", json!({ name: value })));
        }
        mails.push(email_with("tags", json!([{ "name": value, "value": "a" }])));
        mails.push(email_with("tags", json!([{ "name": "a", "value": value }])));
    }
    let mut sent = 0;
    for mail in mails {
        let answer = okite.post(&mail).await;
        if answer.status == 200 {
            sent += 1;
            continue;
        }
        let name = answer.body["name"].as_str().unwrap_or_default();
        let names = ["validation_error", "missing_required_field", "invalid_attachment"];
        assert!(names.contains(&name), "{answer:?}");
        answer.refused(422, name);
    }
    assert_eq!(okite.outbox().await.len(), sent);
}

#[tokio::test]
async fn ignores_fields_that_it_does_not_know_and_takes_null_for_absent() {
    let okite = Okite::start().await;
    let mut mail = email_with("colour", "blue");
    for field in [
        "cc",
        "bcc",
        "reply_to",
        "html",
        "headers",
        "tags",
        "attachments",
        "scheduled_at",
        "okite_deadline",
        "okite_when_busy",
        "template",
    ] {
        mail[field] = Value::Null;
    }
    okite.send(&mail).await;
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn refuses_a_body_over_its_limit_in_its_own_words() {
    let okite = Okite::start().await;
    let answer = okite.post_text("a".repeat(TOO_LARGE)).await;
    assert!(answer.refused(413, "validation_error").contains("4.4 MB"));
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn an_event_over_lambdas_limit_is_refused_by_the_gateway_in_its_words() {
    let okite = Okite::start().await;
    // The second is small enough by itself, but not escaped in an event; the third is over the gateway's own limit.
    for body in ["a".repeat(6_300_000), "\"".repeat(3_200_000), "a".repeat(10_500_000)] {
        let answer = okite.post_text(body).await;
        assert_eq!(answer.status, 413);
        assert_eq!(answer.body, json!({ "message": "Request Entity Too Large" }));
    }
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn refuses_a_caller_without_a_key() {
    let okite = Okite::start().await;
    for header in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Basic b2s6b2s="),
        Some(KEY),
    ] {
        let mut request = okite
            .request(Method::POST, "/emails")
            .body(email("a@example.net").to_string());
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        Answer::of(request).await.refused(401, "missing_api_key");
    }
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn refuses_a_caller_with_a_key_that_is_wrong_or_malformed() {
    let okite = Okite::start().await;
    let other_secret = format!("{KEY}x");
    for key in [
        &other_secret,
        "ok_nobody_secret",
        "ok_local_",
        "ok_local",
        "re_123",
        "ok__x",
        &KEY.to_uppercase(),
    ] {
        let request = okite.request(Method::POST, "/emails").bearer_auth(key);
        let answer = Answer::of(request.body(email("a@example.net").to_string())).await;
        let message = answer.refused(403, "invalid_api_key");
        assert!(!message.contains(key), "{message}");
    }
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn a_key_sends_from_its_own_domains_only() {
    let okite = Okite::start().await;
    let key = "ok_bound_secret";
    okite.put_key(key, &["example.org"]).await;
    let post = async |from: &str| {
        let request = okite.request(Method::POST, "/emails").bearer_auth(key);
        Answer::of(request.body(email_with("from", from).to_string())).await
    };
    post("hello@example.com").await.refused(403, "validation_error");
    post("hello@badexample.org").await.refused(403, "validation_error");
    assert_nothing_sent(&okite).await;
    assert_eq!(post("hello@example.org").await.status, 200);
    assert_eq!(post("hello@mail.example.org").await.status, 200);
}

#[tokio::test]
async fn takes_a_body_whatever_its_content_type_says() {
    let okite = Okite::start().await;
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/octet-stream"),
        Some("application/json; charset=utf-8"),
    ] {
        let mut request = okite.request(Method::POST, "/emails").bearer_auth(KEY);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let answer = Answer::of(request.body(email_with("subject", "Grüße").to_string())).await;
        assert_eq!(answer.status, 200, "{content_type:?}: {answer:?}");
    }
    assert!(okite.outbox().await.iter().all(|mail| mail["subject"] == "Grüße"));
}

#[tokio::test]
async fn distinguishes_an_unknown_path_from_a_wrong_method() {
    let okite = Okite::start().await;
    for path in ["/email", "/Emails", "/emails/1/2", "/v1/emails", "/%00"] {
        let request = okite.request(Method::POST, path).bearer_auth(KEY);
        Answer::of(request).await.refused(404, "not_found");
    }
    // A POST to the root is version 1 of the SES API.
    let request = okite.request(Method::PUT, "/").bearer_auth(KEY);
    Answer::of(request).await.refused(404, "not_found");
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = Answer::of(okite.request(method, "/emails").bearer_auth(KEY)).await;
        answer.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("GET, POST"));
    }
    let answer = Answer::of(okite.request(Method::POST, "/health")).await;
    answer.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn says_without_a_key_that_it_runs() {
    let okite = Okite::start().await;
    let answer = Answer::of(okite.request(Method::GET, "/health")).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(
        answer.body,
        json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })
    );
}

#[tokio::test]
async fn slashes_around_a_path_make_no_difference() {
    let okite = Okite::start().await;
    for path in ["/emails/", "//emails"] {
        let request = okite.request(Method::POST, path).bearer_auth(KEY);
        let answer = Answer::of(request.body(email("success@simulator.amazonses.com").to_string())).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

/// Posts with one more header.
async fn post_with_header(okite: &Okite, name: &str, value: &str, body: String) -> Answer {
    let request = okite.request(Method::POST, "/emails").bearer_auth(KEY);
    Answer::of(request.header(name, value).body(body)).await
}

#[tokio::test]
async fn refuses_an_idempotency_key_that_is_empty_or_too_long() {
    let okite = Okite::start().await;
    let mail = email("success@simulator.amazonses.com").to_string();
    for key in ["", &"k".repeat(257)] {
        let answer = post_with_header(&okite, "Idempotency-Key", key, mail.clone()).await;
        answer.refused(400, "invalid_idempotency_key");
    }
    assert_nothing_sent(&okite).await;
}

/// A request that breaks every rule from the one named on, and none before it.
#[tokio::test]
async fn checks_size_then_route_then_key_then_idempotency_key_then_json_then_fields() {
    let okite = Okite::start().await;
    let long_key = "k".repeat(257);
    let ask = async |method: Method, path: &str, key: Option<&str>, idempotency_key: Option<&str>, body: String| {
        let mut request = okite.request(method, path).header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        Answer::of(request.body(body)).await
    };
    let not_json = || "{".to_owned();
    let large = "{".repeat(TOO_LARGE);
    let post = || Method::POST;

    let size = ask(Method::PUT, "/nowhere", None, Some(&long_key), large.clone()).await;
    size.refused(413, "validation_error");
    let size = ask(post(), "/emails", Some("ok_no_key"), Some(&long_key), large).await;
    size.refused(413, "validation_error");
    let route = ask(post(), "/nowhere", None, Some(&long_key), not_json()).await;
    route.refused(404, "not_found");
    let method = ask(Method::PUT, "/emails", None, Some(&long_key), not_json()).await;
    method.refused(405, "method_not_allowed");
    let no_key = ask(post(), "/emails", None, Some(&long_key), not_json()).await;
    no_key.refused(401, "missing_api_key");
    let wrong_key = ask(post(), "/emails", Some("ok_no_key"), Some(&long_key), not_json()).await;
    wrong_key.refused(403, "invalid_api_key");
    let idempotency_key = ask(post(), "/emails", Some(KEY), Some(&long_key), not_json()).await;
    idempotency_key.refused(400, "invalid_idempotency_key");
    let json = ask(post(), "/emails", Some(KEY), None, not_json()).await;
    json.refused(400, "validation_error");
    let fields = ask(post(), "/emails", Some(KEY), None, "{}".to_owned()).await;
    fields.refused(422, "missing_required_field");
    assert_nothing_sent(&okite).await;
}

#[tokio::test]
async fn finds_that_a_body_is_not_json_before_it_refuses_a_rule_that_it_does_not_know() {
    let okite = Okite::start().await;
    let answer = post_with_header(&okite, "okite-on-suppressed", "drop", "{".to_owned()).await;
    answer.refused(400, "validation_error");
}
