//! Short ways to a stack or to its error, for the tests of this module.

use super::{Stack, Surroundings, TemplateError};

pub(super) fn stack_with(template: &str, parameters: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let surroundings = Surroundings {
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        stack_name: "okite".to_owned(),
        parameters,
    };
    Stack::read(template, &surroundings)
}

pub(super) fn stack(template: &str) -> Stack {
    stack_with(template, &[]).unwrap()
}

pub(super) fn error_of(template: &str) -> String {
    error_with(template, &[])
}

pub(super) fn error_with(template: &str, parameters: &[(&str, &str)]) -> String {
    stack_with(template, parameters).unwrap_err().to_string()
}
