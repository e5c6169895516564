//! What is special about transactions: the actions that allow their steps, the reasons of a cancelled one, and the time
//! for which a token makes a repeated one safe.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The time for which a token stands for the transaction that first used it.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
const TOKEN_WINDOW: Duration = Duration::from_mins(10);

/// A step of a transaction.
pub(super) struct Step<'a> {
    /// The action that a role must allow for it. A transaction has no action of its own.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
    pub(super) action: &'static str,
    /// The name of its table.
    pub(super) table: &'a str,
}

/// Lists the steps of a transaction; none for a request of another kind.
pub(super) fn steps(request: &Value) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for step in request["TransactItems"].as_array().into_iter().flatten() {
        // Each step is one action by its name: `{"Put": {…}}`.
        for (name, step) in step.as_object().into_iter().flatten() {
            let action = match name.as_str() {
                "Put" => "PutItem",
                "Update" => "UpdateItem",
                "Delete" => "DeleteItem",
                "ConditionCheck" => "ConditionCheckItem",
                "Get" => "GetItem",
                _ => continue,
            };
            if let Some(table) = step["TableName"].as_str() {
                steps.push(Step { action, table });
            }
        }
    }
    steps
}

/// Reads the reasons out of the text of an error as DynamoDB writes it: `… reasons [None, TransactionConflict]`.
/// Returns nothing if it names none.
pub(super) fn cancellation_reasons(message: &str) -> Option<Value> {
    let (_, reasons) = message.strip_suffix(']')?.rsplit_once('[')?;
    let reason = |code: &str| match code.trim() {
        "None" => json!({ "Code": "None" }),
        code => json!({ "Code": code, "Message": format!("{code}, injected by a fault.") }),
    };
    Some(reasons.split(',').map(reason).collect())
}

/// The tokens of transactions. The database counts ten minutes by the machine's time; here they pass by the clock that
/// can be set forward. So a token that is used again after them gets another name.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    used: Mutex<HashMap<String, Used>>,
}

#[derive(Debug)]
struct Used {
    /// The time of the transaction that first used the token.
    at: Timestamp,
    /// The machine's time then, after which the database has forgotten the token too.
    noted: Instant,
    /// The name by which the database knows the token.
    known_as: String,
}

impl Tokens {
    /// Returns the name by which the database knows a token that is used now. A token that is new, or too old, gets a
    /// name from `new_name` if the database may remember it.
    pub(super) fn name(&self, token: &str, now: Timestamp, new_name: impl FnOnce() -> String) -> String {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, used| used.noted.elapsed() <= TOKEN_WINDOW);
        let window = SignedDuration::try_from(TOKEN_WINDOW).unwrap_or_default();
        let known_as = match used.get(token) {
            Some(used) if now.duration_since(used.at) < window => return used.known_as.clone(),
            Some(_) => new_name(),
            None => token.to_owned(),
        };
        let noted = Instant::now();
        let entry = Used {
            at: now,
            noted,
            known_as: known_as.clone(),
        };
        used.insert(token.to_owned(), entry);
        known_as
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_allowed_by_the_action_of_its_kind() {
        let request = json!({ "TransactItems": [
            { "Put": { "TableName": "a" } },
            { "Update": { "TableName": "b" } },
            { "Delete": { "TableName": "a" } },
            { "ConditionCheck": { "TableName": "c" } },
            { "Get": { "TableName": "a" } },
            { "Other": { "TableName": "a" } },
        ] });
        let steps = steps(&request);
        let steps: Vec<_> = steps.iter().map(|step| (step.action, step.table)).collect();
        let expected = [
            ("PutItem", "a"),
            ("UpdateItem", "b"),
            ("DeleteItem", "a"),
            ("ConditionCheckItem", "c"),
            ("GetItem", "a"),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn the_text_of_an_error_names_the_reasons() {
        let text =
            "Transaction cancelled, please refer cancellation reasons for specific reasons [None, TransactionConflict]";
        let reasons = cancellation_reasons(text).unwrap();
        assert_eq!(
            (&reasons[0]["Code"], &reasons[1]["Code"]),
            (&json!("None"), &json!("TransactionConflict"))
        );
        assert_eq!(cancellation_reasons("It was cancelled."), None);
    }

    #[test]
    fn a_token_stands_for_its_transaction_for_ten_minutes_of_the_clock() {
        let tokens = Tokens::default();
        let at = |minutes: i64| Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap();
        let name = |minutes| tokens.name("t", at(minutes), || format!("t at {minutes}"));
        assert_eq!([name(0), name(9)], ["t", "t"]);
        assert_eq!([name(10), name(19)], ["t at 10", "t at 10"]);
        assert_eq!(tokens.name("u", at(19), || unreachable!()), "u");
    }
}
