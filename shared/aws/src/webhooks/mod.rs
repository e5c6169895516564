//! The table Webhooks: the endpoints of the application, their secrets and their health.
//!
//! | `id` | `item` | holds |
//! |---|---|---|
//! | `endpoints` | the id of an endpoint | the endpoint without its secrets |
//! | the id of an endpoint | `secret` | its secrets |
//! | the id of an endpoint | `health` | how deliveries to it went lately |
//! | `workers` | `turn` | `worker` and `until` (milliseconds): which worker may wait for slow endpoints |
//! | `count` | `endpoints` | `count`: how many endpoints there are |
//!
//! The attributes of an endpoint:
//!
//! | attribute | holds |
//! |---|---|
//! | `url` | where its events are posted; absent for a listener |
//! | `listening_until` | when a listener counts as gone (milliseconds); absent for a URL |
//! | `events` | the kinds of events that it wants (a set of strings) |
//! | `state` | `enabled` or `disabled` |
//! | `created_at` | when it was made (milliseconds) |
//!
//! The attributes of its secrets are `current`, and after a rotation `previous` and `previous_until` (milliseconds).
//! Those of its health are `failures`, `parked_at` (milliseconds), `last_failure` (a map of `at`, `status` and `error`)
//! and `disabled_because` (`gone` or `parked`).
//!
//! One Query reads all endpoints, and the roles of the functions that emit events allow that partition alone. The three
//! items of an endpoint and the count are written and deleted in one transaction, so nothing of a deleted endpoint is
//! left, and two creations at once cannot exceed [`ENDPOINTS_MAX`](domain::webhook::ENDPOINTS_MAX).

mod change;
mod create;
mod health;
mod item;
mod known;
mod read;
mod secrets;
mod turn;

use aws_sdk_dynamodb::Client;

use crate::dynamodb::item::{Item, s};

pub use create::Created;
pub use known::KnownEndpoints;

/// The partition of all endpoints.
const ENDPOINTS: &str = "endpoints";
const SECRET: &str = "secret";
const HEALTH: &str = "health";
const COUNT: &str = "count";
const WORKERS: &str = "workers";
const TURN: &str = "turn";

/// The table Webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    client: Client,
    table: String,
}

impl Webhooks {
    /// The environment variable of a function that holds the name of the table.
    pub const TABLE_VARIABLE: &str = "WEBHOOKS_TABLE";

    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

/// The key of an item.
fn key(id: &str, item: &str) -> Item {
    Item::from([("id".to_owned(), s(id)), ("item".to_owned(), s(item))])
}
