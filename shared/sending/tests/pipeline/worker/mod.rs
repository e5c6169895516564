//! What a worker does with mail that waits: each row of its tables.

mod batches;
mod judged;
mod outcomes;
mod pace;
mod races;
