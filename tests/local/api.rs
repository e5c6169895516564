//! `/_local/`: shows and changes the simulated account, for tests and people.

use std::collections::BTreeSet;

use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{EmailContent, RawMessage};
use domain::suppression::SuppressionReason;
use reqwest::Method;
use serde_json::{Value, json};

use crate::feedback::events::hard_bounce;
use crate::support::{Answer, Okite, email, email_with, within};

const GOOD: &str = "success@simulator.amazonses.com";

/// Asks for a refusal that says why.
async fn refuses(okite: &Okite, method: Method, part: &str, body: &Value, status: u16) {
    let answer = okite.local(method, part, body).await;
    assert_eq!(answer.status, status, "{part} {body}: {answer:?}");
    assert!(
        !answer.body["message"].as_str().unwrap_or_default().is_empty(),
        "{part} {body}: {answer:?}"
    );
}

#[tokio::test]
async fn the_outbox_shows_a_mail_in_the_agreed_shape() {
    let okite = Okite::start().await;
    okite.send(&email(GOOD)).await;
    let mail = &okite.outbox().await[0];
    let fields: BTreeSet<&str> = mail.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "ses_message_id",
        "raw",
        "envelope",
        "from",
        "to",
        "cc",
        "bcc",
        "reply_to",
        "subject",
        "text",
        "html",
        "headers",
        "attachments",
        "tags",
        "at",
        "id",
        "state",
        "read",
        "decoded",
    ];
    assert_eq!(fields, BTreeSet::from(wanted));
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("Acme <hello@example.com>"), &json!([GOOD]))
    );
    assert_eq!(
        (&mail["subject"], &mail["text"], &mail["html"]),
        (&json!("Hello"), &json!("It works."), &Value::Null)
    );
    for field in ["cc", "bcc", "reply_to", "attachments"] {
        assert_eq!(mail[field], json!([]), "{field}");
    }
    assert_eq!(mail["headers"], json!({}));
    assert!(mail["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[tokio::test]
async fn a_mail_in_the_outbox_has_its_id_and_the_names_that_people_read() {
    let okite = Okite::start().await;
    let mut email = email(json!(["Zoë <success@simulator.amazonses.com>"]));
    email["reply_to"] = json!("\"Care, Team\" <care@example.com>");
    let id = okite.send(&email).await["id"].clone();
    let mail = okite.outbox().await.remove(0);
    assert_eq!(mail["id"], id);
    assert!(mail["to"][0].as_str().unwrap().starts_with("=?"), "{mail}");
    assert_eq!(
        mail["decoded"],
        json!({
            "from": { "name": "Acme", "email": "hello@example.com" },
            "to": [{ "name": "Zoë", "email": GOOD }],
            "cc": [],
            "bcc": [],
            "reply_to": [{ "name": "Care, Team", "email": "care@example.com" }],
        })
    );
    for name in [&id, &mail["ses_message_id"]] {
        let part = format!("outbox/{}", name.as_str().unwrap());
        assert_eq!(
            okite.local(Method::GET, &part, &Value::Null).await.body["subject"],
            "Hello"
        );
    }
}

#[tokio::test]
async fn a_list_of_the_outbox_can_leave_bodies_and_files_out() {
    let okite = Okite::start().await;
    okite
        .send(&email_with(
            "attachments",
            json!([{ "filename": "a.txt", "content": "eA==" }]),
        ))
        .await;
    let list = okite.local(Method::GET, "outbox?summary=true", &Value::Null).await.body;
    let mail = &list["data"][0];
    assert_eq!(
        (&mail["snippet"], &mail["attachments"]),
        (&json!("It works."), &json!(1))
    );
    assert!(mail.get("text").is_none() && mail.get("html").is_none(), "{mail}");
    refuses(&okite, Method::GET, "outbox?colour=blue", &Value::Null, 400).await;
}

#[tokio::test]
async fn the_html_of_a_mail_is_served_in_a_sandbox_with_its_images() {
    let okite = Okite::start().await;
    let mut email = email_with(
        "html",
        "<img src=\"cid:dot\"><a href=\"https://example.com/\">there</a>",
    );
    email["attachments"] =
        json!([{ "filename": "ü.gif", "content": "R0lGODlh", "content_type": "image/gif", "content_id": "dot" }]);
    let id = okite.send(&email).await["id"].as_str().unwrap().to_owned();
    let get = async |path: &str| {
        let answer = within(okite.request(Method::GET, path).send()).await.unwrap();
        let headers = answer.headers().clone();
        (headers, within(answer.bytes()).await.unwrap())
    };
    let (headers, html) = get(&format!("/_local/outbox/{id}/html")).await;
    assert_eq!(
        html,
        "<img src=\"data:image/gif;base64,R0lGODlh\"><a target=\"_blank\" href=\"https://example.com/\">there</a>"
    );
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none';"), "{policy}");
    let (headers, file) = get(&format!("/_local/outbox/{id}/attachments/0")).await;
    assert_eq!(file, "GIF89a");
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename*=UTF-8''%C3%BC.gif"
    );
    let mail = okite
        .local(Method::GET, &format!("outbox/{id}"), &Value::Null)
        .await
        .body;
    assert_eq!(
        mail["links"],
        json!([{ "text": "there", "href": "https://example.com/" }])
    );
    refuses(
        &okite,
        Method::GET,
        &format!("outbox/{id}/attachments/1"),
        &Value::Null,
        404,
    )
    .await;
}

#[tokio::test]
async fn a_raw_mail_is_shown_with_its_parts_and_served_as_it_was_sent() {
    let okite = Okite::start().await;
    let source = "From: =?utf-8?Q?Zo=C3=AB?= <zoe@example.com>\r\nTo: success@simulator.amazonses.com\r\n\
        Subject: Raw\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<script>1</script><p>\u{fc}";
    let raw = RawMessage::builder().data(Blob::new(source)).build().unwrap();
    let send = okite
        .ses()
        .send_email()
        .content(EmailContent::builder().raw(raw).build());
    let id = send.send().await.unwrap().message_id.unwrap();
    let mail = okite
        .local(Method::GET, &format!("outbox/{id}"), &Value::Null)
        .await
        .body;
    assert_eq!((&mail["raw"], &mail["subject"]), (&json!(true), &json!("Raw")));
    assert_eq!(
        mail["decoded"]["from"],
        json!({ "name": "Zoë", "email": "zoe@example.com" })
    );
    assert_eq!(
        mail["envelope"],
        json!({ "from": "zoe@example.com", "to": ["success@simulator.amazonses.com"] })
    );
    assert!(mail.get("source").is_none(), "{mail}");
    let disposition = format!("attachment; filename=\"{id}.eml\"");
    for (part, kind, disposition) in [
        ("source", "text/plain; charset=utf-8", None),
        ("message.eml", "message/rfc822", Some(disposition.as_str())),
    ] {
        let path = format!("/_local/outbox/{id}/{part}");
        let answer = within(okite.request(Method::GET, &path).send()).await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("content-type"), Some(kind));
        assert_eq!(header("content-disposition"), disposition);
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        let policy = header("content-security-policy").unwrap();
        assert!(
            policy.contains("sandbox") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert_eq!(within(answer.bytes()).await.unwrap(), source);
    }
    // Of another mail, the message is built.
    let simple = okite.send(&email(GOOD)).await["id"].as_str().unwrap().to_owned();
    for part in ["source", "message.eml"] {
        let request = okite.request(Method::GET, &format!("/_local/outbox/{simple}/{part}"));
        let built = within(within(request.send()).await.unwrap().text()).await.unwrap();
        assert!(
            built.contains("\r\nSubject: Hello\r\n") && built.contains("\r\n\r\nIt works."),
            "{built}"
        );
    }
}

/// Reads Server-Sent Events until one of a kind has come, and returns the names, ids and data of them.
async fn follow(
    okite: &Okite,
    after: Option<&str>,
    last: impl Fn(&str, &Value) -> bool,
) -> Vec<(String, String, Value)> {
    let mut request = okite.request(Method::GET, "/_local/events");
    if let Some(after) = after {
        request = request.header("last-event-id", after);
    }
    let mut answer = within(request.send()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut text, mut events) = (String::new(), Vec::new());
    loop {
        let chunk = within(answer.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                let mut lines = event.lines();
                let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                value.unwrap_or_default().to_owned()
            };
            let event = (
                field("event"),
                field("id"),
                serde_json::from_str(&field("data")).unwrap(),
            );
            text = rest.to_owned();
            let is_last = last(&event.0, &event.2);
            events.push(event);
            if is_last {
                return events;
            }
        }
    }
}

