//! The HTTP contract: keys, requests, the OpenAPI document, reading emails.

pub(crate) mod api_keys;
pub(crate) mod emails;
pub(crate) mod openapi;
pub(crate) mod requests;
