//! The report for people: a draft answer to AWS, with marked blanks for what only the operator knows.

mod events;
mod measures;
mod safeguards;
mod summary;
mod syntax;

use std::fmt::{self, Write};

use jiff::{Timestamp, Unit};

use super::IncidentFacts;
use syntax::escaped;

/// The text in the place of a figure that is not recorded.
const NOT_KNOWN: &str = "not known";

/// The questions of AWS that no record answers.
const BLANKS: &str = "\
## For you to write

AWS asks these three questions, and no record answers them.

- **Root cause:** `[TO WRITE: the list, form, import or sender that these addresses came from, and why they were bad]`
- **What was fixed:** `[TO WRITE: what you stopped, removed or corrected, and when]`
- **How you prevent it from happening again:** `[TO WRITE: confirmed opt-in, checks of imports, limits for each sender, …]`
";

/// Returns the report.
pub(super) fn of(facts: &IncidentFacts) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, facts);
    text
}

fn write(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    let range = &facts.range;
    writeln!(
        text,
        "# Bounces and complaints, {} to {} (UTC)\n",
        range.since, range.until
    )?;
    writeln!(
        text,
        "Written by `okite incident` at {} for Amazon SES in {}, from {}. It contains domains of recipients and no \
         address.\n",
        seconds(facts.written_at),
        facts.region,
        escaped(&facts.target_name),
    )?;
    summary::write(text, facts)?;
    events::write(text, facts)?;
    measures::write(text, facts)?;
    safeguards::write(text, facts)?;
    text.push_str(BLANKS);
    Ok(())
}

