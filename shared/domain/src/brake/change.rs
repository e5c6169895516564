//! Changes of the brake: who changed it, when, why, and on which figures.
//!
//! An unexplained brake looks like a fault to people who wait for mail, and AWS asks about it after an incident. So
//! Okite records every change and notifies the operators once.

use std::fmt::Write;

use jiff::{Timestamp, Unit};
use serde_json::Value;
use uuid::Uuid;

use crate::address::without_addresses;
use crate::brake::Brake;

/// The author of the reporter's own changes.
pub const BY_THE_REPORTER: &str = "reporter";

/// One change of the brake.
#[derive(Clone, Debug, PartialEq)]
pub struct BrakeChange {
    /// The time of the change; the table stores it to the millisecond.
    pub at: Timestamp,
    /// Distinguishes the change from others at the same time.
    pub id: Uuid,
    /// The brake before the change.
    pub from: Brake,
    /// The brake after the change.
    pub to: Brake,
    /// The author: [`BY_THE_REPORTER`], or an operator's name.
    pub by: String,
    /// The author's reason.
    pub why: String,
    /// The figures behind the change: an object, or `null`.
    pub figures: Value,
}

/// The notice to the operators about a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrakeNotice {
    /// The subject of the SNS message: one line of at most 100 ASCII characters.
    pub subject: String,
    /// The text of the SNS message, with the author, the reason and the figures.
    pub message: String,
}

impl BrakeChange {
    /// Writes the notice about the change in `region`. It replaces addresses in an operator's text, because the notice
    /// goes to many people.
    #[must_use]
    pub fn notice(&self, region: &str) -> BrakeNotice {
        let (from, to) = (self.from.as_str(), self.to.as_str());
        let happened = if self.from == self.to {
            format!("stays at {to}")
        } else {
            format!("went from {from} to {to}")
        };
        let mut message = format!(
            "The brake of Okite in {region} {happened} at {}.\n{}\n\nBy: {}\nWhy: {}\n",
            whole_seconds(self.at),
            self.to.holds_back(),
            without_addresses(&self.by),
            without_addresses(&self.why),
        );
        let figures: Vec<_> = self.figures.as_object().into_iter().flatten().collect();
        if !figures.is_empty() {
            message.push_str("\nFigures:\n");
        }
        for (name, figure) in figures {
            let figure = match figure {
                Value::String(text) => without_addresses(text),
                other => other.to_string(),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(message, "- {name}: {figure}");
        }
        message.push_str(
            "\n`okite brake` shows who set the brake and what it was before. `okite brake none`, `bulk` and `all` override \
             it. `okite brake auto` ends the override: the brake follows the account's health again.\n",
        );
        BrakeNotice {
            subject: format!("Okite, {region}: the brake {happened}"),
            message,
        }
    }
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change() -> BrakeChange {
        BrakeChange {
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            id: Uuid::from_u128(7),
            from: Brake::None,
            to: Brake::Bulk,
            by: "anna".to_owned(),
            why: "a bad list of 2019".to_owned(),
            figures: json!({ "bounce_rate": 0.041, "verdict": "warn" }),
        }
    }

    #[test]
    fn a_notice_names_the_stopped_mail_the_author_the_reason_and_the_figures() {
        let notice = change().notice("eu-west-1");
        assert_eq!(notice.subject, "Okite, eu-west-1: the brake went from none to bulk");
        let wanted = "\
The brake of Okite in eu-west-1 went from none to bulk at 2026-01-02T03:04:06Z.
Bulk mail is stopped; transactional mail passes.

By: anna
Why: a bad list of 2019

Figures:
- bounce_rate: 0.041
- verdict: warn

`okite brake` shows who set the brake and what it was before. `okite brake none`, `bulk` and `all` override it. \
`okite brake auto` ends the override: the brake follows the account's health again.
";
        assert_eq!(notice.message, wanted);
    }

    #[test]
    fn the_notice_of_a_change_without_figures_has_none() {
        for figures in [Value::Null, json!({}), json!([1])] {
            let change = BrakeChange { figures, ..change() };
            assert!(!change.notice("eu-west-1").message.contains("Figures"));
        }
    }

    #[test]
    fn the_notice_of_an_override_that_changes_nothing_says_that_the_brake_stays() {
        let change = BrakeChange {
            from: Brake::Bulk,
            ..change()
        };
        assert_eq!(
            change.notice("eu-west-1").subject,
            "Okite, eu-west-1: the brake stays at bulk"
        );
    }

    #[test]
    fn addresses_in_an_operators_text_are_left_out() {
        let change = BrakeChange {
            by: "Anna <anna@example.org>".to_owned(),
            why: "complaint of\nbob@example.net, again".to_owned(),
            figures: json!({ "asked_by": "carl@example.com" }),
            ..change()
        };
        let message = change.notice("eu-west-1").message;
        assert!(!message.contains('@'), "{message}");
        assert!(message.contains("Why: complaint of [address], again"), "{message}");
    }

    #[test]
    fn sns_accepts_the_subject() {
        for to in [Brake::None, Brake::Bulk, Brake::All] {
            let subject = BrakeChange { to, ..change() }.notice("ap-southeast-99").subject;
            assert!(subject.len() <= 100 && subject.is_ascii() && !subject.contains(char::is_control));
        }
    }
}
