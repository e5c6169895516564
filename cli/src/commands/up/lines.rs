//! The lines that `okite up` prints: one for each mail that SES accepts, and one for each of its events.
//!
//! At most [`LINES_MAX`] lines a second are printed. The others are counted, and the next second begins with their
//! number, so that a batch of thousands does not push everything else out of the terminal.

use std::time::Duration;

use jiff::Timestamp;
use local_aws::feed::Happening;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::application::APPLICATION;
use crate::output::say;
use crate::plural::grouped;
use crate::terminal::{Colour, Colours, printable};

/// The most lines that are printed in [`A_WHILE`].
const LINES_MAX: u64 = 50;
const A_WHILE: Duration = Duration::from_secs(1);
/// The longest subject, in characters.
const SUBJECT_MAX: usize = 60;
/// The longest address, in characters.
const ADDRESS_MAX: usize = 60;

/// Prints the lines of what happens, until the run ends.
pub(super) async fn print_all(mut happenings: Receiver<Happening>, colours: Colours) {
    let mut limit = LineLimit::new(Instant::now());
    loop {
        let happening = tokio::select! {
            happening = happenings.recv() => happening,
            () = tokio::time::sleep_until(limit.ends), if limit.held > 0 => {
                print(limit.turn(Instant::now()));
                continue;
            }
        };
        match happening {
            Ok(happening) => {
                if let Some(line) = line(&happening, colours) {
                    for text in limit.add(line, Instant::now()) {
                        print(Some(text));
                    }
                }
            }
            Err(RecvError::Lagged(missed)) => limit.held = limit.held.saturating_add(missed),
            Err(RecvError::Closed) => break,
        }
    }
    print(limit.turn(Instant::now()));
}

fn print(line: Option<String>) {
    if let Some(line) = line {
        // A full disk behind standard output must not stop the run.
        let _ = say!("{line}");
    }
}

/// The lines of the current second.
#[derive(Debug)]
struct LineLimit {
    ends: Instant,
    printed: u64,
    /// The lines that are counted and not printed.
    held: u64,
}

impl LineLimit {
    fn new(now: Instant) -> Self {
        Self {
            ends: now,
            printed: 0,
            held: 0,
        }
    }

    /// Returns the texts to print now that there is another line.
    fn add(&mut self, line: String, now: Instant) -> Vec<String> {
        let mut texts = Vec::new();
        if now >= self.ends {
            texts.extend(self.turn(now));
        }
        if self.printed < LINES_MAX {
            self.printed = self.printed.saturating_add(1);
            texts.push(line);
        } else {
            self.held = self.held.saturating_add(1);
        }
        texts
    }

    /// Begins another second. Returns the text about the lines that the last one held back.
    fn turn(&mut self, now: Instant) -> Option<String> {
        let held = std::mem::take(&mut self.held);
        self.ends = now.checked_add(A_WHILE).unwrap_or(now);
        self.printed = 0;
        (held > 0).then(|| format!("… and {} more", grouped(held)))
    }
}

/// Returns the line of a mail or of an event; nothing for an event that the line of its mail has told already.
fn line(happening: &Happening, colours: Colours) -> Option<String> {
    match happening {
        Happening::Mail(mail) => Some(mail_line(mail, colours)),
        Happening::Event(event) => event_line(event, colours),
    }
}

fn mail_line(mail: &Value, colours: Colours) -> String {
    let people = &mail["decoded"];
    let kinds = ["to", "cc", "bcc"].into_iter();
    let listed = kinds.flat_map(|kind| people[kind].as_array().into_iter().flatten());
    let addresses: Vec<&str> = listed.filter_map(|person| person["email"].as_str()).collect();
    let id = mail["id"].as_str().or_else(|| mail["ses_message_id"].as_str());
    let subject = shortened(mail["subject"].as_str().unwrap_or_default(), SUBJECT_MAX);
    let mut line = format!(
        "{}  {}  {}  {subject}  {}",
        time(&mail["at"]),
        state("sent", Colour::Green, colours),
        recipients(&addresses),
        printable(id.unwrap_or("-")),
    );
    if mail["is_sender_verified"] == Value::Bool(false) {
        let from = shortened(people["from"]["email"].as_str().unwrap_or_default(), ADDRESS_MAX);
        let note = format!("  (on AWS, SES refuses the sender {from} until it is verified)");
        line.push_str(&colours.paint(Colour::Yellow, &note));
    }
    line
}

