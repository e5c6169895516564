//! The account and its identities, read from Amazon SES by its wire.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::{Duration, Instant};

use aws::Pace;
use domain::account::{Account, EnforcementStatus};
use serde_json::{Value, json};

use super::wire::ses;
use crate::support::{Answer, Fake, closed_port};

fn account_answer(change: impl FnOnce(&mut Value)) -> String {
    let mut account = json!({
        "DedicatedIpAutoWarmupEnabled": false,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": true,
        "SendQuota": { "Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 1_234.0 },
        "SendingEnabled": true,
        "SuppressionAttributes": { "SuppressedReasons": ["BOUNCE", "COMPLAINT"] },
        "Details": { "MailType": "TRANSACTIONAL", "SomethingNew": { "a": [1] } },
    });
    change(&mut account);
    account.to_string()
}

async fn account(answer: Answer) -> Result<Account, String> {
    let answer = std::sync::Mutex::new(Some(answer));
    let fake = Fake::start(move |_, _| answer.lock().unwrap().take().unwrap_or(Answer::Silence)).await;
    let account = ses(&fake.endpoint).account().await;
    let requests = fake.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, "GET /v2/email/account HTTP/1.1");
    account.map_err(|error| error.to_string())
}

#[tokio::test]
async fn reads_every_figure_of_the_account() {
    let expected = Account {
        max_24_hour_send: 50_000.0,
        sent_last_24_hours: 1_234.0,
        max_send_rate: 14.0,
        production_access: true,
        sending_enabled: true,
        enforcement_status: EnforcementStatus::Healthy,
    };
    assert_eq!(account(Answer::ok(account_answer(|_| ()))).await, Ok(expected));
}

#[tokio::test]
async fn reads_a_sandbox_account_in_trouble() {
    let answer = account_answer(|account| {
        account["EnforcementStatus"] = json!("PROBATION");
        account["ProductionAccessEnabled"] = json!(false);
        account["SendingEnabled"] = json!(false);
        account["SendQuota"] = json!({ "Max24HourSend": 200, "MaxSendRate": 1, "SentLast24Hours": 0 });
    });
    let expected = Account {
        max_24_hour_send: 200.0,
        sent_last_24_hours: 0.0,
        max_send_rate: 1.0,
        production_access: false,
        sending_enabled: false,
        enforcement_status: EnforcementStatus::Probation,
    };
    assert_eq!(account(Answer::ok(answer)).await, Ok(expected));
}

#[tokio::test]
async fn reads_every_standing_and_an_unlimited_quota() {
    for (status, expected) in [
        ("HEALTHY", EnforcementStatus::Healthy),
        ("PROBATION", EnforcementStatus::Probation),
        ("SHUTDOWN", EnforcementStatus::Shutdown),
    ] {
        let answer = account_answer(|account| {
            account["EnforcementStatus"] = json!(status);
            account["SendQuota"]["Max24HourSend"] = json!(-1);
        });
        let account = account(Answer::ok(answer)).await.unwrap();
        assert_eq!((account.enforcement_status, account.quota()), (expected, None));
    }
}

#[tokio::test]
async fn an_account_without_figures_is_an_error() {
    let answer = account_answer(|account| {
        account.as_object_mut().unwrap().remove("SendQuota");
    });
    assert_eq!(
        account(Answer::ok(answer)).await,
        Err("GetAccount failed: NoSendQuota".to_owned())
    );
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_an_error_and_is_asked_for_once() {
    for (answer, expected) in [
        (
            Answer::error(429, "TooManyRequestsException", "anna@example.org"),
            "TooManyRequestsException",
        ),
        (
            Answer::error(500, "InternalFailure", "anna@example.org"),
            "InternalFailure",
        ),
        (
            Answer::error(403, "AccessDeniedException", "anna@example.org"),
            "AccessDeniedException",
        ),
        (Answer::cut(), "ConnectionFailed"),
        (Answer::ok("<html>"), "UnknownError"),
    ] {
        assert_eq!(account(answer).await, Err(format!("GetAccount failed: {expected}")));
    }
    let error = ses(&closed_port().await).account().await.unwrap_err();
    assert_eq!(error.code, "ConnectionFailed");
}

#[tokio::test]
async fn identities_are_listed_page_by_page_a_second_apart() {
    let identity = |name: &str| json!({ "IdentityType": "DOMAIN", "IdentityName": name, "SendingEnabled": true, "VerificationStatus": "SUCCESS" });
    let fake = Fake::start(move |before, _| {
        let mut page = json!({ "EmailIdentities": [identity(["a.example", "b.example"][before])] });
        if before == 0 {
            page["NextToken"] = json!("next");
        }
        Answer::ok(page.to_string())
    })
    .await;
    let began = Instant::now();
    let ses = ses(&fake.endpoint);
    let domains = ses.verified_domains(&mut Pace::new(false)).await.unwrap();
    assert_eq!(domains, ["a.example", "b.example"]);
    assert!(began.elapsed() >= Duration::from_secs(1));
    let requests = fake.requests();
    let asked: Vec<Value> = requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    assert_eq!(
        asked,
        [
            json!({ "PageSize": 1_000 }),
            json!({ "PageSize": 1_000, "NextToken": "next" })
        ]
    );
}
