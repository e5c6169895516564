//! DynamoDB: dynoxide on a file, with the tables of the template, behind a front that remembers who calls what and where
//! faults befall the calls.

mod answer;
mod batch;
mod front;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server;
use crate::template::Table;

pub(crate) use batch::is_batch;
pub use front::FrontSettings;

/// The operations that a fault may be for: those that read and write items.
pub(crate) const OPERATIONS: [&str; 10] = [
    "GetItem",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactGetItems",
    "TransactWriteItems",
];

/// How often expired items are looked for. DynamoDB itself takes up to a few days.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DynamodbError {
    /// The database refused an operation.
    #[error("the local DynamoDB failed: {0}")]
    Database(#[from] DynoxideError),
    /// A request that this crate made is not one that the database understands.
    #[error("the local DynamoDB does not understand the definition of a table: {0}")]
    Definition(#[from] serde_json::Error),
    /// The file holds a table with other keys or indexes than the template.
    #[error(
        "the table {0} in this data directory has other keys or indexes than the template: it was made by another \
         version. Name another directory with --data-dir, or remove this one"
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
    /// The logical ids of the tables, by their names.
    logical_ids: BTreeMap<String, String>,
}

impl std::fmt::Debug for Dynamodb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dynamodb").finish_non_exhaustive()
    }
}

impl Dynamodb {
    /// Opens the database in `file`, or in memory, and makes the tables that are not there yet.
    ///
    /// # Errors
    /// [`DynamodbError`] if the file cannot be used or holds tables of another shape.
    pub fn open(file: Option<&Path>, tables: &[Table]) -> Result<Self, DynamodbError> {
        let database = match file {
            Some(file) => Database::new(file.to_str().ok_or(DynamodbError::Path)?)?,
            None => Database::memory()?,
        };
        for table in tables {
            create(&database, table)?;
        }
        let logical_id = |table: &Table| (table.name.clone(), table.logical_id.clone());
        Ok(Self {
            database,
            logical_ids: tables.iter().map(logical_id).collect(),
        })
    }

    /// Serves the wire protocol on `listener` until `stop` is cancelled, sweeping expired items now and then.
    ///
    /// # Errors
    /// If the database itself cannot be listened for, or its server cannot go on.
    pub async fn serve(
        self,
        listener: TcpListener,
        settings: FrontSettings,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let database = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", database.local_addr()?);
        let router = front::router(url, self.logical_ids, settings);
        let sweeper = tokio::spawn(sweep(self.database.clone(), stop.clone()));
        let (served, ()) = tokio::join!(
            dynoxide::server::serve_with_shutdown(database, self.database, stop.clone().cancelled_owned()),
            server::serve(listener, router, None, stop),
        );
        sweeper.abort();
        served.map_err(io::Error::other)
    }
}

/// Makes a table, or makes sure that the one that is there is the same.
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

/// What must not differ between a table and its definition: its keys and those of its indexes, by name.
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
    fn refuses_a_file_whose_tables_have_another_shape() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        Dynamodb::open(Some(&file), &[table("first", None)]).unwrap();
        let error = Dynamodb::open(Some(&file), &[table("first", Some("index"))]).unwrap_err();
        assert!(matches!(error, DynamodbError::OtherSchema(name) if name == "first"));
    }
}
