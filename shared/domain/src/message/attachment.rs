//! The attachments of an email, checked against SES's limits.

use super::InvalidEmail;

/// The longest file name that SES accepts, in bytes.
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
}

impl Attachment {
    /// Checks a file against SES's limits. Without a content type, SES derives one from the file name.
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
        let content_type = content_type.map(fitting);
        let extension = filename
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension)
            .to_ascii_lowercase();
        if filename.is_empty() || filename.len() > NAME_MAX || filename.chars().any(char::is_control) {
            return refuse("a `filename` must be 1 to 255 bytes without control characters");
        }
        if extension.is_empty() {
            return refuse("a `filename` needs an extension, such as `.pdf`: Amazon SES rejects files without one");
        }
        if REFUSED_EXTENSIONS.contains(&extension.as_str()) {
            return refuse(&format!(
                "Amazon SES rejects files with the extension `.{extension}`; send a link instead"
            ));
        }
        if content.is_empty() {
            return refuse("an attachment must have content");
        }
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

    /// Returns the MIME type, if the caller gave one.
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
        for name in ["", "README", "a.", "virus.EXE", "a.js", "a\r\nb.txt", &long] {
            assert!(matches!(file(name), Err(InvalidEmail::Attachment { .. })), "{name}");
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