fn event_line(entry: &Value, colours: Colours) -> Option<String> {
    let event = &entry["event"];
    let kind = event["eventType"].as_str()?;
    let handling = match entry["state"].as_str() {
        Some("handled") => None,
        Some("queued") => Some("the function failed; the event is in the retry queue".to_owned()),
        _ => Some(format!("lost: {}", entry["trouble"].as_str().unwrap_or("unknown"))),
    };
    if kind == "Send" && handling.is_none() {
        return None;
    }
    let (name, colour) = match kind {
        "Delivery" => ("delivered", Colour::Green),
        "Bounce" => ("bounced", Colour::Red),
        "Complaint" => ("complained", Colour::Red),
        "Open" => ("opened", Colour::Cyan),
        "Click" => ("clicked", Colour::Cyan),
        other => (other, Colour::Yellow),
    };
    let detail = &event[kind.to_ascii_lowercase()];
    let addresses: Vec<&str> = recipients_of(detail)
        .or_else(|| strings(&event["mail"]["destination"]))
        .unwrap_or_default();
    let tag = APPLICATION.mail_id_tag.unwrap_or_default();
    let id = event["mail"]["tags"][tag][0].as_str();
    let id = id.or_else(|| event["mail"]["messageId"].as_str()).unwrap_or("-");
    let mut line = format!(
        "{}  {}  {}",
        time(&entry["at"]),
        state(name, colour, colours),
        recipients(&addresses)
    );
    if let (Some(kind), Some(sub_type)) = (detail["bounceType"].as_str(), detail["bounceSubType"].as_str()) {
        line.push_str(&printable(&format!("  {kind}/{sub_type}")));
    }
    line.push_str(&printable(&format!("  {id}")));
    if let Some(trouble) = handling {
        line.push_str(&colours.paint(Colour::Red, &format!("  ({})", shortened(&trouble, 200))));
    }
    Some(line)
}

/// Returns the recipients that an event is about.
fn recipients_of(detail: &Value) -> Option<Vec<&str>> {
    let listed = |name: &str| {
        let people = detail[name].as_array()?;
        Some(
            people
                .iter()
                .filter_map(|person| person["emailAddress"].as_str())
                .collect(),
        )
    };
    strings(&detail["recipients"])
        .or_else(|| listed("bouncedRecipients"))
        .or_else(|| listed("complainedRecipients"))
}

fn strings(array: &Value) -> Option<Vec<&str>> {
    Some(array.as_array()?.iter().filter_map(Value::as_str).collect())
}

/// Writes the first recipient, and the number of the others.
fn recipients(addresses: &[&str]) -> String {
    let first = shortened(addresses.first().copied().unwrap_or("-"), ADDRESS_MAX);
    match addresses.len().saturating_sub(1) {
        0 => first,
        others => format!("{first} +{others}"),
    }
}

fn state(name: &str, colour: Colour, colours: Colours) -> String {
    colours.paint(colour, &printable(&format!("{name:10}")))
}

/// Writes a time of day in UTC.
fn time(at: &Value) -> String {
    let at = at.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    at.map_or_else(|| "--:--:--Z".to_owned(), |at| at.strftime("%H:%M:%SZ").to_string())
}

