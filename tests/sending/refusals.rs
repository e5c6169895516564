//! Mails that Amazon SES rejects or may have accepted, and mails sent while a service is down.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, CLOSED, Okite, email, email_with};

const GOOD: &str = "success@simulator.amazonses.com";

/// Has SES answer one call with an error, sends a mail, and sends another when that is over.
///
/// The fault ends with the first call: were there a second attempt, it would be taken and be in the outbox.
async fn told_of(okite: &Okite, error: &str, text: &str) -> Answer {
    okite
        .fault(json!({ "operation": "SendEmail", "error": error, "message": text, "times": 1 }))
        .await;
    let answer = okite.post(&email(GOOD)).await;
    assert_eq!(okite.outbox().await, [] as [Value; 0], "{error} was tried again");
    assert_eq!(answer.body.get("id"), None, "{error} is certain");
    okite.send(&email(GOOD)).await;
    assert_eq!(okite.local(Method::DELETE, "outbox", &Value::Null).await.status, 204);
    answer
}

#[tokio::test]
async fn an_unverified_sender_is_refused_with_its_domain_and_region() {
    let okite = Okite::start().await;
    let answer = okite.post(&email_with("from", "Eve <eve@unverified.example>")).await;
    let message = answer.refused(403, "validation_error");
    assert!(
        message.contains("unverified.example is not verified in us-east-1") && message.contains("or send from"),
        "{message}"
    );
    assert!(!message.contains("eve@"), "{message}");
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn in_the_sandbox_every_recipient_must_be_verified() {
    let okite = Okite::start_with(|settings| {
        settings.sandbox = true;
        settings.verified.push("anna@example.net".to_owned());
    })
    .await;
    let answer = okite.post(&email("bob@example.net")).await;
    let message = answer.refused(403, "validation_error");
    assert!(
        message.contains("sandbox in us-east-1") && message.contains("every recipient must be verified"),
        "{message}"
    );
    assert!(
        !message.contains("bob") && !message.contains("example.com"),
        "{message}"
    );
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    okite.account(json!({ "max_send_rate": 100 })).await;
    okite.report().await;
    okite.send(&email(json!(["Anna@example.net", GOOD]))).await;
    okite.account(json!({ "production_access": true })).await;
    okite.send(&email("bob@example.net")).await;
}

#[tokio::test]
async fn above_the_daily_quota_ses_refuses_a_mail_whole() {
    let okite = Okite::start().await.refusing().await;
    okite.account(json!({ "max_24_hour_send": 2 })).await;
    let answer = okite
        .post(&email(json!(["a@example.net", "b@example.net", "c@example.net"])))
        .await;
    answer.refused(429, "daily_quota_exceeded");
    assert_eq!(answer.header("retry-after"), Some("300"));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    okite.send(&email(json!(["a@example.net", "b@example.net"]))).await;
    okite
        .post(&email("c@example.net"))
        .await
        .refused(429, "daily_quota_exceeded");
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn while_sending_is_paused_a_mail_is_refused_for_a_while() {
    let okite = Okite::start().await.refusing().await;
    okite.account(json!({ "sending_enabled": false })).await;
    let answer = okite.post(&email(GOOD)).await;
    answer.refused(503, "service_unavailable");
    assert_eq!(answer.header("retry-after"), Some("300"));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    okite.account(json!({ "sending_enabled": true })).await;
    okite.send(&email(GOOD)).await;
    // Read back, the newest first: SES accepted the second mail and not the first.
    let listed = okite.get(&format!("/emails?to={GOOD}")).await;
    let status = |place: usize| &listed.body["data"][place]["recipients"][0]["status"];
    assert_eq!([status(0), status(1)], ["accepted", "not_sent"]);
}

#[tokio::test]
async fn a_suspended_account_is_named_with_its_remedy() {
    let okite = Okite::start().await;
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
    let answer = okite.post(&email(GOOD)).await;
    let message = answer.refused(403, "validation_error");
    assert!(
        message.contains("suspended") && message.contains("operator"),
        "{message}"
    );
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

/// Starts with the seconds that a send may wait.
async fn waiting(seconds: &str) -> Okite {
    let okite = Okite::start_with(|settings| {
        let (variable, seconds) = ("PERMIT_WAIT_SECONDS".to_owned(), seconds.to_owned());
        settings.environment.insert(variable, seconds);
    })
    .await
    .refusing()
    .await;
    okite.account(json!({ "max_send_rate": 1000 })).await;
    okite
}

/// Has SES answer with each error, and wants the same refusal for all of them.
async fn told_as(status: u16, name: &str, retry_after: Option<&str>, errors: &[(&str, &str)]) {
    told_by(&waiting("5").await, status, name, retry_after, errors).await;
}

async fn told_by(okite: &Okite, status: u16, name: &str, retry_after: Option<&str>, errors: &[(&str, &str)]) {
    for (error, text) in errors {
        let answer = told_of(okite, error, text).await;
        let message = answer.refused(status, name);
        assert!(message.contains("nothing was sent"), "{message}");
        assert!(!message.contains('@'), "{message}");
        assert_eq!(answer.header("retry-after"), retry_after, "{error}: {text}");
    }
}

#[tokio::test]
async fn a_limit_of_ses_is_an_error_with_retry_after() {
    let rate = [
        ("TooManyRequestsException", "Maximum sending rate exceeded."),
        ("Throttling", "Maximum sending rate exceeded."),
        ("ThrottlingException", "Rate exceeded"),
    ];
    // A send that may wait is tried again.
    told_by(&waiting("0").await, 429, "rate_limit_exceeded", Some("1"), &rate).await;
    let quota = [
        ("TooManyRequestsException", "Daily message quota exceeded."),
        ("Throttling", "Daily message quota exceeded."),
    ];
    told_as(429, "daily_quota_exceeded", Some("300"), &quota).await;
    let other = [("LimitExceededException", "Too many of something.")];
    told_as(429, "rate_limit_exceeded", Some("300"), &other).await;
}

/// SES's words for a rate that is exceeded, to so many calls.
fn throttled(times: u32) -> Value {
    let (error, text) = ("TooManyRequestsException", "Maximum sending rate exceeded.");
    json!({ "operation": "SendEmail", "error": error, "message": text, "times": times })
}

#[tokio::test]
async fn a_mail_that_is_throttled_for_a_moment_goes_out_once() {
    let okite = waiting("10").await;
    okite.fault(throttled(2)).await;
    let body = okite.send(&email(GOOD)).await;
    let outbox = okite.outbox().await;
    assert_eq!(outbox.len(), 1);
    let tags = outbox[0]["tags"].as_array().unwrap();
    assert!(
        tags.contains(&json!({ "name": "okite_attempt", "value": "1" })),
        "{tags:?}"
    );
    let row = okite.message(&body["id"]).await;
    assert_eq!(outbox[0]["ses_message_id"], *row["ses_id"].as_s().unwrap());
    assert_eq!(row["attempt"].as_n().unwrap(), "1");
}

#[tokio::test]
async fn a_mail_that_is_throttled_for_good_is_refused_when_patience_ends() {
    let okite = waiting("3").await;
    okite.fault(throttled(1000)).await;
    let answer = okite.post(&email(GOOD)).await;
    answer.refused(429, "rate_limit_exceeded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    assert_eq!(okite.messages().await[0]["state"].as_s().unwrap(), "refused");
    let faults = okite.local(Method::GET, "faults", &Value::Null).await.body;
    let calls = 1000 - faults[0]["times"].as_u64().unwrap();
    assert!((2..50).contains(&calls), "{calls} calls");
}

#[tokio::test]
async fn a_throttled_mail_whose_next_call_is_cut_is_not_tried_a_third_time() {
    let okite = waiting("10").await;
    okite.fault(throttled(1)).await;
    told_that_it_is_unknown(&okite, json!({ "operation": "SendEmail", "drop": "after" })).await;
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_fault_that_an_operator_must_repair_at_ses_is_a_403() {
    let text = "Email address is not verified. The following identities failed the check in region US-EAST-1: ";
    let errors = [
        ("AccountSuspendedException", "Suspended."),
        ("MailFromDomainNotVerifiedException", "MAIL FROM."),
        ("MessageRejected", &format!("{text}hello@example.com")),
        ("MessageRejected", &format!("{text}{GOOD}")),
    ];
    told_as(403, "validation_error", None, &errors).await;
}

#[tokio::test]
async fn a_fault_of_the_mail_is_a_422() {
    let errors = [
        ("MessageRejected", "Address blacklisted."),
        ("MessageRejected", "Message contains a virus."),
        ("MessageRejected", "Odd."),
        ("BadRequestException", "Bad."),
    ];
    told_as(422, "validation_error", None, &errors).await;
}

#[tokio::test]
async fn a_fault_of_the_deployment_is_a_500() {
    let errors = [
        ("NotFoundException", "No such configuration set."),
        ("AccessDeniedException", "No."),
        ("UnrecognizedClientException", "Who?"),
        ("OptInRequired", "Needs a subscription for the service."),
        ("NobodyKnowsThisException", "Odd."),
    ];
    told_as(500, "application_error", None, &errors).await;
}

#[tokio::test]
async fn an_unavailable_ses_is_an_error_with_retry_after() {
    told_as(
        503,
        "service_unavailable",
        Some("300"),
        &[("SendingPausedException", "Paused.")],
    )
    .await;
    let errors = [("ServiceUnavailableException", "Later."), ("SlowDown", "Later.")];
    told_as(503, "service_unavailable", Some("5"), &errors).await;
}

#[tokio::test]
async fn the_row_of_a_refused_mail_says_so() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "SendEmail", "error": "BadRequestException", "message": "Bad." }))
        .await;
    okite.post(&email(GOOD)).await.refused(422, "validation_error");
    let rows = okite.messages().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["state"].as_s().unwrap(), "refused");
}

