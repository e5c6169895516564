//! Findings: one for each check, under a code that does not change between versions.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

pub(super) use crate::dns::DnsRecord;
use crate::execution::Exit;
use crate::plural::counted;
use crate::terminal::{Colour, Colours, printable};

/// The severity of a finding, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Ok,
    /// The check could not be made.
    NotChecked,
    /// It works now, but will cause a problem.
    Warn,
    Fail,
}

impl Level {
    /// Returns its name in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotChecked => "not_checked",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    /// Returns its name and colour in a terminal.
    fn shown(self) -> (&'static str, Colour) {
        match self {
            Self::Ok => ("ok", Colour::Green),
            Self::NotChecked => ("not checked", Colour::Cyan),
            Self::Warn => ("warn", Colour::Yellow),
            Self::Fail => ("FAIL", Colour::Red),
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The code of the check: `account.sandbox`.
    pub(super) code: &'static str,
    pub(super) level: Level,
    /// The domain or address that was checked; `None` for the account or the stack.
    pub(super) about: Option<String>,
    /// The fact.
    pub(super) what: String,
    /// Why it matters.
    pub(super) why: &'static str,
    /// The remedy; `None` if nothing is wrong.
    pub(super) remedy: Option<String>,
    /// The DNS records to create.
    pub(super) records: Vec<DnsRecord>,
    /// The names of what the finding counts.
    pub(super) names: Vec<String>,
}

impl Finding {
    /// Makes a finding that nothing is wrong.
    pub(super) fn ok(code: &'static str, what: impl Into<String>, why: &'static str) -> Self {
        Self {
            code,
            level: Level::Ok,
            about: None,
            what: what.into(),
            why,
            remedy: None,
            records: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Makes a finding to act on.
    pub(super) fn bad(
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

    /// Makes a finding that the check could not be made, with the reason.
    pub(super) fn not_checked(code: &'static str, reason: impl Into<String>, why: &'static str) -> Self {
        Self {
            level: Level::NotChecked,
            ..Self::ok(code, reason, why)
        }
    }

    /// Sets the domain or address that was checked.
    pub(super) fn about(self, about: &str) -> Self {
        Self {
            about: Some(about.to_owned()),
            ..self
        }
    }

    /// Adds DNS records to create.
    pub(super) fn with(self, records: Vec<DnsRecord>) -> Self {
        Self { records, ..self }
    }

    /// Names what the finding counts. The text leaves names out; the JSON has them.
    pub(super) fn naming(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }
}

/// All findings about a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    /// The target and its region: `the stack okite in eu-west-1`.
    pub(super) target_name: String,
    pub(super) findings: Vec<Finding>,
}

impl Diagnosis {
    /// Counts the findings of a level.
    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Returns the exit code of the command, which the worst finding decides.
    pub(super) fn exit(&self) -> Exit {
        match self.findings.iter().map(|finding| finding.level).max() {
            Some(Level::Fail) => Exit::Failures,
            Some(Level::Warn) => Exit::Warnings,
            Some(Level::NotChecked | Level::Ok) | None => Exit::Success,
        }
    }

    /// Returns the findings as JSON.
    pub(super) fn json(&self) -> Value {
        let record = |record: &DnsRecord| json!({ "name": record.name, "type": record.kind, "value": record.value });
        let finding = |finding: &Finding| {
            json!({
                "code": finding.code,
                "level": finding.level.as_str(),
                "about": finding.about,
                "what": finding.what,
                "why": finding.why,
                "do": finding.remedy,
                "names": finding.names,
                "records": finding.records.iter().map(record).collect::<Value>(),
            })
        };
        json!({
            "place": self.target_name,
            "exit_code": self.exit().code(),
            "findings": self.findings.iter().map(finding).collect::<Value>(),
        })
    }

    /// Returns the findings as text for a terminal.
    pub(super) fn shown(&self, colours: Colours) -> Shown<'_> {
        Shown {
            diagnosis: self,
            colours,
        }
    }
}

/// A diagnosis as text for a terminal.
pub(super) struct Shown<'a> {
    diagnosis: &'a Diagnosis,
    colours: Colours,
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Diagnosis { target_name, findings } = self.diagnosis;
        writeln!(f, "{}\n", printable(target_name))?;
        for finding in findings {
            let (word, colour) = finding.level.shown();
            let word = self.colours.paint(colour, &format!("{word:<11}"));
            let about = finding.about.as_ref().map(|about| format!("{}: ", printable(about)));
            let about = about.unwrap_or_default();
            writeln!(f, "{word} {} {about}{}", finding.code, printable(&finding.what))?;
            if finding.level == Level::Ok {
                continue;
            }
            writeln!(f, "            Why: {}", finding.why)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(f, "            Do:  {}", printable(remedy))?;
            }
            for DnsRecord { name, kind, value } in &finding.records {
                writeln!(f, "                 {} {kind} {}", printable(name), printable(value))?;
            }
        }
        let count = |level| self.diagnosis.count(level);
        writeln!(
            f,
            "\n{} ok, {}, {}, {} not checked",
            count(Level::Ok),
            counted(count(Level::Warn), "warning", "warnings"),
            counted(count(Level::Fail), "failure", "failures"),
            count(Level::NotChecked)
        )
    }
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
            target_name: "here".to_owned(),
            findings: levels.iter().map(finding).collect(),
        }
    }

    #[test]
    fn the_worst_finding_decides_the_exit_code() {
        for (levels, code) in [
            (&[][..], 0),
            (&[Level::Ok, Level::NotChecked], 0),
            (&[Level::Warn, Level::NotChecked, Level::Ok], 3),
            (&[Level::Fail, Level::Warn], 4),
        ] {
            assert_eq!(diagnosis(levels).exit().code(), code, "{levels:?}");
        }
    }

    #[test]
    fn control_characters_from_dns_are_replaced_and_colours_are_optional() {
        let mut diagnosis = diagnosis(&[]);
        let records = vec![DnsRecord {
            name: "n".to_owned(),
            kind: "TXT",
            value: "v\u{1b}[2J".to_owned(),
        }];
        let finding = Finding::bad("dns.dmarc", Level::Warn, "none", "why", "create it");
        diagnosis.findings.push(finding.about("example.com").with(records));
        let plain = diagnosis.shown(Colours::Off).to_string();
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(plain.contains("warn        dns.dmarc example.com: none\n"), "{plain}");
        assert!(
            plain.contains("Do:  create it\n                 n TXT v\u{fffd}[2J\n"),
            "{plain}"
        );
        assert!(diagnosis.shown(Colours::On).to_string().contains("\u{1b}[33mwarn"));
        let json = diagnosis.json();
        assert_eq!(
            (&json["findings"][0]["do"], &json["exit_code"]),
            (&json!("create it"), &json!(3))
        );
    }
}
