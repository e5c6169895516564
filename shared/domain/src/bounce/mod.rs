//! Judges one bounced recipient: reads the reply of the receiving server, finds the party to blame, and decides the
//! consequence.
//!
//! Three pieces of evidence are read, each strictly: SES's type and subtype, the codes ([`codes`](EnhancedCode)) and
//! the words of the server's reply (a table of patterns, `patterns.rs`). A clear reason and a specific code decide.
//! Where two of them blame different parties, the one that suppresses less wins: a living person who is not sent to is
//! the worse fault. Where neither is there, weak words and generic codes decide, and at last words such as "try later".
//!
//! | blame | SES says Permanent | SES says Transient or Undetermined |
//! |---|---|---|
//! | the address | suppressed for good | for good with 5.1.1, 5.1.2, 5.1.10, 5.4.4 or a clear text, else soft |
//! | the sender | 5xx: blocked for 24 hours; 4xx: soft | soft |
//! | the message | recorded | recorded |
//! | the moment | soft | soft |
//! | nobody | suppressed for good | Transient: soft, or an automatic reply without a text; Undetermined: recorded |
//!
//! `NoEmail` is always a dead address. Subtypes that speak of a list, of validation or of the message decide alone.
//! Whether SES counts the bounce against the account is a separate question: [`BounceJudgement::counts_for_rate`].
//!
//! Types: <https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types>; codes: RFC 3463 and
//! <https://www.iana.org/assignments/smtp-enhanced-status-codes>.

mod codes;
mod decision;
mod judge;
mod pattern;
mod patterns;
mod phrase_index;
mod reason;
mod search;
mod text;

pub use codes::{CodePlace, EnhancedCode};
pub use decision::Decision;
use decision::SesType;
pub use judge::judge;
pub use pattern::Strength;
pub use reason::{Blame, BounceReason};
pub use search::PatternHit;

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

/// The evidence of a bounce.
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

/// The judgement of one recipient of a bounce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BounceJudgement {
    /// The evidence.
    pub evidence: BounceEvidence,
    /// Why the mail bounced.
    pub reason: BounceReason,
    /// The party that the reason blames.
    pub blame: Blame,
    /// The consequence for the address.
    pub decision: Decision,
    /// Whether AWS counts the bounce in the account's bounce rate, whatever is decided about the address.
    pub counts_for_rate: bool,
    ses_type: SesType,
}

impl BounceJudgement {
    /// Returns the judgement in one sentence, without addresses.
    #[must_use]
    pub fn why(&self) -> String {
        decision::sentence(self.ses_type, &self.evidence, self.reason, self.decision)
    }
}
