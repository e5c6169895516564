//! The calls that faults hold, from the moment that each of them holds until somebody releases it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Called, Faults, Moment};

/// A call that a fault holds, in the shape of `GET /_local/held`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldCall {
    /// The operation, such as `SendEmail`.
    pub operation: String,
    /// The function that made the call; `None` for a call from outside Lambda.
    pub function: Option<String>,
    /// When it is held: before the service carries it out, or after.
    pub hold: Moment,
}

/// The held calls, oldest first. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    calls: Arc<Mutex<Vec<Holding>>>,
}

#[derive(Debug)]
struct Holding {
    call: HeldCall,
    /// Lets the call go on.
    release: CancellationToken,
    /// Cancelled when the service has carried the call out, or when the call is given up.
    done: CancellationToken,
}

impl Held {
    fn calls(&self) -> MutexGuard<'_, Vec<Holding>> {
        // A panic while the lock was held leaves a list that is still a list.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hold on one call.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Held,
    call: HeldCall,
}

impl Hold {
    /// Carries the call out, and holds it before or after that.
    pub(crate) async fn around<T>(self, carry_out: impl Future<Output = T>) -> T {
        match self.call.hold {
            Moment::Before => {
                let _done = self.until_released().await;
                carry_out.await
            }
            Moment::After => {
                let carried_out = carry_out.await;
                let _done = self.until_released().await;
                carried_out
            }
        }
    }

    /// Shows the call as held, and waits until it is released. The release is over when the guard is dropped.
    async fn until_released(self) -> DropGuard {
        let (release, done) = (CancellationToken::new(), CancellationToken::new());
        let holding = Holding {
            call: self.call,
            release: release.clone(),
            done: done.clone(),
        };
        // It is also over when this future is dropped.
        let done = done.drop_guard();
        self.held.calls().push(holding);
        release.cancelled().await;
        done
    }
}

impl Faults {
    /// Makes a hold on a call.
    pub(crate) fn hold(&self, called: Called<'_>, moment: Moment) -> Hold {
        Hold {
            held: self.held.clone(),
            call: HeldCall {
                operation: called.operation.to_owned(),
                function: called.function.map(str::to_owned),
                hold: moment,
            },
        }
    }

    /// Lists the calls that are held now, oldest first. The caller of one may be gone.
    #[must_use]
    pub fn held(&self) -> Vec<HeldCall> {
        self.held.calls().iter().map(|holding| holding.call.clone()).collect()
    }

    /// Lets all calls go on that are held now, in their order, each when the service has carried out the one before.
    pub async fn release(&self) {
        let held = std::mem::take(&mut *self.held.calls());
        for holding in held {
            holding.release.cancel();
            holding.done.cancelled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    const CALLED: Called<'_> = Called {
        operation: "SendEmail",
        tables: &[],
        function: Some("worker"),
        environment: None,
    };

    /// Waits until a call is held.
    async fn until_held(faults: &Faults) {
        let held = async {
            while faults.held().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), held).await.unwrap();
    }

    /// Counts how often a call was carried out while it is held, and when its release is over.
    async fn counted(moment: Moment) -> (u32, u32) {
        let (faults, carried_out) = (Faults::default(), Arc::new(AtomicU32::new(0)));
        let counter = Arc::clone(&carried_out);
        let count = async move { counter.fetch_add(1, Ordering::SeqCst) };
        let call = tokio::spawn(faults.hold(CALLED, moment).around(count));
        until_held(&faults).await;
        let held = carried_out.load(Ordering::SeqCst);
        let call_held = HeldCall {
            operation: "SendEmail".to_owned(),
            function: Some("worker".to_owned()),
            hold: moment,
        };
        assert_eq!(faults.held(), [call_held]);
        assert!(!call.is_finished());
        faults.release().await;
        let released = carried_out.load(Ordering::SeqCst);
        assert_eq!((call.await.unwrap(), faults.held()), (0, Vec::new()));
        (held, released)
    }

    #[tokio::test]
    async fn a_call_is_held_before_or_after_it_is_carried_out() {
        assert_eq!(counted(Moment::Before).await, (0, 1));
        assert_eq!(counted(Moment::After).await, (1, 1));
    }

    #[tokio::test]
    async fn a_release_does_not_wait_for_a_call_that_was_given_up() {
        let faults = Faults::default();
        let call = tokio::spawn(faults.hold(CALLED, Moment::After).around(async {}));
        until_held(&faults).await;
        call.abort();
        let released = tokio::time::timeout(Duration::from_secs(5), faults.release());
        assert!(released.await.is_ok());
    }

    #[tokio::test]
    async fn nothing_is_released_where_nothing_is_held() {
        let faults = Faults::default();
        faults.release().await;
        assert_eq!(faults.held(), []);
    }
}
