//! The table of usage.

mod brake_changes;
mod brake_overrides;
mod crowd;
mod marks;
mod permits;
mod priority;
mod reports;
mod unsubscribe;
