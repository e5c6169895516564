//! Findings about the SES identities and the DNS records that SES requires for them.

use super::facts::{DnsAnswers, DnsQuery, Facts, Identity, IdentityState, Known};
use super::finding::{DnsRecord, Finding, Level};
use super::sender_domain;
use crate::identity::records::{RecordState, RequiredRecord, dkim_records, dmarc_names, mail_from_records};

const WHY_VERIFIED: &str = "SES rejects mail from an identity that is not verified in the region";
const WHY_DKIM: &str = "mailbox providers reject mail, or treat it as spam, if it is not signed for the domain in From";
const WHY_MAIL_FROM: &str =
    "with the MAIL FROM domain of amazonses.com, SPF does not align with your domain, so DMARC depends on DKIM alone";

/// Returns the DNS queries for an identity.
pub(super) fn queries(identity: &Identity) -> Vec<(DnsQuery, String)> {
    let domain = identity.domain();
    let mut queries = vec![
        (DnsQuery::Mx, domain.to_owned()),
        (DnsQuery::Address, domain.to_owned()),
    ];
    queries.extend(dmarc_names(domain).map(|name| (DnsQuery::Txt, name)));
    if let Ok(Some(state)) = &identity.state {
        queries.extend(dkim_records(identity, state).map(|required| (DnsQuery::Cname, required.record.name)));
        if let Some((mail_from, _)) = &state.mail_from {
            queries.extend([(DnsQuery::Mx, mail_from.clone()), (DnsQuery::Txt, mail_from.clone())]);
        }
    }
    queries
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
        let remedy = format!(
            "run: okite domains create example.com {} (with your domain). It prints the DNS records to create",
            facts.okite_options
        );
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
            let remedy = if identity.is_address() {
                format!(
                    "run: aws sesv2 create-email-identity --email-identity {name} {}",
                    facts.aws_options
                )
            } else {
                format!("run: okite domains create {name} {}", facts.okite_options)
            };
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
        dkim(identity, state, facts, dns).about(name),
        mail_from(identity, state, facts, dns).about(name),
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
fn missing(dns: &DnsAnswers, required: impl Iterator<Item = RequiredRecord>) -> Known<Vec<DnsRecord>> {
    let mut missing = Vec::new();
    for required in required {
        if required.state_in(dns)? != RecordState::There {
            missing.push(required.record);
        }
    }
    Ok(missing)
}

fn dkim(identity: &Identity, state: &IdentityState, facts: &Facts, dns: &DnsAnswers) -> Finding {
    const CODE: &str = "identity.dkim";
    if identity.is_address() {
        if state.signing && state.dkim == "SUCCESS" {
            return Finding::ok(CODE, "SES signs its mail", WHY_DKIM);
        }
        let what = "an address alone is not signed with DKIM";
        let remedy = format!(
            "verify its domain too. Run: okite domains create {} {}",
            identity.domain(),
            facts.okite_options
        );
        return Finding::bad(CODE, Level::Warn, what, WHY_DKIM, remedy);
    }
    let required: Vec<_> = dkim_records(identity, state).collect();
    let missing = missing(dns, required.iter().cloned());
    let wait = "SES usually finds them within minutes to hours, and looks for up to 72 hours";
    match (state.dkim.as_str(), missing) {
        ("SUCCESS", _) if !state.signing => {
            let remedy = format!(
                "run: aws sesv2 put-email-identity-dkim-attributes --signing-enabled --email-identity {} {}",
                identity.name, facts.aws_options
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
                         --email-identity {} {} (then run `okite doctor` again: it lists the DNS records to create)",
                        identity.name, facts.aws_options
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
            Finding::bad(CODE, level, what, WHY_DKIM, remedy)
                .with(missing.unwrap_or_else(|_| required.into_iter().map(|required| required.record).collect()))
        }
    }
}

fn mail_from(identity: &Identity, state: &IdentityState, facts: &Facts, dns: &DnsAnswers) -> Finding {
    const CODE: &str = "identity.mail_from";
    let Some((domain, status)) = &state.mail_from else {
        let (name, domain) = (&identity.name, identity.domain());
        let remedy = if identity.is_address() {
            format!(
                "run: aws sesv2 put-email-identity-mail-from-attributes --email-identity {name} --mail-from-domain \
                 bounce.{domain} {} (or another subdomain that nothing else uses)",
                facts.aws_options
            )
        } else {
            format!(
                "run: okite domains create {name} {} (it takes bounce.{domain}; --mail-from names another subdomain \
                 that nothing else uses)",
                facts.okite_options
            )
        };
        let what = "it has no custom MAIL FROM domain";
        return Finding::bad(CODE, Level::Warn, what, WHY_MAIL_FROM, remedy);
    };
    let required = mail_from_records(domain, &facts.region);
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
    let all = || required.iter().map(|required| required.record.clone()).collect();
    Finding::bad(CODE, level, what, WHY_MAIL_FROM, remedy).with(missing.unwrap_or_else(|_| all()))
}
