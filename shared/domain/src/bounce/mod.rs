//! How one bounced recipient is judged: what the receiving server said, whom that blames, and what follows.
//!
//! Three pieces of evidence are read, each strictly: SES's type and subtype, the codes ([`codes`](EnhancedCode)) and the words of the
//! server's reply (a table of patterns, `patterns.rs`). A clear reason and a specific code decide. Where two of them blame
//! different parties, the one that suppresses less wins: a living person who is not sent to is the worse fault. Where
//! neither is there, weak words and generic codes decide, and at last words such as "try later".
//!
//! | blame | SES says Permanent | SES says Transient or Undetermined |
//! |---|---|---|
//! | the address | suppressed for good | for good with 5.1.1, 5.1.2, 5.1.10, 5.4.4 or a clear text, else soft |
//! | the sender | 5xx: blocked for 24 hours; 4xx: soft | soft |
//! | the message | recorded | recorded |
//! | the moment | soft | soft |
//! | nobody | suppressed for good | Transient: soft, or an automatic reply where no server said anything; Undetermined: recorded |
//!
//! `NoEmail` is always a dead address. Subtypes that speak of a list, of validation or of the message decide alone.
//! Whether SES counts the bounce against the account is a separate question: [`BounceJudgement::counts_for_rate`].
//!
//! Types: <https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types>; codes: RFC 3463 and
//! <https://www.iana.org/assignments/smtp-enhanced-status-codes>.

mod codes;
mod decision;
mod pattern;
mod patterns;
mod reason;
mod text;

pub use codes::{CodePlace, EnhancedCode};
pub use decision::Decision;
pub use pattern::{PatternHit, Strength};
pub use reason::{Blame, BounceReason};

use codes::Codes;
use decision::SesType;

/// One recipient of a bounce, as SES describes it. Everything but the type is optional.
#[derive(Clone, Copy, Debug, Default)]
pub struct BounceInput<'a> {
    /// SES's `bounceType`.
    pub bounce_type: &'a str,
    /// SES's `bounceSubType`.
    pub sub_type: &'a str,
    /// The recipient's `status`.
    pub status: Option<&'a str>,
    /// The recipient's `action`.
    pub action: Option<&'a str>,
    /// The recipient's `diagnosticCode`. 2,000 characters of it are looked at.
    pub diagnostic: Option<&'a str>,
}

/// What was read of a bounce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BounceEvidence {
    /// SES's subtype, where it decided alone.
    pub deciding_subtype: Option<String>,
    /// The three-digit reply of the server.
    pub reply: Option<u16>,
    /// The enhanced code that was gone by, and where it stood.
    pub code: Option<(EnhancedCode, CodePlace)>,
    /// The patterns that were found in the reply, codes of providers among them.
    pub patterns: Vec<PatternHit>,
}

impl BounceEvidence {
    /// Returns the provider's own code, such as `OFR_506`, in lower case.
    #[must_use]
    pub fn provider_code(&self) -> Option<&str> {
        let hit = self.patterns.iter().find(|hit| hit.strength == Strength::Provider)?;
        Some(&hit.words)
    }
}

/// The judgement of one recipient of a bounce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BounceJudgement {
    /// What was read.
    pub evidence: BounceEvidence,
    /// Why the mail bounced.
    pub reason: BounceReason,
    /// Whom that blames.
    pub blame: Blame,
    /// What follows for the address.
    pub decision: Decision,
    /// Whether AWS counts the bounce in the account's bounce rate, whatever is decided about the address.
    pub counts_for_rate: bool,
    /// The judgement in one sentence, without addresses.
    pub why: String,
}

/// Of several reasons with the same blame, the one that comes first here is named.
const PREFERENCE: [BounceReason; 20] = [
    BounceReason::GlobalSuppressionList,
    BounceReason::AddressValidation,
    BounceReason::MailboxMoved,
    BounceReason::MailboxDisabled,
    BounceReason::UserUnknown,
    BounceReason::HostUnknown,
    BounceReason::SenderAuthentication,
    BounceReason::SenderBlocked,
    BounceReason::SenderRefused,
    BounceReason::Relaying,
    BounceReason::Policy,
    BounceReason::Greylisted,
    BounceReason::MailboxFull,
    BounceReason::TooMuchMail,
    BounceReason::Loop,
    BounceReason::Network,
    BounceReason::TemporarilyUnavailable,
    BounceReason::Content,
    BounceReason::Size,
    BounceReason::Protocol,
];

