//! Identities: what SES says of one, and what DNS must have for it.

use super::facts::{Answers, Facts, Identity, Kind, Known, KnownIdentity};
use super::finding::{Finding, Level, Record};

const WHY_VERIFIED: &str = "SES refuses mail from what is not verified in the region";
const WHY_DKIM: &str = "mailbox providers refuse or sort out mail that is not signed for the domain in From";
const WHY_MAIL_FROM: &str =
    "with the MAIL FROM of amazonses.com, SPF does not align with your domain, and DMARC hangs on DKIM alone";
const WHY_DMARC: &str =
    "Gmail, Yahoo and Outlook ask it of who sends much; without one, anybody can write in your name";
const WHY_MX: &str = "mail from a domain that takes none is refused by some, and replies and bounces are lost";

/// The MX record of a MAIL FROM domain.
fn mail_from_mx(region: &str) -> String {
    format!("10 feedback-smtp.{region}.amazonses.com")
}

/// The SPF record of a MAIL FROM domain.
const MAIL_FROM_SPF: &str = "v=spf1 include:amazonses.com ~all";

/// What is to be asked of DNS about an identity.
pub(super) fn questions(identity: &Identity) -> Vec<(Kind, String)> {
    let domain = identity.domain();
    let mut questions = vec![(Kind::Mx, domain.to_owned()), (Kind::Address, domain.to_owned())];
    questions.extend(dmarc_names(domain).map(|name| (Kind::Txt, name)));
    if let Ok(Some(known)) = &identity.known {
        questions.extend(dkim_records(identity, known).map(|record| (Kind::Cname, record.name)));
        if let Some((mail_from, _)) = &known.mail_from {
            questions.extend([(Kind::Mx, mail_from.clone()), (Kind::Txt, mail_from.clone())]);
        }
    }
    questions
}

/// Where a policy of DMARC may be: with the domain, or with one above it.
fn dmarc_names(domain: &str) -> impl Iterator<Item = String> {
    std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, parent)| parent))
        .filter(|domain| domain.contains('.'))
        .map(|domain| format!("_dmarc.{domain}"))
}

fn dkim_records<'a>(identity: &'a Identity, known: &'a KnownIdentity) -> impl Iterator<Item = Record> {
    known
        .dkim_tokens
        .iter()
        .filter(|_| !identity.is_address())
        .map(|token| Record {
            name: format!("{token}._domainkey.{}", identity.name),
            kind: "CNAME",
            value: format!("{token}.{}", known.dkim_zone),
        })
}

/// Judges all identities.
pub(super) fn identities(facts: &Facts) -> Vec<Finding> {
    const CODE: &str = "identity";
    let identities = match &facts.identities {
        Ok(identities) => identities,
        Err(reason) => return vec![Finding::not_checked(CODE, reason, WHY_VERIFIED)],
    };
    let mut findings: Vec<Finding> = identities.iter().flat_map(|identity| judge(identity, facts)).collect();
    if identities.is_empty() {
        let what = "the account has no identity in this region";
        let remedy = "aws sesv2 create-email-identity --email-identity example.com, with your domain, then make the records it names";
        findings.push(Finding::bad(CODE, Level::Fail, what, WHY_VERIFIED, remedy));
    }
    if facts.identities_left_out > 0 {
        let what = format!(
            "{} more identities; name those that matter with --from",
            facts.identities_left_out
        );
        findings.push(Finding::not_checked(CODE, what, WHY_VERIFIED));
    }
    findings
}

fn judge(identity: &Identity, facts: &Facts) -> Vec<Finding> {
    const VERIFIED: &str = "identity.verified";
    let name = identity.name.as_str();
    let known = match &identity.known {
        Err(reason) => return vec![Finding::not_checked(VERIFIED, reason, WHY_VERIFIED).about(name)],
        Ok(None) => {
            let remedy = format!(
                "aws sesv2 create-email-identity --email-identity {name}, in the region {}",
                facts.region
            );
            let what = "SES does not know it in this region";
            return vec![Finding::bad(VERIFIED, Level::Fail, what, WHY_VERIFIED, remedy).about(name)];
        }
        Ok(Some(known)) => known,
    };
    let domain = identity.domain();
    let mut findings = vec![
        verified(identity, known).about(name),
        dkim(identity, known, &facts.dns).about(name),
        mail_from(known, &facts.region, &facts.dns).about(name),
    ];
    // Two addresses of a domain say the same of it; it is told once.
    let identities = facts.identities.as_deref().unwrap_or_default();
    let first = identities.iter().find(|other| other.domain() == domain);
    if first.is_some_and(|first| first.name == identity.name) {
        findings.extend([
            dmarc(domain, &facts.dns).about(domain),
            takes_mail(domain, &facts.dns).about(domain),
        ]);
    }
    findings
}

