//! Each condition is taken away in turn, and then a history must break a promise. [`Loss`] says which conditions are
//! needed, and why nothing comes of the loss of the others: another condition is as strong there, or they are there for
//! defence. Such a one stays in the adapter all the same, since its reason rests on how the callers behave today.

use crate::condition::{Condition, Loss};
use crate::{history, number};

/// How many histories are tried without a condition whose loss is found soon.
const TRIED: u64 = 6_000;

fn is_found(condition: Condition, tried: u64) -> bool {
    (0..tried).any(|seed| history::random(seed, Some(condition)).violation.is_some())
}

#[test]
fn without_a_condition_a_history_breaks_a_promise() {
    let tried = number("QUEUE_REMOVALS", 0);
    for condition in Condition::ALL {
        let words = condition.words();
        match condition.loss() {
            Loss::Often => assert!(is_found(*condition, TRIED.max(tried)), "not needed: {words}"),
            // They take longer than a test may, and are tried when so many are asked for.
            Loss::Seldom if tried > 0 => assert!(is_found(*condition, tried), "not needed in {tried}: {words}"),
            Loss::Harmless(reason) if tried > 0 => assert!(!is_found(*condition, tried), "{words} is needed: {reason}"),
            Loss::Seldom | Loss::Once | Loss::Harmless(_) => {}
        }
    }
}
