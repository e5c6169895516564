//! Findings about the SES identities and the DNS records that SES requires for them.

use super::facts::{DnsAnswers, DnsQuery, Facts, Identity, IdentityState, Known, answer};
use super::finding::{DnsRecord, Finding, Level};
use super::sender_domain::{self, dmarc_names};

const WHY_VERIFIED: &str = "SES rejects mail from an identity that is not verified in the region";
const WHY_DKIM: &str = "mailbox providers reject mail, or treat it as spam, if it is not signed for the domain in From";
const WHY_MAIL_FROM: &str =
    "with the MAIL FROM domain of amazonses.com, SPF does not align with your domain, so DMARC depends on DKIM alone";

/// Returns the value of the MX record of a MAIL FROM domain.
fn mail_from_mx(region: &str) -> String {
    format!("10 feedback-smtp.{region}.amazonses.com")
}

/// The value of the SPF record of a MAIL FROM domain.
const MAIL_FROM_SPF: &str = "v=spf1 include:amazonses.com ~all";

/// Returns the DNS queries for an identity.
pub(super) fn queries(identity: &Identity) -> Vec<(DnsQuery, String)> {
    let domain = identity.domain();
    let mut queries = vec![
        (DnsQuery::Mx, domain.to_owned()),
        (DnsQuery::Address, domain.to_owned()),
    ];
    queries.extend(dmarc_names(domain).map(|name| (DnsQuery::Txt, name)));
    if let Ok(Some(state)) = &identity.state {
        queries.extend(dkim_records(identity, state).map(|record| (DnsQuery::Cname, record.name)));
        if let Some((mail_from, _)) = &state.mail_from {
            queries.extend([(DnsQuery::Mx, mail_from.clone()), (DnsQuery::Txt, mail_from.clone())]);
        }
    }
    queries
}

fn dkim_records<'a>(identity: &'a Identity, state: &'a IdentityState) -> impl Iterator<Item = DnsRecord> {
    state
        .dkim_tokens
        .iter()
        .filter(|_| !identity.is_address())
        .map(|token| DnsRecord {
            name: format!("{token}._domainkey.{}", identity.name),
            kind: "CNAME",
            value: format!("{token}.{}", state.dkim_zone),
        })
}

/// Why the DNS of a domain is not judged that SES has verified.
const NOT_KNOWN_HERE: &str = "this resolver does not know the domain: try --resolver, such as --resolver 9.9.9.9";

/// Judges all identities and their domains.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    const CODE: &str = "identity";
    let identities = match &facts.identities {
        Ok(identities) => identities,
        Err(reason) => return vec![Finding::not_checked(CODE, reason, WHY_VERIFIED)],
    };
    let mut findings: Vec<Finding> = identities
        .iter()
        .flat_map(|identity| judge_identity(identity, facts))
        .collect();
    if identities.is_empty() {
        let what = "the account has no SES identity in this region";
        let remedy = "run: aws sesv2 create-email-identity --email-identity example.com (with your domain). \
                      Then run `okite doctor` again: it lists the DNS records to create";
        findings.push(Finding::bad(CODE, Level::Fail, what, WHY_VERIFIED, remedy));
    }
    if facts.identities_left_out > 0 {
        let what = format!(
            "{} more identities were not checked: name the important ones with --from",
            facts.identities_left_out
        );
        findings.push(Finding::not_checked(CODE, what, WHY_VERIFIED));
    }
    findings
}

