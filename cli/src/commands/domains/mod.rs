//! `okite domains`: the domains that send, in SES and in DNS.
//!
//! `account` finds the SES account, `create` sets a domain up in it. `records` reads what SES and DNS know, once or
//! until they agree (`watch`), and `report` prints it. [`crate::identity::records`] compares.

mod account;
mod create;
mod records;
mod report;
mod watch;

use clap::{Args, Subcommand};
use domain::address::EmailAddress;

use crate::execution::CommandResult;

/// Set a domain up in SES, and print the DNS records that it needs
#[derive(Debug, Args)]
pub(crate) struct DomainsCommand {
    #[command(subcommand)]
    action: DomainsAction,
}

#[derive(Debug, Subcommand)]
enum DomainsAction {
    Create(create::CreateCommand),
    Records(records::RecordsCommand),
}

impl DomainsCommand {
    pub(crate) fn run(self) -> CommandResult {
        match self.action {
            DomainsAction::Create(command) => command.run(),
            DomainsAction::Records(command) => command.run(),
        }
    }
}

/// Parses a domain, and returns it as DNS spells it: in lower case, in punycode, without a dot at its end.
fn parse_domain(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err("this is an address: name its domain, the part behind the @".to_owned());
    }
    let domain = text.strip_suffix('.').unwrap_or(text);
    let address = EmailAddress::parse(&format!("postmaster@{domain}")).ok();
    let domain = address.map(|address| address.domain().to_ascii_lowercase());
    let domain = domain.filter(|domain| domain.contains('.'));
    domain.ok_or_else(|| "a domain has the form example.com".to_owned())
}

/// Why there is no MAIL FROM domain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the MAIL FROM domain {given} is not below {domain}. Name a subdomain that nothing else uses, such as bounce")]
struct NotBelow {
    given: String,
    domain: String,
}

/// Returns the MAIL FROM domain that `given` names: a label such as `bounce`, or the whole name.
fn mail_from_of(domain: &str, given: &str) -> Result<String, NotBelow> {
    let wrong = || NotBelow {
        given: given.to_owned(),
        domain: domain.to_owned(),
    };
    let name = if given.contains('.') {
        parse_domain(given)
    } else {
        parse_domain(&format!("{given}.{domain}"))
    };
    let name = name.map_err(|_| wrong())?;
    let is_below = name
        .strip_suffix(domain)
        .is_some_and(|label| label.len() > 1 && label.ends_with('.'));
    is_below.then_some(name).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_domain_has_two_labels_and_no_local_part() {
        for (text, domain) in [
            ("example.com", "example.com"),
            ("Mail.Example.COM.", "mail.example.com"),
            ("Bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(parse_domain(text).as_deref(), Ok(domain));
        }
        for wrong in [
            "",
            "com",
            ".",
            "a@example.com",
            "exa mple.com",
            "example..com",
            "-.com.",
        ] {
            assert!(parse_domain(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mail_from_domain_is_a_label_or_a_name_below_the_domain() {
        for given in ["bounce", "Bounce", "bounce.example.com", "bounce.example.com."] {
            assert_eq!(mail_from_of("example.com", given).as_deref(), Ok("bounce.example.com"));
        }
        for wrong in [
            "",
            "example.com",
            "bounce.example.org",
            "bounce.notexample.com",
            "a b",
            "@",
            ".",
        ] {
            assert!(mail_from_of("example.com", wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_parsed_to_itself(text in "[a-zA-Z0-9.@ _-]{0,30}") {
            if let Ok(domain) = parse_domain(&text) {
                prop_assert_eq!(parse_domain(&domain), Ok(domain.clone()));
                if let Ok(mail_from) = mail_from_of(&domain, &text) {
                    let below = format!(".{domain}");
                    prop_assert!(mail_from.ends_with(&below));
                }
            }
        }
    }
}
