//! What SES and DNS know of a domain, as text, as JSON and as lines of a zone file.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::dns::{DnsRecord, Known};
use crate::identity::IdentityState;
use crate::identity::records::{Purpose, RecordState, RequiredRecord};
use crate::terminal::{columns, printable};

/// The time in seconds that a resolver may keep a record of ours. An hour lets one correct a mistake.
const TIME_TO_LIVE: u32 = 3_600;

/// A record with its state in DNS.
#[derive(Clone, Debug)]
pub(super) struct RecordReport {
    pub(super) required: RequiredRecord,
    /// `None` if DNS is not asked, because the domain is simulated.
    pub(super) dns: Option<Known<RecordState>>,
}

/// A domain with its records.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) domain: String,
    pub(super) region: String,
    pub(super) state: IdentityState,
    /// The MAIL FROM domain of the records, which SES may not have yet.
    pub(super) mail_from: Option<String>,
    pub(super) records: Vec<RecordReport>,
}

impl RecordReport {
    fn dns_word(&self) -> &'static str {
        match &self.dns {
            None => "not asked",
            Some(Err(_)) => "unknown",
            Some(Ok(RecordState::Missing)) => "missing",
            Some(Ok(RecordState::Differs { .. })) => "differs",
            Some(Ok(RecordState::There)) => "there",
        }
    }

    fn is_there(&self) -> bool {
        matches!(self.dns, None | Some(Ok(RecordState::There)))
    }
}

impl Report {
    /// Returns SES's own status of a record, or `None` if SES does not look for it.
    fn ses_status(&self, purpose: Purpose) -> Option<&str> {
        match purpose {
            Purpose::Dkim => Some(&self.state.dkim),
            Purpose::MailFrom | Purpose::Spf => {
                let of_ses = self.state.mail_from.as_ref();
                let same = of_ses.filter(|(domain, _)| Some(domain) == self.mail_from.as_ref());
                Some(same.map_or("NOT_SET", |(_, status)| status))
            }
            Purpose::Dmarc => None,
        }
    }

    /// Returns whether all records are there and SES has found those that it looks for.
    pub(super) fn agrees(&self) -> bool {
        let is_found = |record: &RecordReport| {
            let status = self.ses_status(record.required.purpose);
            status.is_none_or(|status| status == "SUCCESS") && record.is_there()
        };
        self.state.verified && self.state.dkim == "SUCCESS" && self.records.iter().all(is_found)
    }

    /// Returns one line about the progress.
    pub(super) fn summary(&self) -> String {
        let there = self.records.iter().filter(|record| record.is_there()).count();
        let mail_from = self.mail_from.as_ref().and(self.ses_status(Purpose::MailFrom));
        let mail_from = mail_from
            .map(|status| format!(", MAIL FROM {status}"))
            .unwrap_or_default();
        let of_dns = if self.records.iter().all(|record| record.dns.is_none()) {
            String::new()
        } else {
            format!("{there} of {} records in DNS; ", self.records.len())
        };
        format!("{}: {of_dns}SES says: DKIM {}{mail_from}", self.domain, self.state.dkim)
    }

