//! The SES API: applications that speak to Amazon SES by an AWS SDK, unchanged.

mod client;
mod outcomes;
mod repeats;
