//! `okite brake OVERRIDE`: sets a brake override.

use std::fmt::{self, Display};

use aws::{GateState, OverrideInGate};
use domain::account::{AccountHealth, EnforcementStatus};
use domain::brake::Brake;
use domain::brake::{BrakeChange, BrakeOverride};
use domain::report::Report;
use domain::time::{in_milliseconds, plus};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BrakeError, BrakeItems, BrakeOverrideArgument};
use crate::aws_error;
use crate::retry::retry_throttled;
use crate::target::Target;

/// How often the override is written while other operators write theirs at the same moment.
const ATTEMPTS: usize = 5;

/// The result of setting a brake override.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BrakeSet {
    target_name: String,
    brake_override: BrakeOverrideArgument,
    /// The mail that is stopped now.
    brake: Brake,
    /// Whether the gate obeys already.
    in_gate: OverrideInGate,
    /// The last report's reason against the override.
    warning: Option<String>,
    /// Whether the change is on record.
    record: ChangeRecord,
}

/// Whether a change of the brake is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ChangeRecord {
    /// It is, and the next report announces it.
    Recorded,
    /// There was no change.
    NothingToRecord,
    /// It could not be recorded, for this reason.
    Failed(String),
}

/// Sets the brake override of `target` and puts it into force in the gate; `by` and `why` are stored with it.
///
/// # Errors
/// [`BrakeError`] names what is in force. A change that could not be recorded is not an error, because the mail is
/// stopped all the same.
#[expect(clippy::disallowed_methods, reason = "the command makes the ids")]
pub(super) async fn set(
    target: &Target,
    brake_override: BrakeOverrideArgument,
    by: String,
    why: String,
) -> Result<BrakeSet, BrakeError> {
    let items = BrakeItems::of(target).await?;
    let (before, stored) = store(&items, brake_override, by, why, target.now()).await?;
    let (before, override_before) = (before.brake.unwrap_or(Brake::None), before.brake_override);
    let at = stored.at.unwrap_or(Timestamp::UNIX_EPOCH);
    let stored_only = "The brake override is stored and takes effect with the next report, within 5 minutes; run this \
                       command again for immediate effect";
    // The report decides after `auto`. It is read after the override is stored: a later report sets the gate itself.
    let (report, brake) = if let Some(brake) = brake_override.brake() {
        (None, brake)
    } else {
        let report = retry_throttled(async || items.usage.latest_report().await).await;
        let report = report.map_err(|error| items.error(&error, stored_only))?;
        let brake = report.as_ref().map_or(Brake::None, |report| report.verdict.into());
        (report, brake)
    };
    let in_gate = retry_throttled(async || items.usage.set_brake(brake, at).await).await;
    let in_gate = in_gate.map_err(|error| items.error(&error, stored_only))?;
    let report = match report {
        Some(report) => Some(report),
        None => items.usage.latest_report().await.ok().flatten(),
    };
    if changes_nothing(brake_override, override_before.as_ref(), (before, brake)) {
        return Ok(BrakeSet {
            target_name: items.resolved.target_name.clone(),
            brake_override,
            brake,
            in_gate,
            warning: report.as_ref().and_then(|report| warning(brake, report)),
            record: ChangeRecord::NothingToRecord,
        });
    }
    let change = BrakeChange {
        at,
        id: Uuid::now_v7(),
        from: before,
        to: brake,
        by: stored.by,
        why: stored.why,
        figures: figures(brake_override, report.as_ref()),
    };
    let recorded = retry_throttled(async || items.changes.record(&change).await).await;
    Ok(BrakeSet {
        target_name: items.resolved.target_name.clone(),
        brake_override,
        brake,
        in_gate,
        warning: report.as_ref().and_then(|report| warning(brake, report)),
        record: match recorded {
            Ok(()) => ChangeRecord::Recorded,
            Err(error) => ChangeRecord::Failed(aws_error::message(&error)),
        },
    })
}

