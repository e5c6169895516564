//! `okite brake` alone: what is held back, who said so since when and why, and the last changes.

use std::fmt::{self, Display};

use domain::account::Brake;
use domain::brake_change::{BrakeChange, BrakeOverride};
use jiff::{Timestamp, Unit};

use super::{BrakeError, Rows};
use crate::patience::patiently;
use crate::place::Place;
use crate::table;

/// How many changes are shown.
const CHANGES: u16 = 10;
const HEADER: [&str; 5] = ["AT", "FROM", "TO", "BY", "WHY"];

/// The brake of a place.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownBrake {
    /// The place, for a person.
    pub place: String,
    /// What the gate holds back; nothing is said before there is a gate.
    pub brake: Option<Brake>,
    /// The last word of an operator, if there was one.
    pub word: Option<BrakeOverride>,
    /// The last changes, the newest first.
    pub changes: Vec<BrakeChange>,
}

/// Reads the brake and its last changes.
///
/// # Errors
/// [`BrakeError`] says what to do.
pub async fn show(place: &Place) -> Result<ShownBrake, BrakeError> {
    let rows = Rows::of(place).await?;
    let unread = |error| rows.error(&error, "the brake is as it was");
    let state = patiently(async || rows.usage.gate_state().await)
        .await
        .map_err(unread)?;
    let changes = patiently(async || rows.changes.latest(CHANGES).await)
        .await
        .map_err(unread)?;
    Ok(ShownBrake {
        place: rows.located.place.clone(),
        brake: state.brake,
        word: state.brake_override,
        changes,
    })
}

impl Display for ShownBrake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.brake {
            Some(brake) => writeln!(f, "In {}: {}", self.place, brake.holds_back())?,
            None => writeln!(f, "In {}: no gate yet; the first report makes it.", self.place)?,
        }
        match &self.word {
            Some(word) if word.brake().is_some() => {
                writeln!(f, "The word of an operator: {}{}", table::shown(&word.word), said(word))?;
            }
            Some(word) => writeln!(f, "It is left to the reports{}", said(word))?,
            None => writeln!(f, "It is left to the reports; no operator has said otherwise.")?,
        }
        if self.changes.is_empty() {
            return writeln!(f, "No change is on record.");
        }
        writeln!(f)?;
        write!(f, "{}", table::aligned(HEADER, self.changes.iter().map(row)))
    }
}

/// Who said it, since when and why.
fn said(word: &BrakeOverride) -> String {
    let Some(at) = word.at else {
        return ", written into the table by hand.".to_owned();
    };
    let (by, why) = (table::shown(&word.by), table::shown(&word.why));
    format!(", by {by} since {}: {why}", seconds(at))
}

fn row(change: &BrakeChange) -> [String; HEADER.len()] {
    [
        seconds(change.at).to_string(),
        change.from.as_str().to_owned(),
        change.to.as_str().to_owned(),
        change.by.clone(),
        change.why.clone(),
    ]
}

fn seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn shows_the_brake_its_word_and_its_changes() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let change = BrakeChange {
            at,
            id: Uuid::nil(),
            from: Brake::None,
            to: Brake::Bulk,
            by: "reporter".to_owned(),
            why: "4.2 % bounces\u{1b}[2J".to_owned(),
            figures: Value::Null,
        };
        let brake = ShownBrake {
            place: "the stack okite".to_owned(),
            brake: Some(Brake::All),
            word: Some(BrakeOverride {
                word: "all".to_owned(),
                by: "anna".to_owned(),
                why: "a bad list".to_owned(),
                at: Some(at),
            }),
            changes: vec![change],
        };
        let wanted = "\
In the stack okite: All mail is stopped, transactional mail too.
The word of an operator: all, by anna since 2026-01-02T03:04:05Z: a bad list

AT                    FROM  TO    BY        WHY
2026-01-02T03:04:05Z  none  bulk  reporter  4.2 % bounces\u{fffd}[2J
";
        assert_eq!(brake.to_string(), wanted);
    }

    #[test]
    fn says_who_decides_where_no_operator_does() {
        let mut brake = ShownBrake {
            place: "a test".to_owned(),
            brake: None,
            word: None,
            changes: Vec::new(),
        };
        let said = brake.to_string();
        assert!(
            said.contains("no gate yet") && said.contains("left to the reports;"),
            "{said}"
        );
        brake.word = Some(BrakeOverride {
            word: "bulk".to_owned(),
            ..BrakeOverride::default()
        });
        assert!(brake.to_string().contains("bulk, written into the table by hand"));
    }
}
