//! The faults in force, oldest first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Effect, Fault, Span};
use crate::clock::Clock;
use crate::lambda::Processes;

/// A call that a service is asked for.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The operation.
    pub operation: &'a str,
    /// The tables of `DynamoDB` that it is about, by their logical ids.
    pub tables: Vec<&'a str>,
    /// The execution environment of Lambda that it comes from, if it comes from one.
    pub environment: Option<Uuid>,
}

/// The faults in force; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub(super) processes: Processes,
    clock: Clock,
    active: Arc<Mutex<Vec<Active>>>,
}

/// A fault with what is left of it.
#[derive(Clone, Debug)]
struct Active {
    /// Its `skip` and `times` count down.
    fault: Fault,
    /// The end of one that is in force for some time.
    until: Option<Timestamp>,
}

impl Active {
    fn is_over(&self, now: Timestamp) -> bool {
        self.fault.span == Span::Times(0) || self.until.is_some_and(|until| until <= now)
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        let Fault {
            operation,
            table,
            effect,
            ..
        } = &self.fault;
        operation == call.operation
            && table.as_deref().is_none_or(|table| call.tables.contains(&table))
            && (call.environment.is_some() || !matches!(effect, Effect::Kill(_)))
    }
}

impl Faults {
    /// Has none yet. They last by `clock` and kill `processes`.
    #[must_use]
    pub fn new(clock: Clock, processes: Processes) -> Self {
        Self {
            processes,
            clock,
            active: Arc::default(),
        }
    }

    /// Puts a fault into force.
    pub fn add(&self, fault: Fault) {
        let until = match fault.span {
            Span::Times(_) => None,
            Span::For(time) => SignedDuration::try_from(time)
                .ok()
                .and_then(|time| self.clock.now().checked_add(time).ok())
                .or(Some(Timestamp::MAX)),
        };
        self.active().push(Active { fault, until });
    }

    /// Takes what happens to a call made now, if anything does. A fault that is still to be skipped counts the call and
    /// lets it pass to the next one.
    #[must_use]
    pub fn take(&self, call: &Call<'_>) -> Option<Effect> {
        let mut active = self.active();
        for Active { fault, .. } in active.iter_mut().filter(|active| active.is_for(call)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Span::Times(times) = &mut fault.span {
                *times -= 1;
            }
            return Some(fault.effect.clone());
        }
        None
    }

    /// Lists the faults in force with what is left of them, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Fault> {
        let now = self.clock.now();
        let left = |active: &Active| {
            let mut fault = active.fault.clone();
            if let Some(until) = active.until {
                fault.span = Span::For(until.duration_since(now).unsigned_abs());
            }
            fault
        };
        self.active().iter().map(left).collect()
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.active().clear();
    }

    /// Those that are not over.
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

    fn call(operation: &str) -> Call<'_> {
        Call {
            operation,
            tables: Vec::new(),
            environment: None,
        }
    }

    #[test]
    fn happens_once_when_nothing_says_how_often() {
        let faults = faults(json!({"operation": "SendEmail", "delay_ms": 5}));
        let delay = Some(Effect::Delay(Duration::from_millis(5)));
        assert_eq!(faults.take(&call("SendEmail")), delay);
        assert_eq!(faults.take(&call("SendEmail")), None);
    }

    #[test]
    fn happens_so_many_times_to_its_own_operation() {
        let faults = faults(json!({"operation": "SendEmail", "times": 2, "drop": "before"}));
        assert_eq!(faults.take(&call("GetAccount")), None);
        for _ in 0..2 {
            let cut = Some(Effect::Drop(Moment::Before));
            assert_eq!(faults.take(&call("SendEmail")), cut);
        }
        assert_eq!(faults.take(&call("SendEmail")), None);
    }

    #[test]
    fn happens_for_so_long_by_the_clock() {
        let clock = Clock::default();
        let faults = Faults::new(clock.clone(), Processes::default());
        faults.add(fault(
            json!({"operation": "SendEmail", "for_ms": 600_000, "drop": "after"}),
        ));
        for _ in 0..2 {
            assert!(faults.take(&call("SendEmail")).is_some());
        }
        clock.advance(Duration::from_mins(10)).unwrap();
        assert!(faults.take(&call("SendEmail")).is_none());
    }

    #[test]
    fn lets_the_first_calls_pass_when_told_to() {
        let faults = faults(json!({"operation": "SendEmail", "skip": 2, "drop": "after"}));
        faults.add(fault(json!({"operation": "SendEmail", "skip": 1, "delay_ms": 1})));
        let taken: Vec<_> = (0..5).map(|_| faults.take(&call("SendEmail"))).collect();
        let (cut, delay) = (Effect::Drop(Moment::After), Effect::Delay(Duration::from_millis(1)));
        assert_eq!(taken, [None, Some(delay), Some(cut), None, None]);
    }

    #[test]
    fn happens_on_its_own_table_only() {
        let faults = faults(json!({"operation": "PutItem", "table": "MessagesTable", "drop": "after"}));
        let on = |table| Call {
            tables: vec![table],
            ..call("PutItem")
        };
        assert_eq!(faults.take(&on("UsageTable")), None);
        assert!(faults.take(&on("MessagesTable")).is_some());
    }

    #[test]
    fn kills_nobody_who_is_no_function() {
        let faults = faults(json!({"operation": "PutItem", "kill": "before"}));
        assert_eq!(faults.take(&call("PutItem")), None);
        let of_a_function = Call {
            environment: Some(Uuid::nil()),
            ..call("PutItem")
        };
        assert_eq!(faults.take(&of_a_function), Some(Effect::Kill(Moment::Before)));
    }

    #[test]
    fn lists_what_is_left() {
        let faults = faults(json!({"operation": "SendEmail", "skip": 1, "times": 2, "drop": "after"}));
        let list = |faults: &Faults| serde_json::to_value(faults.list()).unwrap();
        for _ in 0..2 {
            let _ = faults.take(&call("SendEmail"));
        }
        assert_eq!(
            list(&faults),
            json!([{"operation": "SendEmail", "times": 1, "drop": "after"}])
        );
        let _ = faults.take(&call("SendEmail"));
        assert_eq!(list(&faults), json!([]));
    }

    #[test]
    fn clearing_ends_all() {
        let faults = faults(json!({"operation": "SendEmail", "times": 9, "drop": "after"}));
        faults.clear();
        assert_eq!(faults.take(&call("SendEmail")), None);
    }
}
