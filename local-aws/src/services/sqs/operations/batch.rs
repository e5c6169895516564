//! What the batches of all operations have in common: up to ten entries, each with an id and an outcome of its own.

use std::collections::BTreeSet;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::error::SqsError;
use super::read;

/// The most entries of a batch.
const ENTRIES_MAX: usize = 10;
/// The longest id of an entry, in characters.
const ID_MAX: usize = 80;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    #[serde(default)]
    entries: Vec<Map<String, Value>>,
}

/// The outcomes of a batch so far.
#[derive(Default)]
pub(super) struct Outcomes {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl Outcomes {
    /// Adds the outcome of an entry: the members of its answer, or its error.
    pub(super) fn add(&mut self, id: &str, outcome: Result<Value, SqsError>) {
        match outcome {
            Ok(mut answer) => {
                answer["Id"] = json!(id);
                self.successful.push(answer);
            }
            Err(error) => {
                let is_ours = error.kind == "InternalError";
                self.failed.push(json!({
                    "Id": id,
                    "SenderFault": !is_ours,
                    "Code": error.code(),
                    "Message": error.message,
                }));
            }
        }
    }

    pub(super) fn answer(self) -> Value {
        json!({ "Successful": self.successful, "Failed": self.failed })
    }
}

/// An entry of a batch by its id: its members, or why it is not carried out.
type Entry = (String, Result<Bytes, SqsError>);

/// Reads the entries of a batch, each with its id. Those from the first of the last `undone` ones on are errors.
pub(super) fn entries(body: &Bytes, undone: usize) -> Result<Vec<Entry>, SqsError> {
    let Batch { entries } = read(body)?;
    if entries.is_empty() {
        let message = "There should be at least one entry in the request.";
        return Err(SqsError::new("EmptyBatchRequest", message));
    }
    if entries.len() > ENTRIES_MAX {
        let message = format!(
            "Maximum number of entries per request are {ENTRIES_MAX}. You have sent {}.",
            entries.len()
        );
        return Err(SqsError::new("TooManyEntriesInBatchRequest", message));
    }
    let mut ids = BTreeSet::new();
    let done = entries.len().saturating_sub(undone);
    let mut read = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let id = entry.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !is_id(&id) {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be \
                           at most 80 letters long.";
            return Err(SqsError::new("InvalidBatchEntryId", message));
        }
        if !ids.insert(id.clone()) {
            let message = format!("Id {id} repeated.");
            return Err(SqsError::new("BatchEntryIdsNotDistinct", message));
        }
        let entry = if index < done {
            Ok(Bytes::from(Value::Object(entry).to_string()))
        } else {
            Err(SqsError::new("InternalError", "A fault keeps this entry undone."))
        };
        read.push((id, entry));
    }
    Ok(read)
}

fn is_id(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}