fn verified(identity: &Identity, known: &KnownIdentity) -> Finding {
    const CODE: &str = "identity.verified";
    if known.verified {
        return Finding::ok(CODE, "it may send", WHY_VERIFIED);
    }
    let error = known
        .error
        .as_ref()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default();
    let what = format!("it is not verified: {}{error}", known.status);
    let remedy = if identity.is_address() {
        "click the link in the mail that SES sent to it; the link works for 24 hours"
    } else {
        "make its DKIM records; SES finds them within minutes to hours as a rule, and looks for up to 72 hours"
    };
    Finding::bad(CODE, Level::Fail, what, WHY_VERIFIED, remedy)
}

/// The values under a name, or why they are not known.
fn asked<'a>(dns: &'a Answers, kind: Kind, name: &str) -> Known<&'a [String]> {
    match dns.get(&(kind, name.to_owned())) {
        Some(Ok(values)) => Ok(values),
        Some(Err(reason)) => Err(reason.clone()),
        None => Err("DNS was not asked".to_owned()),
    }
}

/// Of the records that should be there, those that are missing; or why that is not known.
fn missing(dns: &Answers, wanted: impl Iterator<Item = (Kind, Record)>) -> Known<Vec<Record>> {
    let mut missing = Vec::new();
    for (kind, record) in wanted {
        let is_there = asked(dns, kind, &record.name)?.iter().any(|value| match kind {
            Kind::Txt => is_spf_with_ses(value),
            _ => value.eq_ignore_ascii_case(&record.value),
        });
        if !is_there {
            missing.push(record);
        }
    }
    Ok(missing)
}

fn is_spf_with_ses(text: &str) -> bool {
    let mut terms = text.split_ascii_whitespace().map(str::to_ascii_lowercase);
    terms.next().is_some_and(|version| version == "v=spf1") && terms.any(|term| term == "include:amazonses.com")
}

fn dkim(identity: &Identity, known: &KnownIdentity, dns: &Answers) -> Finding {
    const CODE: &str = "identity.dkim";
    if identity.is_address() {
        if known.signing && known.dkim == "SUCCESS" {
            return Finding::ok(CODE, "its mail is signed", WHY_DKIM);
        }
        let what = "an address alone has no DKIM";
        let remedy = "verify its domain: aws sesv2 create-email-identity --email-identity, with the domain";
        return Finding::bad(CODE, Level::Warn, what, WHY_DKIM, remedy);
    }
    let records: Vec<Record> = dkim_records(identity, known).collect();
    let missing = missing(dns, records.iter().cloned().map(|record| (Kind::Cname, record)));
    let wait = "SES finds them within minutes to hours as a rule, and looks for up to 72 hours";
    match (known.dkim.as_str(), missing) {
        ("SUCCESS", _) if !known.signing => {
            let remedy =
                "aws sesv2 put-email-identity-dkim-attributes --signing-enabled --email-identity, with the domain";
            Finding::bad(CODE, Level::Warn, "signing is switched off", WHY_DKIM, remedy)
        }
        ("SUCCESS", Ok(missing)) if !missing.is_empty() => {
            let what = "SES found its records once, and DNS no longer has all of them";
            Finding::bad(CODE, Level::Warn, what, WHY_DKIM, "make these records again").with(missing)
        }
        ("SUCCESS", _) => Finding::ok(CODE, "its mail is signed", WHY_DKIM),
        (status, missing) => {
            let (level, what) = match status {
                "PENDING" => (Level::Warn, "SES has not found its DKIM records yet"),
                "TEMPORARY_FAILURE" => (Level::Warn, "SES found its DKIM records before, and does not now"),
                "NOT_STARTED" => (Level::Fail, "DKIM is not set up"),
                _ => (Level::Fail, "SES gave up looking for its DKIM records"),
            };
            let remedy = match (&missing, status) {
                (_, "NOT_STARTED") => {
                    "aws sesv2 put-email-identity-dkim-signing-attributes, then the records it names".to_owned()
                }
                (Ok(missing), "PENDING" | "TEMPORARY_FAILURE") if missing.is_empty() => {
                    format!("wait: the records are there. {wait}")
                }
                (Ok(missing), _) if missing.is_empty() => {
                    "the records are there: have SES look again, by deleting and creating the identity".to_owned()
                }
                _ => format!("make these records. {wait}"),
            };
            Finding::bad(CODE, level, what, WHY_DKIM, remedy).with(missing.unwrap_or(records))
        }
    }
}

