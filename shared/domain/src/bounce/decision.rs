//! The table: what follows from a reason, from SES's type and from the codes.

use super::{Blame, BounceEvidence, BounceReason, CodePlace, EnhancedCode, Strength};

/// The consequence for the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The address is suppressed for good.
    Suppress,
    /// The address is suppressed for 24 hours.
    Block,
    /// A soft bounce: it counts towards the tiers.
    Soft,
    /// Nothing follows for the address.
    Record,
    /// The echo of an earlier suppression.
    Echo,
    /// An automatic reply: nothing follows.
    AutomaticReply,
}

impl Decision {
    /// Returns a stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suppress => "suppress",
            Self::Block => "block",
            Self::Soft => "soft",
            Self::Record => "record",
            Self::Echo => "echo",
            Self::AutomaticReply => "automatic_reply",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Suppress => "the address is suppressed for good",
            Self::Block => "the address is blocked for 24 hours",
            Self::Soft => "this is a soft bounce",
            Self::Record => "it is recorded and nobody is suppressed",
            Self::Echo => "it repeats an earlier suppression",
            Self::AutomaticReply => "it is taken for an automatic reply",
        }
    }
}

/// SES's type of a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SesType {
    Permanent,
    Transient,
    /// Also every type that is not known.
    Undetermined,
}

impl SesType {
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        if text.eq_ignore_ascii_case("Permanent") {
            Self::Permanent
        } else if text.eq_ignore_ascii_case("Transient") {
            Self::Transient
        } else {
            Self::Undetermined
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "Permanent",
            Self::Transient => "Transient",
            Self::Undetermined => "Undetermined",
        }
    }
}

fn is_one_of(sub_type: &str, names: &[&str]) -> bool {
    names.iter().any(|name| sub_type.trim().eq_ignore_ascii_case(name))
}

const ACCOUNT_LISTS: [&str; 2] = ["OnAccountSuppressionList", "OnTenantSuppressionList"];

/// Subtypes that decide alone.
pub(super) fn by_subtype(sub_type: &str) -> Option<(BounceReason, Decision)> {
    let is = |names: &[&str]| is_one_of(sub_type, names);
    Some(if is(&["Suppressed"]) {
        (BounceReason::GlobalSuppressionList, Decision::Suppress)
    } else if is(&ACCOUNT_LISTS) {
        (BounceReason::AccountSuppressionList, Decision::Echo)
    } else if is(&["UnsubscribedRecipient"]) {
        (BounceReason::Unsubscribed, Decision::Record)
    } else if is(&["EmailValidationSuppressed"]) {
        (BounceReason::AddressValidation, Decision::Suppress)
    } else if is(&["MessageTooLarge"]) {
        (BounceReason::Size, Decision::Record)
    } else if is(&["ContentRejected", "AttachmentRejected"]) {
        (BounceReason::Content, Decision::Record)
    } else {
        return None;
    })
}

/// Subtypes that AWS leaves out of the bounce rate: nothing was sent.
pub(super) fn is_uncounted(sub_type: &str) -> bool {
    is_one_of(sub_type, &ACCOUNT_LISTS) || is_one_of(sub_type, &["UnsubscribedRecipient", "EmailValidationSuppressed"])
}

/// The reason that a subtype names, beside the server's reply.
pub(super) fn reason_of_subtype(sub_type: &str) -> Option<BounceReason> {
    if is_one_of(sub_type, &["MailboxFull"]) {
        Some(BounceReason::MailboxFull)
    } else if is_one_of(sub_type, &["CustomTimeoutExceeded"]) {
        Some(BounceReason::Network)
    } else {
        None
    }
}

