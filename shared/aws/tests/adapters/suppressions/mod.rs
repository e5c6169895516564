//! The suppression list.

mod entries;
mod lookups;
mod registers;
