//! Amazon SES.

mod account;
mod simulator;
mod suppression_list;
mod wire;
