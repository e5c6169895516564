//! `okite brake`: stops mail and lets it go, and shows who did so and why.
//!
//! The word is kept first, for the reports to obey, and then put into force in the gate, so that it counts for the next send and
//! not for the next report. All else (the figures of the last report, the record of the change) comes after that: none of it
//! may keep an operator from stopping mail.

mod shown;

use std::fmt::{self, Display};

use aws::{self, BrakeChanges, StoreError, Usage, WordInGate};
use domain::account::{Brake, EnforcementStatus, Report, Verdict};
use domain::brake_change::{BrakeChange, BrakeOverride};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::patience::patiently;
use crate::place::{Located, Place, PlaceError, USAGE, reason};

pub use shown::{ShownBrake, show};

/// How often the word is given again when others speak at the same moment.
const TRIES: usize = 5;

/// What an operator says of the brake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// This much is held back, whatever the reports say.
    Brake(Brake),
    /// The reports say it.
    Auto,
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Brake(brake) => brake.as_str(),
            Self::Auto => "auto",
        }
    }
}

/// Why the brake could not be set or shown.
#[derive(Debug, thiserror::Error)]
pub enum BrakeError {
    /// The table was not found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The table cannot be read or written.
    #[error("the table {table} could not be read or written, {consequence}: {reason}")]
    Store {
        /// The table.
        table: String,
        /// What is in force now.
        consequence: &'static str,
        /// Why.
        reason: String,
    },
    /// Somebody else speaks all the time.
    #[error("others change the brake at the same moment, and their word is in force; run it again")]
    Contended,
}

/// What was set.
#[derive(Clone, Debug, PartialEq)]
pub struct BrakeSet {
    /// The place, for a person.
    pub place: String,
    /// What the operator said.
    pub word: Word,
    /// What is held back now.
    pub brake: Brake,
    /// Whether the gate obeys already.
    pub in_gate: WordInGate,
    /// What the word goes against, if anything.
    pub warning: Option<String>,
    /// Why the change is not on record, if it is not.
    pub not_recorded: Option<String>,
}

/// Sets the brake of `place`, at once; `by` and `why` are kept with it.
///
/// # Errors
/// [`BrakeError`] says what is in force and what to do. That the change is not on record is none: mail is stopped all the same.
#[expect(clippy::disallowed_methods, reason = "the outermost function makes the ids")]
pub async fn set(place: &Place, word: Word, by: String, why: String) -> Result<BrakeSet, BrakeError> {
    let rows = Rows::of(place).await?;
    let (before, kept) = give(&rows, word, by, why, place.now()).await?;
    let at = kept.at.unwrap_or(Timestamp::UNIX_EPOCH);
    let half =
        "your word is kept, and the next report puts it into force, at most 5 minutes later; run it again for at once";
    // For `auto` the report decides, and is read after the word is kept: a later one puts it into force itself.
    let (report, brake) = match word {
        Word::Brake(brake) => (None, brake),
        Word::Auto => {
            let report = patiently(async || rows.usage.latest_report().await).await;
            let report = report.map_err(|error| rows.error(&error, half))?;
            let brake = report.as_ref().map_or(Brake::None, |report| report.verdict.into());
            (report, brake)
        }
    };
    let in_gate = patiently(async || rows.usage.set_brake(brake, at).await).await;
    let in_gate = in_gate.map_err(|error| rows.error(&error, half))?;
    let report = match report {
        Some(report) => Some(report),
        None => rows.usage.latest_report().await.ok().flatten(),
    };
    let change = BrakeChange {
        at,
        id: Uuid::now_v7(),
        from: before,
        to: brake,
        by: kept.by,
        why: kept.why,
        figures: figures(word, report.as_ref()),
    };
    let recorded = patiently(async || rows.changes.record(&change).await).await;
    Ok(BrakeSet {
        place: rows.located.place.clone(),
        word,
        brake,
        in_gate,
        warning: report.as_ref().and_then(|report| warning(brake, report)),
        not_recorded: recorded.err().map(|error| reason(&error)),
    })
}

