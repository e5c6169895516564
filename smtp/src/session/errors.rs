//! The answers to lines that are no commands, and to addresses that are not valid.

use domain::address::AddressError;

use crate::command::CommandError;
use crate::reply::Reply;

pub(super) fn reply(error: &CommandError) -> Reply {
    match error {
        CommandError::Unknown => Reply::new(500, "5.5.1", "The command is unknown"),
        CommandError::Syntax(syntax) => Reply::new(501, "5.5.4", format!("The form is: {syntax}")),
        CommandError::Sender => Reply::new(501, "5.1.7", "The address must have the form local-part@domain"),
        CommandError::Recipient => recipient(AddressError::NotAnAddress),
        CommandError::ParameterValue(parameter) => {
            Reply::new(501, "5.5.4", format!("The value of {parameter} is not valid"))
        }
        CommandError::Parameter(parameter) if parameter.eq_ignore_ascii_case("SMTPUTF8") => Reply::new(
            555,
            "5.6.7",
            "Amazon SES does not support addresses that are not ASCII (SMTPUTF8)",
        ),
        CommandError::Parameter(_) => Reply::new(555, "5.5.4", "The parameter belongs to no extension that EHLO names"),
    }
}

/// Returns the answer to a recipient that SES does not accept.
pub(super) fn recipient(problem: AddressError) -> Reply {
    Reply::new(550, "5.1.3", format!("The recipient is not valid: {problem}"))
}
