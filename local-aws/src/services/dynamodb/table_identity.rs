//! What a table is called in the template and on AWS.

/// The logical id and the ARN of a table.
#[derive(Clone, Debug)]
pub(super) struct TableIdentity {
    pub(super) logical_id: String,
    pub(super) arn: String,
    /// The name of its partition key.
    pub(super) partition_key: String,
}
