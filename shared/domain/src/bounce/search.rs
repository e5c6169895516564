//! The search for patterns in a text.

use super::pattern::{Pattern, Strength};
use super::patterns::PATTERNS;
use super::phrase_index::{self, is_choice};
use super::reason::{Blame, BounceReason};
use super::text;

/// How many words a `*` stands for at most.
const GAP: usize = 6;

/// Words that no gap passes in a phrase about the recipient: what follows them is about somebody else. "Mailbox
/// unavailable, your IP is blocked" is no blocked mailbox.
const OF_THE_SENDER: [&str; 14] = [
    "your",
    "ip",
    "sender",
    "client",
    "sending",
    "send",
    "host",
    "absender",
    "absenders",
    "expediteur",
    "emetteur",
    "remitente",
    "mittente",
    "remetente",
];

/// Words for the recipient.
const OF_THE_RECIPIENT: [&str; 24] = [
    "user",
    "users",
    "recipient",
    "recipients",
    "mailbox",
    "account",
    "inbox",
    "person",
    "customer",
    "employee",
    "alias",
    "addressee",
    "subscriber",
    "postfach",
    "konto",
    "empfanger",
    "benutzer",
    "destinataire",
    "utilisateur",
    "compte",
    "usuario",
    "cuenta",
    "buzon",
    "destinatario",
];

/// The pattern that does not count beside a word for the recipient.
const NO_PROOF: (BounceReason, Strength) = (BounceReason::Policy, Strength::Faint);

/// A pattern that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternHit {
    /// The reason that it names.
    pub reason: BounceReason,
    /// How much it says.
    pub strength: Strength,
    /// The words of the text that hit, or the provider's code.
    pub words: String,
}

struct Span {
    order: usize,
    pattern: &'static Pattern,
    from: usize,
    to: usize,
}

/// Finds the patterns in a folded text: those that no longer phrase covers, each reason and strength once.
pub(super) fn find(folded: &str) -> Vec<PatternHit> {
    let words = text::words(folded);
    let mut hits: Vec<PatternHit> = Vec::new();
    find_provider_codes(folded, &mut hits);
    let mut spans = Vec::new();
    for (from, word) in words.iter().enumerate() {
        for beginning in phrase_index::beginnings(word) {
            let pattern = beginning.pattern;
            let about_recipient = matches!(pattern.reason.blame(), Blame::Address | Blame::Moment);
            if let Some(more) = matches(beginning.rest, &words[from + 1..], about_recipient) {
                spans.push(Span {
                    order: beginning.order,
                    pattern,
                    from,
                    to: from + 1 + more,
                });
            }
        }
    }
    spans.sort_unstable_by_key(|span| (span.order, span.from));
    let covers = |long: &Span, short: &Span| {
        long.from <= short.from && long.to >= short.to && long.to - long.from > short.to - short.from
    };
    let names_recipient = words.iter().any(|word| OF_THE_RECIPIENT.contains(word));
    for span in &spans {
        let is_proof = !names_recipient || (span.pattern.reason, span.pattern.strength) != NO_PROOF;
        if is_proof && !spans.iter().any(|other| covers(other, span)) {
            add(&mut hits, span.pattern, words[span.from..span.to].join(" "));
        }
    }
    hits
}

fn add(hits: &mut Vec<PatternHit>, pattern: &Pattern, words: String) {
    let (reason, strength) = (pattern.reason, pattern.strength);
    if !hits.iter().any(|hit| (hit.reason, hit.strength) == (reason, strength)) {
        hits.push(PatternHit {
            reason,
            strength,
            words,
        });
    }
}

/// Matches a phrase at the beginning of words; returns how many words it took. An empty phrase takes none.
fn matches(phrase: &str, words: &[&str], about_recipient: bool) -> Option<usize> {
    if phrase.is_empty() {
        return Some(0);
    }
    let (first, rest) = split_at_byte(phrase, b' ');
    if first != "*" {
        let (word, words) = words.split_first()?;
        return is_one_of(first, word)
            .then(|| matches(rest, words, about_recipient))?
            .map(|more| 1 + more);
    }
    let (next, rest) = split_at_byte(rest, b' ');
    for (gap, word) in words.iter().take(GAP + 1).enumerate() {
        if is_one_of(next, word)
            && let Some(more) = matches(rest, &words[gap + 1..], about_recipient)
        {
            return Some(gap + 1 + more);
        }
        if about_recipient && OF_THE_SENDER.contains(word) {
            return None;
        }
    }
    None
}

