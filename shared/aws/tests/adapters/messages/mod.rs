//! The table of messages.

mod by_ses_id;
mod claims;
mod events;
mod forget;
mod pages;
mod rows;
mod units;
mod unknown;
