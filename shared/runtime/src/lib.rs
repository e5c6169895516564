//! How a function starts: what it reads from its environment, how it logs, and how it tells the time.
//!
//! | module | concept |
//! |---|---|
//! | [`function`] | what every function does before its first event |
//! | [`config`] | the environment |
//! | [`telemetry`] | the log |
//! | [`clock`] | the time and new ids |

pub mod clock;
pub mod config;
pub mod function;
pub mod telemetry;
