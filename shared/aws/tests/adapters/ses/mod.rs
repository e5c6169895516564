//! Amazon SES.

mod simulator;
mod suppression_list;
mod wire;