/// Returns whether the reports decided already, and go on to stop the same mail. `brakes` is the brake before and
/// after. An override that is set again is a decision, whose reason is recorded.
fn changes_nothing(
    brake_override: BrakeOverrideArgument,
    before: Option<&BrakeOverride>,
    brakes: (Brake, Brake),
) -> bool {
    let auto = BrakeOverrideArgument::Auto;
    let decided = before.is_none_or(|before| before.setting == auto.as_str());
    brake_override == auto && decided && brakes.0 == brakes.1
}

/// Stores the override as the latest one, whatever the clocks of other operators show. Returns the state before it, and
/// the stored override.
async fn store(
    items: &BrakeItems,
    brake_override: BrakeOverrideArgument,
    by: String,
    why: String,
    now: Timestamp,
) -> Result<(GateState, BrakeOverride), BrakeError> {
    let unchanged = "The brake is unchanged";
    let mut stored = BrakeOverride {
        setting: brake_override.as_str().to_owned(),
        by,
        why,
        at: None,
    };
    for _ in 0..ATTEMPTS {
        let state = retry_throttled(async || items.usage.gate_state().await).await;
        let state = state.map_err(|error| items.error(&error, unchanged))?;
        stored.at = Some(after(state.overridden_at, now));
        let put = retry_throttled(async || items.usage.put_brake_override(&stored).await).await;
        if put.map_err(|error| items.error(&error, unchanged))? {
            return Ok((state, stored));
        }
    }
    Err(BrakeError::Contended)
}

/// Returns the time of a new override: now in milliseconds, but later than the override before it.
fn after(before: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let next = before.map_or(Timestamp::UNIX_EPOCH, |before| {
        plus(before, SignedDuration::from_millis(1))
    });
    let latest = now.max(next);
    in_milliseconds(latest)
}

/// Returns the figures that are recorded with the change. They contain no address.
fn figures(brake_override: BrakeOverrideArgument, report: Option<&Report>) -> Value {
    let Some(report) = report else {
        return json!({ "override": brake_override.as_str() });
    };
    let account = report.account.account;
    json!({
        "override": brake_override.as_str(),
        "report_at": report.at,
        "verdict": report.verdict,
        "enforcement_status": account.enforcement_status,
        "sent_last_24_hours": account.sent_last_24_hours,
        "max_24_hour_send": account.max_24_hour_send,
        "bounce_rate": report.rates.bounce.and_then(|rate| rate.judged()),
        "complaint_rate": report.rates.complaint.and_then(|rate| rate.judged()),
    })
}

/// Returns what the last report holds against this brake.
fn warning(brake: Brake, report: &Report) -> Option<String> {
    let wanted = Brake::from(report.verdict);
    if report.account.account.enforcement_status == EnforcementStatus::Shutdown && brake != Brake::All {
        let shut_down = "AWS has stopped the account's sending (SHUTDOWN). SES rejects all mail until you answer the \
                         case that AWS opened in the Support Center.";
        return Some(shut_down.to_owned());
    }
    if brake.level() < wanted.level() {
        let holds = wanted.holds_back().trim_end_matches('.').to_lowercase();
        return Some(format!(
            "this goes against the report of {} ({holds}). Each further bounce and complaint counts against the \
             account.",
            report.at
        ));
    }
    let under_review = report.account.account.enforcement_status == EnforcementStatus::Probation;
    (brake == Brake::None && (under_review || report.verdict == AccountHealth::Warn)).then(|| {
        format!(
            "the report of {} warns about the account: `okite status` shows it.",
            report.at
        )
    })
}

impl BrakeSet {
    pub(super) fn json(&self) -> Value {
        json!({
            "override": self.brake_override.as_str(),
            "brake": self.brake.as_str(),
            "in_force": self.in_gate == OverrideInGate::InForce,
            "changed": self.record != ChangeRecord::NothingToRecord,
            "recorded": self.record == ChangeRecord::Recorded,
            "warning": self.warning,
        })
    }
}