/// Cuts a text, in one line, that cannot give the terminal a command or turn the order of its characters round.
fn shortened(text: &str, most: usize) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = printable(text).replace(turns, "\u{fffd}");
    if shown.chars().count() <= most {
        return shown;
    }
    let cut: String = shown.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    const AT: &str = "2026-11-28T14:03:22.5Z";

    fn mail(subject: &str, to: &[&str]) -> Value {
        let to: Vec<_> = to.iter().map(|email| json!({ "email": email })).collect();
        json!({
            "id": "id-1", "ses_message_id": "0100", "at": AT, "subject": subject, "is_sender_verified": true,
            "decoded": { "from": { "email": "a@example.com" }, "to": to, "cc": [], "bcc": [{ "email": "hidden@example.net" }] },
        })
    }

    fn event(kind: &str, state: &str, detail: &Value) -> Value {
        let mut event = json!({
            "eventType": kind,
            "mail": { "messageId": "0100", "destination": ["all@example.net"], "tags": { "okite_id": ["id-1"] } },
        });
        event[kind.to_ascii_lowercase()] = detail.clone();
        json!({ "at": AT, "state": state, "trouble": "no topic", "event": event })
    }

    fn shown(happening: &Happening) -> Option<String> {
        line(happening, Colours::Off)
    }

    fn of_event(kind: &str, state: &str, detail: &Value) -> Option<String> {
        shown(&Happening::Event(Arc::new(event(kind, state, detail))))
    }

    #[test]
    fn a_mail_has_its_time_first_recipient_subject_and_id() {
        let line = shown(&Happening::Mail(Arc::new(mail(
            "Hello",
            &["anna@example.net", "b@example.net"],
        ))));
        let wanted = "14:03:22Z  sent        anna@example.net +2  Hello  id-1";
        assert_eq!(line.as_deref(), Some(wanted));
        let mut unverified = mail("Hi", &["b@example.net"]);
        unverified["is_sender_verified"] = json!(false);
        unverified["id"] = Value::Null;
        let line = shown(&Happening::Mail(Arc::new(unverified))).unwrap();
        assert!(
            line.ends_with("Hi  0100  (on AWS, SES refuses the sender a@example.com until it is verified)"),
            "{line}"
        );
    }

    #[test]
    fn a_subject_is_shortened_and_cannot_command_the_terminal() {
        let line = |subject: &str| shown(&Happening::Mail(Arc::new(mail(subject, &["b@example.net"])))).unwrap();
        let hostile = line("\u{1b}[31m\r\n\u{9b}2J\u{202e}abc\u{7}");
        assert!(
            !hostile.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{hostile:?}"
        );
        let long = line(&"é".repeat(200));
        assert!(
            long.contains(&format!("  {}…  ", "é".repeat(SUBJECT_MAX - 1))),
            "{long}"
        );
        let address = format!("{}\u{1b}@example.net", "a".repeat(300));
        let long = shown(&Happening::Mail(Arc::new(mail("s", &[&address])))).unwrap();
        assert!(long.chars().count() < 120, "{long}");
    }

    #[test]
    fn an_event_has_its_kind_recipient_and_trouble() {
        let bounce = json!({
            "bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [{ "emailAddress": "b@example.net" }],
        });
        assert_eq!(
            of_event("Bounce", "handled", &bounce).unwrap(),
            "14:03:22Z  bounced     b@example.net  Permanent/General  id-1"
        );
        let delivered = of_event("Delivery", "queued", &json!({ "recipients": ["b@example.net"] })).unwrap();
        assert!(
            delivered.contains("delivered   b@example.net  id-1  (the function failed"),
            "{delivered}"
        );
        let open = of_event("Open", "lost", &json!({})).unwrap();
        assert!(
            open.contains("opened      all@example.net  id-1  (lost: no topic)"),
            "{open}"
        );
        assert_eq!(of_event("Send", "handled", &json!({})), None);
        assert!(of_event("Send", "queued", &json!({})).is_some());
        // A message that is no event of SES.
        let other = json!({ "at": AT, "state": "handled", "event": "hello" });
        assert_eq!(shown(&Happening::Event(Arc::new(other))), None);
    }

    #[test]
    fn colours_only_when_on() {
        let mail = Happening::Mail(Arc::new(mail("Hello", &["b@example.net"])));
        assert!(line(&mail, Colours::On).unwrap().contains("\u{1b}[32msent"));
        assert!(!line(&mail, Colours::Off).unwrap().contains('\u{1b}'));
    }

    #[test]
    fn a_flood_is_summarised() {
        let begin = Instant::now();
        let mut limit = LineLimit::new(begin);
        let mut texts = Vec::new();
        for number in 0..5000 {
            texts.extend(limit.add(number.to_string(), begin));
        }
        assert_eq!(texts.len(), 50);
        let next = limit.add("next".to_owned(), begin + A_WHILE);
        assert_eq!(next, ["… and 4,950 more", "next"]);
        assert_eq!(limit.turn(begin + 2 * A_WHILE), None);
    }
}
