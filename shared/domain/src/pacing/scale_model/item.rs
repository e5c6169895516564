//! One gate as DynamoDB holds it: an item that takes so many writes a second, one after the other.

use super::super::model::{SECOND, Table};
use crate::pacing::{Gate, GateWrite};

/// How many write units a second DynamoDB takes for one item. A write of the gate is one unit, also if its condition
/// fails.
pub(super) const UNITS: f64 = 1_000.0;
/// How many units that nobody used are kept. DynamoDB may keep more, but promises nothing.
const UNITS_KEPT: f64 = UNITS / 10.0;

/// The answer to a write.
pub(super) enum Written {
    /// The slots are taken: the new `next_free_slot`.
    Taken(i64),
    /// The condition failed on this gate.
    Failed(Gate),
    /// The item has no unit left.
    Throttled,
}

/// A gate, and the throughput of its item.
pub(super) struct Item {
    pub(super) table: Table,
    units: f64,
    filled: i64,
    taken_until: i64,
}

impl Item {
    pub(super) fn new(gate: Gate) -> Self {
        Self {
            table: Table {
                gate: Some(gate),
                granted: 0,
            },
            units: UNITS_KEPT,
            filled: 0,
            taken_until: i64::MIN,
        }
    }

    /// Carries out a write that arrives at `now`.
    pub(super) fn write(&mut self, now: i64, attempt: &GateWrite) -> Written {
        #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
        let passed = (now - self.filled) as f64 / SECOND as f64;
        self.units = (self.units + passed * UNITS).min(UNITS_KEPT);
        self.filled = now;
        if self.units < 1.0 {
            return Written::Throttled;
        }
        self.units -= 1.0;
        match self.table.write(attempt) {
            Ok(next_free_slot) => {
                let first = next_free_slot - attempt.cost;
                assert!(first >= self.taken_until, "a slot is taken twice");
                self.taken_until = next_free_slot;
                Written::Taken(next_free_slot)
            }
            Err(gate) => Written::Failed(gate.expect("there is a gate")),
        }
    }
}
