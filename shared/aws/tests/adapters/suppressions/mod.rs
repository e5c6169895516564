//! The suppression list.

mod entries;
mod lookups;
mod newest;
mod registers;
mod soft;
mod unreadable;
