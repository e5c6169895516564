//! By what an error is known.

use std::ops::RangeInclusive;

use super::Told;

/// The type that identities which are not verified come with, and much else.
pub(super) const MESSAGE_REJECTED: &str = "MessageRejected";
/// What SES says of identities that are not verified, before it lists them.
pub(super) const NOT_VERIFIED: &str = "not verified";

/// One way to know an error. Phrases are in lower case with single spaces, as the text is when it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorSign {
    /// The answer has one of these types.
    Type(&'static [&'static str]),
    /// The answer has one of these types, and one of these phrases in its text.
    Saying(&'static [&'static str], &'static [&'static str]),
    /// The answer has this phrase in its text, whatever its type.
    Phrase(&'static str),
    /// SES rejected the message for an identity that is not verified, and the sender's is among those it lists.
    UnverifiedSender,
    /// The answer has one of these HTTP statuses, whatever else it says.
    Status(&'static [RangeInclusive<u16>]),
    /// There is no answer that speaks of an error: the adapter to SES sees this, in these words.
    NoAnswer(&'static str),
}

impl ErrorSign {
    /// Tells whether an answer bears this sign.
    pub(super) fn is_in(&self, told: &Told<'_>) -> bool {
        let is_type = |types: &[&str]| types.iter().any(|name| name.eq_ignore_ascii_case(told.code));
        match self {
            Self::Type(types) => is_type(types),
            Self::Saying(types, phrases) => is_type(types) && phrases.iter().any(|phrase| told.text.contains(phrase)),
            Self::Phrase(phrase) => told.text.contains(phrase),
            Self::UnverifiedSender => {
                is_type(&[MESSAGE_REJECTED]) && told.text.contains(NOT_VERIFIED) && blames_the_sender(told)
            }
            Self::Status(statuses) => statuses.iter().any(|statuses| statuses.contains(&told.status)),
            Self::NoAnswer(_) => false,
        }
    }
}

/// Tells whether the sender is among the identities that SES lists, by its address or its domain; who else is among them
/// is a recipient in the sandbox. Where SES lists nobody, it is the sender that it speaks of.
///
/// "Email address is not verified. The following identities failed the check in region EU-WEST-1: a@example.com, Bob
/// <b@example.org>": <https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html>. The list comes last, so
/// what it contains is not taken for SES's own words.
fn blames_the_sender(told: &Told<'_>) -> bool {
    let list = told
        .text
        .split_once("in region")
        .and_then(|(_, rest)| rest.split_once(':'));
    let Some((_, list)) = list else {
        return true;
    };
    let wire = told.sender.as_wire().to_ascii_lowercase();
    [wire.as_str(), told.sender.normalised(), told.sender.domain()]
        .into_iter()
        .any(|identity| lists(list, identity))
}

/// Tells whether `identity` stands in `list` as a whole, and not as a part of a longer one.
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
