//! A recipient's address as SES and the receivers spell it: bare, with a name, or as an encoded word.

use std::borrow::Cow;

use crate::address::{EmailAddress, Mailbox};
use crate::encoded_words::decode;

/// The most layers that are taken off of an address.
const LAYERS_MAX: usize = 8;
/// What stands in front of an address in delivery reports, links and directories.
const SCHEMES: [&str; 4] = ["mailto", "smtp", "rfc822", "to"];
/// What encloses an address.
const PAIRS: [(char, char); 9] = [
    ('\'', '\''),
    ('"', '"'),
    ('`', '`'),
    ('<', '>'),
    ('[', ']'),
    ('{', '}'),
    ('‘', '’'),
    ('“', '”'),
    ('«', '»'),
];

/// Reads the addresses of one entry, which is one as a rule: `a@b`, `Name <a@b>`, `"Name" <a@b>` or an RFC 2047 encoded
/// word that holds one of them, with what receiving servers and mail programs leave around it: the `rfc822;` of a
/// delivery report, `mailto:` and `SMTP:`, quotes and brackets of any kind, a comment, the root's dot, a semicolon,
/// folding, in any order. A group and a list give several; each must be readable, or nothing is.
pub(super) fn read_all(text: &str) -> Vec<EmailAddress> {
    if let Some(decoded) = decode(text)
        && let addresses = all(&decoded)
        && !addresses.is_empty()
    {
        return addresses;
    }
    all(text)
}

fn all(text: &str) -> Vec<EmailAddress> {
    let unfolded = unfolded(text);
    let members = match unfolded.split_once(':') {
        // `Group: a@b, c@d;`
        Some((name, members)) if !name.contains(['@', '<', '"']) && members.trim_end().ends_with(';') => members,
        _ => &*unfolded,
    };
    if let Some(address) = plain(members) {
        return vec![address];
    }
    let parts = split(members);
    let addresses: Vec<_> = parts.iter().map(|part| plain(part)).collect();
    addresses.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// Replaces the breaks of a folded field and other control characters, and takes out characters without width: neither
/// is part of an address.
fn unfolded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let is_invisible = |c: &char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    let kept = text.chars().filter(|c| !is_invisible(c));
    Cow::Owned(kept.map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// Splits a list at commas and semicolons outside of quotes and angle brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    let separates = |c: char| {
        match c {
            _ if std::mem::take(&mut escaped) => {}
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            ',' | ';' => return !quoted && !bracketed,
            _ => {}
        }
        false
    };
    text.split(separates).filter(|part| !part.trim().is_empty()).collect()
}

fn plain(text: &str) -> Option<EmailAddress> {
    let parse = |text: &str| Mailbox::parse(text).ok().map(|mailbox| mailbox.address().clone());
    let mut text = text.trim();
    for _ in 0..LAYERS_MAX {
        if let Some(address) = parse(text) {
            return Some(address);
        }
        let Some(inner) = without_layer(text) else {
            break;
        };
        text = inner.trim();
    }
    parse(text).or_else(|| parse(&quoted(text)?))
}

/// Takes off one layer of what others leave around an address.
fn without_layer(text: &str) -> Option<&str> {
    if let Some(inner) = text.strip_suffix([';', ',', '.']) {
        return Some(inner);
    }
    if let Some((kind, inner)) = text.split_once([':', ';'])
        && SCHEMES.iter().any(|scheme| kind.trim().eq_ignore_ascii_case(scheme))
    {
        // A link may have a subject behind the address.
        return Some(inner.split_once('?').map_or(inner, |(address, _)| address));
    }
    if let Some((inner, _)) = text.rsplit_once(" (").filter(|(_, comment)| comment.ends_with(')')) {
        return Some(inner);
    }
    if let Some(inner) = text.strip_prefix('(').and_then(|text| Some(text.split_once(") ")?.1)) {
        return Some(inner);
    }
    if let Some(inner) = PAIRS
        .iter()
        .find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close))
    {
        return Some(inner);
    }
    match (text.rsplit_once('<'), text.split_once('>')) {
        // With an address in front it is a list.
        (Some((name, inner)), Some(_)) if !name.contains('@') => inner.strip_suffix('>'),
        (Some(("", inner)), None) | (None, Some((inner, ""))) => Some(inner),
        _ => None,
    }
}

