//! The SES API: the HTTP contract of Amazon SES, for applications that speak to SES through an AWS SDK.
//!
//! | module | concept |
//! |---|---|
//! | [`credentials`] | what a request proves its caller with: a signature, or an API key |
//! | [`signature`] | the check of requests that an AWS SDK signed |
//! | [`v1`] | version 1 of the API: forms and XML |
//! | [`v2`] | version 2 of the API: JSON |
//! | [`send`] | the mail that a request of either version asks to send |
//! | [`repeat`] | the key by which a repeated request is recognised |
//! | [`identity`] | the identities of the account |
//! | [`fault`] | every error that a caller can receive, in the form of both versions |
//! | `refusal` | the answer to a mail that the gate or SES refused |
//! | [`answer`] | an HTTP answer |
//! | `xml` | writes XML |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod answer;
pub mod credentials;
pub mod fault;
pub mod identity;
mod refusal;
pub mod repeat;
pub mod send;
pub mod signature;
pub mod v1;
pub mod v2;
mod xml;
