//! `okite explain-bounce`: how Okite judges a bounce, and by which evidence. It reads nothing but its input.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use domain::bounce::{self, BounceInput, BounceJudgement, CodePlace, Strength};
use domain::feedback::{ExplainedRecipient, FeedbackClass, explain};
use serde_json::{Value, json};

use crate::execution::{CommandResult, Exit, Failure};
use crate::output::{self, say};
use crate::terminal::printable;

/// The longest input, in bytes. An event of SES in every wrapping is shorter.
const INPUT_MAX: u64 = 1 << 20;

/// The types of a bounce, as SES spells them.
const TYPES: [&str; 3] = ["Permanent", "Transient", "Undetermined"];

const GIVE: &str = "Give a file or standard input with an SES event, or with a server's reply such as \
                    \"550 5.1.1 user unknown\", or give --type and --status.";

/// Explain how Okite judges a bounce or complaint
///
/// The input is an SES event in any form that Okite accepts (event publishing, classic notification, SNS envelope, SQS
/// record, failure record of Lambda), or the reply of a receiving server alone. The command prints the evidence for
/// each recipient, the reason, and what Okite does with the address. It reads no table and changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite explain-bounce event.json
  echo '552 5.2.2 mailbox full' | okite explain-bounce --type Permanent")]
pub(crate) struct ExplainBounceCommand {
    /// File with the event or the reply, or - for standard input [default: standard input]
    file: Option<PathBuf>,
    /// SES's bounce type, for a reply alone: Permanent, Transient or Undetermined [default: Permanent]
    #[arg(long = "type", value_name = "TYPE", ignore_case = true,
          value_parser = TYPES)]
    bounce_type: Option<String>,
    /// SES's bounce subtype, for a reply alone [default: General]
    #[arg(long, value_name = "SUBTYPE")]
    subtype: Option<String>,
    /// The status of the recipient, for a reply alone, such as 5.1.1
    #[arg(long, value_parser = parse_status)]
    status: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ExplainBounceCommand {
    pub(crate) fn run(self) -> CommandResult {
        let explained = self.explained()?;
        if self.json {
            let events: Vec<Value> = explained.iter().map(as_json).collect();
            say!("{}", json!({ "object": "list", "data": events }))?;
        } else {
            let texts: Vec<String> = explained.iter().map(as_text).collect();
            write!(output::stdout(), "{}", texts.join("\n"))?;
        }
        Ok(Exit::Success)
    }

    fn has_options(&self) -> bool {
        self.bounce_type.is_some() || self.subtype.is_some() || self.status.is_some()
    }

    fn explained(&self) -> Result<Vec<Explained>, Failure> {
        let text = self.input()?;
        let text = text.trim();
        if text.is_empty() && !self.has_options() {
            return Err(Failure::new(format!("the input is empty. {GIVE}")));
        }
        if !text.starts_with(['{', '[']) {
            if !self.has_options() && !looks_like_a_reply(text) {
                return Err(Failure::new(format!(
                    "the input is neither the JSON of an SES event nor a server's reply with a code. {GIVE}"
                )));
            }
            return Ok(vec![self.of_reply(text)]);
        }
        if self.has_options() {
            return Err(Failure::new(
                "an SES event names its own type, subtype and status: give --type, --subtype and --status only with a \
                 server's reply",
            ));
        }
        if let Err(error) = serde_json::from_str::<Value>(text) {
            return Err(Failure::new(format!(
                "the input begins like JSON but is not valid JSON: line {}, column {}",
                error.line(),
                error.column()
            )));
        }
        let mut explained = Vec::new();
        for message in feedback::message_texts(text)? {
            let event = explain(&message)?;
            explained.push(Explained {
                kind: event.kind,
                recipients: event.recipients,
            });
        }
        if explained.is_empty() {
            return Err(Failure::new(format!("the input holds no event. {GIVE}")));
        }
        Ok(explained)
    }

    fn of_reply(&self, text: &str) -> Explained {
        let given = self.bounce_type.as_deref().unwrap_or("Permanent");
        let spelled = TYPES.into_iter().find(|name| name.eq_ignore_ascii_case(given));
        let bounce_type = spelled.unwrap_or(given);
        let sub_type = self.subtype.as_deref().unwrap_or("General");
        let diagnostic = Some(text).filter(|text| !text.is_empty());
        let judgement = bounce::judge(&BounceInput {
            bounce_type,
            sub_type,
            status: self.status.as_deref(),
            action: None,
            diagnostic,
        });
        let recipient = ExplainedRecipient {
            address: String::new(),
            is_readable: true,
            subtype: format!("{bounce_type}/{sub_type}"),
            status: self.status.clone(),
            action: None,
            diagnostic: diagnostic.map(str::to_owned),
            class: FeedbackClass::of(&judgement),
            judgement: Some(judgement),
        };
        Explained {
            kind: "Bounce".to_owned(),
            recipients: vec![recipient],
        }
    }

    fn input(&self) -> Result<String, Failure> {
        let file = self.file.as_deref().filter(|file| *file != Path::new("-"));
        let mut bytes = Vec::new();
        let read = match file {
            Some(file) => File::open(file).and_then(|file| file.take(INPUT_MAX + 1).read_to_end(&mut bytes)),
            None if io::stdin().is_terminal() => {
                if self.has_options() {
                    return Ok(String::new());
                }
                return Err(Failure::new(format!("there is no input. {GIVE}")));
            }
            None => io::stdin().lock().take(INPUT_MAX + 1).read_to_end(&mut bytes),
        };
        let name = file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
        read.map_err(|error| Failure::new(format!("{name} could not be read: {}. {GIVE}", output::cause(&error))))?;
        if bytes.len() as u64 > INPUT_MAX {
            return Err(Failure::new(format!("{name} is longer than 1 MiB: give one event")));
        }
        String::from_utf8(bytes).map_err(|_| Failure::new(format!("{name} is not UTF-8 text")))
    }
}

