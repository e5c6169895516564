//! The DNS records that a domain needs to send through SES, and how far the records that DNS has agree with them.
//!
//! Everything here is a function of what SES and DNS answered.

use super::{Identity, IdentityState};
use crate::dns::{DnsAnswers, DnsQuery, DnsRecord, Known, answer};

/// The value of the SPF record of a MAIL FROM domain.
const MAIL_FROM_SPF: &str = "v=spf1 include:amazonses.com ~all";
/// The DMARC policy that asks receivers for nothing. It is enough for those that demand a policy.
const DMARC_POLICY: &str = "v=DMARC1; p=none";

/// The purpose of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// SES publishes its signing key under this name.
    Dkim,
    /// Bounces go back to SES.
    MailFrom,
    /// SES may send for the MAIL FROM domain.
    Spf,
    /// The owner of the domain says what becomes of mail that fails.
    Dmarc,
}

impl Purpose {
    /// Returns its name in text and in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dkim => "dkim",
            Self::MailFrom => "mail_from",
            Self::Spf => "spf",
            Self::Dmarc => "dmarc",
        }
    }
}

/// A record that a domain needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequiredRecord {
    pub(crate) purpose: Purpose,
    pub(crate) record: DnsRecord,
}

/// What DNS has under the name of a required record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordState {
    Missing,
    /// Something else is there: the values, and what is wrong with them.
    Differs {
        found: Vec<String>,
        why: &'static str,
    },
    There,
}

/// Returns the DKIM records of a domain, one for each of SES's tokens. An address has none, and neither has a domain
/// with a key of its own.
pub(crate) fn dkim_records<'a>(
    identity: &'a Identity,
    state: &'a IdentityState,
) -> impl Iterator<Item = RequiredRecord> {
    let tokens = state.dkim_tokens.iter().filter(|_| !identity.is_address());
    tokens.map(|token| RequiredRecord {
        purpose: Purpose::Dkim,
        record: DnsRecord {
            name: format!("{token}._domainkey.{}", identity.name),
            kind: "CNAME",
            value: format!("{token}.{}", state.dkim_zone),
        },
    })
}

/// Returns the two records of a MAIL FROM domain.
pub(crate) fn mail_from_records(mail_from: &str, region: &str) -> [RequiredRecord; 2] {
    let record = |purpose, kind, value| RequiredRecord {
        purpose,
        record: DnsRecord {
            name: mail_from.to_owned(),
            kind,
            value,
        },
    };
    let exchange = format!("10 feedback-smtp.{region}.amazonses.com");
    [
        record(Purpose::MailFrom, "MX", exchange),
        record(Purpose::Spf, "TXT", MAIL_FROM_SPF.to_owned()),
    ]
}

/// Returns a DMARC record for a domain that has none.
pub(crate) fn dmarc_record(domain: &str) -> DnsRecord {
    DnsRecord {
        name: format!("_dmarc.{domain}"),
        kind: "TXT",
        value: DMARC_POLICY.to_owned(),
    }
}

/// Returns all records of a domain that sends: DKIM, the MAIL FROM domain if there is one, and DMARC.
pub(crate) fn required(
    identity: &Identity,
    state: &IdentityState,
    mail_from: Option<&str>,
    region: &str,
) -> Vec<RequiredRecord> {
    let of_mail_from = mail_from.map(|mail_from| mail_from_records(mail_from, region));
    let dmarc = RequiredRecord {
        purpose: Purpose::Dmarc,
        record: dmarc_record(identity.domain()),
    };
    let records = dkim_records(identity, state).chain(of_mail_from.into_iter().flatten());
    records.chain(std::iter::once(dmarc)).collect()
}

/// Returns the names that may hold the DMARC policy: of the domain, then of its parent domains.
pub(crate) fn dmarc_names(domain: &str) -> impl Iterator<Item = String> {
    std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, parent)| parent))
        .filter(|domain| domain.contains('.'))
        .map(|domain| format!("_dmarc.{domain}"))
}

