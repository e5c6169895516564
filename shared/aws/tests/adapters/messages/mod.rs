//! The table of messages.

mod claims;
mod events;
mod forget;
mod pages;
mod rows;
mod units;
mod unknown;
