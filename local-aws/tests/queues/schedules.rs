//! Schedules run by the clock.

use std::time::Duration;

use serde_json::{Value, json};

use crate::run::Run;

async fn scheduled(repeats: bool) -> Run {
    Run::start_with(|settings| {
        settings.parameters.insert("Scheduled".to_owned(), "true".to_owned());
        settings.repeats_schedules = repeats;
    })
    .await
}

/// Waits for the scheduled run and lets it end.
async fn runs(run: &mut Run) {
    let invocation = run.invoked().await;
    assert_eq!(invocation.event, json!({ "source": "clock" }));
    invocation.answer(Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_runs_at_once_and_once_for_all_the_minutes_by_which_the_clock_is_set_forward() {
    let mut run = scheduled(true).await;
    runs(&mut run).await;
    for minutes in [1, 10, 1] {
        run.advance(Duration::from_mins(minutes)).await;
        runs(&mut run).await;
        assert!(!run.is_invoked());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_may_have_schedules_run_only_when_it_says_so() {
    let mut run = scheduled(false).await;
    runs(&mut run).await;
    run.advance(Duration::from_mins(10)).await;
    let url = format!("{}/_local/schedules", run.local.url);
    let by_hand = tokio::spawn(reqwest::Client::new().post(format!("{url}/EveryMinute")).send());
    runs(&mut run).await;
    assert_eq!(by_hand.await.unwrap().unwrap().status(), 200);
    assert!(!run.is_invoked());
    let unknown = reqwest::Client::new()
        .post(format!("{url}/Never"))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
}