/// Judges one recipient of a bounce.
#[must_use]
pub fn judge(input: &BounceInput<'_>) -> BounceJudgement {
    let ses_type = SesType::read(input.bounce_type);
    let counts_for_rate = ses_type == SesType::Permanent && !decision::is_uncounted(input.sub_type);
    if let Some((reason, decision)) = decision::by_subtype(input.sub_type) {
        let evidence = BounceEvidence {
            deciding_subtype: Some(input.sub_type.trim().to_owned()),
            ..BounceEvidence::default()
        };
        return conclude(ses_type, evidence, reason, decision, counts_for_rate);
    }
    let status = text::fold(input.status.unwrap_or_default());
    let diagnostic = text::fold(input.diagnostic.unwrap_or_default());
    let reply = text::server_reply(&diagnostic);
    let codes = Codes::read(&status, &reply);
    let evidence = BounceEvidence {
        deciding_subtype: None,
        reply: codes.reply,
        code: codes.decisive(),
        patterns: pattern::find(reply.text),
    };
    let sub_type = input.sub_type.trim();
    if sub_type.eq_ignore_ascii_case("NoEmail") {
        let reason = reasons(&evidence, &codes, sub_type)
            .into_iter()
            .filter(|reason| reason.blame() == Blame::Address)
            .min_by_key(|reason| preference(*reason));
        let evidence = BounceEvidence {
            deciding_subtype: Some(sub_type.to_owned()),
            ..evidence
        };
        let reason = reason.unwrap_or(BounceReason::UserUnknown);
        return conclude(ses_type, evidence, reason, Decision::Suppress, counts_for_rate);
    }
    let reason = reasons(&evidence, &codes, sub_type)
        .into_iter()
        .min_by_key(|reason| (decision::severity(reason.blame()), preference(*reason)));
    let delayed = input
        .action
        .is_some_and(|action| action.trim().eq_ignore_ascii_case("delayed"));
    let transient = if delayed { Some(true) } else { codes.is_transient() };
    let silent = status.is_empty() && diagnostic.is_empty();
    let (reason, decision) = match reason {
        Some(reason) => {
            let clear = decision::is_certain(reason, &evidence);
            (reason, decision::of(reason.blame(), ses_type, transient, clear))
        }
        None => match (ses_type, transient) {
            (SesType::Permanent, Some(true)) => (BounceReason::TemporarilyUnavailable, Decision::Soft),
            (SesType::Permanent, _) => (BounceReason::Unknown, Decision::Suppress),
            (SesType::Transient, _) if silent => (BounceReason::AutomaticReply, Decision::AutomaticReply),
            (SesType::Transient, _) => (BounceReason::TemporarilyUnavailable, Decision::Soft),
            (SesType::Undetermined, _) => (BounceReason::Unknown, Decision::Record),
        },
    };
    conclude(ses_type, evidence, reason, decision, counts_for_rate)
}

fn preference(reason: BounceReason) -> usize {
    PREFERENCE
        .iter()
        .position(|preferred| *preferred == reason)
        .unwrap_or(PREFERENCE.len())
}

/// The reasons that the evidence speaks for, of the strongest kind that there is.
fn reasons(evidence: &BounceEvidence, codes: &Codes, sub_type: &str) -> Vec<BounceReason> {
    let of = |strength| {
        let hits = evidence.patterns.iter().filter(move |hit| hit.strength == strength);
        hits.map(|hit| hit.reason)
    };
    let code = evidence.code.map(|(code, _)| code);
    let specific = code
        .filter(|code| !code.is_generic())
        .and_then(decision::reason_of_code)
        .into_iter()
        .chain(codes.other().and_then(decision::reason_of_code))
        .chain(decision::reason_of_subtype(sub_type));
    let mut found: Vec<_> = of(Strength::Provider).collect();
    if found.is_empty() {
        found.extend(of(Strength::Clear));
    }
    found.extend(specific);
    if found.is_empty() {
        found.extend(of(Strength::Weak));
        let generic = code.filter(|code| code.is_generic());
        found.extend(generic.and_then(decision::reason_of_generic_code));
    }
    if found.is_empty() {
        found.extend(of(Strength::Faint));
        found.extend(code.and_then(decision::reason_of_protocol_code));
    }
    found
}

fn conclude(
    ses_type: SesType,
    evidence: BounceEvidence,
    reason: BounceReason,
    decision: Decision,
    counts_for_rate: bool,
) -> BounceJudgement {
    BounceJudgement {
        why: decision::sentence(ses_type, &evidence, reason, decision),
        evidence,
        reason,
        blame: reason.blame(),
        decision,
        counts_for_rate,
    }
}
