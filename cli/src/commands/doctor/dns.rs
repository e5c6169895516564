//! What DNS says, by the resolvers of this machine or one that is named.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::facts::{Answers, Kind, Known};

/// How long one try at one question may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How many questions are asked at a time.
const AT_A_TIME: usize = 8;

/// A resolver that is named: `9.9.9.9`, `127.0.0.1:5353`, `[::1]:53`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolverAddress(SocketAddr);

impl FromStr for ResolverAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let with_port = text.parse::<SocketAddr>();
        let alone = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        let address = with_port.or_else(|_| alone());
        address
            .map(Self)
            .map_err(|_| "it must be an IP address, with a port or without: 9.9.9.9 or 127.0.0.1:5353".to_owned())
    }
}

/// Asks all questions; each answer stands for itself.
pub(super) async fn ask(questions: Vec<(Kind, String)>, resolver: Option<ResolverAddress>) -> Answers {
    let resolver = match resolver_of(resolver) {
        Ok(resolver) => resolver,
        Err(error) => {
            let reason = format!("this machine names no resolver that can be used ({error}); --resolver names one");
            let unknown = |question| (question, Err(reason.clone()));
            return questions.into_iter().map(unknown).collect();
        }
    };
    let answers = stream::iter(questions).map(async |(kind, name)| {
        let values = records(&resolver, kind, &name).await;
        ((kind, name), values)
    });
    answers.buffer_unordered(AT_A_TIME).collect().await
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
    // What receivers see is asked for, not what this machine believes.
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// The records of a type under a name.
async fn records(resolver: &TokioResolver, kind: Kind, name: &str) -> Known<Vec<String>> {
    // With a dot at its end no search domain is put behind it.
    let name = format!("{}.", name.trim_end_matches('.'));
    let types: &[RecordType] = match kind {
        Kind::Cname => &[RecordType::CNAME],
        Kind::Mx => &[RecordType::MX],
        Kind::Txt => &[RecordType::TXT],
        Kind::Address => &[RecordType::A, RecordType::AAAA],
    };
    let mut values = Vec::new();
    for &record_type in types {
        match resolver.lookup(name.as_str(), record_type).await {
            Ok(lookup) => values.extend(lookup.answers().iter().filter_map(|record| value(kind, &record.data))),
            Err(error) if error.is_no_records_found() => {}
            Err(error) => return Err(format!("{record_type} of {name} cannot be looked up: {error}")),
        }
    }
    Ok(values)
}

/// A record's value as [`Kind`] says; nothing for another type, such as an alias on the way.
fn value(kind: Kind, data: &RData) -> Option<String> {
    let host = |name: String| match name.to_ascii_lowercase() {
        root if root == "." => root,
        name => name.trim_end_matches('.').to_owned(),
    };
    match (kind, data) {
        (Kind::Cname, RData::CNAME(target)) => Some(host(target.0.to_ascii())),
        (Kind::Mx, RData::MX(mx)) => Some(format!("{} {}", mx.preference, host(mx.exchange.to_ascii()))),
        (Kind::Txt, RData::TXT(text)) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        (Kind::Address, RData::A(address)) => Some(address.to_string()),
        (Kind::Address, RData::AAAA(address)) => Some(address.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_is_an_address_with_a_port_or_without() {
        let parsed = |text: &str| text.parse::<ResolverAddress>().map(|address| address.0.to_string());
        assert_eq!(parsed("9.9.9.9").unwrap(), "9.9.9.9:53");
        assert_eq!(parsed("127.0.0.1:5353").unwrap(), "127.0.0.1:5353");
        assert_eq!(parsed("::1").unwrap(), "[::1]:53");
        assert!(parsed("dns.example").unwrap_err().contains("IP address"));
    }
}