/// Keeps the word as the latest of all, whatever the clocks of other operators say; returns the brake before it as well.
async fn give(
    rows: &Rows,
    word: Word,
    by: String,
    why: String,
    now: Timestamp,
) -> Result<(Brake, BrakeOverride), BrakeError> {
    let nothing = "the brake is as it was";
    let mut given = BrakeOverride {
        word: word.as_str().to_owned(),
        by,
        why,
        at: None,
    };
    for _ in 0..TRIES {
        let state = patiently(async || rows.usage.gate_state().await).await;
        let state = state.map_err(|error| rows.error(&error, nothing))?;
        given.at = Some(after(state.overridden_at, now));
        let kept = patiently(async || rows.usage.put_brake_override(&given).await).await;
        if kept.map_err(|error| rows.error(&error, nothing))? {
            return Ok((state.brake.unwrap_or(Brake::None), given));
        }
    }
    Err(BrakeError::Contended)
}

/// The time of a word: now, in milliseconds, and in any case after the word before it.
fn after(before: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let next = before.map_or(Timestamp::UNIX_EPOCH, |before| before + SignedDuration::from_millis(1));
    let latest = now.max(next);
    Timestamp::from_millisecond(latest.as_millisecond()).unwrap_or(latest)
}

fn figures(word: Word, report: Option<&Report>) -> Value {
    let Some(report) = report else {
        return json!({ "word": word.as_str() });
    };
    let account = report.account.account;
    json!({
        "word": word.as_str(),
        "report_at": report.at,
        "verdict": report.verdict,
        "enforcement_status": account.enforcement_status,
        "sent_last_24_hours": account.sent_last_24_hours,
        "max_24_hour_send": account.max_24_hour_send,
        "bounce_rate": report.rates.bounce.and_then(|rate| rate.judged()),
        "complaint_rate": report.rates.complaint.and_then(|rate| rate.judged()),
    })
}

/// What speaks against letting mail go, by the last report.
fn warning(brake: Brake, report: &Report) -> Option<String> {
    let wanted = Brake::from(report.verdict);
    if report.account.account.enforcement_status == EnforcementStatus::Shutdown && brake != Brake::All {
        let shut =
            "AWS has ended the account's sending (SHUTDOWN): SES refuses all mail until you have answered its case.";
        return Some(shut.to_owned());
    }
    if brake.level() < wanted.level() {
        let holds = wanted.holds_back().trim_end_matches('.').to_lowercase();
        return Some(format!(
            "the report of {} would have it otherwise ({holds}). Each bounce and complaint now counts against the account.",
            report.at
        ));
    }
    let at_review = report.account.account.enforcement_status == EnforcementStatus::Probation;
    (brake == Brake::None && (at_review || report.verdict == Verdict::Warn)).then(|| {
        format!(
            "the report of {} says that somebody should look at the account.",
            report.at
        )
    })
}

impl Display for BrakeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_the_reports = match self.word {
            Word::Auto => " That is what the last report says, and the next ones may change it.",
            Word::Brake(_) => "",
        };
        writeln!(f, "{} {}{by_the_reports}", self.place_starts(), self.brake.holds_back())?;
        match self.in_gate {
            WordInGate::InForce => writeln!(f, "It is in force now, in every function.")?,
            WordInGate::Overtaken => writeln!(
                f,
                "Somebody gave another word a moment later, and theirs is in force: `okite brake` shows it."
            )?,
            WordInGate::NoGate => writeln!(
                f,
                "There is no gate yet: the first report puts it into force, at most 5 minutes after the deployment."
            )?,
        }
        if let Some(warning) = &self.warning {
            writeln!(f, "Warning: {warning}")?;
        }
        match (self.word, self.brake) {
            (Word::Brake(Brake::All | Brake::Bulk), _) => writeln!(
                f,
                "Requests to send are answered with 503 and retry-after. `okite brake auto` leaves the brake to the reports \
                 again, `okite brake none` lets everything pass."
            )?,
            (Word::Brake(Brake::None), _) => writeln!(
                f,
                "No report will stop mail until `okite brake auto` leaves the brake to the reports again."
            )?,
            (Word::Auto, _) => {}
        }
        match &self.not_recorded {
            None => writeln!(
                f,
                "The change is on record; the next report tells the alarm topic, if the stack has one."
            ),
            Some(reason) => writeln!(f, "Warning: the change could not be put on record: {reason}"),
        }
    }
}

impl BrakeSet {
    fn place_starts(&self) -> String {
        format!("In {}:", self.place)
    }
}

/// The rows of a place that the brake is made of.
struct Rows {
    usage: Usage,
    changes: BrakeChanges,
    place: Place,
    located: Located,
}

