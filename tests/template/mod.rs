//! The template that is deployed: what it declares, and what it takes.

mod feedback;
mod functions;
mod monitoring;
mod tables;
mod workers;

use std::collections::BTreeMap;

use local_aws::template::{Stack, StackContext, TemplateError};
use okite::application::{APPLICATION, TEMPLATE};
use proptest::prelude::*;

/// The context of a stack on one machine, without the topic for alarms, which `okite up` adds.
fn context(parameters: &[(&str, &str)]) -> StackContext {
    StackContext {
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..APPLICATION.stack_context(BTreeMap::new())
    }
}

fn stack_with(parameters: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    Stack::read(TEMPLATE, &context(parameters))
}

fn stack() -> Stack {
    stack_with(&[]).unwrap()
}

#[test]
fn takes_overrides_inside_the_limits_only() {
    let stack = stack_with(&[("AccountShare", "0.5"), ("LogLevel", "warn")]).unwrap();
    assert_eq!(stack.functions[0].environment["ACCOUNT_SHARE"], "0.5");
    assert_eq!(stack.functions[2].environment["LOG_LEVEL"], "warn");
    for (name, value) in [
        ("AccountShare", "0"),
        ("AccountShare", "1.1"),
        ("LogLevel", "loud"),
        ("Share", "1"),
    ] {
        let error = stack_with(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn names_everything_after_the_stack() {
    let context = StackContext {
        region: "eu-west-1".to_owned(),
        account_id: "123456789012".to_owned(),
        stack_name: "mail".to_owned(),
        parameters: BTreeMap::new(),
    };
    let stack = Stack::read(TEMPLATE, &context).unwrap();
    assert_eq!(stack.tables[0].name, "mail-SuppressionsTable");
    assert_eq!(
        stack.functions[0].arn,
        "arn:aws:lambda:eu-west-1:123456789012:function:mail-SendApiFunction"
    );
}

proptest! {
    #[test]
    fn reading_never_panics_on_a_template_with_something_cut_out_or_put_in(
        from in 0..TEMPLATE.len(),
        cut in 0_usize..80,
        put in prop::sample::select(vec![
            "", "!Ref ", "!Sub", "!If [", "Fn::Sub: ", "[", "]", "{", "}", ": ", "- ", "\n", "  ", "\t", "~", "0",
            "true", "${", "&a ", "*a", "'", "\"", "|", ">", "? ", "%", "---\n", "\0", "ü",
        ]),
    ) {
        let mut text = TEMPLATE.to_owned();
        let until = (from + cut).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(until) {
            text.replace_range(from..until, put);
            let _ = Stack::read(&text, &context(&[]));
        }
    }
}
