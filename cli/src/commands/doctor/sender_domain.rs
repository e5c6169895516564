//! Findings about the domain of a sender: its DMARC policy, and whether it receives mail.

use super::facts::{DnsAnswers, DnsQuery, answer};
use super::finding::{Finding, Level};
use crate::identity::records::{dmarc_names, dmarc_record, has_policy, is_dmarc};

const WHY_DMARC: &str = "Gmail, Yahoo and Outlook require a policy from bulk senders; without one, anybody can send in \
                         the name of your domain";
const WHY_MX: &str = "some receivers reject mail from a domain that receives none, and replies and bounces are lost";

/// Judges the DMARC policy.
pub(super) fn dmarc(domain: &str, dns: &DnsAnswers) -> Finding {
    const CODE: &str = "dns.dmarc";
    let record = || vec![dmarc_record(domain)];
    for name in dmarc_names(domain) {
        let texts = match answer(dns, DnsQuery::Txt, &name) {
            Ok(texts) => texts,
            Err(reason) => return Finding::not_checked(CODE, reason, WHY_DMARC),
        };
        let policies: Vec<&String> = texts.iter().filter(|text| is_dmarc(text)).collect();
        return match policies.as_slice() {
            [] => continue,
            [one] if has_policy(one) => Finding::ok(CODE, format!("{name} has a policy"), WHY_DMARC),
            [_] => {
                let what = format!("the policy of {name} has no p=none, p=quarantine or p=reject");
                Finding::bad(CODE, Level::Warn, what, WHY_DMARC, "correct the record").with(record())
            }
            _ => {
                let what = format!("{name} has several policies, which receivers treat as none");
                Finding::bad(CODE, Level::Warn, what, WHY_DMARC, "delete all of its records but one")
            }
        };
    }
    let remedy =
        "create this record. Change it to p=quarantine or p=reject when DMARC reports show that all your mail passes";
    Finding::bad(CODE, Level::Warn, "it has no DMARC policy", WHY_DMARC, remedy).with(record())
}

/// Judges whether the domain receives mail.
pub(super) fn receives_mail(domain: &str, dns: &DnsAnswers) -> Finding {
    const CODE: &str = "dns.mx";
    const REMEDY: &str =
        "create an MX record that names a mail server for the domain, or send from a domain that has one";
    let exchanges = match answer(dns, DnsQuery::Mx, domain) {
        Ok(exchanges) => exchanges,
        Err(reason) => return Finding::not_checked(CODE, reason, WHY_MX),
    };
    // A null MX: RFC 7505.
    if exchanges.iter().any(|exchange| exchange.ends_with(" .")) {
        return Finding::bad(
            CODE,
            Level::Fail,
            "its MX record declares that it receives no mail",
            WHY_MX,
            REMEDY,
        );
    }
    if !exchanges.is_empty() {
        return Finding::ok(CODE, "it has a mail server", WHY_MX);
    }
    match answer(dns, DnsQuery::Address, domain) {
        Err(reason) => Finding::not_checked(CODE, reason, WHY_MX),
        Ok([]) => Finding::bad(
            CODE,
            Level::Fail,
            "it receives no mail: it has neither an MX record nor an address record",
            WHY_MX,
            REMEDY,
        ),
        Ok(_) => {
            let what = "it has no MX record. Mail servers may use its address record instead, but not all receivers \
                        accept that";
            Finding::bad(CODE, Level::Warn, what, WHY_MX, REMEDY)
        }
    }
}
