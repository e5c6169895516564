//! A change of the account's health between two reports.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Report;
use crate::account::AccountHealth;
use crate::webhook::{AccountEvent, EventId, EventKind, EventSubject, WebhookEvent};

/// How many changes of the health a report keeps whose events could not be emitted.
const VERDICT_CHANGES_KEPT: usize = 10;

/// A change of the account's health, which stays in the report until its event is emitted.
///
/// The report is stored before the event is emitted, so a run that ends in between leaves the change to the next run.
/// Both make the same event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictChange {
    /// The time of the run that noticed it.
    pub at: Timestamp,
    /// The time of the report before; `None` for the first report.
    pub after: Option<Timestamp>,
    /// The health before; `None` for the first report.
    pub from: Option<AccountHealth>,
    /// The health now.
    pub to: AccountHealth,
}

impl VerdictChange {
    /// Makes the event about the change in `region`. Two runs that notice one change at the same time have both read
    /// the same report before, so the id follows from the time of that report.
    #[must_use]
    pub fn event(&self, region: &str) -> WebhookEvent {
        let (from, to) = (self.from.map(AccountHealth::as_str), self.to.as_str());
        let identity = [
            region,
            EventKind::AccountVerdictChanged.as_str(),
            from.unwrap_or_default(),
            to,
        ];
        WebhookEvent {
            id: EventId::of(self.after.unwrap_or(self.at), &identity),
            created_at: self.at,
            subject: EventSubject::Account(AccountEvent::VerdictChanged {
                from: from.map(str::to_owned),
                to: to.to_owned(),
            }),
        }
    }
}

impl Report {
    /// Adds what the events of this run at `now` are made from: the changes that the previous report could not emit,
    /// and that of the health since then.
    pub fn note_verdict_change(&mut self, before: Option<&Self>, now: Timestamp) {
        let mut changes = before.map(|before| before.verdict_changes.clone()).unwrap_or_default();
        let from = before.map(|before| before.verdict);
        if from != Some(self.verdict) {
            changes.push(VerdictChange {
                at: now,
                after: before.map(|before| before.at),
                from,
                to: self.verdict,
            });
        }
        // While nothing can be emitted, the newest changes say the most.
        let too_many = changes.len().saturating_sub(VERDICT_CHANGES_KEPT);
        self.verdict_changes = changes.split_off(too_many);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> VerdictChange {
        VerdictChange {
            at: "2027-01-15T10:05:00Z".parse().unwrap(),
            after: Some("2027-01-15T10:00:00Z".parse().unwrap()),
            from: Some(AccountHealth::Healthy),
            to: AccountHealth::Warn,
        }
    }

    #[test]
    fn two_runs_that_notice_one_change_make_one_event() {
        let event = change().event("eu-west-1");
        let late = VerdictChange {
            at: "2027-01-15T10:05:09Z".parse().unwrap(),
            ..change()
        };
        assert_eq!(late.event("eu-west-1").id, event.id);
        assert_eq!(event.kind(), EventKind::AccountVerdictChanged);
        assert_eq!(event.created_at, change().at);
    }

    #[test]
    fn other_changes_have_other_ids() {
        let id = change().event("eu-west-1").id;
        for other in [
            VerdictChange {
                after: Some(change().at),
                ..change()
            },
            VerdictChange { from: None, ..change() },
            VerdictChange {
                to: AccountHealth::BrakeBulk,
                ..change()
            },
        ] {
            assert_ne!(other.event("eu-west-1").id, id, "{other:?}");
        }
        assert_ne!(change().event("us-east-1").id, id);
    }

    fn report(verdict: &str) -> Report {
        let account = serde_json::json!({
            "max_24_hour_send": 50000.0, "sent_last_24_hours": 120.0, "remaining": 49880.0, "max_send_rate": 14.0,
            "production_access": true, "sending_enabled": true, "enforcement_status": "HEALTHY",
        });
        let report = serde_json::json!({
            "at": "2027-01-15T10:00:00Z", "region": "eu-west-1", "account": account, "verdict": verdict,
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn a_report_notes_a_change_and_keeps_those_that_were_not_emitted() {
        let now = change().at;
        let healthy = report("healthy");
        let mut first = healthy.clone();
        first.note_verdict_change(None, now);
        assert_eq!(
            first.verdict_changes,
            [VerdictChange {
                after: None,
                from: None,
                to: healthy.verdict,
                at: now
            }]
        );
        let mut same = healthy.clone();
        same.note_verdict_change(Some(&healthy), now);
        assert_eq!(same.verdict_changes, []);
        let mut warns = report("warn");
        warns.note_verdict_change(Some(&healthy), now);
        assert_eq!(warns.verdict_changes, [change()]);
        // A run that repeats the previous report has a copy of its changes already.
        let mut repeated = warns.clone();
        repeated.note_verdict_change(Some(&warns), now);
        assert_eq!(repeated.verdict_changes, [change()]);
        let stored = serde_json::to_string(&repeated).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&stored).unwrap(), repeated);
    }

    #[test]
    fn a_report_keeps_the_newest_changes() {
        let mut before = report("healthy");
        for number in 0..20 {
            let mut next = report(if number % 2 == 0 { "warn" } else { "healthy" });
            next.note_verdict_change(Some(&before), change().at);
            before = next;
        }
        assert_eq!(before.verdict_changes.len(), VERDICT_CHANGES_KEPT);
        assert_eq!(before.verdict_changes.last().unwrap().to, AccountHealth::Healthy);
    }
}
