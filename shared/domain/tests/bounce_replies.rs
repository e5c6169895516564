//! Replies as large providers word them, each with the reason and the decision that are right.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::bounce::{self, Blame, BounceInput, BounceJudgement, BounceReason};
use proptest::prelude::*;

/// The replies: see the head of the file.
const REPLIES: &str = include_str!("bounce_replies.tsv");
/// Replies without a reason, by whom they blame.
const HELD_OUT: &str = include_str!("bounce_held_out.tsv");
/// The document with the table of hits by reason.
const DOCUMENT: &str = "../../docs/architecture/feedback.md";
const BEGIN: &str = "<!-- begin: bounce reasons -->\n";
const END: &str = "<!-- end: bounce reasons -->";

struct Reply {
    ses_type: &'static str,
    sub_type: &'static str,
    status: Option<&'static str>,
    diagnostic: Option<String>,
    reason: &'static str,
    decision: &'static str,
}

fn replies(text: &'static str) -> Vec<Reply> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            let [types, status, diagnostic, reason, decision] = fields[..] else {
                panic!("five fields: {line}");
            };
            let (ses_type, sub_type) = types
                .split_once('/')
                .unwrap_or_else(|| panic!("type and subtype: {line}"));
            let given = |text: &'static str| Some(text).filter(|text| *text != "-");
            Reply {
                ses_type,
                sub_type,
                status: given(status),
                diagnostic: given(diagnostic).map(|text| text.replace("\\n", "\n")),
                reason,
                decision,
            }
        })
        .collect()
}

fn judge(reply: &Reply) -> BounceJudgement {
    bounce::judge(&BounceInput {
        bounce_type: reply.ses_type,
        sub_type: reply.sub_type,
        status: reply.status,
        action: None,
        diagnostic: reply.diagnostic.as_deref(),
    })
}

#[test]
fn every_reply_has_its_reason_and_its_decision() {
    let replies = replies(REPLIES);
    assert!(replies.len() >= 320, "{} replies", replies.len());
    let mut wrong = String::new();
    for reply in &replies {
        let judgement = judge(reply);
        let found = (judgement.reason.as_str(), judgement.decision.as_str());
        if found != (reply.reason, reply.decision) {
            let text = reply.diagnostic.as_deref().unwrap_or_default();
            let expected = (reply.reason, reply.decision);
            let (why, evidence) = (judgement.why(), judgement.evidence);
            writeln!(
                wrong,
                "{expected:?} found {found:?}: {text}\n    {why}\n    {evidence:?}"
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// At most 3 % of the replies that blame the sender, or say full, busy or greylisted, suppress for good; of those that
/// blame the address at least 95 % do.
#[test]
fn of_the_replies_held_out_few_are_judged_wrongly() {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for reply in replies(HELD_OUT).iter().filter(|reply| reply.ses_type == "Permanent") {
        let (all, suppressed) = counts.entry(reply.reason).or_default();
        *all += 1;
        *suppressed += usize::from(judge(reply).decision == bounce::Decision::Suppress);
    }
    let [(_, address), (_, moment), (_, sender)] = counts.into_iter().collect::<Vec<_>>()[..] else {
        panic!("three kinds");
    };
    assert!(sender.0 + address.0 + moment.0 >= 1_000);
    assert!(sender.1 * 100 <= sender.0 * 3, "{sender:?}");
    assert!(moment.1 * 100 <= moment.0 * 3, "{moment:?}");
    assert!(address.1 * 100 >= address.0 * 95, "{address:?}");
}

#[test]
fn the_document_counts_the_replies_by_reason() {
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for reply in replies(REPLIES) {
        *counts
            .entry(reply.reason)
            .or_default()
            .entry(reply.decision)
            .or_default() += 1;
    }
    let mut table = String::from("| reason | blames | replies | decisions |\n|---|---|---|---|\n");
    for reason in BounceReason::ALL {
        let decisions = counts.remove(reason.as_str()).unwrap_or_default();
        let all: usize = decisions.values().sum();
        let decisions: Vec<_> = decisions
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let blames = match reason.blame() {
            Blame::Address => "the address",
            Blame::Sender => "the sender",
            Blame::Message => "the message",
            Blame::Moment => "the moment",
            Blame::Nobody => "nobody",
        };
        let name = reason.as_str();
        writeln!(table, "| `{name}` | {blames} | {all} | {} |", decisions.join(", ")).unwrap();
    }
    let document = std::fs::read_to_string(DOCUMENT).unwrap().replace("\r\n", "\n");
    let (before, rest) = document
        .split_once(BEGIN)
        .unwrap_or_else(|| panic!("{DOCUMENT}: no beginning of the table"));
    let (_, after) = rest
        .split_once(END)
        .unwrap_or_else(|| panic!("{DOCUMENT}: no end of the table"));
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("OKITE_BLESS").is_some() {
        std::fs::write(DOCUMENT, expected).unwrap();
    } else {
        assert!(
            document == expected,
            "{DOCUMENT}: run the tests with OKITE_BLESS=1 to write the table"
        );
    }
}

#[test]
fn of_a_long_text_only_the_beginning_is_read() {
    for unit in [
        "mailbox ", "550-'", "a.", "user * ", "é", "(", "blocked.", "5.1.1 ", "<550 ", "http://", "@:",
    ] {
        // A word that is cut off at the end would be another word.
        let beginning = unit.repeat(4_000 / unit.len());
        let long = format!("{beginning}{} user unknown", unit.repeat(96_000 / unit.len()));
        assert_eq!(
            judge_text("Permanent", &long),
            judge_text("Permanent", &beginning),
            "{unit}"
        );
    }
}

fn judge_text(bounce_type: &str, diagnostic: &str) -> BounceJudgement {
    bounce::judge(&BounceInput {
        bounce_type,
        sub_type: "General",
        diagnostic: Some(diagnostic),
        ..BounceInput::default()
    })
}

fn decided(judgement: &BounceJudgement) -> (BounceReason, bounce::Decision, bool) {
    (judgement.reason, judgement.decision, judgement.counts_for_rate)
}

proptest! {
    #[test]
    fn never_panics(
        bounce_type in "\\PC{0,12}|Permanent|Transient", sub_type in "\\PC{0,12}|General|NoEmail", status in "\\PC{0,12}|[0-9.]{0,12}",
        diagnostic in "\\PC{0,120}|(smtp; )?[245][0-9]{2}[ -][0-9.]{0,8}[ '<>@:;a-z.#()-]{0,80}", action in "\\PC{0,8}",
    ) {
        let _ = bounce::judge(&BounceInput {
            bounce_type: &bounce_type,
            sub_type: &sub_type,
            status: Some(&status),
            action: Some(&action),
            diagnostic: Some(&diagnostic),
        });
    }

    #[test]
    fn white_space_and_case_change_nothing(index in 0_usize..10_000, space in "\r\n|\r\n\t|  |\t|\n ", upper in any::<bool>()) {
        let replies = replies(REPLIES);
        let reply = &replies[index % replies.len()];
        let text = reply.diagnostic.clone().unwrap_or_default();
        let mut changed = text.replace('\n', " ").replace(' ', &space);
        if upper {
            changed = changed.to_uppercase();
        }
        let (before, after) = (judge_text(reply.ses_type, &text), judge_text(reply.ses_type, &changed));
        prop_assert_eq!(decided(&before), decided(&after), "{:?}", changed);
    }
}