/// Makes one call to SES fail, and expects the answer that the result is unknown, with the id of the message's row.
async fn told_that_it_is_unknown(okite: &Okite, fault: Value) -> Value {
    okite.fault(fault).await;
    let answer = okite.post(&email(GOOD)).await;
    answer.refused(500, "application_error");
    assert_eq!(answer.header("retry-after"), None);
    let id = answer.body["id"].clone();
    assert_eq!(okite.message(&id).await["state"].as_s().unwrap(), "sending");
    id
}

#[tokio::test]
async fn a_connection_cut_before_ses_accepted_the_mail_is_an_error_without_a_retry() {
    let okite = Okite::start().await;
    told_that_it_is_unknown(&okite, json!({ "operation": "SendEmail", "drop": "before" })).await;
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_connection_cut_after_ses_accepted_the_mail_is_an_error_and_the_mail_went_out_once() {
    let okite = Okite::start().await;
    let id = told_that_it_is_unknown(&okite, json!({ "operation": "SendEmail", "drop": "after" })).await;
    let outbox = okite.outbox().await;
    assert_eq!(outbox.len(), 1);
    let tags = outbox[0]["tags"].as_array().unwrap();
    assert!(tags.contains(&json!({ "name": "okite_id", "value": id })));
}

#[tokio::test]
async fn a_fault_inside_ses_may_come_after_it_took_the_mail_and_is_not_tried_again() {
    let okite = Okite::start().await;
    for error in [
        "InternalServiceErrorException",
        "InternalFailure",
        "GatewayTimeout",
        "RequestTimeoutException",
    ] {
        told_that_it_is_unknown(&okite, json!({ "operation": "SendEmail", "error": error })).await;
    }
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

/// The mail went out, whatever the proxy says of it.
#[tokio::test]
async fn a_server_error_of_a_proxy_may_come_after_ses_took_the_mail_and_is_not_tried_again() {
    let okite = Okite::start().await;
    for (nth, status) in [500, 502, 503, 504].into_iter().enumerate() {
        told_that_it_is_unknown(&okite, json!({ "operation": "SendEmail", "proxy_status": status })).await;
        assert_eq!(okite.outbox().await.len(), nth + 1, "{status}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let okite = Okite::start().await;
    okite.fault(json!({ "operation": "SendEmail", "delay_ms": 500 })).await;
    okite.send(&email(GOOD)).await;
    assert_eq!(okite.outbox().await.len(), 1);
}

/// The seconds to wait where an operator has to mend the deployment first.
const MENDED_BY_AN_OPERATOR: &str = "300";

/// Starts with one variable of the functions replaced, and expects a 503 with this retry time and no mail.
async fn refuses_without(variable: &str, value: &str, retry_after: &str) {
    let okite = Okite::start_with(|settings| {
        settings.environment.insert(variable.to_owned(), value.to_owned());
    })
    .await;
    let answer = okite.post(&email(GOOD)).await;
    answer.refused(503, "service_unavailable");
    assert_eq!(answer.header("retry-after"), Some(retry_after));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn nothing_is_sent_while_dynamodb_is_down() {
    refuses_without("AWS_ENDPOINT_URL_DYNAMODB", CLOSED, "5").await;
}

#[tokio::test]
async fn nothing_is_sent_when_the_suppression_list_cannot_be_read() {
    refuses_without("SUPPRESSIONS_TABLE", "no-such-table", MENDED_BY_AN_OPERATOR).await;
}

#[tokio::test]
async fn nothing_is_sent_when_the_row_of_the_message_cannot_be_written() {
    refuses_without("MESSAGES_TABLE", "no-such-table", MENDED_BY_AN_OPERATOR).await;
}

#[tokio::test]
async fn nothing_is_sent_when_the_gate_cannot_be_asked() {
    refuses_without("USAGE_TABLE", "no-such-table", MENDED_BY_AN_OPERATOR).await;
}

#[tokio::test]
async fn it_is_certain_that_nothing_was_sent_when_ses_cannot_be_reached() {
    let okite = Okite::start_with(|settings| {
        let variable = "AWS_ENDPOINT_URL_SESV2".to_owned();
        settings.environment.insert(variable, CLOSED.to_owned());
    })
    .await;
    let answer = okite.post(&email(GOOD)).await;
    answer.refused(503, "service_unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.body.get("id"), None);
    assert_eq!(okite.messages().await[0]["state"].as_s().unwrap(), "refused");
}
