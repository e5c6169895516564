//! Why a raw email cannot be sent.

use crate::address::AddressError;

/// The reason that a raw email cannot be sent. The text is the one of SES, where SES has one.
///
/// It repeats no value that the caller wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRaw {
    /// A required field is missing.
    #[error("Missing required header '{0}'.")]
    MissingField(&'static str),
    /// A field that may stand once stands twice.
    #[error("Duplicate header '{0}'.")]
    DuplicateField(&'static str),
    /// A line of the header is no field.
    #[error(
        "Line {0} of the header is not valid: a header field has the form 'Name: value', in lines that end with CRLF or LF."
    )]
    InvalidLine(usize),
    /// The header has more fields or bytes than any mail needs.
    #[error("The header of the message has more than {fields} fields or {bytes} bytes.")]
    HeaderTooLarge {
        /// The most fields.
        fields: usize,
        /// The most bytes.
        bytes: usize,
    },
    /// A field that takes one address has none or several.
    #[error("Header '{0}' must have exactly one address.")]
    NotOneAddress(&'static str),
    /// A field, or a parameter of the request, has an invalid address.
    #[error("{problem} ({place})", problem = words(*.problem))]
    Address {
        /// The field or the parameter.
        place: &'static str,
        /// The fault, in words.
        problem: AddressError,
    },
    /// The message goes to nobody.
    #[error("The message has no recipients: name them in the request, or in the headers To, Cc or Bcc.")]
    NoRecipients,
    /// The message goes to too many.
    #[error("Recipient count exceeds {0}.")]
    TooManyRecipients(usize),
    /// The message is too large.
    #[error("Message length is more than {most} bytes long: '{bytes}'.")]
    TooLarge {
        /// The most bytes.
        most: usize,
        /// The bytes of the message.
        bytes: usize,
    },
    /// The message has a field that asks to send with another account's permission.
    #[error("Header '{0}' is not supported: the mail is sent with the permission of this deployment.")]
    NotSupported(String),
    /// A field with instructions to SES cannot be read.
    #[error("Header '{field}' is not valid: {problem}.")]
    InvalidInstruction {
        /// The field.
        field: &'static str,
        /// The problem.
        problem: String,
    },
    /// The message has more tags than SES accepts.
    #[error("The message has more than {0} tags.")]
    TooManyTags(usize),
    /// The message has the same tag twice.
    #[error("The message has the same tag twice.")]
    DuplicateTag,
}

/// Says what is wrong with an address, as SES says it.
fn words(problem: AddressError) -> String {
    let known = match problem {
        AddressError::Empty => "Illegal address",
        AddressError::NotAnAddress => "Missing final '@domain'",
        AddressError::ControlCharacter | AddressError::Space => "Local address contains control or whitespace",
        AddressError::LocalPartInvalid => "Local address contains illegal character",
        other => return format!("Illegal address: {other}"),
    };
    known.to_owned()
}
