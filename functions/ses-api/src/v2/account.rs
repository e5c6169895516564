//! The answer of `GetAccount`.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>

use domain::account::Account;
use serde_json::json;
use uuid::Uuid;

use super::json;
use crate::answer::ApiAnswer;

/// Answers `GetAccount` with the figures that the caller may use.
#[must_use]
pub fn account(account: &Account, request_id: Uuid) -> ApiAnswer {
    json::answer(
        request_id,
        &json!({
            "DedicatedIpAutoWarmupEnabled": false,
            "EnforcementStatus": account.enforcement_status,
            "ProductionAccessEnabled": account.production_access,
            "SendQuota": {
                "Max24HourSend": account.max_24_hour_send,
                "MaxSendRate": account.max_send_rate,
                "SentLast24Hours": account.sent_last_24_hours,
            },
            "SendingEnabled": account.sending_enabled,
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        }),
    )
}

#[cfg(test)]
mod tests {
    use domain::account::EnforcementStatus;
    use serde_json::Value;

    use super::*;

    #[test]
    fn has_the_members_of_ses() {
        let answer = account(
            &Account {
                max_24_hour_send: 50_000.0,
                sent_last_24_hours: 12.0,
                max_send_rate: 13.5,
                production_access: true,
                sending_enabled: true,
                enforcement_status: EnforcementStatus::Healthy,
            },
            Uuid::nil(),
        );
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["SendQuota"]["MaxSendRate"], 13.5);
        assert_eq!(body["EnforcementStatus"], "HEALTHY");
        assert_eq!(answer.status, 200);
    }
}
