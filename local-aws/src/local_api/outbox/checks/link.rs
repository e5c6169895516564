//! The address of a link, judged by its form. Nobody asks the server behind it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Finding, Level};

/// Marks of a template that was not filled in.
const PLACEHOLDERS: [&str; 6] = ["{{", "%7b%7b", "${", "<%", "*|", "%recipient"];

/// Judges the address of a link.
pub(super) fn judge(href: &str) -> Finding {
    let href = href.trim();
    let lower = href.to_ascii_lowercase();
    let (level, message) = match href {
        "" => (Level::Fault, "The link has no address."),
        "#" => (Level::Warning, "The link leads nowhere."),
        _ if PLACEHOLDERS.iter().any(|mark| lower.contains(mark)) => {
            (Level::Fault, "A placeholder in the address was not filled in.")
        }
        _ if href.starts_with('#') => (Level::Good, "A place in the mail. Some mail programs do not go there."),
        _ if href.starts_with("//") => (Level::Fault, "The address has no scheme. Write https:// in full."),
        _ => match scheme(&lower) {
            Some(("https", rest)) => server(rest, true),
            Some(("http", rest)) => server(rest, false),
            Some(("mailto" | "tel" | "sms", "")) => (Level::Fault, "The link names nobody."),
            Some(("mailto" | "tel" | "sms", _)) => (Level::Good, "It opens a program of the recipient."),
            Some(("javascript" | "vbscript", _)) => (Level::Fault, "Mail programs run no scripts."),
            Some(("file" | "data" | "cid" | "blob", _)) => (Level::Fault, "Mail programs do not open such an address."),
            Some(_) => (Level::Note, "It opens an app, for recipients who have it."),
            None => (
                Level::Fault,
                "The address is relative. A mail has no page that it could be relative to.",
            ),
        },
    };
    Finding::new(level, message)
}

/// Splits the scheme off an address.
pub(super) fn scheme(href: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = href.split_once(':')?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_letter);
    is_scheme.then_some((scheme, rest))
}

fn server(rest: &str, is_https: bool) -> (Level, &'static str) {
    match host(rest) {
        None => (Level::Fault, "The address names no server."),
        Some(host) if is_private(host) => (
            Level::Fault,
            "The address leads to this machine or this network. Recipients cannot open it.",
        ),
        Some(_) if is_https => (Level::Good, "The form is right. Nobody asked the server."),
        Some(_) => (Level::Warning, "The address is not encrypted. Use https."),
    }
}

/// Returns the host of what follows the scheme of a web address.
fn host(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix("//")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let named = authority.rsplit_once('@').map_or(authority, |(_, named)| named);
    let host = match named.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => named.split(':').next()?,
    };
    let host = host.trim_end_matches('.');
    (!host.is_empty()).then_some(host)
}

/// Returns whether only this machine or its network reaches a host.
fn is_private(host: &str) -> bool {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified();
    }
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return address.is_loopback()
            || address.is_unspecified()
            || address.is_unique_local()
            || address.is_unicast_link_local();
    }
    let inner = ["localhost", "local", "internal", "lan", "home.arpa"];
    !host.contains('.')
        || inner.iter().any(|name| {
            let before = host.strip_suffix(name);
            before.is_some_and(|before| before.ends_with('.'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_addresses_by_their_form() {
        for (level, addresses) in [
            (
                Level::Good,
                &[
                    "https://example.com",
                    " https://user@shop.example.com:8443/a?b=c#d ",
                    "HTTPS://EXAMPLE.COM/",
                    "https://8.8.8.8/",
                    "https://[2606:4700::1111]/",
                    "https://bücher.example/",
                    "mailto:care@example.com",
                    "tel:+491234",
                    "#top",
                ][..],
            ),
            (Level::Note, &["myapp:orders/7", "whatsapp://send?text=x"]),
            (Level::Warning, &["http://example.com/", "#"]),
            (
                Level::Fault,
                &[
                    "",
                    "  ",
                    "/orders/7",
                    "orders.html",
                    "www.example.com",
                    "//example.com/x",
                    "https://",
                    "https:///path",
                    "https:example.com",
                    "http://localhost:3000/confirm",
                    "https://shop.localhost./",
                    "https://127.0.0.1/",
                    "http://10.0.0.7/",
                    "http://192.168.1.1/",
                    "https://[::1]:3000/",
                    "https://[fd00::1]/",
                    "https://printer.local/",
                    "https://intranet/",
                    "javascript:alert(1)",
                    "JavaScript:alert(1)",
                    "data:text/html,x",
                    "file:///etc/hosts",
                    "mailto:",
                    "https://example.com/?name={{name}}",
                    "https://example.com/%7B%7Bid%7D%7D",
                    "https://${HOST}/",
                    "{{unsubscribe_url}}",
                ],
            ),
        ] {
            for href in addresses {
                assert_eq!(judge(href).level, level, "{href}");
            }
        }
    }
}
