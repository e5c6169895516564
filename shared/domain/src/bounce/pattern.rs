//! Patterns of words, and the search for them in a text.

use super::patterns::PATTERNS;
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

/// How much a pattern says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// It decides where nothing else was read: "try later".
    Faint,
    /// It yields to every code that is not generic, and to a clear reason.
    Weak,
    /// It names the reason.
    Clear,
    /// It is a code of the provider, and outranks words.
    Provider,
}

/// Phrases that speak for one reason.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) reason: BounceReason,
    pub(super) strength: Strength,
    pub(super) phrases: &'static [&'static str],
    #[cfg(test)]
    pub(super) examples: &'static [&'static str],
    #[cfg(test)]
    pub(super) counter_examples: &'static [&'static str],
}

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
    pattern: &'static Pattern,
    from: usize,
    to: usize,
}

/// Finds the patterns in a folded text: those that no longer phrase covers, each reason and strength once.
pub(super) fn find(folded: &str) -> Vec<PatternHit> {
    let words = text::words(folded);
    let initials = Initials::of(&words);
    let mut spans = Vec::new();
    let mut hits: Vec<PatternHit> = Vec::new();
    for pattern in PATTERNS {
        if pattern.strength == Strength::Provider {
            if let Some(code) = provider_code(pattern, folded) {
                add(&mut hits, pattern, code.to_owned());
            }
            continue;
        }
        let about_recipient = matches!(pattern.reason.blame(), Blame::Address | Blame::Moment);
        for phrase in pattern.phrases {
            let (first, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
            // Hundreds of phrases meet a text of some twenty words: most are dismissed by the letters that words begin
            // with.
            for choice in first.split('|').filter(|choice| initials.may_have(choice)) {
                for from in (0..words.len()).filter(|from| is_choice(choice, words[*from])) {
                    if let Some(to) = matches(rest, &words[from + 1..], about_recipient) {
                        spans.push(Span {
                            pattern,
                            from,
                            to: from + 1 + to,
                        });
                    }
                }
            }
        }
    }
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
    let (first, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
    if first == "*" {
        let ends = |word: &&str| about_recipient && OF_THE_SENDER.contains(word);
        let gap = words.iter().take(GAP).position(ends).unwrap_or(GAP);
        return (0..=gap.min(words.len())).find_map(|gap| Some(gap + matches(rest, &words[gap..], about_recipient)?));
    }
    let word = words.first()?;
    if first.split('|').any(|choice| is_choice(choice, word)) {
        Some(1 + matches(rest, &words[1..], about_recipient)?)
    } else {
        None
    }
}

/// The least first byte, in UTF-8, of the scripts that put no space between words: Chinese, Japanese and Korean.
const UNSPACED: u8 = 0xE3;

/// Returns whether a word is a choice of a phrase: the same word, for `block~` one that begins so, and for a choice in
/// a script without spaces one that contains it.
fn is_choice(choice: &str, word: &str) -> bool {
    match choice.strip_suffix('~') {
        Some(beginning) => word.starts_with(beginning),
        None if choice.as_bytes().first().is_some_and(|first| *first >= UNSPACED) => word.contains(choice),
        None => word == choice,
    }
}

/// The first bytes of the words of a text, and of each character of a script without spaces.
struct Initials([bool; 256]);

impl Initials {
    fn of(words: &[&str]) -> Self {
        let mut initials = [false; 256];
        for word in words {
            if let Some(first) = word.as_bytes().first() {
                initials[usize::from(*first)] = true;
            }
            if !word.is_ascii() {
                for byte in word.bytes().filter(|byte| *byte >= UNSPACED) {
                    initials[usize::from(byte)] = true;
                }
            }
        }
        Self(initials)
    }

    /// Returns whether a word of the text may begin as `choice` does.
    fn may_have(&self, choice: &str) -> bool {
        choice
            .as_bytes()
            .first()
            .is_some_and(|first| self.0[usize::from(*first)])
    }
}

fn provider_code<'a>(pattern: &'static Pattern, folded: &'a str) -> Option<&'a str> {
    let mut enclosed = pattern.phrases.iter().filter(|code| code.starts_with('('));
    if let Some(code) = enclosed.find(|code| folded.contains(**code)) {
        return Some(*code);
    }
    // `dt:spm`, as NetEase writes it.
    let mut pairs = folded.split(' ').filter(|piece| piece.as_bytes().get(2) == Some(&b':'));
    if let Some(code) = pairs.find(|piece| pattern.phrases.contains(piece)) {
        return Some(code);
    }
    folded
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '#' | '@' | '.' | '/'))
        .map(|piece| piece.trim_matches(['.', '-', '/']))
        .find(|piece| {
            let initial = piece.as_bytes().first();
            let mut codes = pattern.phrases.iter().filter(|code| code.as_bytes().first() == initial);
            initial.is_some() && codes.any(|code| is_code(code, piece))
        })
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
