//! The receiving server's own words, taken out of what stands around them.
//!
//! A text is folded first: lower case, no accents, white space collapsed, [`LOOKED_AT`] characters at most. SES wraps
//! the reply of some servers in words of its own (`5.1.0 - Unknown address error 550-'…'`); the wrapper is cut off.
//! Words are what is left once addresses, host names, links and numbers are gone.

/// How many characters of a diagnostic are looked at. Longer replies repeat themselves.
pub(super) const LOOKED_AT: usize = 2_000;

/// Top-level domains by which a name with a single dot is read as a host name. Those that are English words (`is`,
/// `in`, `to`, `it`, `at`, …) are missing on purpose: `blocked.It` is the end of one sentence and the start of another.
const TOP_LEVEL: [&str; 46] = [
    "com",
    "net",
    "org",
    "info",
    "biz",
    "edu",
    "gov",
    "mil",
    "int",
    "io",
    "co",
    "uk",
    "de",
    "fr",
    "jp",
    "ru",
    "cn",
    "br",
    "au",
    "ca",
    "ch",
    "nl",
    "pl",
    "se",
    "dk",
    "fi",
    "es",
    "eu",
    "cz",
    "hu",
    "ro",
    "tr",
    "kr",
    "tw",
    "hk",
    "nz",
    "ua",
    "mx",
    "ar",
    "cl",
    "example",
    "test",
    "invalid",
    "local",
    "lan",
    "localdomain",
];

/// Registered domains of block lists. A reply may name one of them in a link and say nothing else.
const BLOCK_LISTS: [&str; 12] = [
    "spamhaus.org",
    "spamcop.net",
    "sorbs.net",
    "abuseat.org",
    "barracudacentral.org",
    "uceprotect.net",
    "senderscore.org",
    "cloudmark.com",
    "spamrl.com",
    "surriel.com",
    "invaluement.com",
    "mail-abuse.com",
];

/// The word that stands for a host name or link of a block list.
pub(super) const BLOCK_LIST_NAMED: &str = "dnsbl";

/// Folds a text: lower case, without accents, runs of white space and control characters as one space.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len().min(2 * LOOKED_AT));
    let (mut seen, mut space) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            space = !folded.is_empty();
            continue;
        }
        if seen + usize::from(space) >= LOOKED_AT {
            break;
        }
        if std::mem::take(&mut space) {
            folded.push(' ');
            seen += 1;
        }
        seen += 1;
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else {
            fold_letter(c, &mut folded);
        }
    }
    folded
}

fn fold_letter(c: char, folded: &mut String) {
    let lower = c.to_lowercase().next().unwrap_or(c);
    let plain = match lower {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' | 'ă' | 'ā' | 'ạ' | 'ả' | 'ấ' | 'ầ' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' | 'ē' | 'ė' | 'ế' | 'ề' => 'e',
        'ğ' => 'g',
        'ì' | 'í' | 'î' | 'ï' | 'ı' | 'ī' | 'ị' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ł' | 'ľ' => 'l',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' | 'ō' | 'ộ' | 'ồ' | 'ố' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ş' | 'ș' => 's',
        'ť' | 'ţ' | 'ț' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ů' | 'ű' | 'ū' | 'ư' | 'ừ' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        // An accent that follows its letter (Unicode's decomposed form), a soft hyphen, a space without width.
        '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => return,
        '’' | '‘' => '\'',
        'ß' => {
            folded.push_str("ss");
            return;
        }
        other => other,
    };
    folded.push(plain);
}

/// The reply of the receiving server, without SES's words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerReply<'a> {
    /// The server's text; it may begin with codes.
    pub(super) text: &'a str,
    /// The three-digit reply that stood in the wrapper, outside of the text.
    pub(super) outer_reply: Option<u16>,
    /// The part of the wrapper in which SES's own code stands, for replies that have none.
    pub(super) wrapper: Option<&'a str>,
}

