//! The codes of a reply, read strictly: only where a code stands.
//!
//! An enhanced status (RFC 3463) stands at the beginning of the recipient's `status`, or right after a three-digit
//! reply (`550 5.7.1`, `550-5.7.1`), or behind `#`. Three numbers with dots anywhere else are a date, a version or
//! history.

use std::fmt;

use super::text::{ServerReply, leading_reply};

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedCode {
    /// 4 for a failure that may pass, 5 for one that lasts.
    pub class: u16,
    /// The subject of the failure.
    pub subject: u16,
    /// The failure.
    pub detail: u16,
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl EnhancedCode {
    /// Reads a code at the beginning of a text.
    pub(super) fn leading(text: &str) -> Option<Self> {
        let (class, rest) = number(text, 1)?;
        let (subject, rest) = number(rest.strip_prefix('.')?, 3)?;
        let (detail, rest) = number(rest.strip_prefix('.')?, 3)?;
        let mut rest = rest.chars();
        match (rest.next(), rest.next()) {
            (Some(next), _) if next.is_alphanumeric() => return None,
            (Some('.'), Some(next)) if next.is_ascii_digit() => return None,
            _ => {}
        }
        matches!(class, 4 | 5).then_some(Self { class, subject, detail })
    }

    /// Whether servers send it for so many reasons that it says little: it yields to the server's own code, and to a
    /// reason in the text.
    #[must_use]
    pub fn is_generic(self) -> bool {
        self.detail == 0 || matches!((self.subject, self.detail), (2 | 7, 1) | (5, 1 | 2 | 4..))
    }
}

/// Reads at most `digits` digits.
fn number(text: &str, digits: usize) -> Option<(u16, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 || length > digits {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

/// Where a code was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePlace {
    /// In the recipient's `status`.
    Status,
    /// In the server's reply.
    Reply,
    /// In SES's words around the server's reply.
    Wrapper,
}

/// The codes of a recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Codes {
    /// The three-digit reply.
    pub(super) reply: Option<u16>,
    /// The code of the `status` field.
    pub(super) status: Option<EnhancedCode>,
    /// The code in the server's own reply.
    pub(super) own: Option<EnhancedCode>,
    /// The code of SES's wrapper.
    pub(super) wrapper: Option<EnhancedCode>,
}

impl Codes {
    /// Reads the codes; `status` is the field, folded.
    pub(super) fn read(status: &str, reply: &ServerReply<'_>) -> Self {
        let (in_text, own) = reply_and_code(reply.text);
        Self {
            reply: reply.outer_reply.or(in_text),
            status: EnhancedCode::leading(status),
            own,
            wrapper: reply
                .wrapper
                .and_then(|wrapper| EnhancedCode::leading(wrapper).or_else(|| reply_and_code(wrapper).1)),
        }
    }

    /// The code to go by: the field's, unless it is generic and the server gave one of its own.
    pub(super) fn decisive(&self) -> Option<(EnhancedCode, CodePlace)> {
        let places = [
            (self.status, CodePlace::Status),
            (self.own, CodePlace::Reply),
            (self.wrapper, CodePlace::Wrapper),
        ];
        let mut found = places.into_iter().filter_map(|(code, place)| Some((code?, place)));
        let first = found.clone().find(|(code, _)| !code.is_generic());
        // Of generic codes the server's own says most.
        let own = found.clone().find(|(_, place)| *place == CodePlace::Reply);
        // SES's wrapper has a code for each kind of reply; it never outranks what the server itself said.
        let first = first.filter(|(_, place)| *place != CodePlace::Wrapper || own.is_none());
        first.or(own).or_else(|| found.next())
    }

    /// A second specific code that says something else.
    pub(super) fn other(&self) -> Option<EnhancedCode> {
        let (first, place) = self.decisive()?;
        let other = match place {
            CodePlace::Status => self.own?,
            CodePlace::Reply | CodePlace::Wrapper => return None,
        };
        (!first.is_generic() && !other.is_generic() && other != first).then_some(other)
    }

    /// Whether the failure may pass: `None` where no code says so.
    pub(super) fn is_transient(&self) -> Option<bool> {
        let code = self.decisive().map(|(code, _)| code.class == 4);
        match (self.reply, code) {
            (Some(reply), code) => Some(reply / 100 == 4 || code == Some(true)),
            (None, code) => code,
        }
    }
}

/// Finds the first reply in a text, and the code that belongs to it.
fn reply_and_code(text: &str) -> (Option<u16>, Option<EnhancedCode>) {
    let text = text.trim_start_matches(['\'', '"', ' ', '<', '(']);
    if let Some(code) = EnhancedCode::leading(text) {
        return (None, Some(code));
    }
    let mut reply = None;
    let mut code = None;
    for (at, _) in text.match_indices(['2', '4', '5', '#']) {
        if text[at..].starts_with('#') {
            code = code.or_else(|| EnhancedCode::leading(&text[at + 1..]));
            continue;
        }
        // Numbers in words and in addresses are no replies.
        let before = text[..at].trim_end_matches([' ', '\'', '"']);
        let begins = before.is_empty() || before.ends_with([':', ';', '<', '(']);
        let Some(found) = leading_reply(&text[at..]) else {
            continue;
        };
        let continues = reply == Some(found) && text[..at].ends_with([' ', '.', ',']);
        if !(continues || (begins && reply.is_none())) {
            continue;
        }
        reply = Some(found);
        let behind = text[at + 3..].trim_start_matches([' ', '-', ':', '#', '(', '[', '\'', '"']);
        code = code.or_else(|| EnhancedCode::leading(behind));
    }
    (reply, code)
}

#[cfg(test)]
mod tests {
    use super::super::text::{fold, server_reply};
    use super::*;

    fn own(diagnostic: &str) -> String {
        let folded = fold(diagnostic);
        let codes = Codes::read("", &server_reply(&folded));
        let code = codes.own.map_or_else(|| "-".to_owned(), |code| code.to_string());
        format!("{} {code}", codes.reply.unwrap_or_default())
    }

    #[test]
    fn reads_a_code_where_a_code_stands() {
        for (diagnostic, expected) in [
            ("smtp; 550 5.1.1 no such user", "550 5.1.1"),
            ("smtp;550-5.7.26 unauthenticated", "550 5.7.26"),
            ("550 #5.1.1 gone", "550 5.1.1"),
            ("sorry, no mailbox here by that name (#5.1.1)", "0 5.1.1"),
            ("550-Requested action not taken\n550 5.2.1 disabled", "550 5.2.1"),
            ("host mx.example.org[192.0.2.1] said: 554 5.7.1 no", "554 5.7.1"),
            (
                "smtp; 450 4.2.1 mailbox busy; earlier attempt: 550 5.1.1 unknown",
                "450 4.2.1",
            ),
            ("smtp; 450 until 5.7.2026", "450 -"),
            ("smtp; 550 rejected by filter 5.1.1 of today", "550 -"),
            ("smtp; 550 client 5.1.1.9 is listed", "550 -"),
            ("smtp; 553 x RBL 521< 192.0.2.7 > blocked", "553 -"),
            ("smtp; 5.1.0 - Unknown address error 550-'5.7.1 denied'", "550 5.7.1"),
        ] {
            assert_eq!(own(diagnostic), expected, "{diagnostic}");
        }
    }

    #[test]
    fn a_generic_status_yields_to_the_servers_own_code() {
        let decisive = |status: &str, diagnostic: &str| {
            let folded = fold(diagnostic);
            let codes = Codes::read(status, &server_reply(&folded));
            codes.decisive().map(|(code, _)| code.to_string()).unwrap_or_default()
        };
        assert_eq!(decisive("5.0.0", "550 5.7.26 x"), "5.7.26");
        assert_eq!(decisive("5.2.2", "550 5.7.1 x"), "5.2.2");
        assert_eq!(decisive("5.1.1", "550 5.2.0 x"), "5.1.1");
        assert_eq!(decisive("5.0.0", "550 5.7.1 x"), "5.7.1");
        assert_eq!(decisive("5.0.0", "550 x"), "5.0.0");
        assert_eq!(decisive("", "550 x"), "");
    }
}
