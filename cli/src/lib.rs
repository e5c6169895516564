//! The command `okite`: what its subcommands do.
//!
//! | module | subcommand |
//! |---|---|
//! | [`up`] | `okite up`: all of Okite on this machine |
//! | [`doctor`] | `okite doctor`: what is wrong with an account and a stack, before it is trouble |
//! | [`keys`] | `okite keys …`: API keys, here and in AWS |
//! | [`suppressions`] | `okite suppressions …`: the suppression list, out to a file and in again |
//! | [`forget`] | `okite forget …`: takes a person's address out of what is kept |
//! | [`brake`] | `okite brake`: stops mail and lets it go, and shows who did so |
//! | [`status`] | `okite status`: where the account stands |
//! | [`incident`] | `okite incident`: what one needs when AWS writes |
//! | [`application`] | Okite as `local-aws` runs it |
//! | [`place`] | where a command works: here or in AWS |
//! | [`feedback`] | `okite feedback …`: events of SES that could not be handled, here and in AWS |
//! | [`function`] | `okite function …`: one function, as `okite up` starts it |

pub mod application;
pub mod brake;
pub mod doctor;
pub mod feedback;
pub mod forget;
pub mod function;
pub mod incident;
pub mod keys;
mod output;
mod patience;
pub mod place;
pub mod status;
pub mod suppressions;
mod table;
pub mod up;
