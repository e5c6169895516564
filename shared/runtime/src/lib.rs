//! How a function starts and runs: what it reads from its environment, how it logs, how it reads the time, and the loop
//! that hands it events.
//!
//! | module | concept |
//! |---|---|
//! | [`function`] | the start of a function, and its loop |
//! | [`environment`] | variables, each named when it is missing or wrong |
//! | [`config`] | the parts that functions' configurations are composed of |
//! | [`batch`] | the messages of a batch of a queue, and the answer |
//! | [`telemetry`], [`metrics`] | the log, and the metrics in it |
//! | [`clock`] | the time, and new ids |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod batch;
pub mod clock;
pub mod config;
pub mod environment;
pub mod function;
pub mod metrics;
pub mod telemetry;
