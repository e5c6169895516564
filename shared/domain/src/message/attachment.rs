//! The attachments of an email, checked against SES's limits.

use super::InvalidEmail;

/// The longest file name that SES accepts, in characters.
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Attachment.html>
const NAME_MAX: usize = 255;
/// The longest content type or content id that SES accepts.
const PARAMETER_MAX: usize = 78;

/// The file name extensions that SES rejects.
/// <https://docs.aws.amazon.com/ses/latest/dg/mime-types.html>
const REFUSED_EXTENSIONS: [&str; 90] = [
    "ade", "adp", "app", "asp", "bas", "bat", "cer", "chm", "cmd", "com", "cpl", "crt", "csh", "der", "exe", "fxp",
    "gadget", "hlp", "hta", "inf", "ins", "isp", "its", "js", "jse", "ksh", "lib", "lnk", "mad", "maf", "mag", "mam",
    "maq", "mar", "mas", "mat", "mau", "mav", "maw", "mda", "mdb", "mde", "mdt", "mdw", "mdz", "msc", "msh", "msh1",
    "msh1xml", "msh2", "msh2xml", "mshxml", "msi", "msp", "mst", "ops", "pcd", "pif", "plg", "prf", "prg", "ps1",
    "ps1xml", "ps2", "ps2xml", "psc1", "psc2", "reg", "scf", "scr", "sct", "shb", "shs", "sys", "tmp", "url", "vb",
    "vbe", "vbs", "vps", "vsmacros", "vss", "vst", "vsw", "vxd", "ws", "wsc", "wsf", "wsh", "xnk",
];

/// How a mail program shows an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// As a file beside the body.
    Attachment,
    /// Inside the HTML body, where the HTML refers to its content id.
    Inline,
}

/// A file that is attached to an email.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    filename: String,
    content: Vec<u8>,
    content_type: Option<String>,
    content_id: Option<String>,
    /// Whether the caller gave the content type.
    is_type_given: bool,
}

impl Attachment {
    /// Checks a file against SES's limits. A missing content type is derived from the file name, if its extension is a
    /// known one. White space around the name, and angle brackets and `cid:` around the content id, are left out.
    ///
    /// # Errors
    /// [`InvalidEmail::Attachment`] if the name or the content is missing or invalid, and [`InvalidEmail::Field`] for
    /// all other problems.
    pub fn new(
        filename: &str,
        content: Vec<u8>,
        content_type: Option<String>,
        content_id: Option<String>,
    ) -> Result<Self, InvalidEmail> {
        let refuse = |problem: &str| Err(InvalidEmail::attachment(problem));
        let filename = filename.trim_matches(|c| c == ' ' || is_unseen(c));
        let extension = extension(filename);
        if filename.is_empty() || filename.chars().count() > NAME_MAX || filename.chars().any(char::is_control) {
            return refuse("a `filename` must be 1 to 255 characters without control characters");
        }
        if REFUSED_EXTENSIONS.contains(&extension.as_str()) {
            return refuse(&format!(
                "Amazon SES rejects files with the extension `.{extension}`; send a link instead"
            ));
        }
        if extension.is_empty() || filename.ends_with('.') {
            return refuse("a `filename` needs an extension, such as `.pdf`: Amazon SES rejects files without one");
        }
        if content.is_empty() {
            return refuse("an attachment must have content");
        }
        let is_type_given = content_type.is_some();
        let content_type = match content_type {
            Some(given) => Some(fitting(given)),
            None => guessed_type(&extension),
        };
        let content_id = content_id.map(|id| bare_id(&id).to_owned());
        for (name, value) in [("content_type", &content_type), ("content_id", &content_id)] {
            if value.as_ref().is_some_and(|value| !is_parameter(value)) {
                return Err(InvalidEmail::field(
                    "attachments",
                    format_args!("`{name}` must be 1 to {PARAMETER_MAX} printable ASCII characters"),
                ));
            }
        }
        if content_type.as_ref().is_some_and(|value| !value.contains('/')) {
            return Err(InvalidEmail::field(
                "attachments",
                "`content_type` must look like `application/pdf`",
            ));
        }
        Ok(Self {
            filename: filename.to_owned(),
            content,
            content_type,
            content_id,
            is_type_given,
        })
    }

