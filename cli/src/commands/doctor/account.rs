//! Findings about the SES account.

use super::facts::{Account, Facts};
use super::finding::{Finding, Level};

const WHY_SANDBOX: &str = "in the sandbox SES sends only to verified recipients, 200 a day and 1 a second, and its own \
                           suppression list cannot be changed";
pub(super) const WHY_SENDING: &str = "SES rejects every mail while sending is off";
const WHY_ENFORCEMENT: &str =
    "AWS reviews an account at 5 % bounces or 0.1 % complaints, and pauses it at 10 % or 0.5 %";
const WHY_LIST: &str = "SES's own list stops mail to addresses that bounced or complained about mail of other \
                        applications in the account";

/// Judges the account.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let account = match &facts.account {
        Ok(account) => account,
        Err(reason) => return vec![Finding::not_checked("account", reason, WHY_ENFORCEMENT)],
    };
    vec![
        sandbox(account),
        sending(account),
        enforcement(account),
        suppression(account),
    ]
}

fn sandbox(account: &Account) -> Finding {
    const CODE: &str = "account.sandbox";
    if account.production_access {
        return Finding::ok(CODE, "the account has production access", WHY_SANDBOX);
    }
    let remedy = "request production access on the account dashboard of the SES console, in this region. AWS usually \
                  answers within a day";
    Finding::bad(CODE, Level::Warn, "the account is in the sandbox", WHY_SANDBOX, remedy)
}

fn sending(account: &Account) -> Finding {
    const CODE: &str = "account.sending";
    if account.sending_enabled {
        return Finding::ok(CODE, "sending is on", WHY_SENDING);
    }
    let remedy = "find out who switched sending off and why, then run: aws sesv2 put-account-sending-attributes \
                  --sending-enabled";
    Finding::bad(CODE, Level::Fail, "sending is off for the account", WHY_SENDING, remedy)
}

fn enforcement(account: &Account) -> Finding {
    const CODE: &str = "account.enforcement";
    let status = &account.enforcement_status;
    let (level, remedy) = match status.as_str() {
        "HEALTHY" => {
            let what = "the account is neither under review nor stopped by AWS";
            return Finding::ok(CODE, what, WHY_ENFORCEMENT);
        }
        "SHUTDOWN" => (
            Level::Fail,
            "answer the case that AWS opened in the Support Center: it names the changes that AWS requires",
        ),
        _ => (
            Level::Warn,
            "find the mail that causes bounces or complaints (`okite incident`), stop it, and answer AWS's case in the \
             Support Center",
        ),
    };
    Finding::bad(
        CODE,
        level,
        format!("AWS gives the account the status {status}"),
        WHY_ENFORCEMENT,
        remedy,
    )
}

fn suppression(account: &Account) -> Finding {
    const CODE: &str = "account.suppression";
    let reasons = &account.suppressed_reasons;
    let missing: Vec<&str> = ["BOUNCE", "COMPLAINT"]
        .into_iter()
        .filter(|reason| !reasons.iter().any(|known| known == reason))
        .collect();
    if missing.is_empty() {
        return Finding::ok(
            CODE,
            "SES's own suppression list records bounces and complaints",
            WHY_LIST,
        );
    }
    let what = format!("SES's own suppression list does not record {}", missing.join(" and "));
    let remedy = "run: aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT";
    Finding::bad(CODE, Level::Warn, what, WHY_LIST, remedy)
}