/// Cuts off what is not the server's: the kind of diagnostic (`smtp;`) and SES's wrapper.
pub(super) fn server_reply(folded: &str) -> ServerReply<'_> {
    let text = without_kind(folded);
    let whole = |text| ServerReply {
        text,
        outer_reply: None,
        wrapper: None,
    };
    // `5.1.0 - Unknown address error 550-'5.7.1 …' (delivery attempts: 0)`
    if let Some((wrapper, reply, inner)) = quoted_reply(text) {
        return ServerReply {
            text: inner.split("' (delivery attempts").next().unwrap_or(inner),
            outer_reply: Some(reply),
            wrapper: Some(wrapper),
        };
    }
    // `554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 …>`
    if text.contains("expired")
        && let Some((wrapper, inner)) = text.split_once('<').filter(|(_, inner)| leading_reply(inner).is_some())
    {
        return ServerReply {
            text: inner,
            outer_reply: None,
            wrapper: Some(wrapper),
        };
    }
    // `5.1.2 - Bad destination host 'DNS Hard Error looking up example.com'`
    if let Some((code, rest)) = text.split_once(" - ")
        && code.len() <= 11
        && code.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && code.bytes().filter(|b| *b == b'.').count() == 2
    {
        return ServerReply {
            text: rest.split_once('\'').map_or("", |(_, inner)| inner),
            outer_reply: None,
            wrapper: Some(text),
        };
    }
    whole(text)
}

fn without_kind(text: &str) -> &str {
    match text.split_once(';') {
        Some((kind, rest))
            if (2..=16).contains(&kind.trim_end().len())
                && kind.trim_end().bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') =>
        {
            rest.trim_start()
        }
        _ => text,
    }
}

/// Finds the first `550-'` and what is quoted behind it.
fn quoted_reply(text: &str) -> Option<(&str, u16, &str)> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("-'").map(|at| at + from) {
        let reply = at.checked_sub(3).and_then(|start| Some((start, text.get(start..at)?)));
        if let Some((start, reply)) = reply
            && let Some(code) = leading_reply(reply)
            && (start == 0 || text[..start].ends_with(' '))
        {
            return Some((&text[..start], code, &text[at + 2..]));
        }
        from = at + 2;
    }
    None
}

/// Reads the three-digit reply at the beginning of a text.
pub(super) fn leading_reply(text: &str) -> Option<u16> {
    let digits = text.get(..3)?;
    if !matches!(digits.as_bytes()[0], b'2' | b'4' | b'5') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut rest = text[3..].chars();
    match (rest.next(), rest.next()) {
        (Some(next), _) if next.is_alphanumeric() || next == '_' => None,
        (Some('.'), Some(digit)) if digit.is_ascii_digit() => None,
        _ => digits.parse().ok(),
    }
}

/// Splits a text into words. Addresses, host names, links, IP addresses and numbers are no words; a host name or link
/// of a block list is the word [`BLOCK_LIST_NAMED`].
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::with_capacity(text.len() / 6);
    for chunk in text.split(' ') {
        // An address ends at the bracket or comma behind it; a link may have anything in it, and ends with its chunk.
        let (chunk, link) = match link_start(chunk) {
            Some(at) => (&chunk[..at], &chunk[at..]),
            None => (chunk, ""),
        };
        for part in chunk.split(|c: char| "<>()[]{}\",;=|".contains(c)) {
            add_words(part, &mut words);
        }
        if names_a_block_list(link) {
            words.push(BLOCK_LIST_NAMED);
        }
    }
    words
}

fn add_words<'a>(part: &'a str, words: &mut Vec<&'a str>) {
    for part in part.split(':').filter(|part| !part.contains('@')) {
        let name = part.trim_matches(|c: char| !c.is_alphanumeric());
        if is_host(name) {
            if names_a_block_list(name) {
                words.push(BLOCK_LIST_NAMED);
            }
            continue;
        }
        for word in name.split(|c: char| !c.is_alphanumeric()) {
            add_word(word, words);
        }
    }
}

/// Adds a word unless it is a number. Latin letters end a word in a script without spaces: `SPF记录不存在`.
fn add_word<'a>(mut word: &'a str, words: &mut Vec<&'a str>) {
    let has_letters = |word: &str| word.chars().any(|c| !c.is_ascii_digit());
    while !word.is_ascii()
        && let Some(at) = script_change(word)
    {
        let (before, behind) = word.split_at(at);
        if has_letters(before) {
            words.push(before);
        }
        word = behind;
    }
    if has_letters(word) {
        words.push(word);
    }
}