/// Returns whether a text has a three-digit reply or an enhanced code somewhere.
fn looks_like_a_reply(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || matches!(c, '-' | ';' | '(' | ')' | '#'))
        .any(|word| {
            let is_reply = word.len() == 3 && word.starts_with(['2', '4', '5']) && is_number(word);
            is_reply || is_enhanced_code(word)
        })
}

/// Parses an enhanced status code, such as `5.1.1`.
fn parse_status(text: &str) -> Result<String, &'static str> {
    if is_enhanced_code(text) {
        Ok(text.to_owned())
    } else {
        Err("a status has the form 5.1.1 and begins with 2, 4 or 5")
    }
}

fn is_enhanced_code(word: &str) -> bool {
    word.starts_with(['2', '4', '5']) && word.split('.').count() == 3 && word.split('.').all(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// One event, or one reply.
struct Explained {
    kind: String,
    recipients: Vec<ExplainedRecipient>,
}

/// Returns what Okite does with the address.
fn consequence(recipient: &ExplainedRecipient) -> &'static str {
    match recipient.class {
        class if !recipient.is_readable && class.suppresses() => {
            "the address cannot be read: the event fails and waits for a person"
        }
        _ if !recipient.is_readable => "the address cannot be read, and nothing happens to it",
        FeedbackClass::HardBounce
        | FeedbackClass::GloballySuppressed
        | FeedbackClass::ValidationSuppressed
        | FeedbackClass::Complaint => "suppresses the address for good",
        FeedbackClass::ListEcho | FeedbackClass::ComplaintEcho => {
            "keeps the suppression that the account's list repeats; an address about which nothing else is known is \
             suppressed"
        }
        FeedbackClass::Blocked => {
            "blocks the address for 24 hours; if SES lists the address because of the block, it stays suppressed until \
             somebody lifts it"
        }
        FeedbackClass::Soft => "adds a soft bounce; several of them suppress the address for bulk mail",
        FeedbackClass::Unsubscribed
        | FeedbackClass::MessageFault
        | FeedbackClass::Undetermined
        | FeedbackClass::NotSpam
        | FeedbackClass::AuthFailure => "records the event and does nothing with the address",
    }
}

fn decision(recipient: &ExplainedRecipient) -> &'static str {
    match (&recipient.judgement, recipient.class) {
        (Some(judgement), _) => judgement.decision.as_str(),
        (None, FeedbackClass::Complaint) => "suppress",
        (None, FeedbackClass::ComplaintEcho) => "echo",
        (None, _) => "record",
    }
}

