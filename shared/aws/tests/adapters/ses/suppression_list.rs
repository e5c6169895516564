//! SES's own suppression list: what is asked on the wire, and what the simulator answers.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::{Duration, Instant};

use aws::{ListError, ListedPage, Pace, SesSuppressionList, SesText};
use domain::suppression::{SesListEntry, SuppressionReason};
use jiff::Timestamp;
use serde_json::json;

use super::simulator::World;
use crate::support::{Answer, Fake, config};

fn list(endpoint: &str) -> SesSuppressionList {
    SesSuppressionList::new(aws::sesv2(&config(endpoint)))
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_page_is_asked_for_by_its_token_and_read_with_its_times_and_reasons() {
    let body = json!({
        "SuppressedDestinationSummaries": [
            { "EmailAddress": "Anna@example.org", "Reason": "BOUNCE", "LastUpdateTime": 1_767_225_600.5 },
            { "EmailAddress": "bob@example.org", "Reason": "COMPLAINT", "LastUpdateTime": 1_767_225_600 },
            { "EmailAddress": "carl@example.org", "Reason": "NEW_REASON", "LastUpdateTime": 1_767_225_600 },
        ],
        "NextToken": "next+/=",
    });
    let fake = Fake::start(move |_, _| Answer::ok(body.to_string())).await;
    let page = list(&fake.endpoint).page(Some("a+/=")).await.unwrap();
    let request = &fake.requests()[0];
    let query = request.line.split(' ').nth(1).unwrap();
    assert!(
        request.line.starts_with("GET /v2/email/suppression/addresses?"),
        "{query}"
    );
    assert!(
        query.contains("PageSize=1000") && query.contains("NextToken=a%2B%2F%3D"),
        "{query}"
    );
    let listed = |address: &str, reason, at| SesListEntry {
        address: address.to_owned(),
        reason,
        updated_at: time(at),
    };
    let expected = ListedPage {
        listed: vec![
            listed("Anna@example.org", SuppressionReason::Bounce, "2026-01-01T00:00:00.5Z"),
            listed("bob@example.org", SuppressionReason::Complaint, "2026-01-01T00:00:00Z"),
            listed("carl@example.org", SuppressionReason::Bounce, "2026-01-01T00:00:00Z"),
        ],
        next: Some("next+/=".to_owned()),
    };
    assert_eq!(page, expected);
}

#[tokio::test]
async fn an_address_is_taken_off_in_the_spelling_of_the_list_and_once() {
    let fake = Fake::start(|_, _| Answer::ok("{}")).await;
    list(&fake.endpoint).remove("Anna+x@example.org").await.unwrap();
    let requests = fake.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].line,
        "DELETE /v2/email/suppression/addresses/Anna%2Bx%40example.org HTTP/1.1"
    );
}

#[tokio::test]
async fn errors_have_a_remedy_and_are_not_retried() {
    let failed = |code: &str, text: &str| ListError::Failed {
        operation: "ListSuppressedDestinations",
        code: code.to_owned(),
        text: Some(SesText(text.to_owned())),
    };
    for (status, code, message, expected) in [
        (400, "InvalidNextTokenException", "no such token", ListError::StaleToken),
        (
            400,
            "BadRequestException",
            "not while in the sandbox",
            ListError::Sandbox,
        ),
        (
            400,
            "BadRequestException",
            "something else",
            failed("BadRequestException", "something else"),
        ),
        (
            429,
            "TooManyRequestsException",
            "slow down",
            failed("TooManyRequestsException", "slow down"),
        ),
        (
            403,
            "AccessDeniedException",
            "anna@example.org",
            failed("AccessDeniedException", "anna@example.org"),
        ),
    ] {
        let fake = Fake::start(move |_, _| Answer::error(status, code, message)).await;
        let error = list(&fake.endpoint).page(None).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains('@'));
        assert_eq!(error, expected);
        assert_eq!(fake.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_simulators_list_is_read_and_changed() {
    let world = World::production().await;
    let list = list(&world.endpoint);
    assert_eq!(list.page(None).await.unwrap(), ListedPage::default());
    world.suppress("Anna@example.org", "COMPLAINT").await;
    let page = list.page(None).await.unwrap();
    assert_eq!(page.next, None);
    assert_eq!(
        (page.listed[0].address.as_str(), page.listed[0].reason),
        ("Anna@example.org", SuppressionReason::Complaint)
    );
    assert!(page.listed[0].updated_at > time("2026-01-01T00:00:00Z"));
    list.remove("Anna@example.org").await.unwrap();
    list.remove("Anna@example.org").await.unwrap();
    assert_eq!(list.page(None).await.unwrap(), ListedPage::default());
    assert_eq!(list.page(Some("?")).await.unwrap_err(), ListError::StaleToken);
}

#[tokio::test]
async fn a_long_list_comes_in_pages_and_the_sandbox_has_none() {
    let world = World::production().await;
    for number in 0..1001 {
        world.suppress(&format!("user{number}@example.org"), "BOUNCE").await;
    }
    let list = list(&world.endpoint);
    let first = list.page(None).await.unwrap();
    assert_eq!(first.listed.len(), 1000);
    let second = list.page(first.next.as_deref()).await.unwrap();
    assert_eq!((second.listed.len(), second.next), (1, None));
    world.patch(json!({ "production_access": false }));
    assert_eq!(list.page(None).await.unwrap_err(), ListError::Sandbox);
    assert_eq!(list.remove("user1@example.org").await.unwrap_err(), ListError::Sandbox);
}

#[tokio::test]
async fn calls_are_a_second_apart() {
    let began = Instant::now();
    let mut pace = Pace::new(true);
    pace.wait().await;
    assert!(began.elapsed() >= Duration::from_secs(1));
}
