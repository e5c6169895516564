//! The HTTP contract: keys, requests, the forms in which clients write them, the OpenAPI document, reading emails.

pub(crate) mod api_keys;
pub(crate) mod client_forms;
pub(crate) mod emails;
pub(crate) mod openapi;
pub(crate) mod requests;