impl RequiredRecord {
    /// Returns the queries whose answers [`Self::state_in`] reads.
    pub(crate) fn queries(&self) -> Vec<(DnsQuery, String)> {
        let name = &self.record.name;
        match self.purpose {
            Purpose::Dkim => vec![(DnsQuery::Cname, name.clone())],
            Purpose::MailFrom => vec![(DnsQuery::Mx, name.clone())],
            Purpose::Spf => vec![(DnsQuery::Txt, name.clone())],
            Purpose::Dmarc => {
                let domain = name.trim_start_matches("_dmarc.");
                dmarc_names(domain).map(|name| (DnsQuery::Txt, name)).collect()
            }
        }
    }

    /// Compares the record with the answers of DNS.
    ///
    /// # Errors
    /// The reason why DNS did not answer.
    pub(crate) fn state_in(&self, dns: &DnsAnswers) -> Known<RecordState> {
        for (query, name) in self.queries() {
            let state = self.compared_with(answer(dns, query, &name)?);
            // The nearest policy counts. Every other record has one name.
            if state != RecordState::Missing {
                return Ok(state);
            }
        }
        Ok(RecordState::Missing)
    }

    /// Compares the record with the values under one name.
    fn compared_with(&self, values: &[String]) -> RecordState {
        let expected = self.record.value.as_str();
        match self.purpose {
            Purpose::Dkim => judged(
                values,
                |value| is_host(value, expected),
                "it must point to the value above",
            ),
            Purpose::MailFrom => judged(
                values,
                |value| is_host(exchange(value), exchange(expected)),
                "SES wants its own server to be the only MX record of the MAIL FROM domain",
            ),
            Purpose::Spf => judged(
                &values.iter().filter(|text| is_spf(text)).cloned().collect::<Vec<_>>(),
                permits_ses,
                "a name has one SPF record, which must include amazonses.com; with several, receivers take none",
            ),
            Purpose::Dmarc => judged(
                &values.iter().filter(|text| is_dmarc(text)).cloned().collect::<Vec<_>>(),
                has_policy,
                "a name has one policy, with p=none, p=quarantine or p=reject; with several, receivers take none",
            ),
        }
    }
}

/// Judges the values that count for a record: it is there if there is one, and it is good.
fn judged(values: &[String], is_good: impl Fn(&str) -> bool, why: &'static str) -> RecordState {
    match values {
        [] => RecordState::Missing,
        [one] if is_good(one) => RecordState::There,
        found => RecordState::Differs {
            found: found.to_vec(),
            why,
        },
    }
}

/// Returns whether two names of hosts are the same. DNS knows no case, and a dot at the end changes nothing.
fn is_host(found: &str, expected: &str) -> bool {
    let found = found.trim_end_matches('.');
    found.eq_ignore_ascii_case(expected.trim_end_matches('.'))
}

/// Returns the server of an MX record such as `10 mail.example.com`. Any preference is good for the only record.
fn exchange(value: &str) -> &str {
    value.split_once(' ').map_or(value, |(_, exchange)| exchange.trim())
}

/// Returns whether a text is an SPF record.
fn is_spf(text: &str) -> bool {
    let version = text.split([' ', '\t']).next().unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1")
}

/// Returns whether an SPF record includes SES's, before the `all` that ends what receivers read.
fn permits_ses(text: &str) -> bool {
    let terms = text.split_ascii_whitespace().skip(1).map(str::to_ascii_lowercase);
    let is_all = |term: &String| term.trim_start_matches(['+', '-', '~', '?']) == "all";
    let mut read = terms.take_while(|term| !is_all(term));
    read.any(|term| term.strip_prefix('+').unwrap_or(&term).trim_end_matches('.') == "include:amazonses.com")
}

/// Returns the tags of a policy such as `v=DMARC1; p=none`.
fn tags(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let tags = text.split(';').filter_map(|tag| tag.split_once('='));
    tags.map(|(name, value)| (name.trim(), value.trim()))
}

/// Returns whether a text is a DMARC policy.
pub(crate) fn is_dmarc(text: &str) -> bool {
    tags(text).next() == Some(("v", "DMARC1"))
}