    /// Returns the report for a terminal. `options` names the account in the commands that it prints.
    pub(super) fn text(&self, options: &str) -> String {
        let Self { domain, region, .. } = self;
        let verified = if self.state.verified {
            "SES lets it send".to_owned()
        } else {
            format!("SES has not verified it yet (status {})", self.state.status)
        };
        let mut text = format!("{domain} in {region}: {verified}\n\n");
        let rows = self.records.iter().map(|record| {
            let DnsRecord { name, kind, value } = &record.required.record;
            [
                record.required.purpose.as_str().to_owned(),
                (*kind).to_owned(),
                name.clone(),
                value.clone(),
                record.dns_word().to_owned(),
                self.ses_status(record.required.purpose).unwrap_or("-").to_owned(),
            ]
        });
        text += &columns(["FOR", "TYPE", "NAME", "VALUE", "DNS", "SES"], rows);
        for note in self.notes(options) {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    /// Returns what a person should know or do, one note a paragraph.
    fn notes(&self, options: &str) -> Vec<String> {
        let Self { domain, state, .. } = self;
        let mut notes = Vec::new();
        for record in &self.records {
            let DnsRecord { name, kind, .. } = &record.required.record;
            match &record.dns {
                Some(Ok(RecordState::Differs { found, why })) => {
                    let found: Vec<_> = found.iter().map(|value| format!("`{}`", printable(value))).collect();
                    notes.push(format!("{name} {kind}: DNS has {}, but {why}.", found.join(" and ")));
                }
                Some(Err(reason)) => notes.push(format!("{}.", printable(reason))),
                _ => {}
            }
        }
        if state.dkim_tokens.is_empty() {
            notes.push(match state.dkim.as_str() {
                "NOT_STARTED" => format!(
                    "DKIM is not set up. Run: aws sesv2 put-email-identity-dkim-signing-attributes \
                     --signing-attributes-origin AWS_SES --email-identity {domain}"
                ),
                status => format!("{domain} brings a DKIM key of its own, whose record SES does not tell ({status})."),
            });
        }
        match (&self.mail_from, &state.mail_from) {
            (None, _) => notes.push(format!(
                "It has no MAIL FROM domain, so SPF does not align and DMARC depends on DKIM alone. \
                 Run: okite domains create {domain}{options}"
            )),
            (Some(wanted), of_ses) if of_ses.as_ref().is_none_or(|(present, _)| present != wanted) => {
                notes.push(format!(
                    "SES does not use {wanted} yet. Run: aws sesv2 put-email-identity-mail-from-attributes \
                     --email-identity {domain} --mail-from-domain {wanted}"
                ));
            }
            _ => {}
        }
        if self.records.iter().any(|record| record.dns.is_none()) {
            notes.push(
                "`okite up` simulates its domains, so DNS was not asked. Name a resolver with --resolver to ask it \
                 anyway."
                    .to_owned(),
            );
        } else if !self.agrees() {
            notes.push(format!(
                "Create the records at the provider of the domain's DNS. Many providers add .{domain} to a name by \
                 themselves. This waits until SES has found them: okite domains records {domain}{options} --watch"
            ));
        }
        notes
    }

    /// Returns lines for a zone file. A second record of a kind would make the first one void, so a record that is
    /// there is a comment.
    pub(super) fn zone(&self) -> String {
        let mut zone = format!("; {} in {}\n", self.domain, self.region);
        for record in &self.records {
            let DnsRecord { name, kind, value } = &record.required.record;
            let value = match *kind {
                "TXT" => quoted(value),
                _ => format!("{value}."),
            };
            let comment = match &record.dns {
                Some(Ok(RecordState::There)) => "; is there: ",
                Some(Ok(RecordState::Differs { found, .. })) => {
                    for found in found {
                        let _ = writeln!(zone, "; remove or change: {name}. {kind} {}", printable(found));
                    }
                    ""
                }
                _ => "",
            };
            let _ = writeln!(zone, "{comment}{name}. {TIME_TO_LIVE} IN {kind} {value}");
        }
        zone
    }

    /// Returns the report as JSON.
    pub(super) fn json(&self) -> Value {
        let record = |record: &RecordReport| {
            let DnsRecord { name, kind, value } = &record.required.record;
            let (found, why) = match &record.dns {
                Some(Ok(RecordState::Differs { found, why })) => (json!(found), json!(why)),
                Some(Err(reason)) => (json!([]), json!(reason)),
                _ => (json!([]), Value::Null),
            };
            json!({
                "for": record.required.purpose.as_str(),
                "name": name,
                "type": kind,
                "value": value,
                "dns": { "state": record.dns_word().replace(' ', "_"), "found": found, "why": why },
                "ses": self.ses_status(record.required.purpose),
            })
        };
        json!({
            "domain": self.domain,
            "region": self.region,
            "verified": self.state.verified,
            "status": self.state.status,
            "dkim": self.state.dkim,
            "mail_from": self.mail_from,
            "agrees": self.agrees(),
            "records": self.records.iter().map(record).collect::<Value>(),
        })
    }
}

/// Returns a text as a zone file has it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::identity::Identity;
    use crate::identity::records::required;

    /// A domain in SES and DNS, where all is well or nothing is there.
    pub(in super::super) fn report(is_well: bool) -> Report {
        let status = if is_well { "SUCCESS" } else { "PENDING" }.to_owned();
        let state = IdentityState {
            verified: is_well,
            status: status.clone(),
            dkim: status.clone(),
            signing: true,
            dkim_tokens: vec!["one".to_owned()],
            dkim_zone: "dkim.amazonses.com".to_owned(),
            mail_from: Some(("bounce.example.com".to_owned(), status)),
            ..IdentityState::default()
        };
        let identity = Identity {
            name: "example.com".to_owned(),
            state: Ok(None),
        };
        let in_dns = if is_well {
            RecordState::There
        } else {
            RecordState::Missing
        };
        let records = required(&identity, &state, Some("bounce.example.com"), "eu-west-1");
        let records = records.into_iter().map(|required| RecordReport {
            required,
            dns: Some(Ok(in_dns.clone())),
        });
        Report {
            domain: identity.name.clone(),
            region: "eu-west-1".to_owned(),
            records: records.collect(),
            mail_from: Some("bounce.example.com".to_owned()),
            state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::report;
    use super::*;

    #[test]
    fn everything_must_be_there_and_found_to_agree() {
        assert!(report(true).agrees());
        assert!(!report(false).agrees());
        for change in [
            (|report| report.state.verified = false) as fn(&mut Report),
            |report| report.state.dkim = "TEMPORARY_FAILURE".to_owned(),
            |report| report.state.mail_from = Some(("bounce.example.com".to_owned(), "PENDING".to_owned())),
            |report| report.state.mail_from = Some(("other.example.com".to_owned(), "SUCCESS".to_owned())),
            |report| report.records[0].dns = Some(Err("no answer".to_owned())),
            |report| report.records[3].dns = Some(Ok(RecordState::Missing)),
        ] {
            let mut report = report(true);
            change(&mut report);
            assert!(!report.agrees(), "{report:?}");
        }
        // Nothing is known about the DNS of a simulated domain.
        let mut simulated = report(true);
        for record in &mut simulated.records {
            record.dns = None;
        }
        assert!(simulated.agrees());
    }

    #[test]
    fn prints_each_record_with_what_is_known_of_it() {
        let mut report = report(false);
        report.records[2].dns = Some(Ok(RecordState::Differs {
            found: vec!["v=spf1 \u{1b}-all".to_owned()],
            why: "it must include SES",
        }));
        let text = report.text(" --region eu-west-1");
        for line in [
            "example.com in eu-west-1: SES has not verified it yet (status PENDING)\n",
            "dkim       CNAME  one._domainkey.example.com  one.dkim.amazonses.com                    missing  PENDING\n",
            "spf        TXT    bounce.example.com          v=spf1 include:amazonses.com ~all         differs  PENDING\n",
            "dmarc      TXT    _dmarc.example.com          v=DMARC1; p=none                          missing  -\n",
            "\nbounce.example.com TXT: DNS has `v=spf1 \u{fffd}-all`, but it must include SES.\n",
            "okite domains records example.com --region eu-west-1 --watch\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let json = report.json();
        assert_eq!(json["agrees"], false);
        assert_eq!(
            json["records"][2],
            json!({
                "for": "spf", "name": "bounce.example.com", "type": "TXT",
                "value": "v=spf1 include:amazonses.com ~all", "ses": "PENDING",
                "dns": { "state": "differs", "found": ["v=spf1 \u{1b}-all"], "why": "it must include SES" },
            })
        );
        assert_eq!(
            report.summary(),
            "example.com: 0 of 4 records in DNS; SES says: DKIM PENDING, MAIL FROM PENDING"
        );
    }

    #[test]
    fn a_zone_has_absolute_names_and_no_second_record_of_what_is_there() {
        let mut report = report(false);
        report.records[3].dns = Some(Ok(RecordState::There));
        assert_eq!(
            report.zone(),
            "; example.com in eu-west-1\n\
             one._domainkey.example.com. 3600 IN CNAME one.dkim.amazonses.com.\n\
             bounce.example.com. 3600 IN MX 10 feedback-smtp.eu-west-1.amazonses.com.\n\
             bounce.example.com. 3600 IN TXT \"v=spf1 include:amazonses.com ~all\"\n\
             ; is there: _dmarc.example.com. 3600 IN TXT \"v=DMARC1; p=none\"\n"
        );
        assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }

    #[test]
    fn says_what_is_missing_at_ses() {
        let mut report = report(true);
        report.mail_from = None;
        report.state.mail_from = None;
        report.state.dkim_tokens.clear();
        report.state.dkim = "NOT_STARTED".to_owned();
        let text = report.text("");
        assert!(text.contains("okite domains create example.com\n"), "{text}");
        assert!(text.contains("put-email-identity-dkim-signing-attributes"), "{text}");
        report.mail_from = Some("bounce.example.com".to_owned());
        assert!(report.text("").contains("SES does not use bounce.example.com yet."));
    }
}
