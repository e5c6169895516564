//! Tests of the messages.

use super::*;
use crate::template::Redrive;

const RETRIES: &str = "arn:retries";
const DEAD: &str = "arn:dead";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap()
}

fn queues() -> Vec<Queue> {
    let queue = |arn: &str, hours, redrive| Queue {
        logical_id: arn.to_owned(),
        name: arn.to_owned(),
        arn: arn.to_owned(),
        url: arn.to_owned(),
        visibility_timeout: Duration::from_mins(6),
        retention: Duration::from_hours(hours),
        redrive,
        ..Queue::default()
    };
    let redrive = Redrive {
        queue_arn: DEAD.to_owned(),
        max_receive_count: 2,
    };
    vec![queue(RETRIES, 24, Some(redrive)), queue(DEAD, 48, None)]
}

fn messages() -> Messages {
    Messages::open(queues(), None, at(0)).unwrap()
}

fn send(messages: &mut Messages, id: u128, minutes: i64) {
    send_later(messages, id, minutes, None);
}

fn send_later(messages: &mut Messages, id: u128, minutes: i64, delay: Option<Duration>) {
    let message = NewMessage {
        body: format!("body {id}"),
        delay,
        ..NewMessage::default()
    };
    let message = (Uuid::from_u128(id), message);
    messages.send(RETRIES, vec![message], at(minutes)).unwrap();
}

fn delete(messages: &mut Messages, id: u128, receive_count: u32) {
    let message_id = Uuid::from_u128(id);
    let receipt = Receipt {
        message_id,
        receive_count,
    };
    messages.delete(RETRIES, receipt).unwrap();
}

fn receive(messages: &mut Messages, max: usize, minutes: i64) -> Vec<u128> {
    let received = messages.receive(RETRIES, max, None, at(minutes)).unwrap();
    received.iter().map(|message| message.message_id.as_u128()).collect()
}

fn in_queue(messages: &Messages, queue: &str) -> Vec<u128> {
    messages.of(queue).map(|message| message.message_id.as_u128()).collect()
}

#[test]
fn a_message_that_was_received_is_hidden_until_its_visibility_timeout_ends() {
    let mut messages = messages();
    send(&mut messages, 1, 0);
    assert_eq!(receive(&mut messages, 10, 0), [1]);
    assert_eq!(receive(&mut messages, 10, 5), []);
    assert_eq!(messages.next_visible(RETRIES), Some(at(6)));
    assert_eq!(receive(&mut messages, 10, 6), [1]);
}

#[test]
fn as_many_are_received_as_are_asked_for_oldest_first() {
    let mut messages = messages();
    for id in 1..=3 {
        send(&mut messages, id, 0);
    }
    assert_eq!(receive(&mut messages, 2, 0), [1, 2]);
    assert_eq!(receive(&mut messages, 2, 0), [3]);
}

#[test]
fn a_deleted_message_does_not_come_again() {
    let mut messages = messages();
    send(&mut messages, 1, 0);
    receive(&mut messages, 10, 0);
    delete(&mut messages, 1, 1);
    delete(&mut messages, 1, 1);
    assert_eq!(receive(&mut messages, 10, 60), []);
}

#[test]
fn a_message_received_too_often_goes_to_the_dead_letter_queue_with_its_age() {
    let mut messages = messages();
    send(&mut messages, 1, 0);
    for minutes in [0, 6] {
        assert_eq!(receive(&mut messages, 10, minutes), [1]);
    }
    assert_eq!(in_queue(&messages, DEAD), []);
    assert_eq!(receive(&mut messages, 10, 12), []);
    // The last try has taken long, and ends well after all.
    delete(&mut messages, 1, 2);
    let dead: Vec<_> = messages.of(DEAD).collect();
    assert_eq!((dead.len(), dead[0].sent_at, dead[0].held_since()), (1, at(0), at(12)));
}

#[test]
fn a_redriven_message_is_a_new_message() {
    let mut messages = messages();
    send(&mut messages, 1, 0);
    for minutes in [0, 6, 12] {
        receive(&mut messages, 10, minutes);
    }
    let moved = messages.move_back(DEAD, None, || Uuid::from_u128(2), at(60)).unwrap();
    let all = MovedBack {
        moved: 1,
        to_move: 1,
        source_is_unknown: false,
    };
    assert_eq!((moved, in_queue(&messages, DEAD)), (all, vec![]));
    let received = messages.receive(RETRIES, 10, None, at(60)).unwrap();
    let Message {
        body,
        sent_at,
        receive_count,
        ..
    } = &received[0];
    assert_eq!((body.as_str(), *sent_at, *receive_count), ("body 1", at(60), 1));
}

#[test]
fn what_came_from_no_queue_is_moved_to_a_destination_only() {
    let mut messages = messages();
    let message = (Uuid::from_u128(1), NewMessage::default());
    messages.send(DEAD, vec![message], at(0)).unwrap();
    let new_id = || Uuid::from_u128(2);
    let result = |moved, source_is_unknown| MovedBack {
        moved,
        to_move: 1,
        source_is_unknown,
    };
    let moved = messages.move_back(DEAD, None, new_id, at(1)).unwrap();
    assert_eq!((moved, in_queue(&messages, DEAD)), (result(0, true), vec![1]));
    let moved = messages.move_back(DEAD, Some(RETRIES), new_id, at(1)).unwrap();
    assert_eq!((moved, in_queue(&messages, DEAD)), (result(1, false), vec![]));
    assert_eq!(receive(&mut messages, 10, 1), [2]);
}

