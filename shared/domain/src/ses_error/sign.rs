//! The signs by which an error is recognised.

use std::ops::RangeInclusive;

use super::ErrorAnswer;

/// The type of the error for unverified identities, and of many other errors.
pub(super) const MESSAGE_REJECTED: &str = "MessageRejected";
/// The phrase with which SES introduces its list of unverified identities.
pub(super) const NOT_VERIFIED: &str = "not verified";

/// One way to recognise an error. Phrases are in lower case with single spaces, like the text they are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorSign {
    /// The answer has one of these types.
    Type(&'static [&'static str]),
    /// The answer has one of these types, and one of these phrases in its text.
    Saying(&'static [&'static str], &'static [&'static str]),
    /// The answer has this phrase in its text and any type.
    Phrase(&'static str),
    /// SES rejected the message because identities are not verified, and the sender is one of them.
    UnverifiedSender,
    /// The answer has one of these HTTP statuses and any type and text.
    Status(&'static [RangeInclusive<u16>]),
    /// SES gave no answer that reports an error. The text describes what the adapter to SES sees instead.
    NoAnswer(&'static str),
}

impl ErrorSign {
    /// Returns whether an answer has this sign.
    pub(super) fn is_in(&self, answer: &ErrorAnswer<'_>) -> bool {
        let is_type = |types: &[&str]| types.iter().any(|name| name.eq_ignore_ascii_case(answer.code));
        match self {
            Self::Type(types) => is_type(types),
            Self::Saying(types, phrases) => is_type(types) && phrases.iter().any(|phrase| answer.text.contains(phrase)),
            Self::Phrase(phrase) => answer.text.contains(phrase),
            Self::UnverifiedSender => {
                is_type(&[MESSAGE_REJECTED]) && answer.text.contains(NOT_VERIFIED) && lists_the_sender(answer)
            }
            Self::Status(statuses) => statuses.iter().any(|statuses| statuses.contains(&answer.status)),
            Self::NoAnswer(_) => false,
        }
    }
}

/// Returns whether SES lists the sender, by its address or its domain, among the unverified identities. Every other
/// identity in the list is a recipient in the sandbox. If SES lists none, it means the sender.
///
/// "Email address is not verified. The following identities failed the check in region EU-WEST-1: a@example.com, Bob
/// <b@example.org>". The list is the end of the text, so its contents cannot be mistaken for SES's own words.
/// <https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html>
fn lists_the_sender(answer: &ErrorAnswer<'_>) -> bool {
    let list = answer
        .text
        .split_once("in region")
        .and_then(|(_, rest)| rest.split_once(':'));
    let Some((_, list)) = list else {
        return true;
    };
    let wire = answer.sender.as_wire().to_ascii_lowercase();
    [wire.as_str(), answer.sender.normalised(), answer.sender.domain()]
        .into_iter()
        .any(|identity| lists(list, identity))
}

/// Returns whether `list` contains `identity` as a whole, not as a part of a longer one.
fn lists(list: &str, identity: &str) -> bool {
    list.match_indices(identity).any(|(start, _)| {
        let before = list[..start].chars().next_back();
        // A full stop or an ellipsis may end the list.
        let after = list[start + identity.len()..]
            .trim_start_matches(['.', '…'])
            .chars()
            .next();
        before.is_none_or(|c| " ,<".contains(c)) && after.is_none_or(|c| " ,>".contains(c))
    })
}
