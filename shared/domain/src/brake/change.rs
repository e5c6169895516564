//! Changes of the brake: who stopped mail or let it go, why, and by what figures.
//!
//! A brake that comes and goes without a word looks like a fault to whoever waits for their mail, and is the first thing that AWS
//! asks for after an incident. So every change is kept, by whomever it was made, and told to the operators once.

use std::fmt::Write;

use jiff::{Timestamp, Unit};
use serde_json::Value;
use uuid::Uuid;

use crate::address::without_addresses;
use crate::brake::Brake;

/// Who a change of the reporter's own is by.
pub const BY_THE_REPORTER: &str = "reporter";

/// One change of the brake.
#[derive(Clone, Debug, PartialEq)]
pub struct BrakeChange {
    /// When it was made; kept to the millisecond.
    pub at: Timestamp,
    /// What tells it from another at the same time.
    pub id: Uuid,
    /// What was held back before.
    pub from: Brake,
    /// What is held back now.
    pub to: Brake,
    /// Who made it: [`BY_THE_REPORTER`], or an operator's name.
    pub by: String,
    /// Why.
    pub why: String,
    /// The figures that it was made by: an object, or `null`.
    pub figures: Value,
}

/// What the operators are told of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrakeNotice {
    /// One line of ASCII, as the subject of an SNS message has to be, of at most 100 characters.
    pub subject: String,
    /// All of it.
    pub message: String,
}

impl BrakeChange {
    /// Says the change in `region` to people. Whatever looks like an address in what an operator wrote is left out: the
    /// message goes to many.
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
            "\n`okite brake` shows who set it and what it was before. `okite brake none`, `bulk` and `all` override it, \
             `okite brake auto` leaves it to the reports again.\n",
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
    fn people_are_told_what_is_stopped_by_whom_why_and_by_which_figures() {
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

`okite brake` shows who set it and what it was before. `okite brake none`, `bulk` and `all` override it, `okite brake auto` \
leaves it to the reports again.
";
        assert_eq!(notice.message, wanted);
    }

    #[test]
    fn a_change_without_figures_says_none() {
        for figures in [Value::Null, json!({}), json!([1])] {
            let change = BrakeChange { figures, ..change() };
            assert!(!change.notice("eu-west-1").message.contains("Figures"));
        }
    }

    #[test]
    fn a_word_that_changes_nothing_is_said_as_that() {
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
    fn addresses_in_what_somebody_wrote_are_left_out() {
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
    fn the_subject_is_one_that_sns_takes() {
        for to in [Brake::None, Brake::Bulk, Brake::All] {
            let subject = BrakeChange { to, ..change() }.notice("ap-southeast-99").subject;
            assert!(subject.len() <= 100 && subject.is_ascii() && !subject.contains(char::is_control));
        }
    }
}
