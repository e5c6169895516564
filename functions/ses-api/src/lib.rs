//! The SES API: the HTTP contract of Amazon SES, for applications that speak to SES through an AWS SDK.
//!
//! | module | concept |
//! |---|---|
//! | [`credentials`] | what a request proves its caller with: a signature, or an API key |
//! | [`signature`] | the check of requests that an AWS SDK signed |
//! | [`repeat`] | the key by which a repeated request is recognised |
//! | [`identity`] | the identities of the account |
//! | [`fault`] | every error that a caller can receive, in the form of both versions |
//! | [`answer`] | an HTTP answer |
//! | `xml` | writes XML |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod answer;
pub mod credentials;
pub mod fault;
pub mod identity;
pub mod repeat;
pub mod signature;
mod xml;
