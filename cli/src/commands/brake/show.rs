//! `okite brake` without an argument: shows what is stopped, who set it, since when and why, and the last changes.

use std::fmt::{self, Display};

use domain::brake::Brake;
use domain::brake::{BrakeChange, BrakeOverride};
use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::{BrakeError, BrakeItems};
use crate::retry::retry_throttled;
use crate::target::Target;
use crate::terminal::{self, printable};

/// The number of changes that are shown.
const SHOWN_CHANGES: u16 = 10;
const HEADER: [&str; 5] = ["AT", "FROM", "TO", "BY", "WHY"];

/// The brake of a target.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BrakeStatus {
    target_name: String,
    /// The mail that the gate stops; `None` before the first report creates the gate.
    brake: Option<Brake>,
    /// The last brake override of an operator.
    brake_override: Option<BrakeOverride>,
    /// The last changes, newest first.
    changes: Vec<BrakeChange>,
}

/// Reads the brake and its last changes.
pub(super) async fn show(target: &Target) -> Result<BrakeStatus, BrakeError> {
    let items = BrakeItems::of(target).await?;
    let unread = |error| items.error(&error, "The brake is unchanged");
    let state = retry_throttled(async || items.usage.gate_state().await)
        .await
        .map_err(unread)?;
    let changes = retry_throttled(async || items.changes.latest(SHOWN_CHANGES).await)
        .await
        .map_err(unread)?;
    Ok(BrakeStatus {
        target_name: items.resolved.target_name.clone(),
        brake: state.brake,
        brake_override: state.brake_override,
        changes,
    })
}

impl BrakeStatus {
    pub(super) fn json(&self) -> Value {
        let given = |given: &BrakeOverride| {
            let BrakeOverride { setting, by, why, at } = given;
            json!({ "setting": setting, "by": by, "why": why, "at": at })
        };
        let change = |change: &BrakeChange| {
            json!({
                "at": change.at,
                "from": change.from.as_str(),
                "to": change.to.as_str(),
                "by": change.by,
                "why": change.why,
                "figures": change.figures,
            })
        };
        json!({
            "brake": self.brake.map(Brake::as_str),
            "override": self.brake_override.as_ref().map(given),
            "changes": self.changes.iter().map(change).collect::<Value>(),
        })
    }
}

impl Display for BrakeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.brake {
            Some(brake) => writeln!(f, "In {}: {}", self.target_name, brake.holds_back())?,
            None => writeln!(f, "In {}: no gate yet; the first report creates it.", self.target_name)?,
        }
        match &self.brake_override {
            Some(given) if given.brake().is_some() => {
                writeln!(f, "Brake override: {}{}", printable(&given.setting), origin(given))?;
            }
            Some(given) => writeln!(f, "Brake override: none, the reports decide{}", origin(given))?,
            None => writeln!(f, "Brake override: none. No operator has set one; the reports decide.")?,
        }
        if self.changes.is_empty() {
            return writeln!(f, "No change is recorded.");
        }
        writeln!(f)?;
        write!(f, "{}", terminal::columns(HEADER, self.changes.iter().map(row)))
    }
}

/// Describes who set an override, since when and why.
fn origin(given: &BrakeOverride) -> String {
    let Some(at) = given.at else {
        return ", set by an edit of the table.".to_owned();
    };
    let (by, why) = (printable(&given.by), printable(&given.why));
    format!(", set by {by} at {}: {why}", seconds(at))
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

/// Rounds a time to seconds.
fn seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn shows_the_brake_its_override_and_its_changes() {
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
        let brake = BrakeStatus {
            target_name: "the stack okite".to_owned(),
            brake: Some(Brake::All),
            brake_override: Some(BrakeOverride {
                setting: "all".to_owned(),
                by: "anna".to_owned(),
                why: "a bad list".to_owned(),
                at: Some(at),
            }),
            changes: vec![change],
        };
        let wanted = "\
In the stack okite: All mail is stopped, transactional mail too.
Brake override: all, set by anna at 2026-01-02T03:04:05Z: a bad list

AT                    FROM  TO    BY        WHY
2026-01-02T03:04:05Z  none  bulk  reporter  4.2 % bounces\u{fffd}[2J
";
        assert_eq!(brake.to_string(), wanted);
    }

    #[test]
    fn shows_that_reports_decide_without_an_override() {
        let mut brake = BrakeStatus {
            target_name: "a test".to_owned(),
            brake: None,
            brake_override: None,
            changes: Vec::new(),
        };
        let said = brake.to_string();
        assert!(
            said.contains("no gate yet") && said.contains("No operator has set one; the reports decide."),
            "{said}"
        );
        brake.brake_override = Some(BrakeOverride {
            setting: "bulk".to_owned(),
            ..BrakeOverride::default()
        });
        assert!(brake.to_string().contains("bulk, set by an edit of the table"));
    }
}
