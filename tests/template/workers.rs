//! The queues of hints and of webhooks, and how many invocations take from them.

use std::time::Duration;

use local_aws::template::Mapping;

use super::{stack, stack_with};

/// The executions that a new account has for all its functions.
const EXECUTIONS: usize = 10;

#[test]
fn brings_hints_of_each_stream_to_the_sender() {
    let stack = stack_with(&[("TransactionalWorkers", "6"), ("BulkWorkers", "3")]).unwrap();
    let sender = stack
        .functions
        .iter()
        .find(|function| function.name == "sender")
        .unwrap();
    for (stream, batch_size, window, concurrency) in [("Transactional", 10, 0, 6), ("Bulk", 25, 1, 3)] {
        let queue = |suffix: &str| {
            let logical_id = format!("{stream}Hint{suffix}");
            let mut queues = stack.queues.iter();
            queues.find(|queue| queue.logical_id == logical_id).unwrap()
        };
        let (hints, dead) = (queue("Queue"), queue("DeadLetterQueue"));
        let mapping = stack.mappings.iter().find(|mapping| mapping.queue_arn == hints.arn);
        assert_eq!(
            mapping,
            Some(&Mapping {
                queue_arn: hints.arn.clone(),
                function: "sender".to_owned(),
                batch_size,
                batching_window: Duration::from_secs(window),
                reports_item_failures: true,
                concurrency,
            })
        );
        assert!(hints.visibility_timeout >= 6 * sender.timeout);
        let redrive = hints.redrive.as_ref().unwrap();
        assert_eq!((&redrive.queue_arn, redrive.max_receive_count), (&dead.arn, 10));
        for queue in [hints, dead] {
            assert_eq!(queue.retention, Duration::from_hours(14 * 24));
        }
    }
    for (name, value) in [
        ("TransactionalWorkers", "1"),
        ("BulkWorkers", "1"),
        ("SenderMemory", "256"),
    ] {
        assert!(stack_with(&[(name, value)]).is_err(), "{name}");
    }
}

#[test]
fn the_sender_leaves_a_new_account_executions_for_everything_else() {
    let stack = stack();
    let of_sender = stack.mappings.iter().filter(|mapping| mapping.function == "sender");
    let workers: usize = of_sender.map(|mapping| mapping.concurrency).sum();
    // One more is for the sweep.
    assert!(workers < EXECUTIONS / 2, "{workers}");
}

#[test]
fn brings_events_to_the_function_that_delivers_them_to_webhooks() {
    let stack = stack_with(&[("WebhookWorkers", "7")]).unwrap();
    let queue = |logical_id: &str| {
        let mut queues = stack.queues.iter();
        queues.find(|queue| queue.logical_id == logical_id).unwrap()
    };
    let (events, dead) = (queue("WebhookQueue"), queue("WebhookDeadLetterQueue"));
    let mapping = stack.mappings.iter().find(|mapping| mapping.queue_arn == events.arn);
    assert_eq!(
        mapping,
        Some(&Mapping {
            queue_arn: events.arn.clone(),
            function: "webhooks".to_owned(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            reports_item_failures: true,
            concurrency: 7,
        })
    );
    let webhooks = stack.functions.iter().find(|function| function.name == "webhooks");
    assert!(events.visibility_timeout >= 6 * webhooks.unwrap().timeout);
    let redrive = events.redrive.as_ref().unwrap();
    assert_eq!((&redrive.queue_arn, redrive.max_receive_count), (&dead.arn, 10));
    assert!(events.retention < dead.retention);
    assert!(stack_with(&[("WebhookWorkers", "1")]).is_err());
    let stack = stack_with(&[("WebhookPorts", "443,8443")]).unwrap();
    for function in stack.functions {
        let ports = function.environment.get("WEBHOOK_PORTS").map(String::as_str);
        let takes_urls = ["send-api", "webhooks"].contains(&function.name.as_str());
        assert_eq!(ports, takes_urls.then_some("443,8443"), "{}", function.name);
    }
}

/// Queue workers of both streams, the sweep and webhooks may run at the same time.
#[test]
fn workers_leave_a_new_account_executions_for_requests() {
    let stack = stack();
    let of_queues = stack.mappings.iter().filter(|mapping| mapping.function != "feedback");
    let workers: usize = of_queues.map(|mapping| mapping.concurrency).sum();
    assert!(workers + 1 < EXECUTIONS - 2, "{workers}");
}
