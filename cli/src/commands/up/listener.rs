//! The address that `okite up` listens on, and the names by which it may be called.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use clap::Args;
use tokio::net::TcpListener;

use super::UpError;

/// The options of the address and the names.
#[derive(Clone, Debug, Args)]
pub struct ListenOptions {
    /// Address to listen on, for HTTP and SMTP: one of this machine, or 0.0.0.0 for all of them. Beyond 127.0.0.1,
    /// anybody who reaches the address can read the mails and send
    #[arg(long, value_name = "ADDRESS", default_value_t = ListenOptions::default().listen, value_parser = parse_address)]
    pub listen: IpAddr,
    /// Answer to this host name in URLs too, besides localhost and the address; may be repeated
    #[arg(long, value_name = "NAME", value_parser = parse_host)]
    pub allow_host: Vec<String>,
}

impl Default for ListenOptions {
    /// This machine alone.
    fn default() -> Self {
        Self {
            listen: Ipv4Addr::LOCALHOST.into(),
            allow_host: Vec::new(),
        }
    }
}

impl ListenOptions {
    /// Checks that this machine has the address, before its ports are taken.
    pub(super) async fn check(&self) -> Result<(), UpError> {
        match TcpListener::bind((self.listen, 0)).await {
            Ok(_) => Ok(()),
            Err(source) => Err(UpError::Address {
                address: self.listen,
                source,
            }),
        }
    }

    /// Returns the warning that the address is reached from elsewhere, if it is.
    pub(super) fn warning(&self) -> Option<String> {
        if self.listen.is_loopback() {
            return None;
        }
        Some(format!(
            "WARNING: this Okite listens on {}. Anybody who reaches this address over the network can read all mails, \
             send mails and change everything here: the API key is public, and SMTP and the page need none. Use it \
             only in a network that you trust.",
            match self.listen {
                address if address.is_unspecified() => format!("every address of this machine ({address})"),
                address => address.to_string(),
            }
        ))
    }
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    const GIVE: &str = "give an IP address of this machine, such as 192.168.1.5, or 0.0.0.0 for all of them";
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return Err("it has a port: give the address alone, and the ports with --port and --smtp-port".to_owned());
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address: IpAddr = bare.parse().map_err(|_| format!("it is not an IP address: {GIVE}"))?;
    if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(format!("no machine has this address: {GIVE}"));
    }
    Ok(address)
}

/// Reads a host as requests name it: without scheme and port, and an address of IPv6 in brackets.
fn parse_host(text: &str) -> Result<String, String> {
    const NAME_MAX: usize = 253;
    match text.parse() {
        Ok(IpAddr::V6(address)) => return Ok(format!("[{address}]")),
        Ok(IpAddr::V4(address)) => return Ok(address.to_string()),
        Err(_) => {}
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.contains("://") || text.contains(':') {
        return Err("give the name alone, without http:// and without a port, such as okite.test".to_owned());
    }
    if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(is_name) {
        return Err("it is not a host name: give one such as okite.test".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

/// Returns the message about an address that cannot be listened on.
pub(super) fn wrong_address(address: IpAddr, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrNotAvailable => format!(
            "this machine has no address {address}: give one of its own with --listen, or 0.0.0.0 for all of them"
        ),
        _ => format!("{address} cannot be listened on: {source}. Give another address with --listen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_says_what_is_wrong_with_others() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "0.0.0.0"),
            ("::", "::"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(parse_address(text).unwrap(), address.parse::<IpAddr>().unwrap());
        }
        for (text, words) in [
            ("0.0.0.0:3000", "--port"),
            ("[::]:3000", "--port"),
            ("localhost", "not an IP address"),
            ("eth0", "0.0.0.0 for all"),
            ("", "not an IP address"),
            ("10.0.0.0/8", "not an IP address"),
            ("127.1", "not an IP address"),
            ("224.0.0.1", "no machine has"),
            ("255.255.255.255", "no machine has"),
        ] {
            let error = parse_address(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn reads_hosts_as_requests_name_them() {
        for (text, host) in [
            ("okite", "okite"),
            ("Mail.TEST", "mail.test"),
            ("10.0.0.1", "10.0.0.1"),
            ("fe80::1", "[fe80::1]"),
        ] {
            assert_eq!(parse_host(text).unwrap(), host);
        }
        for text in ["okite:3000", "http://okite", "*", "a b", "", "okite/", &"a".repeat(254)] {
            assert!(parse_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn warns_beyond_this_machine() {
        let warning = |listen: &str| {
            let options = ListenOptions {
                listen: listen.parse().unwrap(),
                ..ListenOptions::default()
            };
            options.warning()
        };
        assert_eq!(warning("127.0.0.1"), None);
        assert_eq!(warning("127.0.0.2"), None);
        assert_eq!(warning("::1"), None);
        assert!(warning("0.0.0.0").unwrap().contains("every address"));
        assert!(warning("192.168.1.5").unwrap().contains("192.168.1.5"));
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_by_name() {
        // TEST-NET-3, which no machine has.
        let options = ListenOptions {
            listen: "203.0.113.9".parse().unwrap(),
            ..ListenOptions::default()
        };
        let error = options.check().await.unwrap_err().to_string();
        assert!(error.contains("203.0.113.9") && error.contains("--listen"), "{error}");
    }
}
