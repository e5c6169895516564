//! The adapters, against what they talk to: every DynamoDB expression is run by a database with the tables of the
//! template, and every SES request is read as it is on the wire.

mod api_keys;
mod cloudwatch;
mod deliveries;
mod messages;
mod outbox;
mod ses;
mod sns;
mod sqs;
mod support;
mod suppressions;
mod usage;
mod webhooks;