    /// Returns the file name that the recipient sees.
    #[must_use]
    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// Returns the file's bytes.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns the MIME type that the caller gave, if it gave one.
    #[must_use]
    pub fn given_type(&self) -> Option<&str> {
        self.content_type().filter(|_| self.is_type_given)
    }

    /// Returns the MIME type, if the caller gave one or the file name shows it.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the id that the HTML body refers to as `cid:…`.
    #[must_use]
    pub fn content_id(&self) -> Option<&str> {
        self.content_id.as_deref()
    }

    /// Returns how a mail program shows the file. A file with a content id is part of the HTML.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        if self.content_id.is_some() {
            Disposition::Inline
        } else {
            Disposition::Attachment
        }
    }
}

/// Shows only the size, because file names and contents may be private.
impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment")
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// Returns whether a character of a file name is not seen: white space, or one of the marks of width zero and of
/// direction. Receivers drop or hide them, so that another extension would be seen than is checked.
fn is_unseen(c: char) -> bool {
    let is_mark = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    is_mark || (c.is_whitespace() && !c.is_control())
}

/// Returns the extension of a file name in lower case, without what a receiver's system drops at its end: dots, spaces
/// and unseen characters. Empty if there is none.
fn extension(filename: &str) -> String {
    let name = filename.trim_end_matches(|c: char| !c.is_alphanumeric());
    let (_, extension) = name.rsplit_once('.').unwrap_or_default();
    extension
        .chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Returns the MIME type of files with an extension. SES derives one too, but does not document from which table.
fn guessed_type(extension: &str) -> Option<String> {
    let guess = mime_guess::from_ext(extension).first_raw()?;
    Some(guess.to_owned())
}

/// Returns a content id without angle brackets or the scheme by which HTML refers to it: SES adds the brackets.
fn bare_id(id: &str) -> &str {
    let id = id.trim();
    let id = match id.split_once(':') {
        Some((scheme, id)) if scheme.eq_ignore_ascii_case("cid") => id,
        _ => id,
    };
    id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id)
}

/// Removes the parameter `name` from a content type that is too long or not ASCII, because SES rejects it.
///
/// The name only repeats the file name. All other parameters stay, because the reader of the file needs them.
fn fitting(content_type: String) -> String {
    if is_parameter(&content_type) || content_type.chars().any(char::is_control) {
        return content_type;
    }
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = content_type.split(|c| {
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && is_quoted && !is_escaped;
        c == ';' && !is_quoted
    });
    let is_name = |part: &&str| {
        let (attribute, _) = part.split_once('=').unwrap_or_default();
        // RFC 2231 splits a long name into `name*0`, `name*1`, and writes one that is not ASCII as `name*`.
        let attribute = attribute.split('*').next().unwrap_or_default();
        attribute.trim().eq_ignore_ascii_case("name")
    };
    let kept: Vec<&str> = parts.filter(|part| !is_name(part)).collect();
    kept.join(";").trim_end().to_owned()
}

