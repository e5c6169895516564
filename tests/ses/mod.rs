//! The SES API: applications that speak to Amazon SES by an AWS SDK, unchanged.

mod client;
mod limits;
mod outcomes;
mod raw;
mod repeats;
