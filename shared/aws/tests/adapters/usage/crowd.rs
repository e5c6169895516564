//! A hundred callers at the gate at once.

use std::sync::Arc;

use aws::PermitError;
use domain::brake::Brake;
use domain::pacing::GateSettings;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::permits::{SECOND, ask, bulk, numbers, permits, store_with};
use crate::support::{Store, at};

/// The grants of a hundred callers: the time that each took, the start of its slot, and its weight.
struct Crowd {
    taken: Vec<(i64, i64)>,
    starts: Vec<(i64, i64)>,
    refused: usize,
}

/// Counts answers as they come.
fn answers() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

impl Crowd {
    /// Sends a hundred containers to the gate at once, each several times, with weights of 1 to 50 and clocks that are
    /// up to 400 ms apart. Each answer adds a permit to `answered`.
    async fn rush(store: &Arc<Store>, asks: i64, answered: &Arc<Semaphore>) -> Self {
        let mut callers = JoinSet::new();
        for caller in 0..100_i64 {
            let (permits, answered) = (permits(store), Arc::clone(answered));
            let skew = caller * 37 % 9 * 100 - 400;
            callers.spawn(async move {
                let mut taken = Vec::new();
                for turn in 0..asks {
                    let recipients = (caller * 13 + turn * 29) % 50 + 1;
                    let ask = if caller % 3 == 0 { bulk } else { ask };
                    let ask = ask(recipients, turn * 700 + skew);
                    taken.push((ask, permits.take(ask).await));
                    answered.add_permits(1);
                }
                taken
            });
        }
        let mut crowd = Self {
            taken: Vec::new(),
            starts: Vec::new(),
            refused: 0,
        };
        for (ask, taken) in callers.join_all().await.into_iter().flatten() {
            match taken {
                Ok(permit) => {
                    let cost = ask.recipients * permit.known.slot_interval;
                    crowd
                        .taken
                        .push((permit.known.next_free_slot - cost, permit.known.next_free_slot));
                    crowd
                        .starts
                        .push(((ask.now + permit.wait).as_microsecond(), ask.recipients));
                    assert!(permit.wait <= ask.patience);
                }
                Err(PermitError::Refused(_)) => crowd.refused += 1,
                Err(PermitError::Store(error)) => panic!("{error}"),
            }
        }
        crowd
    }

    fn recipients(&self) -> i64 {
        self.starts.iter().map(|(_, recipients)| recipients).sum()
    }

    fn no_slot_is_taken_twice(&mut self) {
        self.taken.sort_unstable();
        assert!(self.taken.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }

    /// Checks that no second holds more than the rate, the burst and the largest weight less one.
    fn holds_the_rate(&self, interval: i64) {
        let slack = SECOND - interval;
        let bound = (SECOND + slack) / interval + 50;
        for (begin, _) in &self.starts {
            let second = self
                .starts
                .iter()
                .filter(|(start, _)| (*begin..*begin + SECOND).contains(start));
            let recipients: i64 = second.map(|(_, recipients)| recipients).sum();
            assert!(
                recipients <= bound,
                "{recipients} recipients in a second, {bound} allowed"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_with_skewed_clocks_take_every_slot_once_and_no_second_holds_too_many() {
    let settings = GateSettings {
        slot_interval: 2_500,
        ceiling_all: 1_000_000,
        ceiling_bulk: 900_000,
    };
    let store = Arc::new(store_with(settings, Brake::None).await);
    let mut crowd = Crowd::rush(&store, 3, &answers()).await;
    let granted = crowd.recipients();
    assert!(
        crowd.refused > 0 && granted > 1_000,
        "{} refused, {granted} granted",
        crowd.refused
    );
    crowd.no_slot_is_taken_twice();
    crowd.holds_the_rate(settings.slot_interval);
    let left = numbers(&store, ["left_all", "left_bulk", "granted"]).await;
    assert_eq!(left, [1_000_000 - granted, 900_000 - granted, granted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_are_granted_the_quota_and_not_one_more() {
    let settings = GateSettings {
        slot_interval: 1,
        ceiling_all: 1_500,
        ceiling_bulk: 1_200,
    };
    let store = Arc::new(store_with(settings, Brake::None).await);
    let mut crowd = Crowd::rush(&store, 1, &answers()).await;
    crowd.no_slot_is_taken_twice();
    let granted = crowd.recipients();
    let [left, counted] = numbers(&store, ["left_all", "granted"]).await;
    assert_eq!((left, counted), (1_500 - granted, granted));
    assert!((0..50).contains(&left), "{left}");
    assert!(crowd.refused > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_come_in_between_lose_nothing_and_grant_nothing() {
    let settings = |run: i64| GateSettings {
        slot_interval: 500 + run * 100,
        ceiling_all: 1_000_000 + run,
        ceiling_bulk: 900_000 + run,
    };
    let store = Arc::new(store_with(settings(0), Brake::None).await);
    let answered = answers();
    let reporter = {
        let (store, answered) = (Arc::clone(&store), Arc::clone(&answered));
        async move {
            for run in 1..=10 {
                // A send gives up if the gate changes more often than it tries, so reports come among 200 answers.
                answered.acquire_many(15).await.unwrap().forget();
                store.usage().gate_state().await.unwrap();
                store
                    .usage()
                    .set_gate(settings(run), Brake::None, None, at(run))
                    .await
                    .unwrap();
            }
        }
    };
    let (mut crowd, ()) = tokio::join!(Crowd::rush(&store, 2, &answered), reporter);
    crowd.no_slot_is_taken_twice();
    let granted = crowd.recipients();
    assert!(granted > 0);
    let left = numbers(&store, ["left_all", "left_bulk", "granted", "slot_interval"]).await;
    assert_eq!(left, [1_000_010 - granted, 900_010 - granted, granted, 1_500]);
}
