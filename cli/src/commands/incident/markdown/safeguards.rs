//! The safeguards that work without the operator.

use std::fmt::{self, Write};

use domain::reputation::percent;

use super::super::IncidentFacts;
use super::NOT_KNOWN;

/// Writes the section.
pub(super) fn write(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    writeln!(text, "## Safeguards in place\n")?;
    text.push_str(
        "- Okite looks up every recipient of every mail (To, Cc and Bcc, in any spelling) in the suppression list \
         before it calls SES. If the list cannot be read, Okite sends nothing.\n\
         - One hard bounce or complaint suppresses an address permanently. Repeated soft bounces suppress it for bulk \
         mail.\n\
         - Okite reconciles its suppression list with SES's own list every day.\n\
         - Okite keeps mail within the account's sending rate and 24-hour quota.\n",
    );
    let rates = facts.report.as_ref().map(|report| report.rates);
    for (name, rate) in [
        ("bounce", rates.and_then(|rates| rates.bounce)),
        ("complaint", rates.and_then(|rates| rates.complaint)),
    ] {
        match rate {
            Some(rate) => writeln!(
                text,
                "- At a {name} rate of {} Okite warns the operators, and at {} it stops bulk mail. AWS reviews an \
                 account at {}.",
                percent(rate.warn_at),
                percent(rate.brake_at),
                percent(rate.review_at)
            )?,
            None => writeln!(
                text,
                "- The {name} rate at which Okite stops bulk mail is {NOT_KNOWN}: there is no report of the account."
            )?,
        }
    }
    writeln!(
        text,
        "- Okite stops all mail when AWS shuts down the account's sending.\n"
    )
}
