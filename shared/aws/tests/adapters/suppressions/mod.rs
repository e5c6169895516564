//! The suppression list.

mod entries;
mod forget;
mod lookups;
mod many;
mod newest;
mod newly;
mod registers;
mod soft;
mod topics;
mod unreadable;
