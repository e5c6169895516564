//! The faults in force, oldest first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::held::Held;
use super::{Called, Effect, Fault, FaultSpan};
use crate::clock::Clock;
use crate::processes::Processes;

/// The faults in force; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub(super) processes: Processes,
    pub(super) held: Held,
    clock: Clock,
    active: Arc<Mutex<Vec<Active>>>,
}

/// A fault with what is left of it.
#[derive(Clone, Debug)]
struct Active {
    /// The fault, whose `skip` and `times` count down.
    fault: Fault,
    /// The end of a fault that is limited by time.
    until: Option<Timestamp>,
}

impl Active {
    fn is_over(&self, now: Timestamp) -> bool {
        self.fault.span == FaultSpan::Times(0) || self.until.is_some_and(|until| until <= now)
    }

    fn applies_to(&self, called: Called<'_>) -> bool {
        let Fault {
            operation,
            table,
            function,
            effect,
            ..
        } = &self.fault;
        operation == called.operation
            && table.as_ref().is_none_or(|table| called.tables.contains(table))
            && (function.is_none() || function.as_deref() == called.function)
            && (called.environment.is_some() || !matches!(effect, Effect::Kill(_)))
    }
}

impl Faults {
    /// Starts without faults. `clock` measures how long they last, and they kill `processes`.
    #[must_use]
    pub fn new(clock: Clock, processes: Processes) -> Self {
        Self {
            processes,
            held: Held::default(),
            clock,
            active: Arc::default(),
        }
    }

    /// Puts a fault into force.
    pub fn add(&self, fault: Fault) {
        let until = match fault.span {
            FaultSpan::Times(_) => None,
            FaultSpan::For(time) => SignedDuration::try_from(time)
                .ok()
                .and_then(|time| self.clock.now().checked_add(time).ok())
                .or(Some(Timestamp::MAX)),
        };
        self.active().push(Active { fault, until });
    }

    /// Takes the effect on a call that is made now, if a fault applies to it. A fault that still skips calls counts
    /// this one and leaves it to the next fault.
    #[must_use]
    pub(crate) fn take(&self, called: Called<'_>) -> Option<Effect> {
        let mut active = self.active();
        let applies = |active: &&mut Active| active.applies_to(called);
        for Active { fault, .. } in active.iter_mut().filter(applies) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let FaultSpan::Times(times) = &mut fault.span {
                *times -= 1;
            }
            return Some(fault.effect.clone());
        }
        None
    }

    /// Lists the faults in force, oldest first, each with what is left of its limits.
    #[must_use]
    pub fn list(&self) -> Vec<Fault> {
        let now = self.clock.now();
        let left = |active: &Active| {
            let mut fault = active.fault.clone();
            if let Some(until) = active.until {
                fault.span = FaultSpan::For(until.duration_since(now).unsigned_abs());
            }
            fault
        };
        self.active().iter().map(left).collect()
    }

    /// Ends all faults. The calls that are held stay held.
    pub fn clear(&self) {
        self.active().clear();
    }

    /// Drops the faults that are over and returns the others.
    fn active(&self) -> MutexGuard<'_, Vec<Active>> {
        let now = self.clock.now();
        // A panic while the lock was held leaves a list that is still a list.
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.retain(|active| !active.is_over(now));
        active
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::fault::Moment;

    fn fault(written: Value) -> Fault {
        serde_json::from_value(written).unwrap()
    }

    fn faults(written: Value) -> Faults {
        let faults = Faults::default();
        faults.add(fault(written));
        faults
    }

    fn take(faults: &Faults, operation: &str) -> Option<Effect> {
        faults.take(Called {
            operation,
            ..Called::default()
        })
    }

    #[test]
    fn applies_once_without_a_limit() {
        let faults = faults(json!({"operation": "SendEmail", "delay_ms": 5}));
        let delay = Some(Effect::Delay(Duration::from_millis(5)));
        assert_eq!(take(&faults, "SendEmail"), delay);
        assert_eq!(take(&faults, "SendEmail"), None);
    }

    #[test]
    fn applies_a_number_of_times_to_its_own_operation() {
        let faults = faults(json!({"operation": "SendEmail", "times": 2, "drop": "before"}));
        assert_eq!(take(&faults, "GetAccount"), None);
        for _ in 0..2 {
            let cut = Some(Effect::Drop(Moment::Before));
            assert_eq!(take(&faults, "SendEmail"), cut);
        }
        assert_eq!(take(&faults, "SendEmail"), None);
    }

    #[test]
    fn applies_for_a_time_by_the_clock() {
        let clock = Clock::default();
        let faults = Faults::new(clock.clone(), Processes::default());
        faults.add(fault(
            json!({"operation": "SendEmail", "for_ms": 600_000, "drop": "after"}),
        ));
        for _ in 0..2 {
            assert!(take(&faults, "SendEmail").is_some());
        }
        clock.advance(Duration::from_mins(10)).unwrap();
        assert!(take(&faults, "SendEmail").is_none());
    }

    #[test]
    fn skips_the_first_calls() {
        let faults = faults(json!({"operation": "SendEmail", "skip": 2, "drop": "after"}));
        faults.add(fault(json!({"operation": "SendEmail", "skip": 1, "delay_ms": 1})));
        let taken: Vec<_> = (0..5).map(|_| take(&faults, "SendEmail")).collect();
        let (cut, delay) = (Effect::Drop(Moment::After), Effect::Delay(Duration::from_millis(1)));
        assert_eq!(taken, [None, Some(delay), Some(cut), None, None]);
    }

    #[test]
    fn applies_to_its_own_table_only() {
        let faults = faults(json!({"operation": "PutItem", "table": "OrdersTable", "drop": "after"}));
        let on = |table: &str| {
            faults.take(Called {
                operation: "PutItem",
                tables: &[table.to_owned()],
                ..Called::default()
            })
        };
        assert_eq!(on("ItemsTable"), None);
        assert!(on("OrdersTable").is_some());
    }

    #[test]
    fn applies_to_the_calls_of_its_own_function_only() {
        let faults = faults(json!({"operation": "PutItem", "function": "worker", "drop": "after"}));
        let of = |function| {
            faults.take(Called {
                operation: "PutItem",
                function,
                ..Called::default()
            })
        };
        assert_eq!(of(None), None);
        assert_eq!(of(Some("other")), None);
        assert!(of(Some("worker")).is_some());
    }

    #[test]
    fn kills_only_the_process_of_a_function() {
        let faults = faults(json!({"operation": "PutItem", "kill": "before"}));
        assert_eq!(take(&faults, "PutItem"), None);
        let of_a_function = faults.take(Called {
            operation: "PutItem",
            environment: Some(Uuid::nil()),
            ..Called::default()
        });
        assert_eq!(of_a_function, Some(Effect::Kill(Moment::Before)));
    }

    #[test]
    fn lists_what_is_left() {
        let faults = faults(json!({"operation": "SendEmail", "skip": 1, "times": 2, "drop": "after"}));
        let list = |faults: &Faults| serde_json::to_value(faults.list()).unwrap();
        for _ in 0..2 {
            let _ = take(&faults, "SendEmail");
        }
        assert_eq!(
            list(&faults),
            json!([{"operation": "SendEmail", "times": 1, "drop": "after"}])
        );
        let _ = take(&faults, "SendEmail");
        assert_eq!(list(&faults), json!([]));
    }

    #[test]
    fn clearing_ends_all() {
        let faults = faults(json!({"operation": "SendEmail", "times": 9, "drop": "after"}));
        faults.clear();
        assert_eq!(take(&faults, "SendEmail"), None);
    }
}
