//! What the doctor found: one finding for each thing it looked at, by a code that does not change.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

/// How bad a finding is, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// It could not be looked at.
    NotChecked,
    /// It works, and will be trouble some day.
    Warn,
    /// It does not work.
    Fail,
}

impl Level {
    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotChecked => "not_checked",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    /// The word for it in a terminal, and its colour.
    fn shown(self) -> (&'static str, u8) {
        match self {
            Self::Ok => ("ok", 32),
            Self::NotChecked => ("not checked", 36),
            Self::Warn => ("warn", 33),
            Self::Fail => ("FAIL", 31),
        }
    }
}

/// A record that DNS should have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Its type: `CNAME`, `MX` or `TXT`.
    pub kind: &'static str,
    /// Its value.
    pub value: String,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A code that does not change: `account.sandbox`.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it is about, such as a domain; nothing when it is about the account or the stack.
    pub about: Option<String>,
    /// What was found.
    pub what: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do; nothing when it is as it should be.
    pub remedy: Option<String>,
    /// The records of DNS that are still to be made.
    pub records: Vec<Record>,
}

impl Finding {
    /// Something that is as it should be.
    #[must_use]
    pub fn ok(code: &'static str, what: impl Into<String>, why: &'static str) -> Self {
        Self {
            code,
            level: Level::Ok,
            about: None,
            what: what.into(),
            why,
            remedy: None,
            records: Vec::new(),
        }
    }

    /// Something to act on.
    #[must_use]
    pub fn bad(
        code: &'static str,
        level: Level,
        what: impl Into<String>,
        why: &'static str,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level,
            remedy: Some(remedy.into()),
            ..Self::ok(code, what, why)
        }
    }

    /// Something that could not be looked at, and the reason.
    #[must_use]
    pub fn not_checked(code: &'static str, reason: impl Into<String>, why: &'static str) -> Self {
        Self {
            level: Level::NotChecked,
            ..Self::ok(code, reason, why)
        }
    }

    /// The same about something.
    #[must_use]
    pub fn about(self, about: &str) -> Self {
        Self {
            about: Some(about.to_owned()),
            ..self
        }
    }

    /// The same with records that are to be made.
    #[must_use]
    pub fn with(self, records: Vec<Record>) -> Self {
        Self { records, ..self }
    }
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The place that was looked at, for a person.
    pub place: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// How many findings there are of a level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// The code that the command ends with: 2 with a failure, 1 with a warning, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.findings.iter().map(|finding| finding.level).max() {
            Some(Level::Fail) => 2,
            Some(Level::Warn) => 1,
            Some(Level::NotChecked | Level::Ok) | None => 0,
        }
    }

    /// All of it as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let record = |record: &Record| json!({ "name": record.name, "type": record.kind, "value": record.value });
        let finding = |finding: &Finding| {
            json!({
                "code": finding.code,
                "level": finding.level.as_str(),
                "about": finding.about,
                "what": finding.what,
                "why": finding.why,
                "do": finding.remedy,
                "records": finding.records.iter().map(record).collect::<Value>(),
            })
        };
        json!({
            "place": self.place,
            "exit_code": self.exit_code(),
            "findings": self.findings.iter().map(finding).collect::<Value>(),
        })
    }

    /// All of it for a terminal, in colours or not.
    #[must_use]
    pub fn shown(&self, colours: bool) -> Shown<'_> {
        Shown {
            diagnosis: self,
            colours,
        }
    }
}

/// A diagnosis, for a person.
#[derive(Debug)]
pub struct Shown<'a> {
    diagnosis: &'a Diagnosis,
    colours: bool,
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Diagnosis { place, findings } = self.diagnosis;
        writeln!(f, "{}\n", harmless(place))?;
        for finding in findings {
            let (word, colour) = finding.level.shown();
            let padded = format!("{word:<11}");
            let word = if self.colours {
                format!("\u{1b}[{colour}m{padded}\u{1b}[0m")
            } else {
                padded
            };
            let about = finding.about.as_ref().map(|about| format!("{}: ", harmless(about)));
            let about = about.unwrap_or_default();
            writeln!(f, "{word} {} {about}{}", finding.code, harmless(&finding.what))?;
            if finding.level == Level::Ok {
                continue;
            }
            writeln!(f, "            Why: {}", finding.why)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(f, "            Do:  {}", harmless(remedy))?;
            }
            for Record { name, kind, value } in &finding.records {
                writeln!(f, "                 {} {kind} {}", harmless(name), harmless(value))?;
            }
        }
        let count = |level| self.diagnosis.count(level);
        writeln!(
            f,
            "\n{} ok, {} warnings, {} failures, {} not checked",
            count(Level::Ok),
            count(Level::Warn),
            count(Level::Fail),
            count(Level::NotChecked)
        )
    }
}

/// A text as a terminal may have it: what somebody wrote into DNS does nothing there.
fn harmless(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(levels: &[Level]) -> Diagnosis {
        let finding = |level: &Level| Finding {
            level: *level,
            ..Finding::ok("a.b", "what", "why")
        };
        Diagnosis {
            place: "here".to_owned(),
            findings: levels.iter().map(finding).collect(),
        }
    }

    #[test]
    fn the_worst_finding_says_how_the_command_ends() {
        for (levels, code) in [
            (&[][..], 0),
            (&[Level::Ok, Level::NotChecked], 0),
            (&[Level::Warn, Level::NotChecked, Level::Ok], 1),
            (&[Level::Fail, Level::Warn], 2),
        ] {
            assert_eq!(diagnosis(levels).exit_code(), code, "{levels:?}");
        }
    }

    #[test]
    fn what_stands_in_dns_does_nothing_in_a_terminal_and_colours_are_asked_for() {
        let mut diagnosis = diagnosis(&[]);
        let records = vec![Record {
            name: "n".to_owned(),
            kind: "TXT",
            value: "v\u{1b}[2J".to_owned(),
        }];
        let finding = Finding::bad("dns.dmarc", Level::Warn, "none", "why", "make it");
        diagnosis.findings.push(finding.about("example.com").with(records));
        let plain = diagnosis.shown(false).to_string();
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(plain.contains("warn        dns.dmarc example.com: none\n"), "{plain}");
        assert!(
            plain.contains("Do:  make it\n                 n TXT v\u{fffd}[2J\n"),
            "{plain}"
        );
        assert!(diagnosis.shown(true).to_string().contains("\u{1b}[33mwarn"));
        let json = diagnosis.json();
        assert_eq!(
            (&json["findings"][0]["do"], &json["exit_code"]),
            (&json!("make it"), &json!(1))
        );
    }
}
