//! The attachments of a `SendEmail` request, and the rules of SES for them.
//!
//! Source: <https://docs.aws.amazon.com/ses/latest/dg/attachments.html>, and for the refused file types
//! <https://docs.aws.amazon.com/ses/latest/dg/mime-types.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::error::SesError;

/// An attachment of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Attachment {
    pub(super) file_name: Option<String>,
    /// The content in base64.
    pub(super) raw_content: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) content_id: Option<String>,
    content_disposition: Option<String>,
    content_description: Option<String>,
    content_transfer_encoding: Option<String>,
}

/// The file name extensions that SES refuses with any content type.
const REFUSED: &str = "ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp \
    hta inf ins isp its js jse ksh lib lnk mad maf mag mam maq mar mas mat mau mav maw mda mdb mde \
    mdt mdw mdz msc msh msh1 msh2 mshxml msh1xml msh2xml msi msp mst ops pcd pif plg prf prg reg \
    scf scr sct shb shs sys ps1 ps1xml ps2 ps2xml psc1 psc2 tmp url vb vbe vbs vps vsmacros vss vst \
    vsw vxd ws wsc wsf wsh xnk";

impl Attachment {
    /// Checks the attachment and returns the number of bytes that it adds to the mail.
    ///
    /// # Errors
    /// Returns a `BadRequestException` with the limit that the attachment breaks.
    pub(super) fn check(&self) -> Result<usize, SesError> {
        self.check_file_name()?;
        for (member, value) in [("ContentType", &self.content_type), ("ContentId", &self.content_id)] {
            if value.as_ref().is_some_and(|v| !(1..=78).contains(&v.len())) {
                return Err(invalid(&format!("{member} must have 1 to 78 characters.")));
            }
        }
        if self
            .content_description
            .as_ref()
            .is_some_and(|description| description.len() > 1_000)
        {
            return Err(invalid("ContentDescription is longer than 1000 characters."));
        }
        if !matches!(
            self.content_disposition.as_deref(),
            None | Some("ATTACHMENT" | "INLINE")
        ) {
            return Err(invalid("ContentDisposition must be ATTACHMENT or INLINE."));
        }
        let raw = self
            .raw_content
            .as_deref()
            .ok_or_else(|| invalid("RawContent is required."))?;
        let content = STANDARD
            .decode(raw)
            .map_err(|_| SesError::Serialization("RawContent of an attachment is not base64.".to_owned()))?;
        match self.content_transfer_encoding.as_deref() {
            // An assumption: AWS does not document what happens to other bytes. A refusal here is better than a damaged
            // mail there.
            None | Some("SEVEN_BIT") if !content.is_ascii() => {
                return Err(invalid(
                    "The content does not fit ContentTransferEncoding SEVEN_BIT, the default.",
                ));
            }
            None | Some("SEVEN_BIT" | "BASE64" | "QUOTED_PRINTABLE") => {}
            Some(_) => {
                return Err(invalid(
                    "ContentTransferEncoding must be BASE64, QUOTED_PRINTABLE or SEVEN_BIT.",
                ));
            }
        }
        Ok(raw.len())
    }

    fn check_file_name(&self) -> Result<(), SesError> {
        let name = self
            .file_name
            .as_deref()
            .ok_or_else(|| invalid("FileName is required."))?;
        if name.chars().count() > 255 {
            return Err(invalid("FileName is longer than 255 characters."));
        }
        if name.chars().any(char::is_control) {
            return Err(invalid("FileName holds a control character."));
        }
        let extension = match name.rsplit_once('.') {
            Some((_, extension)) if !extension.is_empty() => extension.to_ascii_lowercase(),
            _ => return Err(invalid("FileName must have an extension.")),
        };
        if is_refused(&extension) {
            return Err(invalid(&format!(
                "Files with the extension .{extension} are not supported."
            )));
        }
        Ok(())
    }

    /// Reads an attachment of a MIME message, with the only check that SES makes of it.
    pub(super) fn of_part(
        file_name: Option<&str>,
        content_type: Option<String>,
        content_id: Option<&str>,
        content: &[u8],
    ) -> Result<Self, SesError> {
        let extension = file_name.and_then(|name| name.rsplit_once('.'));
        if let (Some(name), Some((_, extension))) = (file_name, extension)
            && is_refused(&extension.to_ascii_lowercase())
        {
            return Err(SesError::BadRequest(format!("Illegal filename '{name}'.")));
        }
        Ok(Self {
            file_name: file_name.map(str::to_owned),
            raw_content: Some(STANDARD.encode(content)),
            content_type,
            content_id: content_id.map(str::to_owned),
            ..Self::default()
        })
    }
}

fn is_refused(extension: &str) -> bool {
    REFUSED.split_whitespace().any(|refused| refused == extension)
}

fn invalid(why: &str) -> SesError {
    SesError::BadRequest(format!("Invalid attachment: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(change: &Value) -> Result<usize, String> {
        let mut attachment = json!({
            "FileName": "a.pdf",
            "RawContent": "JVBERg==",
            "ContentType": "application/pdf",
            "ContentTransferEncoding": "BASE64",
        });
        for (member, value) in change.as_object().unwrap() {
            attachment[member] = value.clone();
        }
        let attachment: Attachment = serde_json::from_value(attachment).unwrap();
        attachment.check().map_err(|error| error.to_string())
    }

    #[test]
    fn counts_the_bytes_as_base64() {
        assert_eq!(check(&json!({})), Ok(8));
    }

    #[test]
    fn refuses_names_that_are_missing_too_long_or_without_extension() {
        assert!(check(&json!({"FileName": null})).is_err());
        assert!(check(&json!({"FileName": "pdf"})).is_err());
        assert!(check(&json!({"FileName": "a."})).is_err());
        assert!(check(&json!({"FileName": format!("{}.pdf", "a".repeat(252))})).is_err());
        assert!(check(&json!({"FileName": format!("{}.pdf", "a".repeat(251))})).is_ok());
    }

    #[test]
    fn refuses_executable_types_in_any_case() {
        for name in ["a.exe", "a.pdf.BAT", "a.js", "a.ps1"] {
            let refusal = check(&json!({"FileName": name})).unwrap_err();
            assert!(refusal.contains("not supported"), "{refusal}");
        }
    }

    #[test]
    fn refuses_content_types_and_ids_that_are_empty_or_longer_than_78() {
        for member in ["ContentType", "ContentId"] {
            assert!(check(&json!({ member: "" })).is_err());
            assert!(check(&json!({ member: "a".repeat(79) })).is_err());
            assert!(check(&json!({ member: "a".repeat(78) })).is_ok());
        }
    }

    #[test]
    fn refuses_bytes_that_the_default_encoding_cannot_carry() {
        let bytes = STANDARD.encode([0xff, 0xd8]);
        let seven_bit = json!({"RawContent": bytes, "ContentTransferEncoding": null});
        assert!(check(&seven_bit).is_err());
        assert!(check(&json!({"RawContent": bytes})).is_ok());
    }

    #[test]
    fn refuses_invalid_base64_and_unknown_members() {
        assert!(check(&json!({"RawContent": "%%%"})).is_err());
        assert!(check(&json!({"RawContent": null})).is_err());
        assert!(check(&json!({"ContentDisposition": "SIDEWAYS"})).is_err());
        assert!(check(&json!({"ContentTransferEncoding": "ROT13"})).is_err());
    }
}
