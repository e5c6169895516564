//! The measures, with their times: suppressed addresses, changes of the brake, unhandled events.

use std::fmt::{self, Write};

use domain::address::without_addresses;
use domain::brake::BrakeChange;

use super::super::IncidentFacts;
use super::syntax::{escaped, head, row};
use super::{NOT_KNOWN, seconds};
use crate::plural::counted;

/// Writes the section.
pub(super) fn write(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    writeln!(text, "## What was done, and when\n")?;
    writeln!(
        text,
        "Okite suppresses an address seconds after SES reports its hard bounce or complaint. Addresses suppressed and \
         lifted, by the day of the latest event of each address:\n"
    )?;
    if facts.list_changes.is_empty() {
        writeln!(text, "No address was suppressed or lifted in these days.\n")?;
    } else {
        head(
            text,
            &[
                "day (UTC)",
                "suppressed: bounce",
                "suppressed: complaint",
                "of these, from a list",
                "lifted",
            ],
        )?;
        for (day, changes) in &facts.list_changes {
            row(
                text,
                &[
                    day,
                    &changes.bounces,
                    &changes.complaints,
                    &changes.listed,
                    &changes.lifted,
                ],
            )?;
        }
        writeln!(
            text,
            "\nAn address \"from a list\" was imported, or SES's own suppression list has it. No event of SES reported \
             it here. An address at a verified domain of the account is suppressed too, although its events are left out \
             above.\n"
        )?;
    }
    if facts.brake_changes.is_empty() {
        writeln!(text, "The brake did not change in these days.\n")?;
    } else {
        writeln!(text, "The brake stops bulk mail or all mail. It changed:\n")?;
        head(text, &["at (UTC)", "from", "to", "by", "why"])?;
        for change in &facts.brake_changes {
            brake_change(text, change)?;
        }
        writeln!(text)?;
    }
    match &facts.dead_letters {
        Ok(0) => writeln!(
            text,
            "Okite handled every event of SES: the dead-letter queue is empty.\n"
        ),
        Ok(waiting) => writeln!(
            text,
            "**Okite could not handle {}. The dead-letter queue holds what it could not handle.** Such bounces and \
             complaints are not in this report and suppress no address yet. `okite feedback redrive` has them handled \
             again.\n",
            counted(*waiting, "event of SES", "events of SES")
        ),
        Err(reason) => writeln!(
            text,
            "The number of unhandled events of SES is {NOT_KNOWN}: {}\n",
            escaped(&without_addresses(reason))
        ),
    }
}

fn brake_change(text: &mut String, change: &BrakeChange) -> fmt::Result {
    let safe = |text: &str| escaped(&without_addresses(text));
    row(
        text,
        &[
            &seconds(change.at),
            &change.from.as_str(),
            &change.to.as_str(),
            &safe(&change.by),
            &safe(&change.why),
        ],
    )
}