fn is_parameter(value: &str) -> bool {
    (1..=PARAMETER_MAX).contains(&value.len()) && value.bytes().all(|b| matches!(b, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Result<Attachment, InvalidEmail> {
        Attachment::new(name, b"x".to_vec(), None, None)
    }

    #[test]
    fn accepts_files_with_an_extension_that_ses_accepts() {
        for name in ["invoice.pdf", "a.b.tar.gz", "фото.JPG", "notes.TXT"] {
            assert!(file(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn rejects_names_that_ses_rejects() {
        let long = format!("{}.txt", "a".repeat(252));
        for name in [
            "",
            "README",
            "a.",
            ".",
            " ",
            "a.pdf.",
            "virus.EXE",
            "a.js",
            "a\r\nb.txt",
            &long,
        ] {
            assert!(matches!(file(name), Err(InvalidEmail::Attachment { .. })), "{name}");
        }
    }

    #[test]
    fn sees_the_extension_through_what_a_receiver_drops() {
        for name in [
            "setup.exe ",
            "setup.exe.",
            "setup.exe. .",
            "setup.exe\u{a0}",
            "setup.exe\u{200b}",
            "setup.e\u{200b}xe",
            "setup.exe\u{3000}",
            "setup.exe/",
        ] {
            assert!(file(name).unwrap_err().to_string().contains("`.exe`"), "{name:?}");
        }
        assert_eq!(file(" invoice.pdf\u{200b} ").unwrap().filename(), "invoice.pdf");
    }

    #[test]
    fn counts_the_characters_of_a_name_and_not_its_bytes() {
        assert!(file(&format!("{}.pdf", "漢".repeat(94))).is_ok());
        assert!(file(&format!("{}.pdf", "漢".repeat(251))).is_ok());
        assert!(file(&format!("{}.pdf", "漢".repeat(252))).is_err());
    }

    #[test]
    fn a_missing_content_type_comes_from_the_name() {
        let guessed = |name| file(name).unwrap().content_type().map(str::to_owned);
        for (name, content_type) in [
            ("a.png", "image/png"),
            ("A.JPG", "image/jpeg"),
            ("a.webp", "image/webp"),
            ("a.svg", "image/svg+xml"),
            ("a.pdf", "application/pdf"),
            ("a.ics", "text/calendar"),
        ] {
            assert_eq!(guessed(name).as_deref(), Some(content_type), "{name}");
        }
        assert_eq!(guessed("a.unheard-of"), None);
    }

    #[test]
    fn a_content_id_loses_its_brackets_and_scheme() {
        for given in ["logo@x", "<logo@x>", " <logo@x> ", "cid:logo@x", "CID:<logo@x>"] {
            let file = Attachment::new("a.png", b"x".to_vec(), None, Some(given.to_owned())).unwrap();
            assert_eq!(file.content_id(), Some("logo@x"), "{given}");
        }
        for given in ["<>", "cid:", "<logo\r\nX: y>"] {
            assert!(
                Attachment::new("a.png", b"x".to_vec(), None, Some(given.to_owned())).is_err(),
                "{given:?}"
            );
        }
    }

    #[test]
    fn rejects_an_attachment_without_content() {
        assert!(matches!(
            Attachment::new("a.txt", Vec::new(), None, None),
            Err(InvalidEmail::Attachment { .. })
        ));
    }

    #[test]
    fn a_content_id_makes_an_attachment_inline() {
        let inline = Attachment::new("a.png", b"x".to_vec(), Some("image/png".into()), Some("logo".into())).unwrap();
        assert_eq!(inline.disposition(), Disposition::Inline);
        assert_eq!(file("a.png").unwrap().disposition(), Disposition::Attachment);
    }

    #[test]
    fn a_content_type_loses_only_a_name_that_ses_rejects() {
        let long = "a".repeat(70);
        for (given, kept) in [
            (
                "text/plain; charset=utf-8; name=\"x\"",
                "text/plain; charset=utf-8; name=\"x\"",
            ),
            (
                &format!("text/plain; charset=utf-8; name=\"{long}\""),
                "text/plain; charset=utf-8",
            ),
            (
                &format!("text/calendar; NAME=\"{long};x=\\\"\"; method=REQUEST"),
                "text/calendar; method=REQUEST",
            ),
            (
                "text/plain; name=Übersicht.txt ; charset=utf-8",
                "text/plain; charset=utf-8",
            ),
            (&format!("text/plain; name*0*=utf-8''{long}; name*1=b"), "text/plain"),
        ] {
            let file = Attachment::new("a.txt", b"x".to_vec(), Some(given.to_owned()), None).unwrap();
            assert_eq!(file.content_type(), Some(kept), "{given}");
        }
        for given in [
            format!("text/plain; charset={long}"),
            format!("text/plain; name={long}\r\nX-A: b"),
            format!("name={long}"),
            "text/plain; charset=ü".to_owned(),
        ] {
            let error = Attachment::new("a.txt", b"x".to_vec(), Some(given.clone()), None).unwrap_err();
            assert!(error.to_string().contains("content_type"), "{given}");
        }
    }

    #[test]
    fn rejects_content_types_and_ids_that_could_break_a_header() {
        for bad in ["", "image/png\r\nX: y", &"a".repeat(79), "imagé/png"] {
            assert!(
                Attachment::new("a.png", b"x".to_vec(), Some(bad.into()), None).is_err(),
                "{bad}"
            );
            assert!(
                Attachment::new("a.png", b"x".to_vec(), None, Some(bad.into())).is_err(),
                "{bad}"
            );
        }
        assert!(Attachment::new("a.png", b"x".to_vec(), Some("png".into()), None).is_err());
    }
}
