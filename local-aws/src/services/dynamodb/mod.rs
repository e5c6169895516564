//! DynamoDB: dynoxide on a file, with the tables of the template.
//!
//! | module | contents |
//! |---|---|
//! | `wire` | the requests on their way to the database |
//! | `table_identity` | the names of a table |
//! | `capacity` | the read and write units of requests |
//! | `answer` | answers that do not come from the database |
//! | `unprocessed` | the part of a batch that stays unprocessed |
//! | `transaction` | the steps, tokens and cancellation reasons of transactions |

mod answer;
mod capacity;
mod table_identity;
mod transaction;
mod unprocessed;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::consumption::Consumption;
use crate::middleware::Middleware;
use crate::server;
use crate::template::Table;

use table_identity::TableIdentity;
use wire::DynamodbWire;

/// The time from one sweep of expired items to the next. DynamoDB itself takes up to a few days.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DynamodbError {
    /// The file is no database, or is damaged.
    #[error("the file {file} cannot be used as a database. Use another data directory, or remove this one")]
    File {
        /// The path.
        file: String,
        /// The database's own reason.
        source: DynoxideError,
    },
    /// The database refused an operation.
    #[error("the local DynamoDB failed: {0}")]
    Database(#[from] DynoxideError),
    /// The database rejected the shape of a request that this crate made.
    #[error("the local DynamoDB does not understand the definition of a table: {0}")]
    Definition(#[from] serde_json::Error),
    /// The file holds a table whose keys or indexes differ from the template's.
    #[error(
        "the keys or indexes of table {0} in this data directory differ from the template's: another version made it. \
         Use another data directory, or remove this one"
    )]
    OtherSchema(String),
    /// The file's path is not UTF-8.
    #[error("the path of the data directory is not UTF-8")]
    Path,
}

/// DynamoDB in this process.
#[derive(Clone)]
pub struct Dynamodb {
    database: Database,
    /// The tables, by their names.
    tables: BTreeMap<String, TableIdentity>,
    clock: Clock,
    /// Gets the read and write units of all requests.
    consumption: Option<Consumption>,
}

impl std::fmt::Debug for Dynamodb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dynamodb").finish_non_exhaustive()
    }
}

impl Dynamodb {
    /// Opens the database in `file`, or in memory, and creates the tables that it lacks.
    ///
    /// # Errors
    /// Returns a [`DynamodbError`] if the file cannot be used or holds tables of another shape.
    pub fn open(file: Option<&Path>, tables: &[Table]) -> Result<Self, DynamodbError> {
        let database = match file {
            Some(file) => {
                let file = file.to_str().ok_or(DynamodbError::Path)?;
                Database::new(file).map_err(|source| DynamodbError::File {
                    file: file.to_owned(),
                    source,
                })?
            }
            None => Database::memory()?,
        };
        // A write then survives a crash of the process without a wait for the disk. SQLite waits by default, so that a
        // write also survives a loss of power. The name is dynoxide's: it sets SQLite's `synchronous` to `NORMAL`.
        database.disable_bulk_loading()?;
        for table in tables {
            create(&database, table)?;
        }
        let identity = |table: &Table| {
            let partition_key = table.create["KeySchema"][0]["AttributeName"].as_str();
            let identity = TableIdentity {
                logical_id: table.logical_id.clone(),
                arn: table.arn.clone(),
                partition_key: partition_key.unwrap_or_default().to_owned(),
            };
            (table.name.clone(), identity)
        };
        Ok(Self {
            database,
            tables: tables.iter().map(identity).collect(),
            clock: Clock::default(),
            consumption: None,
        })
    }

    /// Lets the tokens of transactions be in force by `clock`, instead of the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Counts the read and write units of all requests, if there is a record for them. Then each request and each
    /// answer are read once more.
    #[must_use]
    pub fn with_consumption(self, consumption: Option<Consumption>) -> Self {
        Self { consumption, ..self }
    }

