//! The command `okite`: what its subcommands do.
//!
//! | module | subcommand |
//! |---|---|
//! | [`up`] | `okite up`: all of Okite on this machine |
//! | [`keys`] | `okite keys …`: API keys, here and in AWS |
//! | [`suppressions`] | `okite suppressions …`: the suppression list, out to a file and in again |
//! | [`place`] | where a command works: here or in AWS |
//! | [`function`] | `okite function …`: one function, as `okite up` starts it |

pub mod function;
pub mod keys;
pub mod place;
pub mod suppressions;
pub mod up;
