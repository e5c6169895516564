//! The table of messages.

mod claims;
mod forget;
mod rows;
