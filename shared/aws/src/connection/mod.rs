//! The connections to AWS: one HTTP client for every service, the environment of a function, and warm-up during init.

pub(crate) mod function_config;
pub(crate) mod http_client;
mod warm_up;

pub use http_client::TrustError;