/// Finds the first character that is of a script without spaces where the one before is not, or the other way round.
fn script_change(word: &str) -> Option<usize> {
    let is_unspaced = |c: char| c >= '\u{3000}';
    let mut chars = word.char_indices();
    let (_, first) = chars.next()?;
    chars
        .find(|(_, c)| is_unspaced(*c) != is_unspaced(first))
        .map(|(at, _)| at)
}

fn link_start(chunk: &str) -> Option<usize> {
    let scheme = chunk.find("://").map(|at| {
        let scheme = &chunk[..at];
        scheme.rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |before| {
            before + scheme[before..].chars().next().map_or(1, char::len_utf8)
        })
    });
    scheme.or_else(|| {
        chunk
            .find("www.")
            .filter(|at| !chunk[..*at].ends_with(|c: char| c.is_alphanumeric()))
    })
}

/// Tells whether a name has the shape of a host name, possibly with a path behind it.
fn is_host(name: &str) -> bool {
    let (host, path) = name.split_once('/').map_or((name, false), |(host, _)| (host, true));
    if !host.contains('.')
        || !host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    {
        return false;
    }
    let mut count = 0;
    let (mut digits, mut last) = (false, "");
    for label in host.split('.') {
        if label.is_empty() {
            return false;
        }
        count += 1;
        digits |= label.bytes().any(|b| b.is_ascii_digit() || b == b'-');
        last = label;
    }
    let known = TOP_LEVEL.contains(&last);
    let plain_end = last.bytes().all(|b| b.is_ascii_alphabetic()) && last.len() >= 2;
    known || (count >= 3 && digits && plain_end) || (path && count >= 3 && plain_end)
}

/// Tells whether the host of a link, or a host name with a path behind it, belongs to a block list.
fn names_a_block_list(text: &str) -> bool {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let end = host
        .bytes()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')));
    let host = end.map_or(host, |end| &host[..end]).trim_end_matches('.');
    BLOCK_LISTS.iter().any(|domain| {
        let before = host.strip_suffix(domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_accents_and_white_space() {
        assert_eq!(fold("  Boîte\r\n\t PLEINE  Größe "), "boite pleine grosse");
        assert_eq!(
            fold("Boi\u{302}te plei\u{ad}ne, Căsuța kutusı"),
            "boite pleine, casuta kutusi"
        );
        assert_eq!(fold(&"é".repeat(5_000)).chars().count(), LOOKED_AT);
    }

    #[test]
    fn cuts_the_wrapper_off() {
        let folded = fold("smtp; 5.1.0 - Unknown address error 550-'5.7.1 Access denied' (delivery attempts: 0)");
        let reply = server_reply(&folded);
        assert_eq!((reply.text, reply.outer_reply), ("5.7.1 access denied", Some(550)));
        let folded = fold("smtp; 554 4.4.7 Message expired: unable to deliver in 840 minutes.<451 4.7.1 greylisted>");
        assert_eq!(server_reply(&folded).text, "451 4.7.1 greylisted>");
        let folded = fold("smtp; 5.1.2 - Bad destination host 'DNS Hard Error looking up nowhere.example (MX)'");
        assert_eq!(
            server_reply(&folded).text,
            "dns hard error looking up nowhere.example (mx)'"
        );
        assert_eq!(server_reply("5.4.7 - delivery expired").text, "");
        assert_eq!(server_reply("550 that isn-'t it").text, "550 that isn-'t it");
    }

    #[test]
    fn words_are_not_names() {
        for (text, expected) in [
            ("521< 192.0.2.7 >_is_blocked.for help", "is blocked for help"),
            ("spf/dkim failed", "spf dkim failed"),
            ("see https://example.org/blocked/policy now", "see now"),
            ("refused(www.example.net/spam)", "refused"),
            ("no user u@blockchain.example.org here", "no user here"),
            ("unknown at policy.example.org.", "unknown at"),
            (
                "host mx1.spam.example[192.0.2.1] said: 550 5.1.1 gone",
                "host said gone",
            ),
            ("resolver.adr.recipientnotfound; x", "resolver adr recipientnotfound x"),
            ("550-5.1.1 does 550 5.1.1 not exist", "does not exist"),
            ("553 https://www.spamhaus.org/query/ip/192.0.2.1", "dnsbl"),
            ("rejected by zen.spamhaus.org", "rejected by dnsbl"),
            ("user-unknown", "user unknown"),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }
}
