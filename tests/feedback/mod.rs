//! SES's events: from the topic to the suppression list and the records of mails.

pub(crate) mod events;
pub(crate) mod orders;
pub(crate) mod queues;
pub(crate) mod soft_bounces;
pub(crate) mod suppression_loop;
pub(crate) mod tracking;
pub(crate) mod webhooks;
pub(crate) mod writes;
