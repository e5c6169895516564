//! A bill: what one case consumed, without what a process reads once in a while whatever the number of mails.

use std::collections::BTreeMap;

use local_aws::consumption::{Unit, Use};

use crate::support::{Okite, eventually};

/// The tables that a process reads and caches for some seconds, as long as it is asked for anything.
const CACHED: [&str; 2] = ["ApiKeysTable", "WebhooksTable"];
/// The access key of a test's own clients.
const TEST: &str = "test";
/// The bytes that DynamoDB adds to each item and each entry of an index.
/// <https://aws.amazon.com/dynamodb/pricing/on-demand/>
const OVERHEAD: i64 = 100;

/// What one case consumed.
#[derive(Clone, Debug, Default)]
pub(super) struct Bill {
    used: BTreeMap<Use, f64>,
    /// The bytes that it stored, by the logical id of the table.
    pub(super) stored: BTreeMap<String, Stored>,
}

/// Bytes of a table and of its indexes, with the overhead of each item and entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) table: i64,
    pub(super) indexes: i64,
}

impl Bill {
    /// Returns the sum of a unit over what `matches`.
    pub(super) fn sum(&self, unit: Unit, matches: impl Fn(&Use) -> bool) -> f64 {
        let of_unit = self.used.iter().filter(|(used, _)| used.unit == unit && matches(used));
        of_unit.map(|(_, amount)| amount).sum()
    }

    /// Returns the sum of a unit.
    pub(super) fn all(&self, unit: Unit) -> f64 {
        self.sum(unit, |_| true)
    }

    /// Returns the sum of a unit that a function caused.
    pub(super) fn by(&self, function: &str, unit: Unit) -> f64 {
        self.sum(unit, |used| used.by == function)
    }

    /// Lists what was consumed.
    pub(super) fn uses(&self) -> impl Iterator<Item = (&Use, f64)> {
        self.used.iter().map(|(used, amount)| (used, *amount))
    }

    /// Lists the functions that consumed anything.
    pub(super) fn functions(&self) -> Vec<&str> {
        let mut functions: Vec<_> = self.used.keys().map(|used| used.by.as_str()).collect();
        functions.dedup();
        functions.retain(|function| !function.is_empty());
        functions
    }

    /// Returns the bytes of all tables and indexes.
    pub(super) fn stored_bytes(&self) -> i64 {
        self.stored.values().map(|stored| stored.table + stored.indexes).sum()
    }

    /// Returns this bill without another, in parts of `count`.
    pub(super) fn without(&self, other: &Self, count: f64) -> Self {
        let mut rest = Self::default();
        for (used, amount) in self.uses() {
            let more = amount - other.used.get(used).copied().unwrap_or_default();
            if more != 0.0 {
                rest.used.insert(used.clone(), more / count);
            }
        }
        for (table, stored) in &self.stored {
            let before = other.stored.get(table).copied().unwrap_or_default();
            let part = |bytes: i64| bytes / as_bytes(count);
            let more = Stored {
                table: part(stored.table - before.table),
                indexes: part(stored.indexes - before.indexes),
            };
            rest.stored.insert(table.clone(), more);
        }
        rest
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a count of mails")]
fn as_bytes(count: f64) -> i64 {
    count as i64
}

/// The consumption of a stack up to a moment.
struct Meter {
    used: BTreeMap<Use, f64>,
    stored: BTreeMap<String, Stored>,
}

impl Meter {
    async fn read(okite: &Okite) -> Self {
        let mut stored = BTreeMap::new();
        for (logical_id, name) in &okite.local.tables {
            let described = okite.dynamodb.describe_table().table_name(name).send().await.unwrap();
            let table = described.table.unwrap();
            let size = |bytes: Option<i64>, items: Option<i64>| bytes.unwrap() + OVERHEAD * items.unwrap();
            let indexes = table.global_secondary_indexes.unwrap_or_default();
            let indexes = indexes
                .iter()
                .map(|index| size(index.index_size_bytes, index.item_count));
            let of_table = Stored {
                table: size(table.table_size_bytes, table.item_count),
                indexes: indexes.sum(),
            };
            stored.insert(logical_id.clone(), of_table);
        }
        Self {
            used: used(okite),
            stored,
        }
    }

    fn since(self, before: &Self) -> Bill {
        let [now, before] = [&self, before].map(|meter| Bill {
            used: meter.used.clone(),
            stored: meter.stored.clone(),
        });
        now.without(&before, 1.0)
    }
}

/// Returns what was used up to now.
fn used(okite: &Okite) -> BTreeMap<Use, f64> {
    let mut used = okite.local.consumption.so_far();
    used.retain(|used, _| {
        let of_test = used.by == TEST;
        // The function that delivers to webhooks reads their secrets and their health as well.
        let cached = used.by != "webhooks" && CACHED.contains(&used.of.as_str());
        !of_test && !cached
    });
    used
}

/// Returns how much a function used of a unit up to now.
pub(super) fn used_by(okite: &Okite, function: &str, unit: Unit) -> f64 {
    let used = used(okite).into_iter();
    let of_function = used.filter(|(used, _)| used.by == function && used.unit == unit);
    of_function.map(|(_, amount)| amount).sum()
}

/// Measures what `act` consumes, up to the moment at which `is_over` holds of the bill.
pub(super) async fn measure(okite: &Okite, is_over: impl Fn(&Bill) -> bool, act: impl AsyncFnOnce()) -> Bill {
    let before = Meter::read(okite).await;
    // The mail is settled before its events come, as on AWS.
    okite.local.hold_events(true);
    act().await;
    okite.local.hold_events(false);
    eventually("all of the case is counted", async || {
        let now = Meter {
            used: used(okite),
            stored: BTreeMap::new(),
        };
        is_over(&now.since(&before))
    })
    .await;
    Meter::read(okite).await.since(&before)
}