/// Returns whether a word is one of the choices between bars.
fn is_one_of(mut choices: &str, word: &str) -> bool {
    while !choices.is_empty() {
        let (choice, rest) = split_at_byte(choices, b'|');
        if is_choice(choice, word) {
            return true;
        }
        choices = rest;
    }
    false
}

/// Splits at the first such ASCII character. Phrases are short, and there are thousands: a search that needs no set-up
/// costs least.
fn split_at_byte(text: &str, byte: u8) -> (&str, &str) {
    match text.as_bytes().iter().position(|found| *found == byte) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// Adds the providers' codes that stand in the text. They are compared with whole pieces of it.
fn find_provider_codes(folded: &str, hits: &mut Vec<PatternHit>) {
    let pieces: Vec<&str> = folded
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '#' | '@' | '.' | '/'))
        .map(|piece| piece.trim_matches(['.', '-', '/']))
        .filter(|piece| !piece.is_empty())
        .collect();
    // `dt:spm`, as NetEase writes it.
    let pairs = folded.split(' ').filter(|piece| piece.as_bytes().get(2) == Some(&b':'));
    let pairs: Vec<&str> = pairs.collect();
    for pattern in PATTERNS.iter().filter(|pattern| pattern.strength == Strength::Provider) {
        if let Some(code) = provider_code(pattern, folded, &pieces, &pairs) {
            add(hits, pattern, code.to_owned());
        }
    }
}

fn provider_code<'a>(
    pattern: &'static Pattern,
    folded: &str,
    pieces: &[&'a str],
    pairs: &[&'a str],
) -> Option<&'a str> {
    let mut enclosed = pattern.phrases.iter().filter(|code| code.starts_with('('));
    if let Some(code) = enclosed.find(|code| folded.contains(**code)) {
        return Some(*code);
    }
    if let Some(code) = pairs.iter().find(|pair| pattern.phrases.contains(pair)) {
        return Some(code);
    }
    let is_a_code = |piece: &&&str| {
        let initial = piece.as_bytes().first();
        let mut codes = pattern.phrases.iter().filter(|code| code.as_bytes().first() == initial);
        codes.any(|code| is_code(code, piece))
    };
    pieces.iter().find(is_a_code).copied()
}

fn is_code(code: &str, piece: &str) -> bool {
    match code.split_once('*') {
        None => code == piece,
        Some((beginning, end)) => {
            let inner = piece.strip_prefix(beginning).and_then(|rest| rest.strip_suffix(end));
            inner.is_some_and(|inner| inner.len() <= 8 && inner.bytes().all(|b| b.is_ascii_alphanumeric()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_finds_its_examples_and_no_counter_example() {
        let mut wrong = Vec::new();
        for pattern in PATTERNS {
            let found = |text: &str| {
                let folded = text::fold(text);
                let reply = text::server_reply(&folded);
                let hits = find(reply.text);
                hits.iter()
                    .any(|hit| (hit.reason, hit.strength) == (pattern.reason, pattern.strength))
            };
            wrong.extend(
                pattern
                    .examples
                    .iter()
                    .filter(|text| !found(text))
                    .map(|text| ("missed", text)),
            );
            wrong.extend(
                pattern
                    .counter_examples
                    .iter()
                    .filter(|text| found(text))
                    .map(|text| ("found", text)),
            );
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn phrases_are_written_as_words_are_read() {
        for pattern in PATTERNS.iter().filter(|pattern| pattern.strength != Strength::Provider) {
            for phrase in pattern.phrases {
                let written = phrase.chars().all(|c| c.is_alphanumeric() || "|~* _".contains(c));
                assert!(
                    written && !phrase.ends_with(['*', ' ']) && !phrase.starts_with(['*', ' ']),
                    "{phrase}"
                );
                assert_eq!(text::fold(phrase).as_str(), *phrase);
            }
        }
    }

    #[test]
    fn a_gap_and_a_beginning() {
        let words = ["mailbox", "of", "anna", "is", "full"];
        assert_eq!(matches("mailbox * full", &words, true), Some(5));
        assert_eq!(matches("mail~ of", &words, true), Some(2));
        assert_eq!(matches("mailbox full", &words, true), None);
    }
}
