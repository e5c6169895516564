//! Findings about bulk mail without one-click unsubscribe.

use super::facts::Facts;
use super::finding::{Finding, Level};
use crate::plural::counted;

const WHY: &str = "Gmail demands one-click unsubscribe of bulk senders and Yahoo recommends it, and people who cannot \
                   unsubscribe report spam";

/// Judges the keys for bulk mail.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    const CODE: &str = "keys.unsubscribe";
    let keys = match &facts.bulk_keys {
        Ok(keys) => keys,
        Err(reason) => return vec![Finding::not_checked(CODE, reason, WHY)],
    };
    let without: Vec<String> = keys
        .iter()
        .filter(|key| !key.has_topic)
        .map(|key| key.name.clone())
        .collect();
    if without.is_empty() {
        let what = match keys.len() {
            0 => "no key sends bulk mail".to_owned(),
            keys => format!("{} for bulk mail, each with a topic", counted(keys, "key", "keys")),
        };
        return vec![Finding::ok(CODE, what, WHY)];
    }
    let what = format!(
        "{} for bulk mail without a topic (--json names them)",
        counted(without.len(), "key", "keys")
    );
    let remedy = "create a key with `okite keys create --stream bulk --topic TOPIC` and send with it, or set \
                  `okite_unsubscribe` in each email: see docs/UNSUBSCRIBE.md";
    vec![Finding::bad(CODE, Level::Warn, what, WHY, remedy).naming(without)]
}
