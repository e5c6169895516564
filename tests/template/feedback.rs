//! The path of SES's events to the feedback function.

use std::time::Duration;

use local_aws::template::{AsynchronousEvents, EventDestination, Mapping, Stack, SubscriptionEndpoint};

use super::{stack, stack_with};

#[test]
fn brings_bounces_and_complaints_to_the_feedback_function() {
    const ALWAYS: &[&str] = &["REJECT", "BOUNCE", "COMPLAINT", "SUBSCRIPTION"];
    const OPTIONAL: [(&str, &[&str]); 3] = [
        ("SendEvents", &["SEND"]),
        ("DeliveryEvents", &["DELIVERY", "DELIVERY_DELAY"]),
        ("TrackingEvents", &["OPEN", "CLICK"]),
    ];
    for choice in 0_u32..8 {
        let chosen = |index: usize| choice >> index & 1 == 1;
        let values = [0, 1, 2].map(|index| (OPTIONAL[index].0, if chosen(index) { "true" } else { "false" }));
        let optional = (0..3)
            .filter(|index| chosen(*index))
            .flat_map(|index| OPTIONAL[index].1);
        let event_types: Vec<&str> = ALWAYS.iter().chain(optional).copied().collect();
        events_of(&stack_with(&values).unwrap(), &event_types);
    }
    events_of(
        &stack_with(&[]).unwrap(),
        &[
            "REJECT",
            "BOUNCE",
            "COMPLAINT",
            "SUBSCRIPTION",
            "SEND",
            "DELIVERY",
            "DELIVERY_DELAY",
        ],
    );
}

fn events_of(stack: &Stack, event_types: &[&str]) {
    let [topic] = stack.topics.as_slice() else {
        panic!("one topic")
    };
    let [subscription] = topic.subscriptions.as_slice() else {
        panic!("one subscription")
    };
    assert_eq!(
        subscription.endpoint,
        SubscriptionEndpoint::Function("feedback".to_owned())
    );
    let [set] = stack.configuration_sets.as_slice() else {
        panic!("one configuration set")
    };
    assert_eq!(set.name, "okite-ConfigurationSet");
    assert_eq!(
        set.event_destinations,
        [EventDestination {
            topic_arn: topic.arn.clone(),
            event_types: event_types.iter().map(|&kind| kind.to_owned()).collect(),
        }]
    );
}

#[test]
fn loses_no_event_that_fails() {
    let stack = stack();
    let [retries, dead] = &stack.queues[..2] else {
        panic!("a retry queue and a dead-letter queue")
    };
    let [topic] = stack.topics.as_slice() else {
        panic!("one topic")
    };
    assert_eq!(topic.subscriptions[0].redrive.as_ref(), Some(&retries.arn));
    assert_eq!(
        stack.asynchronous_events[0],
        AsynchronousEvents {
            function: "feedback".to_owned(),
            retries: 2,
            on_failure: Some(retries.arn.clone()),
        }
    );
    assert_eq!(
        stack.mappings[0],
        Mapping {
            queue_arn: retries.arn.clone(),
            function: "feedback".to_owned(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            reports_item_failures: true,
            concurrency: 5,
        }
    );
    let redrive = retries.redrive.as_ref().unwrap();
    assert_eq!((&redrive.queue_arn, &dead.redrive), (&dead.arn, &None));
    // The rules of AWS: a batch is at work for a while, and the age of a message moves along.
    let feedback = stack
        .functions
        .iter()
        .find(|function| function.name == "feedback")
        .unwrap();
    assert!(retries.visibility_timeout >= 6 * feedback.timeout);
    assert!(retries.retention < dead.retention);
    assert_eq!(dead.retention, Duration::from_hours(14 * 24));
    // An outage of an hour brings nothing to the dead-letter queue.
    let last_try = retries.visibility_timeout * (redrive.max_receive_count - 1);
    assert!(last_try > Duration::from_hours(1), "{last_try:?}");
}

#[test]
fn brings_events_through_a_queue_if_told_to() {
    let parameters = [("FeedbackVia", "sqs"), ("FeedbackConcurrency", "3")];
    let stack = stack_with(&parameters).unwrap();
    let [queue, dead] = &stack.queues[..2] else {
        panic!("a queue and a dead-letter queue")
    };
    let subscription = &stack.topics[0].subscriptions[0];
    assert_eq!(subscription.endpoint, SubscriptionEndpoint::Queue(queue.arn.clone()));
    assert_eq!(subscription.redrive.as_ref(), Some(&dead.arn));
    assert_eq!(
        (&stack.mappings[0].queue_arn, stack.mappings[0].concurrency),
        (&queue.arn, 3)
    );
    assert!(stack_with(&[("FeedbackVia", "smoke")]).is_err());
}
