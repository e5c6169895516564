//! The command `okite`: what its subcommands do.
//!
//! | module | subcommand |
//! |---|---|
//! | [`up`] | `okite up`: all of Okite on this machine |
//! | [`keys`] | `okite keys …`: API keys, here and in AWS |
//! | [`feedback`] | `okite feedback …`: events of SES that could not be handled, here and in AWS |
//! | [`function`] | `okite function …`: one function, as `okite up` starts it |
//!
//! [`place`] finds what a command works on.

pub mod feedback;
pub mod function;
pub mod keys;
pub mod place;
pub mod up;
