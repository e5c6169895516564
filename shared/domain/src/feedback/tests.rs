use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::stream::Stream;

fn received() -> Timestamp {
    "2026-01-02T00:00:00Z".parse().unwrap()
}

fn event(message: &Value) -> FeedbackEvent {
    match read(&message.to_string(), received()).unwrap() {
        Feedback::Event(event) => *event,
        Feedback::SetUp => panic!("a set-up message"),
    }
}

fn bounce(recipients: &Value) -> Value {
    json!({
        "eventType": "Bounce",
        "mail": {"messageId": "m-1", "timestamp": "2026-01-01T00:00:00.000Z", "destination": ["bystander@example.org"],
                 "sendingAccountId": "123456789012"},
        "bounce": {"bounceType": "Permanent", "bounceSubType": "General", "feedbackId": "f-1",
                   "timestamp": "2026-01-01T00:00:01.000Z", "bouncedRecipients": recipients},
    })
}

#[test]
fn acts_on_listed_recipients_only() {
    let event = event(&bounce(&json!([
        {"emailAddress": "Gone@Example.org", "status": "5.1.1", "action": "failed", "diagnosticCode": "smtp; 550 5.1.1"},
    ])));
    assert_eq!(event.facts.len(), 1);
    let fact = &event.facts[0];
    assert_eq!(fact.address.normalised(), "gone@example.org");
    assert_eq!(
        (fact.class, fact.feedback_id.as_str(), fact.subtype.as_str()),
        (FeedbackClass::HardBounce, "f-1", "Permanent/General")
    );
    assert_eq!(fact.at.to_string(), "2026-01-01T00:00:01Z");
    assert_eq!(event.sending_account.as_deref(), Some("123456789012"));
}

#[test]
fn reads_the_classic_format_the_same() {
    let mut classic = bounce(&json!([{"emailAddress": "gone@example.org"}]));
    let kind = classic["eventType"].take();
    classic["notificationType"] = kind;
    assert_eq!(
        event(&classic).facts,
        event(&bounce(&json!([{"emailAddress": "gone@example.org"}]))).facts
    );
}

#[test]
fn decides_each_recipient_of_one_bounce_by_itself() {
    let event = event(&bounce(&json!([
        {"emailAddress": "gone@example.org", "status": "5.1.1", "action": "failed"},
        {"emailAddress": "slow@example.org", "status": "4.4.7", "action": "delayed"},
        {"emailAddress": "wall@example.org", "status": "5.7.1", "action": "failed"},
        {"emailAddress": "not an address"},
        {},
    ])));
    let classes: Vec<_> = event.facts.iter().map(|fact| fact.class).collect();
    assert_eq!(
        classes,
        [FeedbackClass::HardBounce, FeedbackClass::Soft, FeedbackClass::Blocked]
    );
    assert_eq!(event.unreadable_recipients, 2);
}

#[test]
fn reads_complaints_of_every_kind() {
    let complaint = |kind: Value, sub: Value| {
        let event = event(&json!({"notificationType": "Complaint", "mail": {"messageId": "m-1"},
            "complaint": {"complainedRecipients": [{"emailAddress": "\"Anna B\" <anna@example.org>"}],
                          "complaintFeedbackType": kind, "complaintSubType": sub}}));
        (event.facts[0].address.normalised().to_owned(), event.facts[0].class)
    };
    let anna = |class| ("anna@example.org".to_owned(), class);
    assert_eq!(complaint(json!("abuse"), Value::Null), anna(FeedbackClass::Complaint));
    assert_eq!(complaint(Value::Null, Value::Null), anna(FeedbackClass::Complaint));
    assert_eq!(complaint(json!("not-spam"), Value::Null), anna(FeedbackClass::NotSpam));
    assert_eq!(
        complaint(json!("auth-failure"), Value::Null),
        anna(FeedbackClass::AuthFailure)
    );
    assert_eq!(
        complaint(Value::Null, json!("OnAccountSuppressionList")),
        anna(FeedbackClass::ComplaintEcho)
    );
}

#[test]
fn the_bounce_of_the_documents_suppresses_and_counts() {
    let documents = include_str!("../../../../docs/LOCAL.md");
    let (_, json) = documents.split_once("_local/sns -d '").unwrap();
    let (json, _) = json.split_once("'\n").unwrap();
    let event = event(&serde_json::from_str(json).unwrap());
    assert_eq!(event.facts[0].class, FeedbackClass::HardBounce);
    assert_eq!(event.facts[0].subtype, "Permanent/General");
    assert_eq!(event.marks.len(), 1);
}

#[test]
fn a_complaint_without_recipients_is_accepted() {
    let event =
        event(&json!({"eventType": "Complaint", "complaint": {"complaintSubType": "OnAccountSuppressionList"}}));
    assert!(event.facts.is_empty() && event.lists_nobody);
    assert_eq!(event.marks, [], "an echo of a list of the account does not count");
}

