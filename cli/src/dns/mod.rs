//! DNS: what is asked, what is answered, and the records that should be there.

mod resolver;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use resolver::{ResolverAddress, query};

/// A fact, or why it could not be read.
pub(crate) type Known<T> = Result<T, String>;

/// The values of the records of each type and name. The list is empty if DNS has no such record.
pub(crate) type DnsAnswers = BTreeMap<(DnsQuery, String), Known<Vec<String>>>;

/// The queries whose name a resolver does not know.
pub(crate) type UnknownNames = BTreeSet<(DnsQuery, String)>;

/// Returns the values under a name, or why they are not known.
pub(crate) fn answer<'a>(dns: &'a DnsAnswers, query: DnsQuery, name: &str) -> Known<&'a [String]> {
    match dns.get(&(query, name.to_owned())) {
        Some(Ok(values)) => Ok(values),
        Some(Err(reason)) => Err(reason.clone()),
        None => Err("DNS was not queried".to_owned()),
    }
}

/// A type of DNS query. Each variant describes how the values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DnsQuery {
    /// The target name in lower case, without a dot at its end.
    Cname,
    /// A preference and a name: `10 mail.example.com`; a null MX is `0 .`.
    Mx,
    /// The text with its parts joined.
    Txt,
    /// An IPv4 or IPv6 address.
    Address,
}

/// A DNS record that is required.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DnsRecord {
    pub(crate) name: String,
    /// The type: `CNAME`, `MX` or `TXT`.
    pub(crate) kind: &'static str,
    pub(crate) value: String,
}