/// Rounds a time to seconds.
fn seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::brake::Brake;
    use domain::brake::BrakeChange;
    use domain::feedback::MarkKind;
    use domain::report::Report;
    use domain::reputation::percent;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::super::ListChanges;
    use super::super::counts::Counts;
    use super::super::counts::tests::{counts, event};
    use super::super::range::DateRange;
    use super::super::sent::SentCount;
    use super::*;

    fn day(text: &str) -> jiff::civil::Date {
        text.parse().unwrap()
    }

    fn facts() -> IncidentFacts {
        let report = json!({
            "at": "2026-03-02T11:55:00Z", "region": "eu-west-1", "verdict": "warn",
            "account": {
                "max_24_hour_send": 50000.0, "sent_last_24_hours": 600.0, "remaining": 49400.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": "PROBATION",
            },
            "rates": {
                "bounce": {
                    "aws": 0.0512, "estimate": { "rate": 0.05, "count": 10, "sent": 200, "days": 2 }, "source": "aws",
                    "level": "brake_bulk", "warn_at": 0.03, "brake_at": 0.045, "review_at": 0.05, "pause_at": 0.1,
                },
                "complaint": {
                    "aws": null, "estimate": null, "source": null,
                    "level": "healthy", "warn_at": 0.0005, "brake_at": 0.0008, "review_at": 0.001, "pause_at": 0.005,
                },
            },
        });
        let change = BrakeChange {
            at: "2026-03-02T09:00:00.4Z".parse().unwrap(),
            id: Uuid::nil(),
            from: Brake::None,
            to: Brake::Bulk,
            by: "anna@example.com".to_owned(),
            why: "a | bad\nlist".to_owned(),
            figures: Value::Null,
        };
        let list_changes = ListChanges {
            bounces: 2,
            complaints: 1,
            listed: 1,
            lifted: 0,
        };
        IncidentFacts {
            target_name: "the stack okite".to_owned(),
            region: "eu-west-1".to_owned(),
            written_at: "2026-03-02T12:00:00Z".parse().unwrap(),
            range: DateRange {
                since: day("2026-02-28"),
                until: day("2026-03-02"),
            },
            counts: counts(),
            sent: BTreeMap::from([(day("2026-03-01"), sent(200, false))]),
            verified_known: true,
            list_changes: BTreeMap::from([(day("2026-03-01"), list_changes)]),
            brake_changes: vec![change],
            report: Some(serde_json::from_value::<Report>(report).unwrap()),
            dead_letters: Ok(0),
        }
    }

    fn sent(recipients: i64, at_least: bool) -> SentCount {
        SentCount { recipients, at_least }
    }

    fn has(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn contains_events_measures_and_blanks() {
        let text = of(&facts());
        has(
            &text,
            &[
                "# Bounces and complaints, 2026-02-28 to 2026-03-02 (UTC)\n",
                "- 3 hard bounces, 1 complaint, and 1 block.",
                "- Okite sent mail to 200 recipients. This number is known for 1 of 3 days.",
                "- At 2026-03-02T11:55:00Z the account was under review (PROBATION) and its sending was on. \
                 According to AWS, it had sent to 600 recipients",
                "- Bounce rate at that time: 5.12 % according to AWS; 5 % according to Okite's estimate (10 of 200 \
                 recipients in 2 days).",
                "- Complaint rate at that time: not known according to AWS; Okite's estimate is not known.",
                "| 2026-03-01 | 2 | 1 | 0 | 200 | 1 % |\n| 2026-03-02 | 1 | 0 | 1 | not known | not known |\n",
                "### By recipient domain\n\n| Recipient domain | hard bounces | complaints | blocks \
                 |\n|---|---|---|---|\n| example.org | 2 | 1 | 0 |",
                "| campaign=spring | 2 | 1 | 0 |\n| (none) | 1 | 0 | 1 |\n| b=1 | 2 | 0 | 0 |",
                "### By API key\n",
                "| not on record | 3 | 1 | 1 |",
                "| 2026-03-01 | 2 | 1 | 1 | 0 |\n",
                "| 2026-03-02T09:00:00Z | none | bulk | \\[address\\] | a \\| bad list |",
                "the dead-letter queue is empty",
                "At a bounce rate of 3 % Okite warns the operators, and at 4.5 % it stops bulk mail. AWS reviews an \
                 account at 5 %.",
                "At a complaint rate of 0.05 % Okite warns the operators, and at 0.08 %",
            ],
        );
        assert_eq!(text.matches("[TO WRITE:").count(), 3);
        assert!(!text.contains('@'), "{text}");
    }

    #[test]
    fn says_at_least_when_more_happened_than_was_counted() {
        let mut facts = facts();
        let bounce = facts.report.as_mut().and_then(|report| report.rates.bounce.as_mut());
        bounce.and_then(|rate| rate.estimate.as_mut()).unwrap().at_least = true;
        let estimate = "at least 5 % according to Okite's estimate (at least 10 of 200 recipients in 2 days)";
        has(&of(&facts), &[estimate]);
    }

    #[test]
    fn a_part_of_a_day_is_at_least_so_much() {
        let mut facts = facts();
        facts.sent = BTreeMap::from([(day("2026-03-01"), sent(200, true))]);
        has(
            &of(&facts),
            &[
                "- Okite sent mail to at least 200 recipients. This number is known for 1 of 3 days.",
                "| 2026-03-01 | 2 | 1 | 0 | at least 200 | at most 1 % |\n",
            ],
        );
    }

    #[test]
    fn names_unknown_figures_for_days_without_events() {
        let text = of(&IncidentFacts {
            counts: Counts::default(),
            sent: BTreeMap::new(),
            verified_known: false,
            list_changes: BTreeMap::new(),
            brake_changes: Vec::new(),
            report: None,
            dead_letters: Err("SQS did not answer".to_owned()),
            ..facts()
        });
        has(
            &text,
            &[
                "SES reported no hard bounces, complaints or blocks of Okite's mail in these days.",
                "Okite has no count of the recipients that it sent to in these days",
                "The verified domains of the account are not known",
                "There is no report of the account.",
                "SES reported no events of these kinds.",
                "No address was suppressed or lifted",
                "The brake did not change",
                "unhandled events of SES is not known: SQS did not answer",
                "The bounce rate at which Okite stops bulk mail is not known",
            ],
        );
    }

    #[test]
    fn names_unhandled_events_and_omissions() {
        let mut facts = IncidentFacts {
            dead_letters: Ok(3),
            ..facts()
        };
        (facts.counts.at_verified, facts.counts.unreadable) = (7, 2);
        has(
            &of(&facts),
            &[
                "**Okite could not handle 3 events of SES.",
                "Left out: 7 events at domains that the account has verified",
                "Left out because unreadable: 2 records.",
            ],
        );
    }

    #[test]
    fn the_domains_after_the_first_twenty_are_one_row() {
        let mut facts = facts();
        for number in 0..30 {
            let domain = format!("d{number}.example");
            facts.counts.add(event(MarkKind::Bounce, "2026-03-01", &domain, &[]));
        }
        has(&of(&facts), &["| 13 others | 12 | 0 | 1 |"]);
    }

    #[test]
    fn rates_have_the_digits_that_the_limits_need() {
        let shown = [0.0008, 0.045, 0.1, 0.0, 0.00001].map(percent);
        assert_eq!(shown, ["0.08 %", "4.5 %", "10 %", "0 %", "0.001 %"]);
    }
}
