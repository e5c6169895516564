//! The hosts that requests may name: those that cannot be another site's name for this server (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The hosts that requests may name.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// The address that the server listens on.
    listens_on: IpAddr,
    /// Names that were allowed besides.
    allowed: Arc<[String]>,
}

impl Hosts {
    /// Allows this machine's own names, the address, and the names of `allowed`.
    pub(crate) fn new(listens_on: IpAddr, allowed: Vec<String>) -> Self {
        Self {
            listens_on,
            allowed: allowed.into(),
        }
    }

    /// Returns whether a `Host` is allowed, with any port, because a port may be forwarded here.
    pub(crate) fn allow(&self, host: &str) -> bool {
        let Some(name) = name_of(host) else { return false };
        name.eq_ignore_ascii_case("localhost")
            || address_of(name).is_some_and(|address| self.allow_address(address))
            || self.allowed.iter().any(|allowed| name.eq_ignore_ascii_case(allowed))
    }

    /// Returns whether an address is allowed. A server that listens on every address of its machine does not know them.
    /// It takes each, because no site can make an address lead elsewhere, as it can a name.
    fn allow_address(&self, address: IpAddr) -> bool {
        [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(&address)
            || address == self.listens_on
            || self.listens_on.is_unspecified()
    }
}

/// Returns the host without its port; nothing if it is malformed.
pub(super) fn name_of(host: &str) -> Option<&str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_bare = !name.is_empty() && name.len() <= 253 && name.bytes().all(is_name);
    (port.is_none_or(is_port) && (is_bare || address_of(name).is_some())).then_some(name)
}

/// Reads a host that is an address: in brackets if it is one of IPv6.
fn address_of(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().map(IpAddr::V6).ok(),
        None => name.parse().map(IpAddr::V4).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_the_names_that_lead_here() {
        let elsewhere = [
            "evil.example",
            "localhost.evil.example",
            "0.0.0.0x",
            "mail.evil.example",
            "",
        ];
        // The address that is listened on, a name that is allowed besides, and what is allowed and refused then.
        for (listen, besides, allowed, refused) in [
            (
                "127.0.0.1",
                None,
                &["127.0.0.1", "localhost", "[::1]"][..],
                &["0.0.0.0", "192.168.1.5", "mail"][..],
            ),
            (
                "127.0.0.1",
                Some("mail"),
                &["127.0.0.1", "mail", "MAIL"],
                &["mail2", "192.168.1.5"],
            ),
            (
                "192.168.1.5",
                None,
                &["192.168.1.5", "localhost"],
                &["192.168.1.6", "0.0.0.0", "[::]"],
            ),
            (
                "0.0.0.0",
                None,
                &["192.168.1.5", "0.0.0.0", "[fe80::1]", "localhost"],
                &["mail", "[mail]", "[1.2.3.4]"],
            ),
            (
                "::",
                Some("mail.test"),
                &["[::1]", "192.168.1.5", "mail.test", "[::]"],
                &["::1", "mail", "mail.test."],
            ),
        ] {
            let hosts = Hosts::new(
                listen.parse().unwrap(),
                besides.map(str::to_owned).into_iter().collect(),
            );
            for name in allowed {
                for host in [(*name).to_owned(), format!("{name}:3000"), format!("{name}:80")] {
                    assert!(hosts.allow(&host), "{listen}: {host}");
                }
            }
            for name in refused.iter().chain(&elsewhere) {
                for host in [(*name).to_owned(), format!("{name}:3000")] {
                    assert!(!hosts.allow(&host), "{listen}: {host}");
                }
            }
            for malformed in [
                "localhost:",
                "localhost:3000x",
                "localhost:3000:3000",
                "127.0.0.1 ",
                "localhost/",
                ":3000",
            ] {
                assert!(!hosts.allow(malformed), "{listen}: {malformed}");
            }
        }
    }
}
