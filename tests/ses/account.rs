//! The account as applications see it through the SES API: quota, statistics and identities.

use aws::Usage;
use aws_sdk_sesv2::operation::list_email_identities::ListEmailIdentitiesOutput as Output;
use domain::brake::Brake;
use domain::queue::WhenBusy;
use domain::stream::Stream;
use domain::suppression::SuppressionReason;
use local_aws::REGION;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Caller, DOOR, Raw, Version};
use crate::feedback::events::{hard_bounce, just_now};
use crate::support::{Okite, eventually};

const BULK: &str = "ok_bulkdoor_secret";

/// The figures of the quota that both versions show: the limit, the rate, and what is used.
async fn figures(okite: &Okite, key: &str) -> [f64; 3] {
    let caller = Caller::of(key);
    let v1 = caller.act(okite, "Action=GetSendQuota&Version=2010-12-01").await;
    let v2 = caller.call(okite, Method::GET, "/v2/email/account", &Value::Null).await;
    let quota = &v2.json()["SendQuota"];
    ["Max24HourSend", "MaxSendRate", "SentLast24Hours"].map(|name| {
        let figure = quota[name].as_f64().unwrap();
        let text: f64 = v1.elements(name)[0].parse().unwrap();
        assert!((figure - text).abs() < 1e-9, "{name}: {v1:?} {v2:?}");
        figure
    })
}

async fn is_enabled(okite: &Okite, key: &str) -> bool {
    let caller = Caller::of(key);
    let v1 = caller.act(okite, "Action=GetAccountSendingEnabled").await;
    let v2 = caller.call(okite, Method::GET, "/v2/email/account", &Value::Null).await;
    let is_enabled = v2.json()["SendingEnabled"].as_bool().unwrap();
    assert_eq!(v1.elements("Enabled"), [is_enabled.to_string()]);
    is_enabled
}

/// An Okite with a share of an account that has these limits.
async fn with_share(share: &str, limits: Value) -> Okite {
    let okite = Okite::start_with(|settings| {
        settings.parameters.insert("AccountShare".to_owned(), share.to_owned());
    })
    .await;
    okite.account(limits).await;
    okite.report().await;
    okite.put_door_key(DOOR, |_| {}).await;
    okite
        .put_door_key(BULK, |record| {
            record.stream = Stream::Bulk;
            record.when_busy = WhenBusy::Refuse;
        })
        .await;
    okite
}

#[tokio::test]
async fn the_quota_is_this_stacks_share_and_what_the_gate_leaves_of_it() {
    let okite = with_share("0.5", json!({ "max_24_hour_send": 10_000, "max_send_rate": 20 })).await;
    let [limit, rate, used] = figures(&okite, DOOR).await;
    assert!((limit - 5_000.0).abs() < 1e-9, "{limit}");
    // The gate keeps a little below the rate of the account.
    assert!((9.0..=10.0).contains(&rate), "{rate}");
    let left = limit - used;
    for n in 1..=3 {
        Caller::of(DOOR)
            .send(&okite, Version::V1, &Raw::new("Hi"))
            .await
            .message_id();
        let [same, _, used] = figures(&okite, DOOR).await;
        assert!((same - limit).abs() < 1e-9);
        assert!((limit - used - (left - f64::from(n))).abs() < 1e-9, "{n}: {used}");
    }
    // A key for bulk mail has less: a part is reserved for transactional mail.
    let [bulk_limit, _, bulk_used] = figures(&okite, BULK).await;
    assert!((bulk_limit - limit).abs() < 1e-9);
    assert!(bulk_limit - bulk_used <= 0.8 * left, "{bulk_used}");
}

#[tokio::test]
async fn what_is_left_by_the_figures_is_what_can_be_sent() {
    for key in [BULK, DOOR] {
        let okite = with_share("1", json!({ "max_24_hour_send": 40, "max_send_rate": 5 })).await;
        let [limit, _, used] = figures(&okite, key).await;
        let left = limit - used;
        assert!(left >= 20.0, "{key}: {left}");
        let mut sent = 0.0;
        loop {
            let answer = Caller::of(key).send(&okite, Version::V2, &Raw::new("Hi")).await;
            if answer.status == 200 {
                sent += 1.0;
            } else if answer.json()["message"] == "Daily message quota exceeded." {
                break;
            }
        }
        assert!((sent - left).abs() < 1e-9, "{key}: {sent} of {left}");
        let [limit, _, used] = figures(&okite, key).await;
        assert!((limit - used).abs() < 1e-9, "{key}");
    }
}

#[tokio::test]
async fn the_account_is_paused_for_a_key_whose_mail_the_brake_holds_back() {
    let okite = with_share("1", json!({})).await;
    assert!(is_enabled(&okite, DOOR).await && is_enabled(&okite, BULK).await);
    let usage = Usage::new(
        okite.dynamodb.clone(),
        okite.variable("USAGE_TABLE").to_owned(),
        REGION.to_owned(),
    );
    let at = okite.report().await["at"].as_str().unwrap().parse().unwrap();
    usage.set_brake(Brake::Bulk, at).await.unwrap();
    assert!(is_enabled(&okite, DOOR).await && !is_enabled(&okite, BULK).await);
    okite.account(json!({ "enforcement_status": "SHUTDOWN" })).await;
    okite.report().await;
    assert!(!is_enabled(&okite, DOOR).await && !is_enabled(&okite, BULK).await);
}

