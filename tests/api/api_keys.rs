//! API keys over time: how long a process caches a key, and what guesses cost.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::ApiKeys;
use domain::pacing::SEND_TIMEOUT;
use jiff::{SignedDuration, Timestamp};
use local_aws::calls::Call;
use reqwest::Method;
use runtime::config::ProcessConfig;
use runtime::environment::Environment;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{Answer, KEY, Okite, email, email_with};

const OTHER_KEY: &str = "ok_other_secret";

/// One execution environment of the send API in this process, so that a test sets its time.
struct Container<'a> {
    okite: &'a Okite,
    state: send_api::SendApiState,
}

impl<'a> Container<'a> {
    fn new(okite: &'a Okite) -> Self {
        let environment = Environment::new(|name| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            name => okite.local.environments["send-api"].get(name).cloned(),
        });
        let process = ProcessConfig::read(&environment).unwrap();
        let config = send_api::SendApiConfig::read(process, &environment).unwrap();
        let clients = front::Clients {
            dynamodb: okite.dynamodb.clone(),
            ses: okite.ses(),
            sqs: okite.sqs().into(),
        };
        let state = send_api::SendApiState::with_clients(config, clients);
        Self { okite, state }
    }

    /// The status of a reading request with a key, so many seconds after a time that all share.
    async fn status(&self, key: &str, seconds: i64) -> i64 {
        let event = json!({
            "version": "2.0", "rawPath": "/suppressions", "headers": { "authorization": format!("Bearer {key}") },
            "isBase64Encoded": false,
            "requestContext": { "http": { "method": "GET", "path": "/suppressions" }, "timeEpoch": 0 },
        });
        let ids = send_api::Ids {
            message: Uuid::from_u128(1),
            nonce: Uuid::from_u128(2),
        };
        let now = Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds);
        let deadline = Instant::now() + SEND_TIMEOUT * 3;
        let event = serde_json::from_value(event).unwrap();
        let answer = send_api::handle(&self.state, event, now, deadline, ids).await;
        answer.status_code
    }

    /// How often the table of keys was read until now, by the key and as a whole.
    fn reads(&self) -> (u32, u32) {
        let table = self.okite.variable("API_KEYS_TABLE");
        let seen = self.okite.local.calls.seen();
        // Not by the functions that run beside this one, but with the client of the tests.
        let of = |action: &str| {
            let is_it =
                |call: &&Call| call.function == "test" && call.action == action && call.resource.ends_with(table);
            let calls = seen.iter().filter(is_it);
            calls.map(|call| self.okite.local.calls.count(call)).sum()
        };
        (of("dynamodb:GetItem"), of("dynamodb:Scan"))
    }

    /// Sends a request with each of so many keys that do not exist.
    async fn guess(&self, name: &str, times: u32, seconds: i64) {
        for guess in 0..times {
            assert_eq!(self.status(&format!("ok_{name}{guess}_secret"), seconds).await, 403);
        }
    }
}

fn keys(okite: &Okite) -> ApiKeys {
    ApiKeys::new(okite.dynamodb.clone(), okite.variable("API_KEYS_TABLE").to_owned())
}

#[tokio::test]
async fn a_key_that_is_revoked_works_for_less_than_thirty_seconds() {
    let okite = Okite::start().await;
    okite.put_key(OTHER_KEY, &[]).await;
    let container = Container::new(&okite);
    assert_eq!(container.status(OTHER_KEY, 0).await, 200);
    keys(&okite).delete("other").await.unwrap();
    // Using a key does not extend its caching.
    for seconds in [10, 20, 29] {
        assert_eq!(container.status(OTHER_KEY, seconds).await, 200, "{seconds}");
    }
    for seconds in [30, 31, 60] {
        assert_eq!(container.status(OTHER_KEY, seconds).await, 403, "{seconds}");
    }
    assert_eq!(Container::new(&okite).status(OTHER_KEY, 1).await, 403);
    assert_eq!(container.status(KEY, 60).await, 200);
}

