//! The brake, looked at again for mail that waits for its slot: an operator who stops all mail stops that mail too.

use std::time::Duration;

use domain::brake::Brake;
use domain::pacing::Throttled;
use domain::stream::Stream;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::{Busy, Deadlines, NotSent, Sending};

/// How long what was seen of the brake holds.
const SEEN_FOR: Duration = Duration::from_secs(1);
/// How long before a slot the brake is looked at, so that the mail goes out at its slot.
const BEFORE_SLOT: Duration = Duration::from_millis(200);

/// What the emails of a chunk have seen of the brake.
#[derive(Debug)]
pub(crate) struct BrakeWatch<'a> {
    sending: &'a Sending,
    deadlines: &'a Deadlines,
    stream: Stream,
    /// The slot before which the brake was seen last, and the brake if it held the mail back.
    seen: Mutex<(Instant, Option<Brake>)>,
}

impl<'a> BrakeWatch<'a> {
    /// Begins with a permit that the gate gave to mail of `stream` at `asked`, when no brake held it back.
    pub(crate) fn new(sending: &'a Sending, deadlines: &'a Deadlines, stream: Stream, asked: Instant) -> Self {
        Self {
            sending,
            deadlines,
            stream,
            seen: Mutex::new((asked, None)),
        }
    }

    /// Waits until just before `slot`, and looks at the brake if nobody did for a second.
    ///
    /// # Errors
    /// [`NotSent`] if the brake holds the mail back by now, or cannot be read.
    pub(crate) async fn let_pass(&self, slot: Instant) -> Result<(), NotSent> {
        let look_at = slot.checked_sub(BEFORE_SLOT).unwrap_or(slot);
        sleep_until(look_at).await;
        let mut seen = self.seen.lock().await;
        // By the slots and not by the clock: a machine that is late looks no more often.
        if slot >= seen.0 + SEEN_FOR && seen.1.is_none() {
            let brake = self.deadlines.before_sending(self.sending.permits.brake()).await??;
            let holds_back = brake.level() >= Brake::against(self.stream).level();
            *seen = (look_at, holds_back.then_some(brake));
        }
        match seen.1 {
            None => Ok(()),
            Some(brake) => Err(NotSent::Busy(Busy::Gate(Throttled::Brake(brake)))),
        }
    }
}
