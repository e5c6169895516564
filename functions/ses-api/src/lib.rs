//! The SES API: the HTTP contract of Amazon SES, for applications that speak to SES through an AWS SDK.
//!
//! | module | concept |
//! |---|---|
//! | [`signature`] | the check of requests that an AWS SDK signed |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod signature;