#[tokio::test]
async fn events_are_streamed_at_once_and_resume_where_a_watcher_stopped() {
    let okite = Okite::start().await;
    let begun = follow(&okite, None, |name, _| name == "ready").await;
    assert_eq!(begun[0].0, "reset");
    let seen = begun.last().unwrap().1.clone();
    okite.send(&email("bounce@simulator.amazonses.com")).await;
    let is_bounce = |name: &str, data: &Value| name == "event" && data["event"]["eventType"] == "Bounce";
    let told = follow(&okite, Some(&seen), |name, data| {
        is_bounce(name, data) && data["state"] == "handled"
    })
    .await;
    assert_eq!((told[0].0.as_str(), &told[0].2["subject"]), ("mail", &json!("Hello")));
    let bounce = &told.last().unwrap().2;
    assert_eq!(bounce["event"]["bounce"]["bounceType"], "Permanent");
    okite.local(Method::DELETE, "outbox", &Value::Null).await;
    let after = follow(&okite, Some(&told.last().unwrap().1), |name, _| name == "cleared").await;
    assert!(!after.iter().any(|(name, ..)| name == "reset" || name == "mail"));
    let anew = follow(&okite, Some("of another run.7"), |name, _| name == "ready").await;
    assert_eq!(anew[0].0, "reset");
    assert!(anew.iter().any(|(name, _, data)| is_bounce(name, data)));
    assert!(!anew.iter().any(|(name, ..)| name == "cleared"));
}

