//! The SES account as the reporter sees it, and the report it makes of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::stream::Stream;
use crate::suppression::ReportedReconciliation;

/// What AWS thinks of the account.
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EnforcementStatus {
    /// Nothing is wrong.
    Healthy,
    /// The account is under review.
    Probation,
    /// AWS ended the account's sending.
    Shutdown,
}

/// The account's limits and standing. Figures are in recipients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The rolling 24-hour quota; −1 is no limit.
    pub max_24_hour_send: f64,
    /// How much of it is used, by every sender of the account in this region.
    pub sent_last_24_hours: f64,
    /// Recipients a second.
    pub max_send_rate: f64,
    /// Whether the account is out of the sandbox.
    pub production_access: bool,
    /// Whether sending is on.
    pub sending_enabled: bool,
    /// What AWS thinks of it.
    pub enforcement_status: EnforcementStatus,
}

impl Account {
    /// Returns the quota, or `None` when there is none to keep.
    #[must_use]
    pub fn quota(&self) -> Option<f64> {
        (self.max_24_hour_send >= 0.0).then_some(self.max_24_hour_send)
    }

    /// Returns what is left of the quota, or `None` when there is none to keep.
    #[must_use]
    pub fn remaining(&self) -> Option<f64> {
        self.quota().map(|quota| (quota - self.sent_last_24_hours).max(0.0))
    }
}

/// Where the account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do.
    Healthy,
    /// Somebody should look.
    Warn,
    /// Bulk mail stops; transactional mail passes.
    BrakeBulk,
    /// Nothing is sent.
    BrakeAll,
}

/// How much of the mail the gate holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brake {
    /// Nothing.
    None,
    /// Bulk mail.
    Bulk,
    /// Everything.
    All,
}

impl Brake {
    /// Returns the number that stands for it in the gate.
    #[must_use]
    pub fn level(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Bulk => 1,
            Self::All => 2,
        }
    }

    /// Reads the number; one that nobody wrote holds everything back.
    #[must_use]
    pub fn from_level(level: i64) -> Self {
        match level {
            0 => Self::None,
            1 => Self::Bulk,
            _ => Self::All,
        }
    }

    /// Returns the least brake that holds the mail of `stream` back.
    #[must_use]
    pub fn against(stream: Stream) -> Self {
        match stream {
            Stream::Bulk => Self::Bulk,
            Stream::Transactional => Self::All,
        }
    }

    /// Reads an operator's override; `auto` leaves the brake to the verdict. Whoever writes a word that is none of these
    /// means to stop mail, and is stopped until the word is right.
    #[must_use]
    pub fn from_override(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => None,
            "none" => Some(Self::None),
            "bulk" => Some(Self::Bulk),
            _ => Some(Self::All),
        }
    }
}

impl From<Verdict> for Brake {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Healthy | Verdict::Warn => Self::None,
            Verdict::BrakeBulk => Self::Bulk,
            Verdict::BrakeAll => Self::All,
        }
    }
}

/// Judges the account by what SES itself says of it.
#[must_use]
pub fn judge(account: &Account) -> Verdict {
    match account.enforcement_status {
        EnforcementStatus::Shutdown => Verdict::BrakeAll,
        EnforcementStatus::Probation => Verdict::Warn,
        EnforcementStatus::Healthy if !account.sending_enabled => Verdict::Warn,
        EnforcementStatus::Healthy => Verdict::Healthy,
    }
}

/// The reporter's answer: one JSON object, whose field names are a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When the account was read.
    pub at: Timestamp,
    /// The region it was read in: SES accounts are regional.
    pub region: String,
    /// What SES said.
    pub account: ReportedAccount,
    /// What it means.
    pub verdict: Verdict,
    /// How SES's own suppression list compares with ours; `null` where no report was made before.
    #[serde(default)]
    pub suppression_list: Option<ReportedReconciliation>,
}

/// The account as the report shows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedAccount {
    /// What SES said.
    #[serde(flatten)]
    pub account: Account,
    /// What is left of the quota; `null` when it is unlimited.
    pub remaining: Option<f64>,
}

impl Report {
    /// Makes the report of an account read at `at`.
    #[must_use]
    pub fn new(account: Account, region: String, at: Timestamp) -> Self {
        let verdict = judge(&account);
        Self {
            at,
            region,
            account: ReportedAccount {
                account,
                remaining: account.remaining(),
            },
            verdict,
            suppression_list: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: Account = Account {
        max_24_hour_send: 50_000.0,
        sent_last_24_hours: 120.0,
        max_send_rate: 14.0,
        production_access: true,
        sending_enabled: true,
        enforcement_status: EnforcementStatus::Healthy,
    };

    #[test]
    fn reports_in_the_agreed_shape() {
        let report = Report::new(ACCOUNT, "eu-west-1".to_owned(), Timestamp::UNIX_EPOCH);
        let expected = json!({
            "at": "1970-01-01T00:00:00Z",
            "region": "eu-west-1",
            "account": {
                "max_24_hour_send": 50000.0, "sent_last_24_hours": 120.0, "remaining": 49880.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": "HEALTHY",
            },
            "verdict": "healthy",
            "suppression_list": null,
        });
        assert_eq!(serde_json::to_value(report).unwrap(), expected);
    }

    #[test]
    fn an_unlimited_account_has_no_remainder() {
        let unlimited = Account {
            max_24_hour_send: -1.0,
            ..ACCOUNT
        };
        assert_eq!(unlimited.remaining(), None);
    }

    #[test]
    fn the_remainder_is_never_negative() {
        assert_eq!(
            Account {
                sent_last_24_hours: 60_000.0,
                ..ACCOUNT
            }
            .remaining(),
            Some(0.0)
        );
    }

    #[test]
    fn only_a_shutdown_stops_everything() {
        let judged = |status, sending_enabled| {
            judge(&Account {
                enforcement_status: status,
                sending_enabled,
                ..ACCOUNT
            })
        };
        assert_eq!(judged(EnforcementStatus::Healthy, true), Verdict::Healthy);
        assert_eq!(judged(EnforcementStatus::Healthy, false), Verdict::Warn);
        assert_eq!(judged(EnforcementStatus::Probation, true), Verdict::Warn);
        assert_eq!(judged(EnforcementStatus::Shutdown, true), Verdict::BrakeAll);
    }

    #[test]
    fn a_brake_is_known_by_its_number() {
        for brake in [Brake::None, Brake::Bulk, Brake::All] {
            assert_eq!(Brake::from_level(brake.level()), brake);
        }
        assert_eq!(Brake::from_level(3), Brake::All);
    }

    #[test]
    fn an_operator_overrides_the_verdict() {
        assert_eq!(Brake::from_override("none"), Some(Brake::None));
        assert_eq!(Brake::from_override("all"), Some(Brake::All));
        assert_eq!(Brake::from_override("auto"), None);
        assert_eq!(Brake::from_override(" Bulk"), Some(Brake::Bulk));
        assert_eq!(Brake::from_override("stop"), Some(Brake::All));
        assert_eq!(Brake::from(Verdict::BrakeAll).level(), 2);
    }
}