#[test]
fn a_bounce_or_complaint_that_lists_nobody_counts_once_if_aws_counts_it() {
    let marks = |kind: &str, contents: Value, destination: Value| {
        let mut contents = contents;
        contents["feedbackId"] = json!("f-1");
        let mail = json!({"messageId": "m-1", "destination": destination, "tags": {"okite_stream": ["bulk"]}});
        event(&json!({"eventType": kind, "mail": mail, kind.to_lowercase(): contents})).marks
    };
    let hard = |recipients: Value| json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": recipients});
    let abuse = json!({"complaintFeedbackType": "abuse", "complainedRecipients": []});
    for recipients in [json!([]), Value::Null] {
        let found = marks("Bounce", hard(recipients), json!(["Anna@Example.org"]));
        assert_eq!(
            (found.len(), found[0].kind, found[0].stream),
            (1, MarkKind::Bounce, Stream::Bulk)
        );
        assert_eq!(
            (found[0].domain.as_str(), found[0].class),
            ("example.org", FeedbackClass::HardBounce)
        );
    }
    let complaint = marks("Complaint", abuse.clone(), json!(["a@example.org", "b@example.net"]));
    assert_eq!(
        (complaint.len(), complaint[0].kind, complaint[0].domain.as_str()),
        (1, MarkKind::Complaint, "unknown")
    );
    for (kind, contents, destination) in [
        (
            "Bounce",
            json!({"bounceType": "Transient", "bounceSubType": "General"}),
            json!(["a@example.org"]),
        ),
        (
            "Bounce",
            json!({"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}),
            json!(["a@example.org"]),
        ),
        ("Bounce", hard(json!([])), json!(["bounce@simulator.amazonses.com"])),
        (
            "Complaint",
            json!({"complaintFeedbackType": "not-spam"}),
            json!(["a@example.org"]),
        ),
    ] {
        assert_eq!(marks(kind, contents.clone(), destination), [], "{contents}");
    }
}

#[test]
fn never_loses_an_event_over_a_timestamp() {
    let at = |event_time: Value, mail_time: Value| {
        let mut message = bounce(&json!([{"emailAddress": "a@example.org"}]));
        message["bounce"]["timestamp"] = event_time;
        message["mail"]["timestamp"] = mail_time;
        event(&message).facts[0].at.to_string()
    };
    assert_eq!(
        at(json!("nonsense"), json!("2026-01-01T00:00:00Z")),
        "2026-01-01T00:00:00Z"
    );
    assert_eq!(at(Value::Null, Value::Null), received().to_string());
    assert_eq!(at(json!(17), json!([])), received().to_string());
    assert_eq!(at(json!("2999-01-01T00:00:00Z"), Value::Null), received().to_string());
}

#[test]
fn acknowledges_set_up_messages_in_both_forms() {
    for message in [
        "Successfully validated SNS topic for Amazon SES event publishing.\n",
        r#"{"notificationType":"AmazonSnsSubscriptionSucceeded","message":"You have successfully subscribed"}"#,
    ] {
        assert!(matches!(read(message, received()), Ok(Feedback::SetUp)), "{message}");
    }
}

#[test]
fn lets_other_and_unknown_types_pass() {
    for kind in [
        "Send",
        "Delivery",
        "Open",
        "Click",
        "Reject",
        "Rendering Failure",
        "DeliveryDelay",
        "Subscription",
        "New",
    ] {
        let event = event(&json!({"eventType": kind, "mail": {"messageId": "m-1"}, "extra": {"a": 1}}));
        assert!(event.facts.is_empty() && event.kind == kind);
    }
}

#[test]
fn refuses_foreign_input_without_repeating_it() {
    for message in [
        "",
        "hello anna@example.org",
        "{}",
        "[]",
        "null",
        r#"{"eventType":"Bounce"}"#,
        r#"{"eventType":5}"#,
    ] {
        let error = read(message, received()).unwrap_err();
        assert!(!error.to_string().contains("anna"), "{error}");
    }
}

#[test]
fn a_field_of_another_type_loses_that_field_alone() {
    let facts = |message: &Value| event(message).facts;
    let mut message = bounce(&json!([{"emailAddress": "a@example.org", "status": 5.1, "action": ["failed"]}]));
    message["bounce"]["feedbackId"] = json!(7);
    message["mail"]["tags"] = json!("none");
    assert_eq!(facts(&message)[0].class, FeedbackClass::HardBounce);
    let complaint = json!({"eventType": "Complaint", "mail": "lost",
        "complaint": {"feedbackId": "f-2", "complainedRecipients": [{"emailAddress": "a@example.org"}]}});
    assert_eq!(facts(&complaint)[0].class, FeedbackClass::Complaint);
    let twice = r#"{"eventType":"Bounce","bounce":{"bounceType":"Transient","bounceType":"Permanent",
        "bouncedRecipients":[{"emailAddress":"a@example.org"}]}}"#;
    let Feedback::Event(twice) = read(twice, received()).unwrap() else {
        panic!("a set-up message")
    };
    assert_eq!(twice.facts[0].class, FeedbackClass::HardBounce);
}

