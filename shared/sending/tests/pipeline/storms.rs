//! Blocks on several days, and the storms that excuse an address.

use std::time::Duration;

use aws::Evidence;
use domain::feedback::{Feedback, read};
use domain::stream::Stream;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::request::{Mail, Request};
use crate::world::{Ended, World};

const DAY: Duration = Duration::from_hours(24);
const ANNA: &str = "anna0@example.net";
/// The number of blocks within a few minutes that make a storm.
const STORM: usize = 20;

/// A world at noon, so that no storm lies across midnight.
async fn world() -> World {
    let world = Box::pin(World::start()).await;
    let now = world.clock.now().to_zoned(TimeZone::UTC);
    let noon = now.checked_add(1.day()).unwrap().with().hour(12).build().unwrap();
    world.advance(Duration::try_from(noon.duration_since(&now)).unwrap());
    world
}

/// Blocks an address now, or defers it if `bounce_type` is Transient, as the feedback function writes it.
async fn block(world: &World, address: &str, bounce_type: &str) {
    let now = world.clock.now();
    let reply = if bounce_type == "Permanent" {
        "550 5.7.1"
    } else {
        "421 4.7.0"
    };
    let event = json!({
        "eventType": "Bounce", "mail": { "messageId": "m-1", "timestamp": now.to_string() },
        "bounce": {
            "bounceType": bounce_type, "bounceSubType": "General", "timestamp": now.to_string(),
            "feedbackId": format!("{address}-{now}"),
            "bouncedRecipients": [{ "emailAddress": address, "diagnosticCode": format!("smtp; {reply} your IP is blocked") }],
        },
    });
    let Feedback::Event(event) = read(&event.to_string(), now).unwrap() else {
        panic!("{event}")
    };
    let sending = world.sending(&world.shared.connector);
    for fact in &event.facts {
        let evidence = Evidence {
            subtype: &fact.subtype,
            diagnostic: None,
            bounce_reason: fact.reason,
            source: &fact.feedback_id,
        };
        let register = fact.class.register().unwrap();
        let recorded = sending
            .suppressions
            .record(&fact.address, register, fact.at, evidence, world.new_id());
        recorded.await.unwrap();
    }
    for mark in &event.marks {
        sending.marks.put(mark).await.unwrap();
    }
}

/// Blocks Anna once a day, from now on; on some of the days the domain blocks many others as well. Ends a day after the
/// last block, when no block of a single day counts any more.
async fn days(world: &World, in_storm: &[bool]) {
    for is_storm in in_storm {
        block(world, ANNA, "Permanent").await;
        let others = if *is_storm { STORM - 1 } else { 0 };
        for number in 0..others {
            // A deferral says of the domain what a refusal says.
            let bounce_type = if number % 2 == 0 { "Permanent" } else { "Transient" };
            block(world, &format!("other{number}@example.net"), bounce_type).await;
        }
        world.advance(DAY);
    }
}

async fn send(world: &World, stream: Stream) -> Ended {
    let mut request = Request::new(None, "to Anna", &[Mail::Plain]);
    request.stream = stream;
    world.submit(&request).await
}

fn status(ended: &Ended) -> (&str, Option<&str>) {
    let recipient = &ended.only().as_ref().unwrap().recipients[0];
    (&recipient.status, recipient.reason.as_deref())
}

/// How many queries were made for storms.
fn looked_up(ended: &Ended) -> usize {
    let is_mark = |body: &serde_json::Value| body.to_string().contains("mark#");
    let queries = ended.calls.iter().filter(|call| call.operation == "Query");
    queries.filter(|call| is_mark(&call.body)).count()
}

#[tokio::test]
async fn a_day_of_a_storm_keeps_nobody_from_bulk_mail_and_three_others_do() {
    let world = world().await;
    days(&world, &[false, true, false]).await;
    let bulk = send(&world, Stream::Bulk).await;
    assert_eq!(status(&bulk), ("accepted", None));
    // The blocks of a third day without a storm.
    days(&world, &[false]).await;
    assert_eq!(
        status(&send(&world, Stream::Bulk).await),
        ("suppressed", Some("blocked"))
    );
    assert_eq!(status(&send(&world, Stream::Transactional).await), ("accepted", None));
}

#[tokio::test]
async fn only_days_that_can_decide_are_looked_up() {
    for (in_storm, expected, queries) in [
        (vec![], "accepted", 0),
        (vec![false; 2], "accepted", 0),
        (vec![false; 7], "suppressed", 3),
        (vec![true, false, false, false, false], "suppressed", 4),
        (vec![true, true, false], "accepted", 3),
        // After six days of storms the seventh cannot make up three.
        (vec![true; 7], "accepted", 6),
    ] {
        let world = world().await;
        days(&world, &in_storm).await;
        let bulk = send(&world, Stream::Bulk).await;
        assert_eq!(status(&bulk).0, expected, "{in_storm:?}");
        assert_eq!(looked_up(&bulk), queries, "{in_storm:?}");
        // Transactional mail asks for none of them.
        assert_eq!(looked_up(&send(&world, Stream::Transactional).await), 0, "{in_storm:?}");
    }
}

#[tokio::test]
async fn deferrals_that_blame_the_sender_block_nobody_and_still_make_a_storm() {
    let world = world().await;
    for _ in 0..3 {
        block(&world, "other@example.net", "Transient").await;
        world.advance(DAY);
    }
    let registers = |address: &'static str| {
        let address = domain::address::EmailAddress::parse(address).unwrap();
        let sending = world.sending(&world.shared.connector);
        async move {
            sending
                .suppressions
                .lookup([&address])
                .await
                .unwrap()
                .remove(address.normalised())
                .unwrap()
        }
    };
    let deferred = registers("other@example.net").await;
    assert_eq!(
        (deferred.blocked_at, deferred.blocked_on.len(), deferred.soft.len()),
        (None, 0, 3)
    );

    block(&world, ANNA, "Permanent").await;
    assert_eq!(
        status(&send(&world, Stream::Transactional).await),
        ("suppressed", Some("blocked"))
    );
    for number in 1..STORM {
        block(&world, &format!("other{number}@example.net"), "Transient").await;
    }
    assert_eq!(status(&send(&world, Stream::Transactional).await), ("accepted", None));
}
