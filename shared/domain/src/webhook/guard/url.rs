//! The text of an endpoint's URL: its scheme, port and host.
//!
//! The parser is that of the WHATWG standard, and a request is made with what it wrote, never with the text it read.
//! So the host that is checked is the host that is called: `0x7f.1` and `2130706433` are read as 127.0.0.1, digits of
//! other scripts as digits, and an international name as its ASCII form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ::url::{Host, Url};

use super::is_public;

/// The most characters of a URL.
pub const ENDPOINT_URL_MAX: usize = 2_048;
/// The port of https.
const HTTPS_PORT: u16 = 443;
/// The most ports that may be listed, as many as the template's parameter `WebhookPorts` takes.
const PORTS_MAX: usize = 10;
/// Names that no public name server knows. Names of other kinds that do not exist fail when they are resolved.
const NOT_PUBLIC_NAMES: [&str; 6] = ["localhost", "local", "internal", "home.arpa", "localdomain", "onion"];

/// The rules for the URLs of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlRules {
    /// The ports that requests may go to.
    pub ports: Vec<u16>,
    /// Whether requests may go to 127.0.0.1, at any port and without TLS: on a developer's machine alone.
    pub loopback: bool,
}

impl Default for UrlRules {
    fn default() -> Self {
        Self {
            ports: vec![HTTPS_PORT],
            loopback: false,
        }
    }
}

/// A text is no list of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ports must be 1 to 10 numbers from 1 to 65535 with commas between them, like 443,8443")]
pub struct UnreadablePorts;

impl UrlRules {
    /// Reads the parameter `WebhookPorts`: `443,8443`.
    ///
    /// # Errors
    /// [`UnreadablePorts`] if it is no list of ports.
    pub fn parse_ports(text: &str) -> Result<Vec<u16>, UnreadablePorts> {
        let port = |port: &str| u16::from_str(port.trim()).ok().filter(|port| *port > 0);
        let ports: Option<Vec<u16>> = text.split(',').map(port).collect();
        ports.filter(|ports| ports.len() <= PORTS_MAX).ok_or(UnreadablePorts)
    }
}

/// The URL of an endpoint that requests may be sent to, if its name resolves to public addresses alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Url);

/// Why no request is sent to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedUrl {
    /// The text is no URL, or holds characters that no URL holds.
    #[error("it is not a URL like https://example.com/hook")]
    Unreadable,
    /// The text is too long.
    #[error("it is longer than {ENDPOINT_URL_MAX} characters")]
    TooLong,
    /// The scheme is not https.
    #[error("it must begin with https://")]
    Scheme,
    /// The URL is for a receiver on this machine, and written otherwise than the rule for such receivers admits.
    #[error(
        "write http://127.0.0.1 for a receiver on this machine. Any other URL must begin with https:// and a public name"
    )]
    NotLoopback,
    /// It holds a user name or a password.
    #[error("it must not hold a user name or a password")]
    UserInfo,
    /// It has a fragment, which no request carries.
    #[error("it must not hold a fragment (#)")]
    Fragment,
    /// The port is not among the allowed ones.
    #[error("port {0} is not allowed: the parameter WebhookPorts lists the allowed ports")]
    Port(u16),
    /// The host is a name that does not belong to the public internet.
    #[error("its host must be a name of the public internet")]
    Name,
    /// The host ends with a dot.
    #[error("its host must not end with a dot")]
    TrailingDot,
    /// The host is an address that does not belong to the public internet.
    #[error("its host must be an address of the public internet")]
    Address,
}

