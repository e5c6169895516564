//! What is known before it is judged.

use std::collections::BTreeMap;

/// Something that was read, or why it could not be.
pub(super) type Known<T> = Result<T, String>;

/// All that was read.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The region: it is part of the records that SES wants.
    pub(super) region: String,
    /// The SES account.
    pub(super) account: Known<Account>,
    /// The configuration set that mail is sent with.
    pub(super) configuration_set: Known<Option<ConfigurationSet>>,
    /// Where events are to go.
    pub(super) feedback_topic: String,
    /// Who is subscribed there; nothing if there is no such topic.
    pub(super) subscriptions: Known<Option<Vec<Subscription>>>,
    /// The identities to look at.
    pub(super) identities: Known<Vec<Identity>>,
    /// How many more the account has.
    pub(super) identities_left_out: usize,
    /// What DNS says, by type and name. What was not asked is not there.
    pub(super) dns: Answers,
    /// The alarms of the stack, by their names, with the names that the template gives them.
    pub(super) alarms: Known<Vec<Alarm>>,
    /// The logical ids of the alarms that the template makes.
    pub(super) alarms_of_template: Vec<String>,
}

/// What DNS says: the values of the records of a type under a name. No record is a list without one.
pub(super) type Answers = BTreeMap<(Kind, String), Known<Vec<String>>>;

/// A type of records, and how their values are written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The name that it leads to, in lower case, without a dot at its end.
    Cname,
    /// A preference and a name: `10 mail.example.com`; a null MX is `0 .`.
    Mx,
    /// The text, its parts joined.
    Txt,
    /// An address of a host, of either family.
    Address,
}

/// The SES account.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Account {
    /// Whether it is out of the sandbox.
    pub(super) production_access: bool,
    /// Whether sending is on.
    pub(super) sending_enabled: bool,
    /// SES's word: `HEALTHY`, `PROBATION`, `SHUTDOWN`.
    pub(super) enforcement_status: String,
    /// For which reasons SES puts addresses on its list: `BOUNCE`, `COMPLAINT`.
    pub(super) suppressed_reasons: Vec<String>,
}

/// The configuration set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigurationSet {
    /// Its name.
    pub(super) name: String,
    /// Whether sending is on.
    pub(super) sending_enabled: bool,
    /// Where it publishes events.
    pub(super) destinations: Known<Vec<Destination>>,
}

/// An event destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// Whether it is on.
    pub(super) enabled: bool,
    /// The topic, if it goes to one.
    pub(super) topic_arn: Option<String>,
    /// The types of events, as SES v2 spells them.
    pub(super) event_types: Vec<String>,
}

/// A subscription of the topic of feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    /// `lambda`, `email`, ….
    pub(super) protocol: String,
    /// Whether it was confirmed.
    pub(super) confirmed: bool,
}

/// An identity that mail is sent from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// An address or a domain.
    pub(super) name: String,
    /// What SES knows; nothing if it does not know the identity.
    pub(super) known: Known<Option<KnownIdentity>>,
}

impl Identity {
    /// The domain, or that of the address.
    pub(super) fn domain(&self) -> &str {
        self.name.rsplit_once('@').map_or(&self.name, |(_, domain)| domain)
    }

    /// Whether it is an address.
    pub(super) fn is_address(&self) -> bool {
        self.name.contains('@')
    }
}

/// What SES knows of an identity; statuses are SES's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownIdentity {
    /// Whether it may send.
    pub(super) verified: bool,
    /// Where its verification stands.
    pub(super) status: String,
    /// Why that failed, if it did.
    pub(super) error: Option<String>,
    /// Where DKIM stands.
    pub(super) dkim: String,
    /// Whether mail is signed.
    pub(super) signing: bool,
    /// The names of the DKIM records; none where the owner brings a key.
    pub(super) dkim_tokens: Vec<String>,
    /// Where the DKIM records lead to.
    pub(super) dkim_zone: String,
    /// The MAIL FROM domain, if it has one of its own, and where it stands.
    pub(super) mail_from: Option<(String, String)>,
    /// Whether mail is refused while the MAIL FROM domain does not work.
    pub(super) mail_from_required: bool,
}

/// An alarm of CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    /// Its name.
    pub(super) name: String,
    /// Whether it tells anybody.
    pub(super) tells: bool,
    /// Whether it is going off.
    pub(super) alarmed: bool,
}