    /// Serves the wire protocol on `listener` until `stop` is cancelled, and sweeps expired items every minute.
    ///
    /// # Errors
    /// Returns an error if the database finds no port of its own, or its server ends early.
    pub async fn serve(self, listener: TcpListener, middleware: Middleware, stop: CancellationToken) -> io::Result<()> {
        let database = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", database.local_addr()?);
        let router = middleware.router(Arc::new(
            DynamodbWire::new(url, self.tables, self.clock).with_consumption(self.consumption),
        ));
        let sweeper = tokio::spawn(sweep(self.database.clone(), stop.clone()));
        let (served, ()) = tokio::join!(
            dynoxide::server::serve_with_shutdown(database, self.database, stop.clone().cancelled_owned()),
            server::serve(listener, router, None, stop),
        );
        sweeper.abort();
        served.map_err(io::Error::other)
    }
}

/// Creates a table, or checks that the existing one has the same keys and indexes.
fn create(database: &Database, table: &Table) -> Result<(), DynamodbError> {
    if database.get_table_metadata(&table.name)?.is_some() {
        let found = database.describe_table(read(json!({ "TableName": table.name }))?)?;
        let found = serde_json::to_value(found)?;
        if shape(&found["Table"]) != shape(&table.create) {
            return Err(DynamodbError::OtherSchema(table.logical_id.clone()));
        }
        return Ok(());
    }
    database.create_table(read(table.create.clone())?)?;
    if let Some(attribute) = &table.time_to_live {
        let specification = json!({ "Enabled": true, "AttributeName": attribute });
        database.update_time_to_live(read(
            json!({ "TableName": table.name, "TimeToLiveSpecification": specification }),
        )?)?;
    }
    Ok(())
}

fn read<T: DeserializeOwned>(request: Value) -> Result<T, DynamodbError> {
    Ok(serde_json::from_value(request)?)
}

/// Returns what must not differ between a table and its definition: its keys, and those of its indexes by name.
fn shape(table: &Value) -> (Value, Vec<(String, Value)>) {
    let indexes = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
    let mut indexes: Vec<_> = indexes
        .map(|index| (index["IndexName"].to_string(), index["KeySchema"].clone()))
        .collect();
    indexes.sort_by(|a, b| a.0.cmp(&b.0));
    (table["KeySchema"].clone(), indexes)
}

async fn sweep(database: Database, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "expired items could not be swept"),
            Err(error) => tracing::warn!(%error, "the sweep of expired items ended early"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, index: Option<&str>) -> Table {
        let key = |attribute: &str| json!([{ "AttributeName": attribute, "KeyType": "HASH" }]);
        let mut create = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": key("id"),
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        });
        if let Some(index) = index {
            create["AttributeDefinitions"] = json!([
                { "AttributeName": "id", "AttributeType": "S" }, { "AttributeName": "other", "AttributeType": "S" },
            ]);
            create["GlobalSecondaryIndexes"] =
                json!([{ "IndexName": index, "KeySchema": key("other"), "Projection": { "ProjectionType": "ALL" } }]);
        }
        Table {
            logical_id: name.to_owned(),
            name: name.to_owned(),
            arn: format!("arn:table/{name}"),
            create,
            time_to_live: Some("expires_at".to_owned()),
        }
    }

    #[test]
    fn opens_its_file_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        for _ in 0..2 {
            Dynamodb::open(Some(&file), &[table("first", Some("index")), table("second", None)]).unwrap();
        }
    }

    #[test]
    fn names_a_file_that_is_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        std::fs::write(&file, "no database, and longer than the header of one would be").unwrap();
        let error = Dynamodb::open(Some(&file), &[table("first", None)]).unwrap_err();
        assert!(matches!(error, DynamodbError::File { file: named, .. } if named == file.to_str().unwrap()));
    }

    #[test]
    fn refuses_a_file_whose_tables_have_another_shape() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        Dynamodb::open(Some(&file), &[table("first", None)]).unwrap();
        let error = Dynamodb::open(Some(&file), &[table("first", Some("index"))]).unwrap_err();
        assert!(matches!(error, DynamodbError::OtherSchema(name) if name == "first"));
    }
}