/// The reason that a specific code names.
pub(super) fn reason_of_code(code: EnhancedCode) -> Option<BounceReason> {
    use BounceReason::{
        Content, HostUnknown, Loop, MailboxDisabled, MailboxFull, MailboxMoved, Network, Policy, SenderAuthentication,
        SenderBlocked, SenderRefused, Size, TemporarilyUnavailable, TooMuchMail, UserUnknown,
    };
    Some(match (code.class, code.subject, code.detail) {
        // Exchange Online answers 5.4.1 where it does not know the recipient; elsewhere it is "no answer from the
        // host".
        (_, 1, 1 | 3) | (5, 4, 1) => UserUnknown,
        // RFC 7293 has 7.17 and 7.18: the mailbox or the domain has another owner now. Exchange Online has 4.310.
        (_, 1, 2 | 10) | (5, 4, 4 | 310) | (_, 7, 18) => HostUnknown,
        (_, 7, 17) => MailboxDisabled,
        (_, 1, 6) => MailboxMoved,
        (_, 1, 7 | 8) | (_, 7, 27) => SenderRefused,
        (_, 2, 2) => MailboxFull,
        (_, 2, 3) | (_, 3, 4) => Size,
        (_, 2, 121 | 122) | (_, 5, 3) => TooMuchMail,
        (_, 3, 1 | 2 | 5) => TemporarilyUnavailable,
        (_, 4, 6 | 14) => Loop,
        (_, 4, _) => Network,
        (_, 6, _) => Content,
        (_, 7, 5 | 7 | 8 | 9 | 20..=24 | 26 | 29 | 30 | 509) => SenderAuthentication,
        (_, 7, 25 | 28 | 500..=513 | 600..=699) => SenderBlocked,
        (_, 7, _) => Policy,
        _ => return None,
    })
}

/// The reason that a generic code names, if there is no other evidence.
pub(super) fn reason_of_generic_code(code: EnhancedCode) -> Option<BounceReason> {
    match (code.subject, code.detail) {
        (1, 0) => Some(BounceReason::UserUnknown),
        (2, 1) => Some(BounceReason::MailboxDisabled),
        (4, 0) => Some(BounceReason::Network),
        (6, 0) => Some(BounceReason::Content),
        (7, _) => Some(BounceReason::Policy),
        _ => None,
    }
}

/// The reason that a protocol code names, if no word does: servers send 5.5.x for almost everything.
pub(super) fn reason_of_protocol_code(code: EnhancedCode) -> Option<BounceReason> {
    (code.subject == 5 && code.detail != 0).then_some(BounceReason::Protocol)
}

/// How much somebody is suppressed at the most; of two reasons that contradict each other the lesser counts.
pub(super) fn severity(blame: Blame) -> u8 {
    match blame {
        Blame::Message => 0,
        Blame::Moment => 1,
        Blame::Sender => 2,
        Blame::Address => 3,
        Blame::Nobody => 4,
    }
}

/// Whether the address is certainly dead though SES does not say Permanent.
pub(super) fn is_certain(reason: BounceReason, evidence: &BounceEvidence) -> bool {
    let by_code = evidence
        .code
        .is_some_and(|(code, _)| code.class == 5 && matches!((code.subject, code.detail), (1, 1 | 2 | 10) | (4, 4)));
    let is_clear = |strength| matches!(strength, Strength::Clear | Strength::Provider);
    let mut hits = evidence.patterns.iter();
    by_code || hits.any(|hit| hit.reason == reason && is_clear(hit.strength))
}

/// The table. `transient` is what the codes say: 4xx, 5xx or nothing.
pub(super) fn of(blame: Blame, ses_type: SesType, transient: Option<bool>, certain: bool) -> Decision {
    let permanent = ses_type == SesType::Permanent;
    match blame {
        Blame::Address if transient == Some(true) => Decision::Soft,
        Blame::Address if permanent || certain => Decision::Suppress,
        Blame::Sender if permanent && transient == Some(false) => Decision::Block,
        Blame::Address | Blame::Sender | Blame::Moment => Decision::Soft,
        Blame::Message | Blame::Nobody => Decision::Record,
    }
}

/// The judgement in one sentence.
pub(super) fn sentence(
    ses_type: SesType,
    evidence: &BounceEvidence,
    reason: BounceReason,
    decision: Decision,
) -> String {
    let mut signs = Vec::new();
    if let Some(sub_type) = &evidence.deciding_subtype {
        signs.push(format!("subtype {sub_type}"));
    }
    if let Some((code, place)) = evidence.code {
        let place = match place {
            CodePlace::Status => "in the status",
            CodePlace::Reply => "in the reply",
            CodePlace::Wrapper => "given by SES",
        };
        signs.push(format!("code {code} {place}"));
    }
    let hit = evidence.patterns.iter().filter(|hit| hit.reason == reason);
    signs.extend(hit.max_by_key(|hit| hit.strength).map(|hit| match hit.strength {
        Strength::Provider => format!("the provider's code {}", hit.words),
        _ => format!("the words \"{}\"", hit.words),
    }));
    let signs = if signs.is_empty() {
        String::new()
    } else {
        format!(" ({})", signs.join(", "))
    };
    format!(
        "SES says {} and {}{signs}, so {}.",
        ses_type.as_str(),
        reason.words(),
        decision.words()
    )
}
