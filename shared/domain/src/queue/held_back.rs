//! Why the gate holds the mail of a stream back, for an operator to see.

use std::time::Duration;

use jiff::Timestamp;

use crate::brake::Brake;
use crate::pacing::Gate;
use crate::record::WaitsFor;
use crate::stream::Stream;

/// A time in which even the slowest rate lets mail through, so that only the quota can hold it back.
const LONG: Duration = Duration::from_hours(24);

/// Returns what the mail of `stream` waits for at the gate: the end of the brake, room in the quota, or its slot.
/// Returns `None` if a mail could go now.
#[must_use]
pub fn held_back_by(gate: &Gate, stream: Stream, now: Timestamp) -> Option<WaitsFor> {
    if gate.brake.level() >= Brake::against(stream).level() {
        Some(WaitsFor::Brake)
    } else if gate.lets_through(stream, LONG, now) == 0 {
        Some(WaitsFor::Quota)
    } else {
        (gate.next_free_slot > now.as_microsecond()).then_some(WaitsFor::Rate)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_brake_goes_before_the_quota_and_the_quota_before_the_rate() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let free = Gate {
            next_free_slot: now.as_microsecond(),
            slot_interval: 1_000_000,
            left_all: 5,
            left_bulk: 0,
            brake: Brake::None,
            account_read_at: now,
            transactional_until: 0,
        };
        let busy = Gate {
            next_free_slot: now.as_microsecond() + 1,
            ..free
        };
        let used_up = Gate { left_all: 0, ..busy };
        let old = Gate {
            account_read_at: now - SignedDuration::from_hours(2),
            ..used_up
        };
        let with = |brake, gate| Gate { brake, ..gate };
        let (brake, quota, rate) = (Some(WaitsFor::Brake), Some(WaitsFor::Quota), Some(WaitsFor::Rate));
        for (gate, transactional, bulk) in [
            (free, None, quota),
            (busy, rate, quota),
            (used_up, quota, quota),
            // The quota of an old report is left to SES.
            (old, rate, rate),
            (with(Brake::Bulk, busy), rate, brake),
            (with(Brake::All, used_up), brake, brake),
        ] {
            let held_back = [Stream::Transactional, Stream::Bulk].map(|stream| held_back_by(&gate, stream, now));
            assert_eq!(held_back, [transactional, bulk], "{gate:?}");
        }
    }
}
