//! The emitter: it puts the events that an application hears of on their way to the endpoints.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod payload;

pub use payload::payload;
