//! Replies as large providers word them, each with the reason and the decision that are right.

use domain::bounce::{self, BounceInput};

/// The replies: see the head of the file.
const REPLIES: &str = include_str!("bounce_replies.tsv");

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
            let (ses_type, sub_type) = types.split_once('/').expect(line);
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

fn judge(reply: &Reply) -> bounce::BounceJudgement {
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
            wrong += &format!("{expected:?} found {found:?}: {text}\n    {}\n    {:?}\n", judgement.why, judgement.evidence);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
