//! Queries DNS through the resolvers of this machine, or through the named one.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::{DnsAnswers, DnsQuery, Known, UnknownNames};

/// The timeout of one attempt at one query.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The number of concurrent queries.
const CONCURRENT_QUERIES: usize = 8;

/// The address of a resolver: `9.9.9.9`, `127.0.0.1:5353`, `[::1]:53`. The default port is 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResolverAddress(SocketAddr);

impl FromStr for ResolverAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let with_port = text.parse::<SocketAddr>();
        let alone = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        let address = with_port.or_else(|_| alone());
        address.map(Self).map_err(|_| {
            "a resolver is an IP address with an optional port, such as 9.9.9.9 or 127.0.0.1:5353".to_owned()
        })
    }
}

/// Sends all queries. A query that fails does not affect the others. Returns the answers, and the queries that were
/// answered with NXDOMAIN: the resolver knows nothing under the name.
pub(crate) async fn query(
    queries: Vec<(DnsQuery, String)>,
    resolver: Option<ResolverAddress>,
) -> (DnsAnswers, UnknownNames) {
    let resolver = match resolver_of(resolver) {
        Ok(resolver) => resolver,
        Err(error) => {
            let reason = format!("this machine has no usable DNS resolver ({error}): name one with --resolver");
            let unknown = |query| (query, Err(reason.clone()));
            return (queries.into_iter().map(unknown).collect(), UnknownNames::new());
        }
    };
    let answers = stream::iter(queries).map(async |(query, name)| {
        let values = records(&resolver, query, &name).await;
        ((query, name), values)
    });
    let mut answers = answers.buffer_unordered(CONCURRENT_QUERIES);
    let (mut known, mut unknown) = (DnsAnswers::new(), UnknownNames::new());
    while let Some((query, values)) = answers.next().await {
        if values.as_ref().is_ok_and(Option::is_none) {
            unknown.insert(query.clone());
        }
        known.insert(query, values.map(Option::unwrap_or_default));
    }
    (known, unknown)
}

fn resolver_of(address: Option<ResolverAddress>) -> Result<TokioResolver, NetError> {
    let mut builder = match address {
        None => TokioResolver::builder_tokio()?,
        Some(ResolverAddress(address)) => {
            let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = address.port();
            }
            let server = NameServerConfig::new(address.ip(), true, connections.into());
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.attempts = 2;
    // Mail servers do not see the hosts file of this machine.
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// Returns the values of the records of a type under a name; `None` if the resolver does not know the name.
async fn records(resolver: &TokioResolver, query: DnsQuery, name: &str) -> Known<Option<Vec<String>>> {
    // A dot at the end keeps the resolver from appending a search domain.
    let name = format!("{}.", name.trim_end_matches('.'));
    let types: &[RecordType] = match query {
        DnsQuery::Cname => &[RecordType::CNAME],
        DnsQuery::Mx => &[RecordType::MX],
        DnsQuery::Txt => &[RecordType::TXT],
        DnsQuery::Address => &[RecordType::A, RecordType::AAAA],
    };
    let (mut values, mut is_known) = (Vec::new(), false);
    for &record_type in types {
        match resolver.lookup(name.as_str(), record_type).await {
            Ok(lookup) => {
                is_known = true;
                values.extend(lookup.answers().iter().filter_map(|record| value(query, &record.data)));
            }
            Err(error) if error.is_nx_domain() => {}
            Err(error) if error.is_no_records_found() => is_known = true,
            Err(error) => {
                return Err(format!(
                    "the {record_type} record of {name} could not be looked up: {error}"
                ));
            }
        }
    }
    Ok(is_known.then_some(values))
}

/// Returns a record's value as [`DnsQuery`] describes it. Returns `None` for a record of another type, such as an alias
/// on the way.
fn value(query: DnsQuery, data: &RData) -> Option<String> {
    let host = |name: String| match name.to_ascii_lowercase() {
        root if root == "." => root,
        name => name.trim_end_matches('.').to_owned(),
    };
    match (query, data) {
        (DnsQuery::Cname, RData::CNAME(target)) => Some(host(target.0.to_ascii())),
        (DnsQuery::Mx, RData::MX(mx)) => Some(format!("{} {}", mx.preference, host(mx.exchange.to_ascii()))),
        (DnsQuery::Txt, RData::TXT(text)) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        (DnsQuery::Address, RData::A(address)) => Some(address.to_string()),
        (DnsQuery::Address, RData::AAAA(address)) => Some(address.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;
    use hickory_resolver::proto::rr::rdata::{CNAME, MX, TXT};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_the_same_in_however_many_parts_it_is_kept(text in "[ -~]{1,120}", size in 1_usize..40) {
            let parts: Vec<String> = text.as_bytes().chunks(size)
                .map(|part| String::from_utf8(part.to_vec()).unwrap()).collect();
            prop_assert_eq!(value(DnsQuery::Txt, &RData::TXT(TXT::new(parts))), Some(text));
        }
    }

    #[test]
    fn a_host_is_in_lower_case_without_a_dot_at_its_end() {
        let host = || Name::from_ascii("Feedback-SMTP.Example.COM.").unwrap();
        let mx = RData::MX(MX::new(10, host()));
        assert_eq!(
            value(DnsQuery::Mx, &mx).as_deref(),
            Some("10 feedback-smtp.example.com")
        );
        let null = RData::MX(MX::new(0, Name::root()));
        assert_eq!(value(DnsQuery::Mx, &null).as_deref(), Some("0 ."));
        let alias = RData::CNAME(CNAME(host()));
        assert_eq!(
            value(DnsQuery::Cname, &alias).as_deref(),
            Some("feedback-smtp.example.com")
        );
        // An alias on the way to the record is no answer of another type.
        assert_eq!(value(DnsQuery::Txt, &alias), None);
    }

    #[test]
    fn a_resolver_is_an_address_with_an_optional_port() {
        let parsed = |text: &str| text.parse::<ResolverAddress>().map(|address| address.0.to_string());
        assert_eq!(parsed("9.9.9.9").unwrap(), "9.9.9.9:53");
        assert_eq!(parsed("127.0.0.1:5353").unwrap(), "127.0.0.1:5353");
        assert_eq!(parsed("::1").unwrap(), "[::1]:53");
        assert!(parsed("dns.example").unwrap_err().contains("IP address"));
    }
}