#[test]
fn an_entry_that_cannot_be_read_does_not_hold_up_the_others() {
    let event = event(&bounce(
        &json!([null, {"emailAddress": "a@example.org"}, 7, "b@example.org"]),
    ));
    let addresses: Vec<_> = event.facts.iter().map(|fact| fact.address.normalised()).collect();
    assert_eq!(
        (addresses, event.unreadable_recipients),
        (vec!["a@example.org", "b@example.org"], 2)
    );
}

#[test]
fn a_list_in_one_entry_is_several_recipients() {
    let event = event(&bounce(&json!([{"emailAddress": "a@example.org, a..b@example.org"}])));
    let addresses: Vec<_> = event.facts.iter().map(|fact| fact.address.normalised()).collect();
    assert_eq!(addresses, ["a@example.org", "\"a..b\"@example.org"]);
}

#[test]
fn counts_like_aws_and_counts_refusals_of_the_sender_separately() {
    let kinds = |bounce_type: &str, diagnostic: &str| {
        let mut message = bounce(&json!([{"emailAddress": "a@example.org", "diagnosticCode": diagnostic}]));
        message["bounce"]["bounceType"] = json!(bounce_type);
        let event = event(&message);
        let kinds: Vec<_> = event.marks.iter().map(|mark| mark.kind.as_str()).collect();
        (
            event.facts[0].class,
            event.facts[0].reason.unwrap().as_str(),
            kinds.join(" "),
        )
    };
    for (bounce_type, diagnostic, expected) in [
        (
            "Permanent",
            "550 5.1.1 unknown user",
            (FeedbackClass::HardBounce, "user_unknown", "bounce"),
        ),
        (
            "Permanent",
            "554 5.7.1 listed at some RBL",
            (FeedbackClass::Blocked, "sender_blocked", "bounce block"),
        ),
        (
            "Transient",
            "554 5.7.1 listed at some RBL",
            (FeedbackClass::Soft, "sender_blocked", "block"),
        ),
        (
            "Permanent",
            "552 5.2.2 mailbox full",
            (FeedbackClass::Soft, "mailbox_full", "bounce"),
        ),
        (
            "Permanent",
            "552 5.3.4 too large",
            (FeedbackClass::MessageFault, "size", "bounce"),
        ),
        (
            "Transient",
            "550 5.4.4 no such domain",
            (FeedbackClass::HardBounce, "host_unknown", ""),
        ),
    ] {
        let expected = (expected.0, expected.1, expected.2.to_owned());
        assert_eq!(kinds(bounce_type, diagnostic), expected, "{bounce_type} {diagnostic}");
    }
}

#[test]
fn a_list_of_recipients_of_another_type_is_kept_for_a_person() {
    for list in [json!("not a list"), json!(7), json!(true)] {
        let bounce = json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": list});
        let message = json!({"eventType": "Bounce", "mail": {"messageId": "m-1"}, "bounce": bounce}).to_string();
        let Ok(Feedback::Event(event)) = read(&message, Timestamp::UNIX_EPOCH) else {
            panic!("{message}");
        };
        assert!(event.facts.is_empty() && !event.lists_nobody, "{message}");
        assert_eq!(event.unreadable_recipients, 1, "{message}");
    }
}

proptest! {
    #[test]
    fn never_panics_on_any_text(message in "\\PC{0,80}") {
        let _ = read(&message, received());
    }

    #[test]
    fn never_panics_on_any_event(
        kind in "Bounce|Complaint|Delivery", bounce_type in "\\PC{0,12}|Permanent|Transient|Undetermined",
        sub in "\\PC{0,12}|General|Suppressed", address in "\\PC{0,24}|=\\?utf-8\\?[qb]\\?\\PC{0,12}\\?=",
        status in "[0-9.]{0,8}", diagnostic in "\\PC{0,40}", time in "\\PC{0,30}",
    ) {
        let recipients = json!([{"emailAddress": address, "status": status, "diagnosticCode": diagnostic}]);
        let message = json!({"eventType": kind, "mail": {"timestamp": time},
            "bounce": {"bounceType": bounce_type, "bounceSubType": sub, "bouncedRecipients": recipients, "timestamp": time},
            "complaint": {"complainedRecipients": recipients, "complaintFeedbackType": sub}});
        let event = event(&message);
        prop_assert!(event.facts.iter().all(|fact| fact.at <= received()));
    }
}
