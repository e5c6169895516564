//! The HTTP contract: keys, requests, the forms in which clients write them, the OpenAPI document, reading
//! emails, mail for later and without room, calling it back, and webhooks.

pub(crate) mod api_keys;
pub(crate) mod busy;
pub(crate) mod client_forms;
pub(crate) mod emails;
pub(crate) mod openapi;
mod recall;
pub(crate) mod requests;
mod scheduled;
pub(crate) mod webhooks;
