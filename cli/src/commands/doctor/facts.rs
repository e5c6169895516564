//! The facts that the doctor reads before it judges them.

pub(super) use crate::dns::{DnsAnswers, DnsQuery, Known, UnknownNames, answer};
pub(super) use crate::identity::{Identity, IdentityState};

/// All facts.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The region. It is part of the DNS records that SES requires.
    pub(super) region: String,
    /// The options by which `okite domains` finds the account.
    pub(super) okite_options: String,
    /// The options by which `aws` finds SES.
    pub(super) aws_options: String,
    pub(super) account: Known<Account>,
    /// The configuration set of every mail; `None` if it does not exist.
    pub(super) configuration_set: Known<Option<ConfigurationSet>>,
    /// Whether SES is to publish the event `SEND`, by the parameter `SendEvents`.
    pub(super) reports_sends: bool,
    /// The ARN of the topic to which SES should publish events.
    pub(super) feedback_topic: String,
    /// The ARN of the function or queue that should receive the events; `None` if nobody says.
    pub(super) feedback_endpoint: Option<String>,
    /// The subscriptions of that topic; `None` if the topic does not exist.
    pub(super) subscriptions: Known<Option<Vec<Subscription>>>,
    /// The identities to check.
    pub(super) identities: Known<Vec<Identity>>,
    /// The number of further identities of the account.
    pub(super) identities_left_out: usize,
    /// The DNS answers by type and name. A query that was not sent has no entry.
    pub(super) dns: DnsAnswers,
    /// The queries to which the resolver answered that nothing is under the name (NXDOMAIN).
    pub(super) unknown_names: UnknownNames,
    /// The CloudWatch alarms whose names begin with the stack's name.
    pub(super) alarms: Known<Vec<Alarm>>,
    /// The logical ids of the alarms in the template.
    pub(super) alarms_of_template: Vec<String>,
    /// The API keys for bulk mail.
    pub(super) bulk_keys: Known<Vec<BulkKey>>,
}

/// An API key for bulk mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BulkKey {
    pub(super) name: String,
    pub(super) has_topic: bool,
}

impl Facts {
    /// Returns whether the resolver knows nothing of a domain.
    pub(super) fn is_unknown(&self, domain: &str) -> bool {
        [DnsQuery::Mx, DnsQuery::Address]
            .iter()
            .all(|&query| self.unknown_names.contains(&(query, domain.to_owned())))
    }
}

/// The SES account.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Account {
    /// Whether the account is out of the sandbox.
    pub(super) production_access: bool,
    pub(super) sending_enabled: bool,
    /// SES's enforcement status: `HEALTHY`, `PROBATION`, `SHUTDOWN`.
    pub(super) enforcement_status: String,
    /// The reasons for which SES adds addresses to its own suppression list: `BOUNCE`, `COMPLAINT`.
    pub(super) suppressed_reasons: Vec<String>,
}

/// An SES configuration set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigurationSet {
    pub(super) name: String,
    pub(super) sending_enabled: bool,
    pub(super) destinations: Known<Vec<EventDestination>>,
}

/// An event destination of a configuration set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventDestination {
    pub(super) enabled: bool,
    /// The ARN of its SNS topic, if it publishes to one.
    pub(super) topic_arn: Option<String>,
    /// The event types as the SES v2 API spells them: `BOUNCE`.
    pub(super) event_types: Vec<String>,
}

/// A subscription of the feedback topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    /// The protocol: `lambda`, `email`, ….
    pub(super) protocol: String,
    /// The ARN of what receives the messages, or its address.
    pub(super) endpoint: String,
    pub(super) confirmed: bool,
}

/// A CloudWatch alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    pub(super) name: String,
    /// Whether the alarm has an enabled action.
    pub(super) notifies: bool,
    /// Whether the alarm is in the state `ALARM`.
    pub(super) is_active: bool,
}
