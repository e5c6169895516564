//! The guard of webhooks: the URLs and addresses that Okite may send requests to.
//!
//! A person with an API key chooses the URL of an endpoint, and a function inside the AWS account calls it. Without a
//! guard, such a person could call services that trust every caller of their network (server-side request forgery).
//!
//! | module | concept |
//! |---|---|
//! | `url` | the text of a URL: its scheme, port and host |
//! | `address` | the addresses that belong to the public internet |
//!
//! A name proves nothing: it may resolve to any address, and to another one a moment later. So the connector
//! resolves once, refuses a name with any address that is not public, and connects to the addresses that it checked.

mod address;
mod url;

pub use address::is_public;
pub use url::{ENDPOINT_URL_MAX, EndpointUrl, RefusedUrl, UnreadablePorts, UrlRules};