fn judge_identity(identity: &Identity, facts: &Facts) -> Vec<Finding> {
    const VERIFIED: &str = "identity.verified";
    let name = identity.name.as_str();
    let state = match &identity.state {
        Err(reason) => return vec![Finding::not_checked(VERIFIED, reason, WHY_VERIFIED).about(name)],
        Ok(None) => {
            let remedy = format!(
                "run: aws sesv2 create-email-identity --email-identity {name} --region {}",
                facts.region
            );
            let what = "SES has no such identity in this region";
            return vec![Finding::bad(VERIFIED, Level::Fail, what, WHY_VERIFIED, remedy).about(name)];
        }
        Ok(Some(state)) => state,
    };
    let domain = identity.domain();
    // SES has found the records of a verified domain, so the domain is there.
    let is_elsewhere = state.verified && facts.is_unknown(domain);
    let dns = if is_elsewhere {
        let unknown = |query: &(DnsQuery, String)| (query.clone(), Err(NOT_KNOWN_HERE.to_owned()));
        &facts.dns.keys().map(unknown).collect()
    } else {
        &facts.dns
    };
    let mut findings = vec![
        verified(identity, state).about(name),
        dkim(identity, state, dns).about(name),
        mail_from(identity, state, &facts.region, dns).about(name),
    ];
    // Addresses of the same domain share one finding about the domain.
    let identities = facts.identities.as_deref().unwrap_or_default();
    let first = identities.iter().find(|other| other.domain() == domain);
    if first.is_some_and(|first| first.name == identity.name) {
        findings.extend([
            sender_domain::dmarc(domain, dns).about(domain),
            sender_domain::receives_mail(domain, dns).about(domain),
        ]);
    }
    findings
}

fn verified(identity: &Identity, state: &IdentityState) -> Finding {
    const CODE: &str = "identity.verified";
    if state.verified {
        return Finding::ok(CODE, "SES lets it send", WHY_VERIFIED);
    }
    let error = state
        .error
        .as_ref()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default();
    let what = format!("it is not verified; its status is {}{error}", state.status);
    let remedy = if identity.is_address() {
        "click the link in the mail that SES sent to the address. The link works for 24 hours"
    } else {
        "create its DKIM records. SES usually finds them within minutes to hours, and looks for up to 72 hours"
    };
    Finding::bad(CODE, Level::Fail, what, WHY_VERIFIED, remedy)
}

/// Returns the required records that DNS does not have, or why that is not known.
fn missing(dns: &DnsAnswers, required: impl Iterator<Item = (DnsQuery, DnsRecord)>) -> Known<Vec<DnsRecord>> {
    let mut missing = Vec::new();
    for (query, record) in required {
        let exists = answer(dns, query, &record.name)?.iter().any(|value| match query {
            DnsQuery::Txt => is_spf_with_ses(value),
            _ => value.eq_ignore_ascii_case(&record.value),
        });
        if !exists {
            missing.push(record);
        }
    }
    Ok(missing)
}

fn is_spf_with_ses(text: &str) -> bool {
    let mut terms = text.split_ascii_whitespace().map(str::to_ascii_lowercase);
    terms.next().is_some_and(|version| version == "v=spf1") && terms.any(|term| term == "include:amazonses.com")
}

