//! The adapters, against what they talk to: every DynamoDB expression is run by a database with the tables of the
//! template, and every SES request is read as it is on the wire.

mod api_keys;
mod brake_changes;
mod brake_overrides;
mod claims;
mod cloudwatch;
mod forget;
mod marks;
mod messages;
mod notifications;
mod permits;
mod ses_simulator;
mod ses_suppression_list;
mod ses_wire;
mod support;
mod suppression_entries;
mod suppression_lookups;
mod suppressions;
mod usage;
