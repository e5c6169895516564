//! How many recipients the gate granted up to a time, from samples of its running total.

use jiff::Timestamp;

/// A sample of the running total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantSample {
    /// The time of the sample.
    pub at: Timestamp,
    /// The running total at that time.
    pub total: i64,
}

/// The history of the gate's running total: its samples, and its value at `now`.
#[derive(Clone, Copy, Debug)]
pub struct GrantHistory<'a> {
    /// The samples, in any order.
    pub samples: &'a [GrantSample],
    /// The running total now.
    pub total: i64,
    /// The time of `total`.
    pub now: Timestamp,
}

impl GrantHistory<'_> {
    /// Returns the total at a time, interpolated between the samples around it. Before the first sample it is that
    /// sample's total, because the times of earlier grants are unknown.
    #[expect(clippy::cast_precision_loss, reason = "totals are far below 2^53")]
    fn total_at(&self, at: Timestamp) -> f64 {
        let known = || {
            let now = GrantSample {
                at: self.now,
                total: self.total,
            };
            self.samples
                .iter()
                .copied()
                .filter(|sample| sample.at < self.now)
                .chain([now])
        };
        let before = known().filter(|sample| sample.at <= at).max_by_key(|sample| sample.at);
        let after = known().filter(|sample| sample.at >= at).min_by_key(|sample| sample.at);
        match (before, after) {
            (Some(before), Some(after)) if before.at < after.at => {
                let part =
                    at.duration_since(before.at).as_secs_f64() / after.at.duration_since(before.at).as_secs_f64();
                let (from, to) = (before.total as f64, after.total as f64);
                (to - from).max(0.0).mul_add(part, from)
            }
            (Some(sample), _) | (None, Some(sample)) => sample.total as f64,
            (None, None) => self.total as f64,
        }
    }

    /// Returns how many recipients the gate granted between two times.
    #[must_use]
    pub fn granted(&self, from: Timestamp, to: Timestamp) -> f64 {
        (self.total_at(to) - self.total_at(from)).max(0.0)
    }
}
