//! Turns the evidence into the judgement: the reason that counts, the party that it blames, and the consequence.

use super::codes::Codes;
use super::decision::{self, SesType};
use super::{Blame, BounceEvidence, BounceInput, BounceJudgement, BounceReason, Decision, Strength, search, text};

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
        patterns: search::find(reply.text),
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
        evidence,
        reason,
        blame: reason.blame(),
        decision,
        counts_for_rate,
        ses_type,
    }
}