#[tokio::test]
async fn an_unhandled_event_is_shown_in_the_queue() {
    let okite = Okite::start().await;
    let seen = follow(&okite, None, |name, _| name == "ready").await.pop().unwrap().1;
    let poison = json!({ "eventType": "Bounce", "mail": {}, "bounce": 7 });
    assert_eq!(okite.publish(&poison).await, (0, 1));
    let told = follow(&okite, Some(&seen), |_, data| data["state"] == "queued").await;
    assert_eq!(told.last().unwrap().2["event"], poison);
}

#[tokio::test]
async fn an_open_stream_of_events_ends_with_the_server() {
    let okite = Okite::start().await;
    let mut answer = within(okite.request(Method::GET, "/_local/events").send())
        .await
        .unwrap();
    within(answer.chunk()).await.unwrap();
    within(okite.local.stop()).await;
    // One that was cut off would be an error.
    while within(answer.chunk()).await.unwrap().is_some() {}
}

#[tokio::test]
async fn the_page_is_at_the_root_and_other_methods_are_the_apis() {
    let okite = Okite::start().await;
    let answer = within(okite.request(Method::GET, "/").send()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'sha256-",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "trusted-types 'none'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    assert!(answer.text().await.unwrap().contains(crate::support::KEY));
    Answer::of(okite.request(Method::PUT, "/"))
        .await
        .refused(404, "not_found");
    let of_ses = within(okite.request(Method::POST, "/").send()).await.unwrap();
    assert_eq!(of_ses.status(), 403);
    let text = of_ses.text().await.unwrap();
    assert!(text.contains("<Code>MissingAuthenticationToken</Code>"), "{text}");
}

#[tokio::test]
async fn other_web_sites_are_refused_and_programs_are_not() {
    let okite = Okite::start().await;
    okite.send(&email(GOOD)).await;
    let asks = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut request = okite.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        within(request.send()).await.unwrap().status().as_u16()
    };
    for path in ["/", "/_local/outbox", "/_local/events", "/_local/nowhere"] {
        assert_eq!(
            asks(Method::GET, path, &[("host", "rebound.example:3000")]).await,
            403,
            "{path}"
        );
    }
    let evil = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(asks(Method::DELETE, "/_local/outbox", &evil).await, 403);
    assert_eq!(asks(Method::POST, "/_local/schedule", &evil[..1]).await, 403);
    assert_eq!(asks(Method::GET, "/_local/outbox", &evil[1..]).await, 403);
    assert_eq!(okite.outbox().await.len(), 1);
    let own = okite.local.url.clone();
    let page = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    assert_eq!(asks(Method::DELETE, "/_local/outbox", &page).await, 204);
    assert_eq!(okite.outbox().await.len(), 0);
}

