//! The account's own suppression list, as its API shows it.
//!
//! Nothing adds to it by itself: neither the mailbox simulator's bounces and complaints nor any other. An address is
//! found in any case, which is an assumption, because AWS does not document it. It is shown as it was put on the list.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::SesError;

/// The reason for which an address is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum SuppressionReason {
    Bounce,
    Complaint,
}

impl SuppressionReason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "BOUNCE",
            Self::Complaint => "COMPLAINT",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, SesError> {
        match text {
            "BOUNCE" => Ok(Self::Bounce),
            "COMPLAINT" => Ok(Self::Complaint),
            other => Err(SesError::BadRequest(format!(
                "Reason must be BOUNCE or COMPLAINT, not {other}."
            ))),
        }
    }
}

/// One address on the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suppressed {
    /// The address as it was put on the list.
    pub(super) address: String,
    pub(super) reason: SuppressionReason,
    pub(super) updated_at: Timestamp,
}

/// The part of the list that a request asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct SuppressionQuery {
    /// The reasons; none means all.
    pub(super) reasons: Vec<SuppressionReason>,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
}

impl SuppressionQuery {
    pub(super) fn matches(&self, suppressed: &Suppressed) -> bool {
        (self.reasons.is_empty() || self.reasons.contains(&suppressed.reason))
            && self.from.is_none_or(|from| suppressed.updated_at >= from)
            && self.to.is_none_or(|to| suppressed.updated_at <= to)
    }
}

/// The list, by address in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct SuppressionList {
    addresses: BTreeMap<String, Suppressed>,
}

impl SuppressionList {
    /// Puts an address on the list. One that is on it gets a new reason and time.
    pub(super) fn put(&mut self, address: &str, reason: SuppressionReason, now: Timestamp) {
        self.insert(Suppressed {
            address: address.to_owned(),
            reason,
            updated_at: now,
        });
    }

    /// Puts an entry on the list, in the place of one of its address.
    pub(super) fn insert(&mut self, suppressed: Suppressed) {
        self.addresses
            .insert(suppressed.address.to_ascii_lowercase(), suppressed);
    }

    /// Lists the entries by address.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Suppressed> {
        self.addresses.values()
    }

    pub(super) fn get(&self, address: &str) -> Option<&Suppressed> {
        self.addresses.get(&address.to_ascii_lowercase())
    }

    pub(super) fn remove(&mut self, address: &str) -> Option<Suppressed> {
        self.addresses.remove(&address.to_ascii_lowercase())
    }

    /// Lists the entries that match a query, by address.
    pub(super) fn matching(&self, query: &SuppressionQuery) -> impl Iterator<Item = &Suppressed> {
        self.addresses
            .values()
            .filter(move |suppressed| query.matches(suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn addresses(list: &SuppressionList, query: &SuppressionQuery) -> Vec<String> {
        list.matching(query).map(|s| s.address.clone()).collect()
    }

    #[test]
    fn finds_an_address_in_any_case_and_shows_it_as_it_was_put() {
        let mut list = SuppressionList::default();
        list.put("Ada@Example.com", SuppressionReason::Bounce, at(0));
        assert_eq!(list.get("ada@example.COM").unwrap().address, "Ada@Example.com");
        assert!(list.remove("ADA@example.com").is_some());
        assert!(list.get("Ada@Example.com").is_none());
    }

    #[test]
    fn putting_again_renews_reason_and_time() {
        let mut list = SuppressionList::default();
        list.put("ada@example.com", SuppressionReason::Bounce, at(0));
        list.put("ada@example.com", SuppressionReason::Complaint, at(9));
        let found = list.get("ada@example.com").unwrap();
        assert_eq!((found.reason, found.updated_at), (SuppressionReason::Complaint, at(9)));
    }

    #[test]
    fn lists_by_reason_and_by_time_with_both_ends_included() {
        let mut list = SuppressionList::default();
        list.put("a@example.com", SuppressionReason::Bounce, at(0));
        list.put("b@example.com", SuppressionReason::Complaint, at(10));
        list.put("c@example.com", SuppressionReason::Bounce, at(20));
        let bounces = SuppressionQuery {
            reasons: vec![SuppressionReason::Bounce],
            ..SuppressionQuery::default()
        };
        assert_eq!(addresses(&list, &bounces), ["a@example.com", "c@example.com"]);
        let late = SuppressionQuery {
            from: Some(at(10)),
            to: Some(at(20)),
            ..SuppressionQuery::default()
        };
        assert_eq!(addresses(&list, &late), ["b@example.com", "c@example.com"]);
    }
}
