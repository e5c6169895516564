//! Attempts and replays in any order, repeated at will: the table agrees with a model in memory.

use domain::webhook::{ATTEMPTS_KEPT, AfterAttempt, DeliveryRecord, EventDeliveryState};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{attempt, delivery, read};
use crate::support::{Store, at};

/// A write, at a time that no other write has unless it is the same write.
#[derive(Clone, Copy, Debug)]
enum Write {
    Attempt(i64, AfterAttempt),
    Replay(i64),
    PutWaiting(i64),
    PutFailed,
}

/// The delivery as it should be.
#[derive(Clone, Debug)]
struct Model {
    state: EventDeliveryState,
    /// When the attempt or replay began that set the state; `None` before the first.
    state_at: Option<i64>,
    attempts: Vec<i64>,
    made: u32,
    wake_at: Option<i64>,
}

impl Model {
    fn new(state: EventDeliveryState, wake_at: Option<i64>) -> Self {
        Self {
            state,
            state_at: None,
            attempts: Vec::new(),
            made: 0,
            wake_at,
        }
    }

    fn write(seen: Option<Self>, write: Write) -> Option<Self> {
        match (write, seen) {
            (Write::Attempt(_, AfterAttempt::AsBefore) | Write::Replay(_), None) => None,
            (Write::Attempt(at, then), seen) => {
                let mut model = seen.unwrap_or_else(|| Self::new(EventDeliveryState::Waiting, None));
                if model.attempts.contains(&at) {
                    return Some(model);
                }
                model.made += 1;
                model.attempts.push(at);
                model.attempts.sort_unstable();
                if model.attempts.len() > ATTEMPTS_KEPT {
                    model.attempts.remove(0);
                }
                let is_newest = model.state_at < Some(at);
                let (state, wake_at) = match then {
                    AfterAttempt::AsBefore => return Some(model),
                    AfterAttempt::Delivered => (EventDeliveryState::Delivered, None),
                    _ if !is_newest || model.state == EventDeliveryState::Delivered => return Some(model),
                    AfterAttempt::InQueue => (EventDeliveryState::Waiting, None),
                    AfterAttempt::WakeAt(wake_at) => (EventDeliveryState::Waiting, Some(number(wake_at))),
                    AfterAttempt::Failed => (EventDeliveryState::Failed, None),
                };
                Some(Self {
                    state,
                    wake_at,
                    state_at: model.state_at.max(Some(at)),
                    ..model
                })
            }
            (Write::Replay(at), Some(model)) => Some(Self {
                state: EventDeliveryState::Waiting,
                state_at: Some(at),
                wake_at: Some(at),
                ..model
            }),
            (Write::PutWaiting(at), None) => Some(Self::new(EventDeliveryState::Waiting, Some(at))),
            (Write::PutWaiting(at), Some(model)) => {
                let waits_for_sqs = model.state == EventDeliveryState::Waiting && model.wake_at.is_none();
                let wake_at = if waits_for_sqs { Some(at) } else { model.wake_at };
                Some(Self { wake_at, ..model })
            }
            (Write::PutFailed, None) => Some(Self::new(EventDeliveryState::Failed, None)),
            (Write::PutFailed, Some(model)) if model.state == EventDeliveryState::Waiting => Some(Self {
                state: EventDeliveryState::Failed,
                wake_at: None,
                ..model
            }),
            (Write::PutFailed, seen) => seen,
        }
    }

    fn assert_is(&self, record: &DeliveryRecord) {
        let attempts: Vec<i64> = record.attempts.iter().map(|attempt| number(attempt.at)).collect();
        assert_eq!((record.state, &attempts), (self.state, &self.attempts));
        assert_eq!(
            (record.attempts_made, record.wake_at.map(number)),
            (self.made, self.wake_at)
        );
    }
}

fn number(at_then: jiff::Timestamp) -> i64 {
    at_then.as_millisecond() - at(0).as_millisecond()
}

/// Makes a write of a kind that depends on its time alone, so that writes of one time are the same write.
fn write(time: i64) -> Write {
    let mixed = time.wrapping_mul(0x9e37_79b9) >> 4 & 0xff;
    match mixed % 10 {
        0 => Write::Replay(time),
        1 => Write::PutWaiting(time),
        2 => Write::PutFailed,
        3 => Write::Attempt(time, AfterAttempt::Delivered),
        4 => Write::Attempt(time, AfterAttempt::Failed),
        5 => Write::Attempt(time, AfterAttempt::AsBefore),
        6 | 7 => Write::Attempt(time, AfterAttempt::InQueue),
        _ => Write::Attempt(time, AfterAttempt::WakeAt(at(time + 1_000))),
    }
}

#[test]
fn any_order_of_writes_ends_as_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(Store::start());
    let deliveries = store.deliveries();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 30,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let next = std::cell::Cell::new(0);
    // Few times, so that writes are repeated, and enough of them to fill the log.
    let times = vec(1_i64..60, 1..45);
    let tested = runner.run(&times, |times| {
        next.set(next.get() + 1);
        let (case, mut model) = (next.get(), None);
        let delivery = delivery(case);
        runtime.block_on(async {
            for write in times.into_iter().map(write) {
                // A replay happens now, so it is later than the state that it ends.
                let state_at = model.as_ref().and_then(|model: &Model| model.state_at);
                if matches!(write, Write::Replay(at) if Some(at) <= state_at) {
                    continue;
                }
                model = Model::write(model.take(), write);
                match write {
                    Write::Attempt(at, then) => deliveries.record_attempt(&delivery, &attempt(at), then).await.unwrap(),
                    Write::Replay(then) => {
                        let replayed = deliveries.replay("a", &delivery.event, at(then), at(then)).await;
                        assert_eq!(replayed.unwrap().is_some(), model.is_some());
                    }
                    Write::PutWaiting(then) => {
                        deliveries.put_waiting(&delivery, at(then), at(0)).await.unwrap();
                    }
                    Write::PutFailed => {
                        deliveries.put_failed(&delivery, at(0)).await.unwrap();
                    }
                }
                match &model {
                    Some(model) => model.assert_is(&read(&deliveries, case).await),
                    None => assert_eq!(deliveries.get("a", &delivery.event).await.unwrap(), None),
                }
            }
        });
        Ok(())
    });
    tested.unwrap();
}