#[test]
fn a_message_is_kept_as_long_as_its_queue_keeps_messages() {
    let mut messages = messages();
    send(&mut messages, 1, 0);
    send(&mut messages, 2, 60);
    assert_eq!(receive(&mut messages, 10, 24 * 60), [2]);
    assert_eq!(in_queue(&messages, RETRIES), [2]);
}

#[test]
fn everything_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queues.jsonl");
    let open = || Messages::open(queues(), Some(path.clone()), at(0)).unwrap();
    let mut messages = open();
    for id in 1..=4 {
        send(&mut messages, id, 0);
    }
    delete(&mut messages, 2, 0);
    for minutes in [0, 6, 12] {
        receive(&mut messages, 10, minutes);
    }
    send(&mut messages, 5, 12);
    send(&mut messages, 6, 12);
    let all = |messages: &Messages| -> Vec<Message> {
        [RETRIES, DEAD]
            .iter()
            .flat_map(|queue| messages.of(queue).cloned())
            .collect()
    };
    let before = all(&messages);
    assert_eq!(
        (in_queue(&messages, RETRIES), in_queue(&messages, DEAD)),
        (vec![5, 6], vec![1, 3, 4])
    );
    drop(messages);
    assert_eq!(all(&open()), before);
    assert_eq!(all(&open()), before);
}

#[test]
fn what_was_in_flight_comes_again_at_once_after_a_kill_and_what_was_delayed_stays_delayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queues.jsonl");
    let mut messages = Messages::open(queues(), Some(path.clone()), at(0)).unwrap();
    send(&mut messages, 1, 0);
    send_later(&mut messages, 2, 0, Some(Duration::from_mins(15)));
    assert_eq!(receive(&mut messages, 10, 0), [1]);
    drop(messages);
    let mut messages = Messages::open(queues(), Some(path), at(1)).unwrap();
    let received = messages.receive(RETRIES, 10, None, at(1)).unwrap();
    let received: Vec<_> = received
        .iter()
        .map(|message| (message.message_id.as_u128(), message.receive_count))
        .collect();
    assert_eq!(received, [(1, 2)]);
    assert_eq!(receive(&mut messages, 10, 15), [2]);
}

#[test]
fn a_delayed_message_is_counted_apart_and_comes_when_its_delay_ends() {
    let mut queues = queues();
    queues[0].delay = Duration::from_mins(1);
    let mut messages = Messages::open(queues, None, at(0)).unwrap();
    send(&mut messages, 1, 0);
    send_later(&mut messages, 2, 0, Some(Duration::ZERO));
    send_later(&mut messages, 3, 0, Some(Duration::from_mins(15)));
    assert_eq!(receive(&mut messages, 10, 0), [2]);
    let counts = |visible, in_flight, delayed| Counts {
        visible,
        in_flight,
        delayed,
        being_handled: 0,
    };
    assert_eq!(messages.count(RETRIES, at(0)), counts(0, 1, 2));
    assert_eq!(messages.next_visible(RETRIES), Some(at(1)));
    assert_eq!(receive(&mut messages, 10, 1), [1]);
    assert_eq!(messages.count(RETRIES, at(15)), counts(3, 0, 0));
}

#[test]
fn an_old_receipt_deletes_nothing_and_changes_no_visibility() {
    let mut messages = messages();
    send(&mut messages, 1, 0);
    for minutes in [0, 6] {
        assert_eq!(receive(&mut messages, 10, minutes), [1]);
    }
    delete(&mut messages, 1, 1);
    assert_eq!(in_queue(&messages, RETRIES), [1]);
    let mut change = |receive_count, minutes| {
        let receipt = Receipt {
            message_id: Uuid::from_u128(1),
            receive_count,
        };
        messages.change_visibility(RETRIES, receipt, Duration::from_mins(1), at(minutes))
    };
    assert!(matches!(change(1, 6), Err(VisibilityError::NotInFlight)));
    change(2, 6).unwrap();
    assert!(matches!(change(2, 7), Err(VisibilityError::NotInFlight)));
    delete(&mut messages, 1, 2);
    assert_eq!(in_queue(&messages, RETRIES), []);
}

#[test]
fn the_file_does_not_grow_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queues.jsonl");
    let mut messages = Messages::open(queues(), Some(path.clone()), at(0)).unwrap();
    send(&mut messages, 1, 0);
    for id in 2..2_000 {
        send(&mut messages, id, 0);
        delete(&mut messages, id, 0);
    }
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    assert!(lines <= STALE_MAX + 3, "{lines}");
    assert_eq!(
        in_queue(&Messages::open(queues(), Some(path), at(0)).unwrap(), RETRIES),
        [1]
    );
}

#[test]
fn what_an_invocation_handles_comes_to_nobody_else_however_late_it_is() {
    let mut messages = messages();
    send(&mut messages, 1, 0);
    send(&mut messages, 2, 0);
    assert_eq!(receive(&mut messages, 10, 0), [1, 2]);
    let held = [1, 2].map(Uuid::from_u128);
    messages.hold(&held);
    assert_eq!(
        (receive(&mut messages, 10, 60), messages.next_visible(RETRIES)),
        (vec![], None)
    );
    let counts = messages.count(RETRIES, at(60));
    assert_eq!((counts.in_flight, counts.being_handled), (2, 2));
    delete(&mut messages, 1, 1);
    messages.let_go(&held);
    assert_eq!(messages.count(RETRIES, at(60)).visible, 1);
    assert_eq!(receive(&mut messages, 10, 60), [2]);
}
