//! Caches the ids of API keys that do not exist, so that guesses cost few reads.
//!
//! A secret of 256 bits cannot be guessed, so guesses need no delay, but they must not cost a read each. For a short
//! time a process remembers the first few ids that it did not find. More of them mean that a caller guesses: the
//! process then reads the ids of all keys once. It rejects ids outside that set without a read and looks up the others
//! as before, so no number of guesses delays a valid key.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

/// How long an id is rejected after it was not found. A key created in that time works once it has passed.
const REFUSED: SignedDuration = SignedDuration::from_secs(10);
/// How many unknown ids in that time make the process read the ids of all keys.
const IN_VAIN: usize = 10;

/// The unknown ids of the present period.
#[derive(Debug, Default)]
pub(super) struct UnknownIds {
    /// When the period began.
    since: Option<Timestamp>,
    /// The ids that were not found, at most [`IN_VAIN`] of them, so that guesses cannot fill the memory.
    ids: HashSet<String>,
    known: KnownIds,
}

/// The ids of all keys, as far as they were read.
#[derive(Debug, Default)]
enum KnownIds {
    /// They have not been read.
    #[default]
    NotAsked,
    /// They could not be read, or there are too many.
    No,
    All(HashSet<String>),
}

impl UnknownIds {
    /// Returns whether an id is rejected without a read of the table.
    pub(super) fn refuses(&mut self, id: &str, now: Timestamp) -> bool {
        self.begin_anew(now);
        let is_known = match &self.known {
            KnownIds::All(all) => all.contains(id),
            KnownIds::NotAsked | KnownIds::No => true,
        };
        !is_known || self.ids.contains(id)
    }

    /// Remembers an id that was not found. Returns whether the ids of all keys should now be read.
    pub(super) fn remember(&mut self, id: &str, now: Timestamp) -> bool {
        self.begin_anew(now);
        if self.ids.len() < IN_VAIN {
            self.ids.insert(id.to_owned());
        }
        self.ids.len() == IN_VAIN && matches!(self.known, KnownIds::NotAsked)
    }

    /// Stores the ids of all keys, or that they cannot be read now (`None`).
    pub(super) fn learn(&mut self, all: Option<HashSet<String>>) {
        self.known = all.map_or(KnownIds::No, KnownIds::All);
    }

    /// Starts a new period when the present one is over, and when the clock was set back.
    fn begin_anew(&mut self, now: Timestamp) {
        let goes_on = self
            .since
            .is_some_and(|since| (SignedDuration::ZERO..REFUSED).contains(&now.duration_since(since)));
        if !goes_on {
            *self = Self {
                since: Some(now),
                ..Self::default()
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// Returns the state after so many guesses at second 0, and what the last call returned.
    fn after(guesses: usize) -> (UnknownIds, bool) {
        let mut unknown = UnknownIds::default();
        let mut full = false;
        for guess in 0..guesses {
            full = unknown.remember(&format!("guess{guess}"), at(0));
        }
        (unknown, full)
    }

    #[test]
    fn rejects_an_id_for_ten_seconds_after_it_was_not_found() {
        let (mut unknown, _) = after(1);
        assert!(unknown.refuses("guess0", at(0)) && unknown.refuses("guess0", at(9)));
        assert!(!unknown.refuses("other", at(9)));
        assert!(!unknown.refuses("guess0", at(10)));
    }

    #[test]
    fn rejects_no_id_after_the_clock_was_set_back() {
        let (mut unknown, _) = after(1);
        assert!(!unknown.refuses("guess0", at(-1)));
    }

    #[test]
    fn asks_for_the_ids_of_all_keys_once_after_ten_guesses() {
        assert!(!after(9).1);
        let (mut unknown, full) = after(10);
        assert!(full);
        unknown.learn(Some(HashSet::from(["a1".to_owned()])));
        assert!(!unknown.refuses("a1", at(9)));
        assert!(unknown.refuses("new", at(9)));
        assert!(!unknown.remember("new", at(9)));
        assert!(!unknown.refuses("new", at(10)));
    }

    #[test]
    fn counts_a_repeated_id_as_one_guess() {
        let mut unknown = UnknownIds::default();
        for _ in 0..100 {
            assert!(!unknown.remember("old", at(0)));
        }
    }

    #[test]
    fn looks_up_other_ids_when_the_ids_of_all_keys_cannot_be_read() {
        let (mut unknown, _) = after(10);
        unknown.learn(None);
        assert!(!unknown.remember("more", at(1)));
        assert!(!unknown.refuses("more", at(1)) && unknown.refuses("guess0", at(1)));
    }

    #[test]
    fn keeps_a_bounded_number_of_guesses() {
        let (unknown, _) = after(1_000);
        assert_eq!(unknown.ids.len(), IN_VAIN);
    }
}