#[tokio::test]
async fn a_key_that_is_revoked_works_nowhere_when_the_clock_has_moved_on() {
    let okite = Okite::start().await;
    okite.put_key(OTHER_KEY, &[]).await;
    let mail = email("success@simulator.amazonses.com");
    assert_eq!(okite.post_with(OTHER_KEY, &mail).await.status, 200);
    keys(&okite).delete("other").await.unwrap();
    okite.advance(Duration::from_secs(30)).await;
    okite.post_with(OTHER_KEY, &mail).await.refused(403, "invalid_api_key");
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_thousand_guesses_cost_ten_reads_and_a_scan() {
    let okite = Okite::start().await;
    let container = Container::new(&okite);
    container.guess("a", 1_000, 0).await;
    assert_eq!(container.reads(), (10, 1));
    container.guess("b", 100, 9).await;
    assert_eq!(container.reads(), (10, 1));
    container.guess("c", 100, 10).await;
    assert_eq!(container.reads(), (20, 2));
}

#[tokio::test]
async fn guesses_do_not_hold_up_a_valid_key_that_is_remembered_or_not() {
    let okite = Okite::start().await;
    okite.put_key(OTHER_KEY, &[]).await;
    let container = Container::new(&okite);
    assert_eq!(container.status(KEY, 0).await, 200);
    container.guess("a", 100, 1).await;
    let before = container.reads();
    assert_eq!(container.status(KEY, 2).await, 200);
    assert_eq!(container.reads(), before);
    assert_eq!(container.status(OTHER_KEY, 2).await, 200);
    assert_eq!(container.reads(), (before.0 + 1, before.1));
}

#[tokio::test]
async fn wrong_secrets_cost_nothing_and_leave_the_right_one_alone() {
    let okite = Okite::start().await;
    let container = Container::new(&okite);
    for guess in 0..100 {
        assert_eq!(container.status(&format!("ok_local_{guess}"), 0).await, 403);
        assert_eq!(container.status(KEY, 0).await, 200);
    }
    assert_eq!(container.reads(), (1, 0));
}

#[tokio::test]
async fn a_caller_with_a_key_that_is_gone_costs_a_read_in_ten_seconds() {
    let okite = Okite::start().await;
    let container = Container::new(&okite);
    for _ in 0..100 {
        assert_eq!(container.status(OTHER_KEY, 0).await, 403);
    }
    assert_eq!(container.reads(), (1, 0));
    assert_eq!(container.status(OTHER_KEY, 10).await, 403);
    assert_eq!(container.reads(), (2, 0));
}

#[tokio::test]
async fn a_key_that_is_made_after_its_id_was_refused_works_after_ten_seconds() {
    let okite = Okite::start().await;
    // Rejected because the key was not found, and because it is not among the ids of all keys.
    for guesses in [1, 100] {
        let container = Container::new(&okite);
        keys(&okite).delete("other").await.unwrap();
        assert_eq!(container.status(OTHER_KEY, 0).await, 403);
        container.guess("a", guesses, 0).await;
        okite.put_key(OTHER_KEY, &[]).await;
        assert_eq!(container.status(OTHER_KEY, 9).await, 403);
        assert_eq!(container.status(OTHER_KEY, 10).await, 200);
    }
}

#[tokio::test]
async fn a_new_key_works_at_once_after_few_guesses() {
    let okite = Okite::start().await;
    let container = Container::new(&okite);
    container.guess("a", 9, 0).await;
    okite.put_key(OTHER_KEY, &[]).await;
    assert_eq!(container.status(OTHER_KEY, 0).await, 200);
}

#[tokio::test]
async fn a_valid_key_passes_where_the_ids_of_all_keys_cannot_be_read() {
    let okite = Okite::start().await;
    let fault =
        json!({ "operation": "Scan", "table": "ApiKeysTable", "for_ms": 600_000, "error": "ValidationException" });
    okite.fault(fault).await;
    let container = Container::new(&okite);
    container.guess("a", 20, 0).await;
    // The process tries once in each period. After that, it looks up every guess.
    assert_eq!(container.reads(), (20, 1));
    assert_eq!(container.status(KEY, 0).await, 200);
}

#[tokio::test]
async fn guesses_while_the_table_cannot_be_read_are_no_refusals() {
    let okite = Okite::start().await;
    let fault =
        json!({ "operation": "GetItem", "table": "ApiKeysTable", "for_ms": 600_000, "error": "ValidationException" });
    okite.fault(fault).await;
    let container = Container::new(&okite);
    assert_eq!(container.status(KEY, 0).await, 503);
    okite.local(Method::DELETE, "faults", &Value::Null).await;
    assert_eq!(container.status(KEY, 0).await, 200);
}

#[tokio::test]
async fn a_key_bound_to_domains_sends_from_them_in_every_spelling_and_in_batches() {
    let okite = Okite::start().await;
    let bound = "ok_bound_secret";
    let domains = ["Example.COM", "Bücher.example.org"].map(|domain| domain::api_key::from_domain(domain).unwrap());
    okite.put_key(bound, &[&domains[0], &domains[1]]).await;
    let from = BTreeMap::from([
        ("a@example.com", 200),
        ("A <a@EXAMPLE.com>", 200),
        ("a@mail.example.com", 200),
        ("a@bücher.example.org", 200),
        ("a@post.BÜCHER.example.org", 200),
        ("a@xn--bcher-kva.example.org", 200),
        ("a@example.org", 403),
        ("a@bucher.example.org", 403),
        ("a@notexample.com", 403),
        ("a@example.com.example.org", 403),
    ]);
    for (from, status) in from {
        let mail = email_with("from", from);
        let answer = okite.post_with(bound, &mail).await;
        assert_eq!(answer.status, status, "{from}: {answer:?}");
        let batch = okite.request(Method::POST, "/emails/batch").bearer_auth(bound);
        let answer = Answer::of(batch.json(&json!([mail]))).await;
        assert_eq!(answer.status, status, "{from}: {answer:?}");
        if status == 403 {
            answer.refused(403, "validation_error");
        }
    }
    assert_eq!(okite.outbox().await.len(), 12);
}