#[tokio::test]
async fn the_outbox_is_in_order_and_can_be_emptied() {
    let okite = Okite::start().await;
    for n in 0..3 {
        okite.send(&email(format!("success+{n}@simulator.amazonses.com"))).await;
    }
    let to: Vec<_> = okite.outbox().await.iter().map(|mail| mail["to"][0].clone()).collect();
    assert_eq!(
        to,
        [0, 1, 2].map(|n| json!(format!("success+{n}@simulator.amazonses.com")))
    );
    let answer = okite.local(Method::DELETE, "outbox", &Value::Null).await;
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn the_account_is_shown_and_changed_in_part() {
    let okite = Okite::start().await;
    let mut account = json!({
        "max_24_hour_send": 50_000,
        "max_send_rate": 14,
        "production_access": true,
        "sending_enabled": true,
        "enforcement_status": "HEALTHY",
        "bounce_rate": null,
        "complaint_rate": null,
    });
    assert_eq!(okite.local(Method::GET, "account", &Value::Null).await.body, account);
    for (field, value) in [
        ("max_24_hour_send", json!(-1)),
        ("max_send_rate", json!(1.5)),
        ("production_access", json!(false)),
        ("sending_enabled", json!(false)),
        ("enforcement_status", json!("PROBATION")),
        ("bounce_rate", json!(0.051)),
        ("complaint_rate", json!(0.001)),
        ("complaint_rate", Value::Null),
    ] {
        account[field] = value.clone();
        let answer = okite.local(Method::PUT, "account", &json!({ field: value })).await;
        assert_eq!((answer.status, answer.body), (204, Value::Null));
        assert_eq!(okite.local(Method::GET, "account", &Value::Null).await.body, account);
    }
}

#[tokio::test]
async fn an_invalid_account_is_refused_whole() {
    let okite = Okite::start().await;
    let before = okite.local(Method::GET, "account", &Value::Null).await.body;
    for patch in [
        json!({ "max_send_rate": 1, "colour": "blue" }),
        json!({ "max_send_rate": "1" }),
        json!({ "max_send_rate": -1 }),
        json!({ "max_24_hour_send": -2 }),
        json!({ "enforcement_status": "FINE" }),
        json!({ "sending_enabled": "yes" }),
        json!([]),
        Value::Null,
    ] {
        refuses(&okite, Method::PUT, "account", &patch, 400).await;
    }
    assert_eq!(okite.local(Method::GET, "account", &Value::Null).await.body, before);
}

#[tokio::test]
async fn a_fault_lasts_for_the_given_number_of_calls() {
    let okite = Okite::start().await;
    let error = json!({ "operation": "SendEmail", "times": 2, "error": "BadRequestException", "message": "Bad." });
    okite.fault(error).await;
    for _ in 0..2 {
        okite.post(&email(GOOD)).await.refused(422, "validation_error");
    }
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn faults_can_be_cleared() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "SendEmail", "for_ms": 600_000, "drop": "before" }))
        .await;
    okite.post(&email(GOOD)).await.refused(500, "application_error");
    okite.post(&email(GOOD)).await.refused(500, "application_error");
    let answer = okite.local(Method::DELETE, "faults", &Value::Null).await;
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let okite = Okite::start().await;
    for fault in [
        json!({ "operation": "SendEmail" }),
        json!({ "operation": "SendPostcard", "drop": "before" }),
        json!({ "drop": "before" }),
        json!({ "operation": "SendEmail", "drop": "during" }),
        json!({ "operation": "SendEmail", "drop": "before", "delay_ms": 1 }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "message": "m" }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "times": 0 }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "times": 1, "for_ms": 1 }),
        json!({ "operation": "SendEmail", "unprocessed": true }),
        json!({ "operation": "PutItem", "unprocessed": true }),
        json!({ "operation": "PutItem", "drop": "before", "table": "NoTable" }),
        json!({ "operation": "PutItem", "drop": "before", "function": "no-function" }),
        json!({ "operation": "PutItem", "hold": "during" }),
        json!({ "operation": "SendEmail", "drop": "before", "table": "MessagesTable" }),
        json!({ "operation": "CreateTable", "drop": "before" }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "colour": "blue" }),
        json!("SendEmail"),
        Value::Null,
    ] {
        refuses(&okite, Method::POST, "faults", &fault, 400).await;
    }
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn a_number_of_copies_that_makes_no_sense_is_refused() {
    let okite = Okite::start().await;
    for query in ["copies=0", "copies=-1", "copies=many", "copies=1001", "colour=blue"] {
        refuses(&okite, Method::POST, &format!("sns?{query}"), &json!({}), 400).await;
    }
}

