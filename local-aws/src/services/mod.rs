//! The simulated AWS services, one module each.

pub mod cloudwatch;
pub mod dynamodb;
pub mod gateway;
pub mod lambda;
pub mod scheduler;
pub mod ses;
pub mod sns;
pub mod sqs;