impl EndpointUrl {
    /// Reads a URL that requests may be sent to.
    ///
    /// # Errors
    /// [`RefusedUrl`] names the rule that it breaks.
    pub fn parse(text: &str, rules: &UrlRules) -> Result<Self, RefusedUrl> {
        if text.len() > ENDPOINT_URL_MAX {
            return Err(RefusedUrl::TooLong);
        }
        // The parser drops tabs and line ends, trims the text and takes a backslash for a slash.
        if text.contains(|letter: char| letter.is_control() || letter.is_whitespace() || letter == '\\') {
            return Err(RefusedUrl::Unreadable);
        }
        // It also takes `https:example.com` and `https:///example.com`.
        let (scheme, rest) = text.split_once("://").ok_or(RefusedUrl::Unreadable)?;
        if rest.starts_with('/') {
            return Err(RefusedUrl::Unreadable);
        }
        let is_http = scheme.eq_ignore_ascii_case("http");
        if !is_http && !scheme.eq_ignore_ascii_case("https") {
            return Err(RefusedUrl::Scheme);
        }
        let url = Url::parse(text).map_err(|_| RefusedUrl::Unreadable)?;
        // Escapes make it longer.
        if url.as_str().len() > ENDPOINT_URL_MAX {
            return Err(RefusedUrl::TooLong);
        }
        // An empty user name counts: `https://@example.com`.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(RefusedUrl::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(RefusedUrl::Fragment);
        }
        let address = match url.host().ok_or(RefusedUrl::Unreadable)? {
            Host::Domain("localhost") if rules.loopback => return Err(RefusedUrl::NotLoopback),
            Host::Domain(name) => {
                check_name(name)?;
                None
            }
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        };
        if rules.loopback && address == Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) {
            return Ok(Self(url));
        }
        if is_http {
            return Err(if rules.loopback {
                RefusedUrl::NotLoopback
            } else {
                RefusedUrl::Scheme
            });
        }
        if address.is_some_and(|address| !is_public(address)) {
            return Err(RefusedUrl::Address);
        }
        let port = url.port().unwrap_or(HTTPS_PORT);
        if !rules.ports.contains(&port) {
            return Err(RefusedUrl::Port(port));
        }
        Ok(Self(url))
    }

    /// Returns the URL as requests use it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the host as a log may hold it. The path and the query may hold secrets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(HTTPS_PORT)
    }

    /// Returns the name that is to be resolved; `None` if the host is an address.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.domain()
    }
}

impl fmt::Debug for EndpointUrl {
    /// Writes neither the path nor the query.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("EndpointUrl").field(&self.host()).finish()
    }
}

/// Checks a name as the parser wrote it: in ASCII and in small letters.
fn check_name(name: &str) -> Result<(), RefusedUrl> {
    if name.ends_with('.') {
        return Err(RefusedUrl::TrailingDot);
    }
    // The search list of a resolver would complete a name of one label.
    if !name.contains('.') {
        return Err(RefusedUrl::Name);
    }
    let is_under = |suffix: &&str| {
        let labels = name.strip_suffix(*suffix);
        labels.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
    };
    if NOT_PUBLIC_NAMES.iter().any(is_under) {
        return Err(RefusedUrl::Name);
    }
    let is_name = name.len() <= 253 && name.split('.').all(is_label);
    if is_name { Ok(()) } else { Err(RefusedUrl::Name) }
}

