//! Version 1 of the SES API: forms and XML (AWS's Query protocol), always with `POST /`.
//! <https://docs.aws.amazon.com/ses/latest/APIReference/>
//!
//! | module | concept |
//! |---|---|
//! | `form` | the parameters of a form |
//! | `action` | the action that a form asks for |
//! | `send_email` | the mails of `SendEmail` and `SendRawEmail` |
//! | `answers` | the answers |

mod action;
mod answers;
mod form;
mod send_email;

pub use action::{Action, IdentityType, ListIdentities};
pub use answers::{
    SendDataPoint, account_sending_enabled, identities, quota, sent, statistics, verification, verified_addresses,
};
