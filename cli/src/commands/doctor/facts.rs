//! The facts that the doctor reads before it judges them.

use std::collections::{BTreeMap, BTreeSet};

/// A fact, or why it could not be read.
pub(super) type Known<T> = Result<T, String>;

/// All facts.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The region. It is part of the DNS records that SES requires.
    pub(super) region: String,
    pub(super) account: Known<Account>,
    /// The configuration set of every mail; `None` if it does not exist.
    pub(super) configuration_set: Known<Option<ConfigurationSet>>,
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

/// The values of the records of each type and name. The list is empty if DNS has no such record.
pub(super) type DnsAnswers = BTreeMap<(DnsQuery, String), Known<Vec<String>>>;

/// The queries whose name a resolver does not know.
pub(super) type UnknownNames = BTreeSet<(DnsQuery, String)>;

/// Returns the values under a name, or why they are not known.
pub(super) fn answer<'a>(dns: &'a DnsAnswers, query: DnsQuery, name: &str) -> Known<&'a [String]> {
    match dns.get(&(query, name.to_owned())) {
        Some(Ok(values)) => Ok(values),
        Some(Err(reason)) => Err(reason.clone()),
        None => Err("DNS was not queried".to_owned()),
    }
}

/// A type of DNS query. Each variant describes how the values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DnsQuery {
    /// The target name in lower case, without a dot at its end.
    Cname,
    /// A preference and a name: `10 mail.example.com`; a null MX is `0 .`.
    Mx,
    /// The text with its parts joined.
    Txt,
    /// An IPv4 or IPv6 address.
    Address,
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

/// An SES identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// An address or a domain.
    pub(super) name: String,
    /// Its state in SES; `None` if SES does not have the identity.
    pub(super) state: Known<Option<IdentityState>>,
}

impl Identity {
    /// Returns the domain, or the domain of the address.
    pub(super) fn domain(&self) -> &str {
        self.name.rsplit_once('@').map_or(&self.name, |(_, domain)| domain)
    }

    /// Returns whether the identity is an address.
    pub(super) fn is_address(&self) -> bool {
        self.name.contains('@')
    }
}

/// The state of an identity in SES. Each status is SES's own, such as `SUCCESS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IdentityState {
    /// Whether SES lets the identity send.
    pub(super) verified: bool,
    /// The verification status.
    pub(super) status: String,
    /// Why the verification failed.
    pub(super) error: Option<String>,
    /// The DKIM status.
    pub(super) dkim: String,
    /// Whether SES signs mail of the identity.
    pub(super) signing: bool,
    /// The tokens in the names of the DKIM records; empty if the owner brings a DKIM key.
    pub(super) dkim_tokens: Vec<String>,
    /// The domain to which the DKIM records point.
    pub(super) dkim_zone: String,
    /// The custom MAIL FROM domain and its status.
    pub(super) mail_from: Option<(String, String)>,
    /// Whether SES rejects mail while the custom MAIL FROM domain does not work.
    pub(super) mail_from_required: bool,
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
