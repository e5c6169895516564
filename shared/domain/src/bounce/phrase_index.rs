//! Finds the phrases that may begin at a word.
//!
//! Thousands of beginnings meet a text of some twenty words. So they are sorted by their first byte once for each
//! process, and a word is compared with those alone that begin with its own.

use std::array;
use std::sync::LazyLock;

use super::pattern::{Pattern, Strength};
use super::patterns::PATTERNS;

/// The least first byte, in UTF-8, of the scripts that put no space between words: Chinese, Japanese and Korean.
const UNSPACED: u8 = 0xE3;

/// The beginning of a phrase: one choice of its first word, and what follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    /// Counts up in the order of the table.
    pub(super) order: usize,
    pub(super) pattern: &'static Pattern,
    choice: &'static str,
    /// The words behind the first.
    pub(super) rest: &'static str,
}

struct PhraseIndex([Vec<Beginning>; 256]);

static INDEX: LazyLock<PhraseIndex> = LazyLock::new(|| {
    let mut by_initial = array::from_fn(|_| Vec::new());
    let mut order = 0;
    for pattern in PATTERNS.iter().filter(|pattern| pattern.strength != Strength::Provider) {
        for phrase in pattern.phrases {
            let (first, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
            for choice in first.split('|') {
                order += 1;
                let initial = choice.as_bytes().first().copied().unwrap_or_default();
                by_initial[usize::from(initial)].push(Beginning {
                    order,
                    pattern,
                    choice,
                    rest,
                });
            }
        }
    }
    PhraseIndex(by_initial)
});

/// Returns the phrases whose first word is this word.
pub(super) fn beginnings(word: &str) -> impl Iterator<Item = &'static Beginning> {
    // A choice in a script without spaces may stand anywhere in the word.
    let mut initials = [false; 256];
    if !word.is_ascii() {
        for byte in word.bytes().filter(|byte| *byte >= UNSPACED) {
            initials[usize::from(byte)] = true;
        }
    }
    let first = word.as_bytes().first().copied().unwrap_or_default();
    initials[usize::from(first)] = true;
    let from = if word.is_ascii() { first } else { first.min(UNSPACED) };
    let to = if word.is_ascii() { first } else { u8::MAX };
    (from..=to)
        .filter(move |byte| initials[usize::from(*byte)])
        .flat_map(|byte| &INDEX.0[usize::from(byte)])
        .filter(move |beginning| is_choice(beginning.choice, word))
}

/// Returns whether a word is a choice of a phrase: the same word, for `block~` one that begins so, and for a choice in
/// a script without spaces one that contains it.
pub(super) fn is_choice(choice: &str, word: &str) -> bool {
    let (Some(first), Some(last)) = (choice.as_bytes().first(), choice.as_bytes().last()) else {
        return false;
    };
    if *first >= UNSPACED {
        word.contains(choice.trim_end_matches('~'))
    } else if word.as_bytes().first() != Some(first) {
        false
    } else if *last == b'~' {
        word.starts_with(&choice[..choice.len() - 1])
    } else {
        word == choice
    }
}
