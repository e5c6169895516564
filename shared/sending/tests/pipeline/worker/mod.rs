//! What a worker does with mail that waits: each row of its tables.

mod outcomes;
