//! The context that a stack is created in.

use std::collections::BTreeMap;

/// The values of a template's pseudo parameters and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackContext {
    /// The AWS region, such as `us-east-1`.
    pub region: String,
    /// The AWS account, twelve digits.
    pub account_id: String,
    /// The name of the stack, with which every physical name begins.
    pub stack_name: String,
    /// The values of template parameters that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
}