/// Puts the quotes around a local part that needs them: some providers gave out `a..b@…`, and name it without.
fn quoted(text: &str) -> Option<String> {
    let address = match text.strip_suffix('>') {
        Some(inner) => {
            let (name, address) = inner.rsplit_once('<')?;
            // With an address in front it is a list.
            (!name.contains('@')).then_some(address)?
        }
        None => text,
    };
    let (local, domain) = address.rsplit_once('@')?;
    let is_plain = |c: char| c.is_ascii_graphic() && !"\"\\()<>[]:;,@".contains(c);
    (!local.is_empty() && local.chars().all(is_plain)).then(|| format!("\"{local}\"@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling() {
        for text in [
            "Anna@Example.org",
            " anna@example.org ",
            "\"Anna B\" <anna@example.org>",
            "Anna, B <anna@example.org>",
            "anna@example.org.",
            "rfc822;anna@example.org",
            "RFC822; anna@example.org",
            "anna@example.org (Anna B)",
            "'anna@example.org'",
            "mailto:anna@example.org",
            "MAILTO:anna@example.org",
            "SMTP:anna@example.org",
            "anna@example.org;",
            "<mailto:anna@example.org>",
            "mailto:anna@example.org?subject=Hello",
            "RFC822:anna@example.org",
            "(Anna) anna@example.org",
            "\"anna@example.org\"",
            "“anna@example.org”",
            "‘anna@example.org’",
            "`anna@example.org`",
            "[anna@example.org]",
            "<<anna@example.org>>",
            "<anna@example.org",
            "anna@example.org>",
            "'Anna' <'anna@example.org'>",
            "Anna <SMTP:anna@example.org>;",
            "\u{feff}anna\u{200b}@example.org",
            "\"Long Name\"\r\n <anna@example.org>",
            "Group: anna@example.org;",
            "=?UTF-8?Q?Ann=C3=A4?= <anna@example.org>",
            "=?UTF-8?B?QW5uw6Q=?= <anna@example.org>",
            "=?UTF-8?Q?anna=40example.org?=",
            "=?utf-8?B?QW5uYSA8YW5uYUBleGFtcGxlLm9yZz4=?=",
        ] {
            let addresses = read_all(text);
            let [address] = &addresses[..] else {
                panic!("{text}: {addresses:?}")
            };
            assert_eq!(address.normalised(), "anna@example.org", "{text}");
        }
    }

    #[test]
    fn finds_no_address_where_there_is_none() {
        for text in [
            "",
            "anna",
            "=?UTF-8?Q?anna?=",
            "undisclosed-recipients:;",
            "<>",
            "''",
            "<<<<",
            "to:",
            "(anna@example.org)",
        ] {
            assert!(read_all(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn reads_lists_and_adds_needed_quotes() {
        let read = |text: &str| {
            let addresses = read_all(text);
            addresses
                .iter()
                .map(|address| address.normalised().to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (text, expected) in [
            ("a@example.org, b@example.org", "a@example.org b@example.org"),
            ("\"B, A\" <a@example.org>; b@example.org", "a@example.org b@example.org"),
            (
                "Group: a@example.org, B <b@example.org>;",
                "a@example.org b@example.org",
            ),
            ("a..b@example.org", "\"a..b\"@example.org"),
            ("Anna <.a.@example.org>", "\".a.\"@example.org"),
            ("a@under_score.example.org", "a@under_score.example.org"),
            ("a@example.org, nobody", ""),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