/// Returns whether a text is a label of a host's name. The underscore is not allowed there but is in use.
fn is_label(label: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && !label.starts_with('-') && label.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RefusedUrl::{
        Address, Fragment, Name, NotLoopback, Port, Scheme, TooLong, TrailingDot, Unreadable, UserInfo,
    };
    use super::*;

    fn parse(text: &str) -> Result<EndpointUrl, RefusedUrl> {
        EndpointUrl::parse(text, &UrlRules::default())
    }

    const REFUSED: &[(&str, RefusedUrl)] = &[
        ("", Unreadable),
        ("example.com/hook", Unreadable),
        ("//example.com/hook", Unreadable),
        ("https:example.com", Unreadable),
        ("https:/example.com", Unreadable),
        ("https:///example.com", Unreadable),
        ("https://", Unreadable),
        ("https://:443/", Unreadable),
        (r"https:\\example.com", Unreadable),
        (r"https://example.com\@127.0.0.1", Unreadable),
        (" https://example.com", Unreadable),
        ("https://example.com/a b", Unreadable),
        ("ht\ntps://example.com", Unreadable),
        ("https://exa\tmple.com", Unreadable),
        ("https://example.com\u{0}", Unreadable),
        ("https://example.com:65536/", Unreadable),
        ("https://[::1", Unreadable),
        ("https://[fe80::1%25eth0]/", Unreadable),
        ("https://[fe80::1%eth0]/", Unreadable),
        ("https://exa%00mple.com/", Unreadable),
        ("https://1.2.3.4.5/", Unreadable),
        ("https://256.1.1.1/", Unreadable),
        ("https://4294967296/", Unreadable),
        ("http://example.com/hook", Scheme),
        ("HTTP://example.com/hook", Scheme),
        ("http://127.0.0.1:8000/hook", Scheme),
        ("ftp://example.com/", Scheme),
        ("file:///etc/passwd", Unreadable),
        ("gopher://127.0.0.1:6379/_INFO", Scheme),
        ("https://user@example.com/", UserInfo),
        ("https://user:password@example.com/", UserInfo),
        ("https://@example.com/", UserInfo),
        ("https://example.com@127.0.0.1/", UserInfo),
        ("https://example.com/#fragment", Fragment),
        ("https://example.com:8443/", Port(8443)),
        ("https://example.com:22/", Port(22)),
        ("https://example.com:0/", Port(0)),
        ("https://8.8.8.8:80/", Port(80)),
        // Names.
        ("https://localhost/", Name),
        ("https://LOCALHOST/", Name),
        ("https://app.localhost/", Name),
        ("https://printer.local/", Name),
        ("https://metadata.google.internal/", Name),
        ("https://ip-10-0-0-1.ec2.internal/", Name),
        ("https://router.home.arpa/", Name),
        ("https://intranet/", Name),
        ("https://a..example.com/", Name),
        ("https://-a.example.com/", Name),
        ("https://localhost./", TrailingDot),
        ("https://example.com./", TrailingDot),
        // The letters of other scripts.
        ("https://ｌｏｃａｌｈｏｓｔ/", Name),
        ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", Name),
        ("https://%6c%6f%63alhost/", Name),
        // 127.0.0.1 in every spelling.
        ("https://127.0.0.1/", Address),
        ("https://127.0.0.1./", Address),
        ("https://127.1/", Address),
        ("https://2130706433/", Address),
        ("https://0x7f000001/", Address),
        ("https://0x7f.0.0.1/", Address),
        ("https://0177.0.0.1/", Address),
        ("https://017700000001/", Address),
        ("https://%31%32%37.0.0.1/", Address),
        ("https://１２７.０.０.１/", Address),
        ("https://127。0。0。1/", Address),
        ("https://①②⑦.⓪.⓪.①/", Address),
        ("https://[::1]/", Address),
        ("https://[0:0:0:0:0:0:0:1]/", Address),
        ("https://[::ffff:127.0.0.1]/", Address),
        ("https://[::ffff:7f00:1]/", Address),
        ("https://[::127.0.0.1]/", Address),
        // The metadata service, and other addresses.
        ("https://169.254.169.254/latest/meta-data/", Address),
        ("https://0xa9fea9fe/", Address),
        ("https://2852039166/", Address),
        ("https://[fd00:ec2::254]/", Address),
        ("https://[::ffff:a9fe:a9fe]/", Address),
        ("https://[64:ff9b::a9fe:a9fe]/", Address),
        ("https://[2002:a9fe:a9fe::]/", Address),
        ("https://0/", Address),
        ("https://0.0.0.0/", Address),
        ("https://[::]/", Address),
        ("https://10.0.0.1/", Address),
        ("https://100.64.0.1/", Address),
        ("https://192.168.0.1/", Address),
        ("https://224.0.0.1/", Address),
        ("https://255.255.255.255/", Address),
        ("https://[ff02::1]/", Address),
    ];

    const ALLOWED: &[(&str, &str)] = &[
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/Hook?Key=1", "https://example.com/Hook?Key=1"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"),
        ("https://localhost.example.com/", "https://localhost.example.com/"),
        ("https://notlocal.example/", "https://notlocal.example/"),
        ("https://127.0.0.1.nip.io/", "https://127.0.0.1.nip.io/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://134744072/", "https://8.8.8.8/"),
        ("https://[2001:4860:4860::8888]/", "https://[2001:4860:4860::8888]/"),
        ("https://example.com/@a//b", "https://example.com/@a//b"),
    ];

    #[test]
    fn the_table_of_urls_holds() {
        for (text, refusal) in REFUSED {
            assert_eq!(parse(text), Err(refusal.clone()), "{text}");
        }
        for (text, url) in ALLOWED {
            assert_eq!(parse(text).as_ref().map(EndpointUrl::as_str), Ok(*url), "{text}");
        }
    }

    #[test]
    fn a_url_is_bounded_as_it_is_written_and_as_it_is_escaped() {
        let of_length = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
        assert!(parse(&of_length(ENDPOINT_URL_MAX)).is_ok());
        assert_eq!(parse(&of_length(ENDPOINT_URL_MAX + 1)), Err(TooLong));
        assert_eq!(parse(&format!("https://example.com/{}", "ü".repeat(500))), Err(TooLong));
    }

    #[test]
    fn other_ports_are_those_that_are_listed() {
        let rules = UrlRules {
            ports: UrlRules::parse_ports("8443, 9000").unwrap(),
            loopback: false,
        };
        let port = |text: &str| EndpointUrl::parse(text, &rules).map(|url| url.port());
        assert_eq!(port("https://example.com:8443/"), Ok(8443));
        assert_eq!(port("https://example.com:9000/"), Ok(9000));
        assert_eq!(port("https://example.com/"), Err(Port(443)));
        assert_eq!(port("https://127.0.0.1:8443/"), Err(Address));
        let listed = |count| {
            (1..=count)
                .map(|port: u16| port.to_string())
                .collect::<Vec<_>>()
                .join(",")
        };
        assert_eq!(UrlRules::parse_ports(&listed(10)).map(|ports| ports.len()), Ok(10));
        assert_eq!(UrlRules::parse_ports(&listed(11)), Err(UnreadablePorts));
        for text in ["", "443,", "0", "65536", "https", "-1", &"1,".repeat(30)] {
            assert_eq!(UrlRules::parse_ports(text), Err(UnreadablePorts), "{text}");
        }
    }

    #[test]
    fn the_flag_allows_127_0_0_1_and_nothing_else() {
        let rules = UrlRules {
            loopback: true,
            ..UrlRules::default()
        };
        let parse = |text: &str| EndpointUrl::parse(text, &rules);
        for text in [
            "http://127.0.0.1:8000/hook",
            "https://127.0.0.1:8443/",
            "http://2130706433/",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "http://127.0.0.2:8000/",
            "http://[::1]:8000/",
            "http://0.0.0.0:8000/",
            "http://localhost:8000/",
            "http://169.254.169.254/",
            "http://example.com/",
            "http://user@127.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["http://localhost:8000/", "https://localhost/", "http://example.com/"] {
            assert_eq!(parse(text), Err(NotLoopback), "{text}");
        }
    }

    #[test]
    fn a_log_holds_the_host_alone() {
        let url = parse("https://example.com/hook/secret?token=secret").unwrap();
        assert_eq!(
            (url.host(), url.port(), url.name()),
            ("example.com", 443, Some("example.com"))
        );
        assert_eq!(format!("{url:?}"), r#"EndpointUrl("example.com")"#);
        assert_eq!(parse("https://8.8.8.8/").unwrap().name(), None);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_allowed_stays_as_it_is(text in "(https?://)?[\\PC]{0,60}") {
            if let Ok(url) = parse(&text) {
                prop_assert_eq!(parse(url.as_str()), Ok(url.clone()));
                prop_assert!(url.as_str().starts_with("https://"));
            }
        }

        #[test]
        fn an_address_is_allowed_if_it_is_public(bits in any::<u32>()) {
            let is_allowed = is_public(Ipv4Addr::from_bits(bits).into());
            for spelling in [format!("{bits}"), format!("{bits:#x}"), format!("0{bits:o}"), Ipv4Addr::from_bits(bits).to_string()] {
                prop_assert_eq!(parse(&format!("https://{spelling}/")).is_ok(), is_allowed, "{}", spelling);
            }
        }
    }
}