impl Rows {
    async fn of(place: &Place) -> Result<Self, BrakeError> {
        let located = place.locate(USAGE).await?;
        let region = located.region()?;
        let client = aws::dynamodb(&located.config);
        Ok(Self {
            usage: Usage::new(client.clone(), located.name.clone(), region.clone()),
            changes: BrakeChanges::new(client, located.name.clone(), region),
            place: place.clone(),
            located,
        })
    }

    fn error(&self, error: &StoreError, consequence: &'static str) -> BrakeError {
        match self.place.unreachable() {
            Some(unreachable) if error.never_connected() => unreachable.into(),
            _ => BrakeError::Store {
                table: self.located.name.clone(),
                consequence,
                reason: reason(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn report(enforcement_status: EnforcementStatus) -> Report {
        let verdict = match enforcement_status {
            EnforcementStatus::Healthy => Verdict::Healthy,
            EnforcementStatus::Probation => Verdict::Warn,
            EnforcementStatus::Shutdown => Verdict::BrakeAll,
        };
        let report = json!({
            "at": "2026-01-02T03:00:00Z", "region": "eu-west-1", "verdict": verdict,
            "account": {
                "max_24_hour_send": 50000.0, "sent_last_24_hours": 120.0, "remaining": 49880.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": enforcement_status,
            },
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn a_word_is_later_than_the_one_before_whatever_the_clocks_say() {
        let now = at("2026-01-02T03:04:05.678912Z");
        for (before, wanted) in [
            (None, "2026-01-02T03:04:05.678Z"),
            (Some("2026-01-02T03:04:05.5Z"), "2026-01-02T03:04:05.678Z"),
            (Some("2026-01-02T03:04:05.678Z"), "2026-01-02T03:04:05.679Z"),
            (Some("2027-01-01T00:00:00Z"), "2027-01-01T00:00:00.001Z"),
        ] {
            assert_eq!(after(before.map(at), now), at(wanted), "{before:?}");
        }
    }

    #[test]
    fn letting_mail_go_against_the_report_warns_and_stopping_it_does_not() {
        use EnforcementStatus::*;
        for (brake, status, wanted) in [
            (Brake::None, Healthy, None),
            (Brake::None, Probation, Some("somebody should look")),
            (Brake::None, Shutdown, Some("SHUTDOWN")),
            (Brake::Bulk, Shutdown, Some("SHUTDOWN")),
            (Brake::Bulk, Probation, None),
            (Brake::All, Shutdown, None),
        ] {
            let warning = warning(brake, &report(status));
            assert_eq!(warning.is_some(), wanted.is_some(), "{brake:?} {status:?}: {warning:?}");
            assert!(warning.unwrap_or_default().contains(wanted.unwrap_or_default()));
        }
        let braked = Report {
            verdict: Verdict::BrakeBulk,
            ..report(Healthy)
        };
        let warning = warning(Brake::None, &braked).unwrap();
        assert!(warning.contains("bulk mail is stopped"), "{warning}");
    }

    #[test]
    fn the_figures_are_those_of_the_last_report_and_name_nobody() {
        assert_eq!(figures(Word::Auto, None), json!({ "word": "auto" }));
        let figures = figures(Word::Brake(Brake::All), Some(&report(EnforcementStatus::Probation)));
        assert_eq!(
            figures,
            json!({
                "word": "all", "report_at": "2026-01-02T03:00:00Z", "verdict": "warn", "enforcement_status": "PROBATION",
                "sent_last_24_hours": 120.0, "max_24_hour_send": 50000.0, "bounce_rate": null, "complaint_rate": null,
            })
        );
    }

    #[test]
    fn says_what_is_stopped_and_how_to_let_go() {
        let set = BrakeSet {
            place: "the stack okite".to_owned(),
            word: Word::Brake(Brake::All),
            brake: Brake::All,
            in_gate: WordInGate::InForce,
            warning: None,
            not_recorded: None,
        };
        let said = set.to_string();
        for words in ["All mail is stopped", "in force now", "`okite brake auto`", "on record"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let let_go = BrakeSet {
            word: Word::Brake(Brake::None),
            brake: Brake::None,
            in_gate: WordInGate::NoGate,
            warning: Some("look".to_owned()),
            not_recorded: Some("no".to_owned()),
            ..set
        };
        let said = let_go.to_string();
        for words in [
            "all mail passes",
            "no gate yet",
            "Warning: look",
            "could not be put on record: no",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
