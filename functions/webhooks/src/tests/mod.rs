//! Batches of deliveries, against the tables of the template, a queue, and receivers on this machine.

mod deliveries;
mod endpoints;
mod slow;
mod world;
