//! The actors, in the steps of the code that they stand for.

mod claim;
pub(crate) mod recall;
pub(crate) mod request;
pub(crate) mod sweep;
pub(crate) mod worker;
