//! The operations of CloudWatch: one module each.

mod describe_alarms;
mod get_metric_statistics;
