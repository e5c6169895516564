//! Numbers that look random, for simulations that print the same each time.

/// A fixed sequence of numbers that look random, from 0 to 1.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Returns the next number.
    #[expect(clippy::cast_precision_loss, reason = "32 bits")]
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }

    /// Returns a time between two independent events.
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
    pub(super) fn pause(&mut self, mean: f64) -> i64 {
        (-mean * (1.0 - self.next()).max(1e-9).ln()) as i64
    }
    /// Returns a whole number from 0 on, below `end`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "small numbers"
    )]
    pub(super) fn below(&mut self, end: i64) -> i64 {
        (self.next() * end as f64) as i64
    }

    /// Returns an index into something of this length.
    pub(super) fn index(&mut self, len: usize) -> usize {
        let below = self.below(i64::try_from(len).unwrap_or(i64::MAX));
        usize::try_from(below).unwrap_or(0)
    }
}
