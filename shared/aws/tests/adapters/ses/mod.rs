//! Amazon SES.

mod account;
mod raw;
mod simulator;
mod suppression_list;
mod tracking;
mod wire;