/// Returns whether a DMARC policy asks for something that there is.
pub(crate) fn has_policy(text: &str) -> bool {
    let is_policy = |value: &str| {
        ["none", "quarantine", "reject"]
            .iter()
            .any(|known| value.eq_ignore_ascii_case(known))
    };
    tags(text).any(|(name, value)| name.eq_ignore_ascii_case("p") && is_policy(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity() -> Identity {
        Identity {
            name: "example.com".to_owned(),
            state: Ok(Some(state())),
        }
    }

    fn state() -> IdentityState {
        IdentityState {
            dkim_tokens: vec!["one".to_owned(), "two".to_owned(), "three".to_owned()],
            dkim_zone: "dkim.amazonses.com".to_owned(),
            ..IdentityState::default()
        }
    }

    fn record(purpose: Purpose) -> RequiredRecord {
        let all = required(&identity(), &state(), Some("bounce.example.com"), "eu-west-1");
        all.into_iter().find(|record| record.purpose == purpose).unwrap()
    }

    /// The first word of a state.
    fn word(state: &RecordState) -> &'static str {
        match state {
            RecordState::Missing => "missing",
            RecordState::Differs { .. } => "differs",
            RecordState::There => "there",
        }
    }

    #[test]
    fn a_domain_needs_dkim_mail_from_spf_and_dmarc() {
        let all = required(&identity(), &state(), Some("bounce.example.com"), "eu-west-1");
        let lines: Vec<_> = all
            .iter()
            .map(|RequiredRecord { purpose, record }| {
                format!("{} {} {} {}", purpose.as_str(), record.name, record.kind, record.value)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "dkim one._domainkey.example.com CNAME one.dkim.amazonses.com",
                "dkim two._domainkey.example.com CNAME two.dkim.amazonses.com",
                "dkim three._domainkey.example.com CNAME three.dkim.amazonses.com",
                "mail_from bounce.example.com MX 10 feedback-smtp.eu-west-1.amazonses.com",
                "spf bounce.example.com TXT v=spf1 include:amazonses.com ~all",
                "dmarc _dmarc.example.com TXT v=DMARC1; p=none",
            ]
        );
        let without = required(&identity(), &state(), None, "eu-west-1");
        assert!(without.iter().all(|record| record.record.name != "bounce.example.com"));
        assert_eq!(without.len(), 4);
    }

    #[test]
    fn compares_what_dns_has_with_what_is_required() {
        for (purpose, values, expected) in [
            (Purpose::Dkim, &[][..], "missing"),
            (Purpose::Dkim, &["one.dkim.amazonses.com"], "there"),
            (Purpose::Dkim, &["One.DKIM.amazonses.com."], "there"),
            (Purpose::Dkim, &["two.dkim.amazonses.com"], "differs"),
            (Purpose::Dkim, &["one.dkim.amazonses.com.example.com"], "differs"),
            (
                Purpose::MailFrom,
                &["10 feedback-smtp.eu-west-1.amazonses.com"],
                "there",
            ),
            (
                Purpose::MailFrom,
                &["5 Feedback-SMTP.eu-west-1.amazonses.com."],
                "there",
            ),
            (
                Purpose::MailFrom,
                &["10 feedback-smtp.us-east-1.amazonses.com"],
                "differs",
            ),
            (
                Purpose::MailFrom,
                &["10 feedback-smtp.eu-west-1.amazonses.com", "20 mx.example.com"],
                "differs",
            ),
            (Purpose::MailFrom, &["0 ."], "differs"),
            (Purpose::Spf, &["google-site-verification=x"], "missing"),
            (Purpose::Spf, &["other", "v=spf1 include:amazonses.com ~all"], "there"),
            (Purpose::Spf, &["V=SPF1  include:AmazonSES.com -all"], "there"),
            (Purpose::Spf, &["v=spf1 a +include:amazonses.com ?all"], "there"),
            (Purpose::Spf, &["v=spf1 ~all include:amazonses.com"], "differs"),
            (Purpose::Spf, &["v=spf1 -include:amazonses.com ~all"], "differs"),
            (
                Purpose::Spf,
                &["v=spf1 include:amazonses.com.example.com ~all"],
                "differs",
            ),
            (Purpose::Spf, &["v=spf1 -all"], "differs"),
            (Purpose::Spf, &["\"v=spf1 include:amazonses.com ~all\""], "missing"),
            (Purpose::Spf, &["v=spf10 include:amazonses.com ~all"], "missing"),
            (
                Purpose::Spf,
                &["v=spf1 include:amazonses.com ~all", "v=spf1 include:other.example ~all"],
                "differs",
            ),
            (Purpose::Dmarc, &["v=DMARC1; p=none"], "there"),
            (Purpose::Dmarc, &["v=DMARC1;p=Reject;rua=mailto:a@example.com"], "there"),
            (Purpose::Dmarc, &["v=DMARC1; sp=none"], "differs"),
            (Purpose::Dmarc, &["v=DMARC1; p=none", "v=DMARC1; p=reject"], "differs"),
            (Purpose::Dmarc, &["p=none; v=DMARC1"], "missing"),
            (Purpose::Dmarc, &["v=spf1 -all"], "missing"),
        ] {
            let values: Vec<_> = values.iter().map(|&value: &&str| value.to_owned()).collect();
            let state = record(purpose).compared_with(&values);
            assert_eq!(word(&state), expected, "{purpose:?} {values:?}");
        }
    }

    #[test]
    fn the_nearest_dmarc_policy_counts() {
        let required = RequiredRecord {
            purpose: Purpose::Dmarc,
            record: dmarc_record("mail.example.com"),
        };
        let mut dns = DnsAnswers::from([
            ((DnsQuery::Txt, "_dmarc.mail.example.com".to_owned()), Ok(Vec::new())),
            (
                (DnsQuery::Txt, "_dmarc.example.com".to_owned()),
                Ok(vec!["v=DMARC1; p=reject".to_owned()]),
            ),
        ]);
        assert_eq!(required.state_in(&dns), Ok(RecordState::There));
        let nearest = (DnsQuery::Txt, "_dmarc.mail.example.com".to_owned());
        dns.insert(nearest.clone(), Ok(vec!["v=DMARC1".to_owned()]));
        assert_eq!(word(&required.state_in(&dns).unwrap()), "differs");
        dns.insert(nearest, Err("no answer".to_owned()));
        assert_eq!(required.state_in(&dns), Err("no answer".to_owned()));
    }

    fn any_purpose() -> impl Strategy<Value = Purpose> {
        prop::sample::select(vec![Purpose::Dkim, Purpose::MailFrom, Purpose::Spf, Purpose::Dmarc])
    }

    proptest! {
        #[test]
        fn the_record_that_is_asked_for_is_there_in_any_case_and_beside_any_other_text(
            purpose in any_purpose(),
            upper in any::<u64>(),
            dot in any::<bool>(),
            other in "[a-z0-9=; ]{0,30}",
        ) {
            let required = record(purpose);
            // The version of a DMARC policy is the one word whose case counts.
            let mixed = required.record.value.chars().enumerate().map(|(at, letter)| {
                if purpose != Purpose::Dmarc && upper >> (at % 64) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
            });
            let mut value: String = mixed.collect();
            let is_text = matches!(purpose, Purpose::Spf | Purpose::Dmarc);
            if dot && !is_text {
                value.push('.');
            }
            prop_assert_eq!(required.compared_with(std::slice::from_ref(&value)), RecordState::There);
            if is_text && !is_spf(&other) && !is_dmarc(&other) {
                prop_assert_eq!(required.compared_with(&[other, value]), RecordState::There);
            }
        }

        #[test]
        fn any_values_are_judged_and_twice_the_same_one_is_never_there(
            purpose in any_purpose(),
            values in prop::collection::vec(".{0,60}", 0..4),
        ) {
            let required = record(purpose);
            let state = required.compared_with(&values);
            prop_assert!(!values.is_empty() || state == RecordState::Missing);
            let twice = [required.record.value.clone(), required.record.value.clone()];
            prop_assert_eq!(word(&required.compared_with(&twice)), "differs");
        }
    }
}
