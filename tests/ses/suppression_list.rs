//! The suppression list through the SES API. It is Okite's own.

use aws_sdk_sesv2::types::{SuppressedDestinationSummary, SuppressionListReason as Reason};
use aws_smithy_types::DateTime;
use domain::suppression::SuppressionReason;
use reqwest::Method;
use serde_json::json;

use super::client::{Caller, DOOR, Raw, Version};
use super::outcomes::INVALID;
use crate::feedback::events::hard_bounce;
use crate::support::{Okite, eventually};
use crate::suppressions::reconciliation::{listed_at_ses, suppress_at_ses};

fn addresses(listed: &[SuppressedDestinationSummary]) -> Vec<&str> {
    let mut addresses: Vec<&str> = listed.iter().map(SuppressedDestinationSummary::email_address).collect();
    addresses.sort_unstable();
    addresses
}

#[tokio::test]
async fn an_address_that_is_put_is_not_sent_to_until_it_is_deleted() {
    let okite = Okite::door().await;
    let sdk = okite.sdk(DOOR, 1);
    for (address, reason) in [
        ("Gone@Example.net", Reason::Bounce),
        ("angry@example.net", Reason::Complaint),
    ] {
        let put = sdk
            .put_suppressed_destination()
            .email_address(address)
            .reason(reason.clone());
        put.send().await.unwrap();
        let get = sdk.get_suppressed_destination().email_address(address);
        let found = get.clone().send().await.unwrap().suppressed_destination.unwrap();
        assert_eq!(
            (found.email_address(), found.reason()),
            (address.to_lowercase().as_str(), &reason)
        );
        let mail = Raw::new("Hi").to(&[address]);
        let sent = Caller::of(DOOR).send(&okite, Version::V2, &mail).await;
        assert_eq!(sent.header("x-okite-suppressed"), Some("1"));
        suppress_at_ses(&okite, &address.to_lowercase(), "BOUNCE").await;
        sdk.delete_suppressed_destination()
            .email_address(address)
            .send()
            .await
            .unwrap();
        assert!(!listed_at_ses(&okite).await.contains(&address.to_lowercase()));
        assert!(
            get.send()
                .await
                .unwrap_err()
                .into_service_error()
                .is_not_found_exception()
        );
        let again = sdk.delete_suppressed_destination().email_address(address).send().await;
        assert!(again.unwrap_err().into_service_error().is_not_found_exception());
        Caller::of(DOOR).send(&okite, Version::V2, &mail).await.message_id();
    }
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn the_list_is_paged_and_chosen_by_reason_and_date() {
    let okite = Okite::door().await;
    let sdk = okite.sdk(DOOR, 1);
    let mut all: Vec<String> = (0..7).map(|n| format!("gone{n}@example.net")).collect();
    for address in &all {
        let put = sdk
            .put_suppressed_destination()
            .email_address(address)
            .reason(Reason::Bounce);
        put.send().await.unwrap();
    }
    let put = sdk.put_suppressed_destination().email_address("angry@example.net");
    put.reason(Reason::Complaint).send().await.unwrap();
    okite.suppress("by-hand@example.net").await;
    okite.publish(&hard_bounce("bounced@example.net", 1)).await;
    okite
        .until_suppressed("bounced@example.net", SuppressionReason::Bounce)
        .await;
    all.extend(["angry", "by-hand", "bounced"].map(|name| format!("{name}@example.net")));
    all.sort_unstable();
    let list = || sdk.list_suppressed_destinations();
    eventually("the index has all", async || {
        list().send().await.unwrap().suppressed_destination_summaries().len() == all.len()
    })
    .await;
    for size in [1, 3, 10, 1000] {
        let pages = list().page_size(size).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        assert!(
            pages
                .iter()
                .all(|page| { i32::try_from(page.suppressed_destination_summaries().len()).unwrap() <= size })
        );
        let listed: Vec<_> = pages
            .into_iter()
            .flat_map(|page| page.suppressed_destination_summaries.unwrap())
            .collect();
        assert_eq!(addresses(&listed), all, "{size}");
    }
    let chosen = async |reason: Reason| -> Vec<SuppressedDestinationSummary> {
        let pages = list().reasons(reason).page_size(2).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        pages
            .into_iter()
            .flat_map(|page| page.suppressed_destination_summaries.unwrap())
            .collect()
    };
    assert_eq!(addresses(&chosen(Reason::Complaint).await), ["angry@example.net"]);
    assert_eq!(chosen(Reason::Bounce).await.len(), all.len() - 1);
    let both = list()
        .reasons(Reason::Complaint)
        .reasons(Reason::Bounce)
        .send()
        .await
        .unwrap();
    assert_eq!(both.suppressed_destination_summaries().len(), all.len());

    // The bounce was in January 2026, and the others are of now.
    let middle = DateTime::from_secs(1_769_000_000);
    let before = list().end_date(middle).send().await.unwrap();
    assert_eq!(
        addresses(before.suppressed_destination_summaries()),
        ["bounced@example.net"]
    );
    let after = list().start_date(middle).send().await.unwrap();
    assert_eq!(after.suppressed_destination_summaries().len(), all.len() - 1);
    let never = list().start_date(middle).end_date(middle).send().await.unwrap();
    assert_eq!(never.suppressed_destination_summaries(), []);
}

#[tokio::test]
async fn what_is_wrong_is_the_callers_mistake() {
    let okite = Okite::door().await;
    let door = Caller::of(DOOR);
    let path = "/v2/email/suppression/addresses";
    for body in [
        json!({ "EmailAddress": "a@example.net" }),
        json!({ "EmailAddress": "a@example.net", "Reason": "OTHER" }),
        json!({ "EmailAddress": "nobody", "Reason": "BOUNCE" }),
        json!({ "Reason": "BOUNCE" }),
    ] {
        door.call(&okite, Method::PUT, path, &body)
            .await
            .refused(INVALID[0], INVALID[1]);
    }
    for query in ["Reason=OTHER", "PageSize=0", "PageSize=1001", "StartDate=yesterday"] {
        let answer = door
            .call(&okite, Method::GET, &format!("{path}?{query}"), &json!(null))
            .await;
        answer.refused(INVALID[0], INVALID[1]);
    }
    let answer = door
        .call(&okite, Method::GET, &format!("{path}?NextToken=x"), &json!(null))
        .await;
    answer.refused((400, "InvalidParameterValue"), (400, "InvalidNextTokenException"));
    let answer = door
        .call(&okite, Method::GET, &format!("{path}/nobody"), &json!(null))
        .await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}
