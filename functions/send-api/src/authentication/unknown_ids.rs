//! Ids that are nobody's: what a process remembers of them, so that guesses cost little.
//!
//! A secret of 256 bits cannot be guessed, so there is nothing to make slower. What a guess may not do is cost a read each. For
//! a short time a process remembers the first few ids that it did not find; when there are more, it is not a caller with an old
//! key any more, and the process reads the ids of all keys, once. Who is not among them is then refused without a read, and
//! who is among them is looked up as ever: no number of guesses holds up a key that is valid.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

/// How long an id is refused after it was not found: a key that is made in that time works at the end of it.
const REFUSED: SignedDuration = SignedDuration::from_secs(10);
/// How many ids are looked for in vain in that time before the ids of all keys are read.
const IN_VAIN: usize = 10;

/// What is known of ids that are nobody's, for a while.
#[derive(Debug, Default)]
pub(super) struct UnknownIds {
    /// When the while began.
    since: Option<Timestamp>,
    /// Those that were looked for in vain: so many that no guesser fills the memory.
    ids: HashSet<String>,
    known: KnownIds,
}

/// The ids of all keys.
#[derive(Debug, Default)]
enum KnownIds {
    /// Nobody has asked for them.
    #[default]
    NotAsked,
    /// They could not be read, or are too many.
    No,
    All(HashSet<String>),
}

impl UnknownIds {
    /// Tells whether an id is refused without a look into the table.
    pub(super) fn refuses(&mut self, id: &str, now: Timestamp) -> bool {
        self.begin_anew(now);
        let is_known = match &self.known {
            KnownIds::All(all) => all.contains(id),
            KnownIds::NotAsked | KnownIds::No => true,
        };
        !is_known || self.ids.contains(id)
    }

    /// Remembers an id that was not found, and tells whether it is time to read those of all keys.
    pub(super) fn remember(&mut self, id: &str, now: Timestamp) -> bool {
        self.begin_anew(now);
        if self.ids.len() < IN_VAIN {
            self.ids.insert(id.to_owned());
        }
        self.ids.len() == IN_VAIN && matches!(self.known, KnownIds::NotAsked)
    }

    /// Learns the ids of all keys, or that they cannot be learned now.
    pub(super) fn learn(&mut self, all: Option<HashSet<String>>) {
        self.known = all.map_or(KnownIds::No, KnownIds::All);
    }

    /// Forgets everything when the while is over, and when the clock was set back.
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

    /// One that was asked for so many ids in vain at the beginning.
    fn after(guesses: usize) -> (UnknownIds, bool) {
        let mut unknown = UnknownIds::default();
        let mut full = false;
        for guess in 0..guesses {
            full = unknown.remember(&format!("guess{guess}"), at(0));
        }
        (unknown, full)
    }

    #[test]
    fn an_id_that_was_not_found_is_refused_for_ten_seconds() {
        let (mut unknown, _) = after(1);
        assert!(unknown.refuses("guess0", at(0)) && unknown.refuses("guess0", at(9)));
        assert!(!unknown.refuses("other", at(9)));
        assert!(!unknown.refuses("guess0", at(10)));
    }

    #[test]
    fn a_clock_that_was_set_back_refuses_nobody() {
        let (mut unknown, _) = after(1);
        assert!(!unknown.refuses("guess0", at(-1)));
    }

    #[test]
    fn the_ids_of_all_keys_are_asked_for_once_after_ten_guesses() {
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
    fn one_id_again_and_again_is_one_guess() {
        let mut unknown = UnknownIds::default();
        for _ in 0..100 {
            assert!(!unknown.remember("old", at(0)));
        }
    }

    #[test]
    fn where_the_ids_of_all_keys_cannot_be_read_the_rest_is_looked_up() {
        let (mut unknown, _) = after(10);
        unknown.learn(None);
        assert!(!unknown.remember("more", at(1)));
        assert!(!unknown.refuses("more", at(1)) && unknown.refuses("guess0", at(1)));
    }

    #[test]
    fn guesses_do_not_fill_the_memory() {
        let (unknown, _) = after(1_000);
        assert_eq!(unknown.ids.len(), IN_VAIN);
    }
}