#[tokio::test]
async fn figures_come_from_the_last_report_and_ses_is_never_asked() {
    let okite = with_share("1", json!({})).await;
    okite
        .fault(json!({ "operation": "GetAccount", "for_ms": 3_600_000, "error": "TooManyRequestsException" }))
        .await;
    for _ in 0..5 {
        figures(&okite, DOOR).await;
    }
    let asked = |call: &local_aws::calls::Call| call.function == "ses-api" && call.action == "ses:GetAccount";
    assert!(!okite.local.calls.seen().iter().any(asked));
    let down =
        json!({ "operation": "GetItem", "table": "UsageTable", "for_ms": 3_600_000, "error": "InternalServerError" });
    okite.fault(down).await;
    let answer = Caller::of(DOOR).act(&okite, "Action=GetSendQuota").await;
    answer.refused((503, "ServiceUnavailable"), (503, "ServiceUnavailableException"));
}

#[tokio::test]
async fn the_statistics_of_today_count_recipients_and_bounces() {
    let okite = with_share("1", json!({})).await;
    let statistics = async || Caller::of(DOOR).act(&okite, "Action=GetSendStatistics").await;
    for n in 0..3 {
        let mail = Raw::new("Hi").to(&[&format!("success+{n}@simulator.amazonses.com"), "anna@example.net"]);
        Caller::of(DOOR).send(&okite, Version::V1, &mail).await.message_id();
    }
    okite.publish(&just_now(hard_bounce("gone@example.net", 1))).await;
    okite
        .until_suppressed("gone@example.net", SuppressionReason::Bounce)
        .await;
    okite.report().await;
    eventually("the bounce is counted", async || {
        statistics().await.elements("Bounces").last() == Some(&"1")
    })
    .await;
    let answer = statistics().await;
    assert_eq!(answer.elements("Complaints").last(), Some(&"0"));
    assert_eq!(answer.elements("Rejects").last(), Some(&"0"));
    assert_eq!(answer.elements("DeliveryAttempts").last(), Some(&"6"), "{answer:?}");
    let times = answer.elements("Timestamp");
    assert!(times.iter().all(|time| time.ends_with("T00:00:00Z")), "{times:?}");
}

#[tokio::test]
async fn identities_are_paged_and_kept_for_a_minute() {
    let okite = Okite::door_with(|settings| {
        settings.verified = ["example.com", "example.org", "b@example.net", "a+1@example.net"]
            .map(str::to_owned)
            .to_vec();
    })
    .await;
    let all = ["a+1@example.net", "b@example.net", "example.com", "example.org"];
    let sdk = okite.sdk(DOOR, 1);
    let pages = sdk.list_email_identities().page_size(3).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(pages.len(), 2);
    let listed: Vec<_> = pages.iter().flat_map(Output::email_identities).collect();
    let names: Vec<&str> = listed.iter().filter_map(|identity| identity.identity_name()).collect();
    assert_eq!(names, all);
    assert!(listed.iter().all(|identity| identity.sending_enabled()));

    let door = Caller::of(DOOR);
    let mut seen = Vec::new();
    let mut token = String::new();
    for _ in 0..all.len() {
        let answer = door
            .act(&okite, &format!("Action=ListIdentities&MaxItems=1{token}"))
            .await;
        seen.extend(answer.elements("member").iter().map(|&name| name.to_owned()));
        let next = answer.elements("NextToken").first().map(|&token| token.to_owned());
        token = next.map_or_else(String::new, |next| format!("&NextToken={next}"));
    }
    assert_eq!((seen, token), (all.map(str::to_owned).to_vec(), String::new()));
    for (kind, wanted) in [("Domain", &all[2..]), ("EmailAddress", &all[..2])] {
        let answer = door
            .act(&okite, &format!("Action=ListIdentities&IdentityType={kind}"))
            .await;
        assert_eq!(answer.elements("member"), wanted);
    }
    let verified = door.act(&okite, "Action=ListVerifiedEmailAddresses").await;
    assert_eq!(verified.elements("member"), &all[..2]);
    let attributes = "Action=GetIdentityVerificationAttributes&Identities.member.1=example.com&\
                      Identities.member.2=other.example";
    let answer = door.act(&okite, attributes).await;
    assert_eq!(
        (answer.elements("key"), answer.elements("VerificationStatus")),
        (vec!["example.com"], vec!["Success"])
    );
    let wrong = door.act(&okite, "Action=ListIdentities&NextToken=%25").await;
    wrong.refused((400, "InvalidParameterValue"), (400, "InvalidNextTokenException"));

    let one = sdk
        .get_email_identity()
        .email_identity("example.com")
        .send()
        .await
        .unwrap();
    assert!(one.verified_for_sending_status());
    let none = sdk.get_email_identity().email_identity("other.example").send().await;
    assert!(none.unwrap_err().into_service_error().is_not_found_exception());
    let listed =
        |call: &&local_aws::calls::Call| call.function == "ses-api" && call.action == "ses:ListEmailIdentities";
    let seen = okite.local.calls.seen();
    assert_eq!(okite.local.calls.count(seen.iter().find(listed).unwrap()), 1);
}
