//! A pattern: phrases that speak for one reason, and how much they say.

use super::reason::BounceReason;

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
