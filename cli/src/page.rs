//! The page of `okite up`: HTML, a style and scripts, joined into one file at compile time.
//!
//! The page's policy allows exactly one inline style and one inline script, so the scripts share one scope. Their order
//! here is the order in which they run.

const HTML: &str = include_str!("../page/index.html");
const AROUND_STYLE: (&str, &str) = around(HTML, "<link rel=\"stylesheet\" href=\"page.css\">");
const AROUND_SCRIPT: (&str, &str) = around(AROUND_STYLE.1, "<!-- scripts -->");

const PARTS: &[&str] = &[
    AROUND_STYLE.0,
    "<style>\n",
    include_str!("../page/page.css"),
    "</style>",
    AROUND_SCRIPT.0,
    "<script>\n'use strict';\n",
    include_str!("../page/script/base.js"),
    include_str!("../page/script/views.js"),
    include_str!("../page/script/mail.js"),
    include_str!("../page/script/mails.js"),
    include_str!("../page/script/queue.js"),
    include_str!("../page/script/suppressions.js"),
    include_str!("../page/script/events.js"),
    include_str!("../page/script/webhooks.js"),
    include_str!("../page/script/account.js"),
    include_str!("../page/script/stream.js"),
    include_str!("../page/script/keys.js"),
    "</script>",
    AROUND_SCRIPT.1,
];

static BYTES: [u8; length()] = joined();

/// The page, as a browser gets it.
pub(crate) const PAGE: &str = match std::str::from_utf8(&BYTES) {
    Ok(page) => page,
    Err(_) => panic!("texts make a text"),
};

/// Splits a text at the first place of a part, which is left out. A text without the part does not compile.
const fn around<'a>(text: &'a str, part: &str) -> (&'a str, &'a str) {
    let (bytes, wanted) = (text.as_bytes(), part.as_bytes());
    let mut at = 0;
    loop {
        let mut same = 0;
        while same < wanted.len() && bytes[at + same] == wanted[same] {
            same += 1;
        }
        if same == wanted.len() {
            return (text.split_at(at).0, text.split_at(at + same).1);
        }
        at += 1;
    }
}

const fn length() -> usize {
    let (mut length, mut index) = (0, 0);
    while index < PARTS.len() {
        length += PARTS[index].len();
        index += 1;
    }
    length
}

#[expect(clippy::large_stack_arrays, reason = "it runs in the compiler")]
const fn joined() -> [u8; length()] {
    let mut bytes = [0; length()];
    let (mut at, mut index) = (0, 0);
    while index < PARTS.len() {
        let part = PARTS[index].as_bytes();
        bytes
            .split_at_mut(at)
            .1
            .split_at_mut(part.len())
            .0
            .copy_from_slice(part);
        at += part.len();
        index += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_and_one_style_and_refers_to_no_other_server() {
        for (text, times) in [
            ("<script", 1),
            ("</script", 1),
            ("<style", 1),
            ("</style", 1),
            ("<link rel=\"stylesheet\"", 0),
            (" style=\"", 0),
            (" onclick=\"", 0),
            ("innerHTML", 0),
        ] {
            assert_eq!(PAGE.matches(text).count(), times, "{text}");
        }
        // The name of SVG's namespace is an address that no browser requests, and so is the webhook in a command that
        // the page shows.
        let addresses = PAGE.match_indices("//").filter(|(at, _)| PAGE[..*at].ends_with(':'));
        for (at, _) in addresses {
            let is_text = ["//www.w3.org/2000/svg", "//127.0.0.1:8000/hook"]
                .iter()
                .any(|text| PAGE[at..].starts_with(text));
            assert!(is_text);
        }
    }

    #[test]
    fn every_file_of_the_page_is_joined() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page/script");
        for file in std::fs::read_dir(folder).unwrap() {
            let script = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert_eq!(PAGE.matches(&script).count(), 1, "{script:.60}");
        }
    }
}