impl Display for BrakeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_the_reports = match self.brake_override.brake() {
            None => " The last report decided this, and later reports may change it.",
            Some(_) => "",
        };
        writeln!(
            f,
            "In {}: {}{by_the_reports}",
            self.target_name,
            self.brake.holds_back()
        )?;
        match self.in_gate {
            OverrideInGate::InForce => writeln!(f, "This is in force now, in every function.")?,
            OverrideInGate::Overtaken => writeln!(
                f,
                "Another operator set the brake a moment later, and theirs is in force: `okite brake` shows it."
            )?,
            OverrideInGate::NoGate => writeln!(
                f,
                "There is no gate yet. The first report puts this into force, within 5 minutes of the deployment."
            )?,
        }
        if let Some(warning) = &self.warning {
            writeln!(f, "Warning: {warning}")?;
        }
        match self.brake_override.brake() {
            Some(Brake::All | Brake::Bulk) => writeln!(
                f,
                "Stopped mail waits in the queue, or gets a 503 with retry-after if its caller wants that. `okite brake \
                 auto` lets the reports decide again; `okite brake none` releases all mail."
            )?,
            Some(Brake::None) => writeln!(
                f,
                "Mail that waits goes out within two minutes, as far as the sending rate lets it. No report can stop mail \
                 until `okite brake auto` lets the reports decide again."
            )?,
            None => {}
        }
        match &self.record {
            ChangeRecord::NothingToRecord => writeln!(f, "The reports decided before, so nothing changed."),
            ChangeRecord::Recorded => writeln!(
                f,
                "The change is recorded. The next report announces it on the alarm topic, if the stack has one."
            ),
            ChangeRecord::Failed(reason) => writeln!(f, "Warning: the change could not be recorded: {reason}"),
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
            EnforcementStatus::Healthy => AccountHealth::Healthy,
            EnforcementStatus::Probation => AccountHealth::Warn,
            EnforcementStatus::Shutdown => AccountHealth::BrakeAll,
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
    fn an_override_is_later_than_the_one_before_whatever_the_clocks_show() {
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
    fn releasing_mail_against_the_report_warns_and_stopping_it_does_not() {
        use EnforcementStatus::*;
        for (brake, status, wanted) in [
            (Brake::None, Healthy, None),
            (Brake::None, Probation, Some("warns about the account")),
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
            verdict: AccountHealth::BrakeBulk,
            ..report(Healthy)
        };
        let warning = warning(Brake::None, &braked).unwrap();
        assert!(warning.contains("bulk mail is stopped"), "{warning}");
    }

    #[test]
    fn the_figures_are_those_of_the_last_report() {
        assert_eq!(
            figures(BrakeOverrideArgument::Auto, None),
            json!({ "override": "auto" })
        );
        let figures = figures(BrakeOverrideArgument::All, Some(&report(EnforcementStatus::Probation)));
        assert_eq!(
            figures,
            json!({
                "override": "all", "report_at": "2026-01-02T03:00:00Z", "verdict": "warn", "enforcement_status": "PROBATION",
                "sent_last_24_hours": 120.0, "max_24_hour_send": 50000.0, "bounce_rate": null, "complaint_rate": null,
            })
        );
    }

    #[test]
    fn shows_the_stopped_mail_and_the_way_to_release_it() {
        let set = BrakeSet {
            target_name: "the stack okite".to_owned(),
            brake_override: BrakeOverrideArgument::All,
            brake: Brake::All,
            in_gate: OverrideInGate::InForce,
            warning: None,
            record: ChangeRecord::Recorded,
        };
        let text = set.to_string();
        for words in [
            "All mail is stopped",
            "in force now",
            "`okite brake auto`",
            "is recorded",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let released = BrakeSet {
            brake_override: BrakeOverrideArgument::None,
            brake: Brake::None,
            in_gate: OverrideInGate::NoGate,
            warning: Some("look".to_owned()),
            record: ChangeRecord::Failed("no".to_owned()),
            ..set
        };
        let text = released.to_string();
        for words in [
            "all mail passes",
            "no gate yet",
            "Warning: look",
            "could not be recorded: no",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