/// Returns the code that counts with its place, and the server's reply.
fn codes(judgement: &BounceJudgement) -> String {
    let evidence = &judgement.evidence;
    let reply = evidence.reply.map(|reply| format!("reply {reply}"));
    let code = evidence.code.map(|(code, place)| {
        let place = match place {
            CodePlace::Status => "in the status",
            CodePlace::Reply => "in the reply",
            CodePlace::Wrapper => "given by SES",
        };
        format!("{code} {place}")
    });
    let codes: Vec<String> = reply.into_iter().chain(code).collect();
    if codes.is_empty() {
        "none".to_owned()
    } else {
        codes.join(", ")
    }
}

fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::Faint => "faint",
        Strength::Weak => "weak",
        Strength::Clear => "clear",
        Strength::Provider => "provider",
    }
}

fn as_text(explained: &Explained) -> String {
    if explained.recipients.is_empty() {
        let kind = printable(&explained.kind);
        return match explained.kind.as_str() {
            "Bounce" | "Complaint" => {
                format!(
                    "{kind}: it names no recipient. Okite suppresses no address, and counts the event once if AWS counts \
                     its type.\n"
                )
            }
            _ => format!("{kind}: an event of this type changes nothing for an address.\n"),
        };
    }
    let recipients = explained.recipients.iter().map(|recipient| {
        let mut lines = Vec::new();
        let mut line = |name: &str, text: &str| lines.push(format!("  {name:<9} {}\n", printable(text)));
        line("SES", &recipient.subtype);
        if let Some(judgement) = &recipient.judgement {
            line("codes", &codes(judgement));
            let words: Vec<String> = judgement
                .evidence
                .patterns
                .iter()
                .map(|hit| {
                    format!(
                        "\"{}\" ({}, {})",
                        hit.words,
                        hit.reason.as_str(),
                        strength(hit.strength)
                    )
                })
                .collect();
            let words = if words.is_empty() {
                "none".to_owned()
            } else {
                words.join(", ")
            };
            line("words", &words);
            line("reason", judgement.reason.as_str());
        }
        line("decision", decision(recipient));
        line("Okite", consequence(recipient));
        if let Some(judgement) = &recipient.judgement {
            line("why", &judgement.why());
            line(
                "rate",
                if judgement.counts_for_rate {
                    "AWS counts it in the bounce rate"
                } else {
                    "AWS does not count it in the bounce rate"
                },
            );
        }
        let of = match recipient.address.as_str() {
            "" => String::new(),
            address => format!(" of {}", printable(address)),
        };
        format!("{}{of}\n{}", printable(&explained.kind), lines.concat())
    });
    recipients.collect::<Vec<_>>().join("\n")
}

fn as_json(explained: &Explained) -> Value {
    let recipient = |recipient: &ExplainedRecipient| {
        let judgement = recipient.judgement.as_ref();
        let words = judgement.map(|judgement| {
            let hits = judgement.evidence.patterns.iter();
            hits.map(
                |hit| json!({"words": hit.words, "reason": hit.reason.as_str(), "strength": strength(hit.strength)}),
            )
            .collect::<Vec<_>>()
        });
        json!({
            "email": Some(&recipient.address).filter(|address| !address.is_empty()),
            "subtype": recipient.subtype,
            "status": recipient.status,
            "action": recipient.action,
            "diagnostic": recipient.diagnostic,
            "reply": judgement.and_then(|judgement| judgement.evidence.reply),
            "code": judgement.and_then(|judgement| judgement.evidence.code).map(|(code, _)| code.to_string()),
            "words": words,
            "bounce_reason": judgement.map(|judgement| judgement.reason.as_str()),
            "decision": decision(recipient),
            "consequence": consequence(recipient),
            "why": judgement.map(BounceJudgement::why),
            "counts_for_rate": judgement.map_or(recipient.class == FeedbackClass::Complaint, |judgement| judgement.counts_for_rate),
        })
    };
    let recipients: Vec<Value> = explained.recipients.iter().map(recipient).collect();
    json!({"type": explained.kind, "recipients": recipients})
}