fn mail_from(known: &KnownIdentity, region: &str, dns: &Answers) -> Finding {
    const CODE: &str = "identity.mail_from";
    let Some((domain, status)) = &known.mail_from else {
        let remedy = "aws sesv2 put-email-identity-mail-from-attributes, with a subdomain that nothing else uses, such as bounce.example.com";
        let what = "it has no MAIL FROM domain of its own";
        return Finding::bad(CODE, Level::Warn, what, WHY_MAIL_FROM, remedy);
    };
    let record = |kind, value: &str| Record {
        name: domain.clone(),
        kind,
        value: value.to_owned(),
    };
    let wanted = [
        (Kind::Mx, record("MX", &mail_from_mx(region))),
        (Kind::Txt, record("TXT", MAIL_FROM_SPF)),
    ];
    let missing = missing(dns, wanted.iter().cloned());
    if status == "SUCCESS" {
        return match missing {
            Ok(missing) if !missing.is_empty() => {
                let what = format!("SES found the records of {domain} once, and DNS no longer has all of them");
                Finding::bad(CODE, Level::Warn, what, WHY_MAIL_FROM, "make these records again").with(missing)
            }
            _ => Finding::ok(CODE, format!("bounces go to {domain}"), WHY_MAIL_FROM),
        };
    }
    let level = if known.mail_from_required {
        Level::Fail
    } else {
        Level::Warn
    };
    let until = if known.mail_from_required {
        "mail is refused"
    } else {
        "that of amazonses.com is used"
    };
    let what = format!("its MAIL FROM domain {domain} does not work ({status}): {until}");
    let remedy = "make these records; SES finds them within hours as a rule, and looks for up to 72 hours";
    let all = || wanted.iter().map(|(_, record)| record.clone()).collect();
    Finding::bad(CODE, level, what, WHY_MAIL_FROM, remedy).with(missing.unwrap_or_else(|_| all()))
}

fn dmarc(domain: &str, dns: &Answers) -> Finding {
    const CODE: &str = "dns.dmarc";
    let record = || {
        vec![Record {
            name: format!("_dmarc.{domain}"),
            kind: "TXT",
            value: "v=DMARC1; p=none".to_owned(),
        }]
    };
    for name in dmarc_names(domain) {
        let texts = match asked(dns, Kind::Txt, &name) {
            Ok(texts) => texts,
            Err(reason) => return Finding::not_checked(CODE, reason, WHY_DMARC),
        };
        let policies: Vec<&String> = texts.iter().filter(|text| is_dmarc(text)).collect();
        return match policies.as_slice() {
            [] => continue,
            [one] if has_policy(one) => Finding::ok(CODE, format!("{name} has a policy"), WHY_DMARC),
            [_] => {
                let what = format!("the policy of {name} says no p=none, p=quarantine or p=reject");
                Finding::bad(CODE, Level::Warn, what, WHY_DMARC, "correct the record").with(record())
            }
            _ => {
                let what = format!("{name} has several policies, which counts as none");
                Finding::bad(CODE, Level::Warn, what, WHY_DMARC, "leave one of the records")
            }
        };
    }
    let remedy =
        "make this record, and tighten it to quarantine or reject when reports show that all of your mail passes";
    Finding::bad(CODE, Level::Warn, "it has no DMARC policy", WHY_DMARC, remedy).with(record())
}

/// The tags of a policy: `v=DMARC1; p=none`.
fn tags(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let tags = text.split(';').filter_map(|tag| tag.split_once('='));
    tags.map(|(name, value)| (name.trim(), value.trim()))
}

fn is_dmarc(text: &str) -> bool {
    tags(text).next() == Some(("v", "DMARC1"))
}

fn has_policy(text: &str) -> bool {
    let is_policy = |value: &str| {
        ["none", "quarantine", "reject"]
            .iter()
            .any(|known| value.eq_ignore_ascii_case(known))
    };
    tags(text).any(|(name, value)| name.eq_ignore_ascii_case("p") && is_policy(value))
}

fn takes_mail(domain: &str, dns: &Answers) -> Finding {
    const CODE: &str = "dns.mx";
    const REMEDY: &str =
        "give it an MX record that leads to a mail server which takes its mail, or send from a domain that has one";
    let exchanges = match asked(dns, Kind::Mx, domain) {
        Ok(exchanges) => exchanges,
        Err(reason) => return Finding::not_checked(CODE, reason, WHY_MX),
    };
    // A null MX: RFC 7505.
    if exchanges.iter().any(|exchange| exchange.ends_with(" .")) {
        return Finding::bad(
            CODE,
            Level::Fail,
            "its MX record says that it takes no mail",
            WHY_MX,
            REMEDY,
        );
    }
    if !exchanges.is_empty() {
        return Finding::ok(CODE, "it has a mail server", WHY_MX);
    }
    match asked(dns, Kind::Address, domain) {
        Err(reason) => Finding::not_checked(CODE, reason, WHY_MX),
        Ok([]) => Finding::bad(
            CODE,
            Level::Fail,
            "it takes no mail: it has neither MX record nor address",
            WHY_MX,
            REMEDY,
        ),
        Ok(_) => {
            let what = "it has no MX record; its address stands in for one, and some receivers do not go by that";
            Finding::bad(CODE, Level::Warn, what, WHY_MX, REMEDY)
        }
    }
}
