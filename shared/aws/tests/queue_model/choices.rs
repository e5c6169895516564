//! The choices that a history is made of: at random, or as they were made before.

/// Makes choices, and remembers them. 0 is always the choice of a world in which nothing goes wrong.
#[derive(Debug)]
pub(crate) struct Choices {
    made: Vec<u32>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Random(u64),
    /// Choices of another history. Behind their end nothing goes wrong.
    Made(Vec<u32>),
}

impl Choices {
    pub(crate) fn random(seed: u64) -> Self {
        Self {
            made: Vec::new(),
            source: Source::Random(seed),
        }
    }

    pub(crate) fn again(made: Vec<u32>) -> Self {
        Self {
            made: Vec::new(),
            source: Source::Made(made),
        }
    }

    pub(crate) fn made(self) -> Vec<u32> {
        self.made
    }

    /// Returns whether all choices of another history are made.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&self.source, Source::Made(made) if self.made.len() >= made.len())
    }

    /// Chooses one of `0..count`.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        let choice = match &mut self.source {
            Source::Random(state) => split_mix(state) % count,
            Source::Made(made) => made.get(self.made.len()).map_or(0, |made| made % count),
        };
        self.made.push(choice);
        choice
    }

    /// Chooses once in so many times.
    pub(crate) fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == times - 1
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(u32::try_from(from.len()).unwrap_or(1)) as usize]
    }
}

/// `SplitMix64`: small and even, and every seed is good.
fn split_mix(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((mixed >> 32) ^ (mixed & u64::from(u32::MAX))).unwrap_or_default()
}

/// Makes a failing history as small as it gets: leaves choices out, and takes the ones in which nothing goes wrong.
pub(crate) fn shrink(mut choices: Vec<u32>, fails: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let mut tries_left = 30_000_u32;
    loop {
        let before = choices.clone();
        for size in [64, 16, 4, 2, 1] {
            let mut at = 0;
            while at < choices.len() && tries_left > 0 {
                let end = (at + size).min(choices.len());
                let mut without = choices.clone();
                without.drain(at..end);
                let mut harmless = choices.clone();
                harmless[at..end].fill(0);
                tries_left = tries_left.saturating_sub(2);
                if fails(&without) {
                    choices = without;
                } else if harmless != choices && fails(&harmless) {
                    choices = harmless;
                    at = end;
                } else {
                    at = end;
                }
            }
        }
        if choices == before || tries_left == 0 {
            return choices;
        }
    }
}