fn dkim(identity: &Identity, state: &IdentityState, dns: &DnsAnswers) -> Finding {
    const CODE: &str = "identity.dkim";
    if identity.is_address() {
        if state.signing && state.dkim == "SUCCESS" {
            return Finding::ok(CODE, "SES signs its mail", WHY_DKIM);
        }
        let what = "an address alone is not signed with DKIM";
        let remedy = format!(
            "verify its domain too. Run: aws sesv2 create-email-identity --email-identity {}",
            identity.domain()
        );
        return Finding::bad(CODE, Level::Warn, what, WHY_DKIM, remedy);
    }
    let records: Vec<DnsRecord> = dkim_records(identity, state).collect();
    let missing = missing(dns, records.iter().cloned().map(|record| (DnsQuery::Cname, record)));
    let wait = "SES usually finds them within minutes to hours, and looks for up to 72 hours";
    match (state.dkim.as_str(), missing) {
        ("SUCCESS", _) if !state.signing => {
            let remedy = format!(
                "run: aws sesv2 put-email-identity-dkim-attributes --signing-enabled --email-identity {}",
                identity.name
            );
            Finding::bad(CODE, Level::Warn, "DKIM signing is switched off", WHY_DKIM, remedy)
        }
        ("SUCCESS", Ok(missing)) if !missing.is_empty() => {
            let what = "SES found its DKIM records earlier, but DNS no longer has all of them";
            Finding::bad(CODE, Level::Warn, what, WHY_DKIM, "create these records again").with(missing)
        }
        ("SUCCESS", _) => Finding::ok(CODE, "SES signs its mail", WHY_DKIM),
        (status, missing) => {
            let (level, what) = match status {
                "PENDING" => (Level::Warn, "SES has not found its DKIM records yet"),
                "TEMPORARY_FAILURE" => (Level::Warn, "SES found its DKIM records earlier, but not now"),
                "NOT_STARTED" => (Level::Fail, "DKIM is not set up"),
                _ => (Level::Fail, "SES stopped looking for its DKIM records"),
            };
            let remedy = match (&missing, status) {
                (_, "NOT_STARTED") => {
                    format!(
                        "run: aws sesv2 put-email-identity-dkim-signing-attributes --signing-attributes-origin AWS_SES \
                         --email-identity {} (then run `okite doctor` again: it lists the DNS records to create)",
                        identity.name
                    )
                }
                (Ok(missing), "PENDING" | "TEMPORARY_FAILURE") if missing.is_empty() => {
                    format!("wait: the records exist. {wait}")
                }
                (Ok(missing), _) if missing.is_empty() => {
                    "the records exist. Delete the identity and create it again, so that SES looks again".to_owned()
                }
                _ => format!("create these records. {wait}"),
            };
            Finding::bad(CODE, level, what, WHY_DKIM, remedy).with(missing.unwrap_or(records))
        }
    }
}

fn mail_from(identity: &Identity, state: &IdentityState, region: &str, dns: &DnsAnswers) -> Finding {
    const CODE: &str = "identity.mail_from";
    let Some((domain, status)) = &state.mail_from else {
        let remedy = format!(
            "run: aws sesv2 put-email-identity-mail-from-attributes --email-identity {} --mail-from-domain bounce.{} \
             (or another subdomain that nothing else uses)",
            identity.name,
            identity.domain()
        );
        let what = "it has no custom MAIL FROM domain";
        return Finding::bad(CODE, Level::Warn, what, WHY_MAIL_FROM, remedy);
    };
    let record = |kind, value: &str| DnsRecord {
        name: domain.clone(),
        kind,
        value: value.to_owned(),
    };
    let required = [
        (DnsQuery::Mx, record("MX", &mail_from_mx(region))),
        (DnsQuery::Txt, record("TXT", MAIL_FROM_SPF)),
    ];
    let missing = missing(dns, required.iter().cloned());
    if status == "SUCCESS" {
        return match missing {
            Ok(missing) if !missing.is_empty() => {
                let what = format!("SES found the records of {domain} earlier, but DNS no longer has all of them");
                Finding::bad(CODE, Level::Warn, what, WHY_MAIL_FROM, "create these records again").with(missing)
            }
            _ => Finding::ok(CODE, format!("its MAIL FROM domain {domain} works"), WHY_MAIL_FROM),
        };
    }
    let level = if state.mail_from_required {
        Level::Fail
    } else {
        Level::Warn
    };
    let effect = if state.mail_from_required {
        "SES rejects its mail"
    } else {
        "SES uses the one of amazonses.com"
    };
    let what = format!("its MAIL FROM domain {domain} does not work (status {status}), so {effect}");
    let remedy = "create these records. SES usually finds them within hours, and looks for up to 72 hours";
    let all = || required.iter().map(|(_, record)| record.clone()).collect();
    Finding::bad(CODE, level, what, WHY_MAIL_FROM, remedy).with(missing.unwrap_or_else(|_| all()))
}