#[tokio::test]
async fn unknown_parts_and_wrong_methods_are_errors() {
    let okite = Okite::start().await;
    for part in [
        "nowhere",
        "outbox/1",
        "outbox/1/html",
        "outbox/1/source",
        "outbox/1/checks",
        "outbox/1/message.eml",
        "outbox/1/attachments/0",
        "outbox/1/x",
        "",
    ] {
        refuses(&okite, Method::GET, part, &Value::Null, 404).await;
    }
    for (method, part) in [
        (Method::POST, "outbox"),
        (Method::POST, "account"),
        (Method::PUT, "faults"),
        (Method::POST, "held"),
        (Method::GET, "clock"),
        (Method::GET, "sns"),
        (Method::GET, "schedule"),
        (Method::GET, "schedules/QuotaReporterSchedule"),
        (Method::POST, "queues"),
    ] {
        refuses(&okite, method, part, &Value::Null, 405).await;
    }
}

#[tokio::test]
async fn notifications_for_operators_can_be_read() {
    let okite = Okite::start().await;
    let notifications = async || okite.local(Method::GET, "notifications", &Value::Null).await.body;
    assert_eq!(notifications().await, json!([]));
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(aws_config::Region::new(local_aws::REGION))
        .endpoint_url(&okite.local.sns_url)
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::new("test", "local", None, None, "tests"),
        ))
        .http_client(aws::http_client())
        .build();
    let to = |topic: &str| aws::Notifications::new(aws::sns(&config), topic.to_owned());
    let operators = to(okite::application::ALARM_TOPIC_ARN);
    operators.publish("Sending is stopped", "Why").await.unwrap();
    let kept = notifications().await;
    assert_eq!(
        (&kept[0]["topic_arn"], &kept[0]["subject"], &kept[0]["message"]),
        (
            &json!(okite::application::ALARM_TOPIC_ARN),
            &json!("Sending is stopped"),
            &json!("Why")
        )
    );
    assert!(kept[0]["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    // A topic with a subscriber hands over what is published to it, and keeps nothing.
    let bounce = hard_bounce("gone@example.net", 1);
    let feedback = to(okite.variable("FEEDBACK_TOPIC_ARN"));
    feedback.publish("", &bounce.to_string()).await.unwrap();
    okite
        .until_suppressed("gone@example.net", SuppressionReason::Bounce)
        .await;
    assert_eq!(notifications().await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_identity_is_changed_in_part_or_created() {
    let okite = Okite::start().await;
    let mail_from = json!({ "domain": "bounce.example.com", "status": "PENDING" });
    for (identity, patch) in [
        (
            "example.com",
            json!({ "dkim": "TEMPORARY_FAILURE", "mail_from": mail_from }),
        ),
        ("new.example", json!({})),
    ] {
        let part = format!("identities/{identity}");
        assert_eq!(okite.local(Method::PUT, &part, &patch).await.status, 204);
    }
    let read = async |name: &str| {
        okite
            .ses()
            .get_email_identity()
            .email_identity(name)
            .send()
            .await
            .unwrap()
    };
    let known = read("example.com").await;
    let (dkim, mail_from) = (known.dkim_attributes().unwrap(), known.mail_from_attributes().unwrap());
    assert!(known.verified_for_sending_status());
    assert_eq!(dkim.status().unwrap().as_str(), "TEMPORARY_FAILURE");
    assert_eq!(mail_from.mail_from_domain(), "bounce.example.com");
    assert_eq!(mail_from.mail_from_domain_status().as_str(), "PENDING");
    assert!(!read("new.example").await.verified_for_sending_status());
    for patch in [json!({ "dkim": "FINE" }), json!({ "colour": "blue" }), Value::Null] {
        refuses(&okite, Method::PUT, "identities/example.com", &patch, 400).await;
    }
    refuses(&okite, Method::PUT, "identities/nowhere", &json!({}), 400).await;
}
