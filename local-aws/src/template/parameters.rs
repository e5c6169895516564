//! The template's parameters: their defaults, the values that replace them, and the limits of both.

use std::collections::BTreeMap;

use super::error::{TemplateError, TemplateFault};
use super::value::{Map, Value};

/// Reads every parameter with its value.
///
/// Only CloudFormation checks `AllowedPattern`, which would need a regular expression engine here.
pub(super) fn read(
    parameters: &Map<'_>,
    overrides: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let declared = parameters.all()?;
    if let Some(stranger) = overrides
        .keys()
        .find(|name| !declared.iter().any(|(declared, _)| declared == name))
    {
        let name = stranger.clone();
        return Err(TemplateFault::Unknown {
            what: "parameter",
            name,
        }
        .on(parameters.line));
    }
    declared
        .into_iter()
        .map(|(name, declaration)| {
            let value = value_of(&declaration.map()?, overrides.get(name))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

fn value_of(declaration: &Map<'_>, chosen: Option<&String>) -> Result<String, TemplateError> {
    declaration.only(
        &["AllowedValues", "Default", "MaxValue", "MinValue", "Type"],
        &["AllowedPattern", "ConstraintDescription", "Description", "NoEcho"],
    )?;
    let value = match chosen {
        Some(chosen) => chosen.clone(),
        None => declaration.required("Default")?.plain_text()?,
    };
    let refuse = |why: String| {
        let path = declaration.path.clone();
        Err(TemplateFault::Unfit {
            path,
            why: format!("is `{value}`, which {why}"),
        }
        .on(declaration.line))
    };

    let kind = declaration.required("Type")?;
    let number = match kind.clone().text()?.as_str() {
        "String" => None,
        "Number" => match as_number(&value) {
            Some(number) => Some(number),
            None => return refuse("is not a number".to_owned()),
        },
        other => {
            return Err(TemplateFault::NotUnderstood(format!("parameter type `{other}`")).on(kind.line));
        }
    };
    if let Some(allowed) = declaration.optional("AllowedValues")? {
        let allowed = allowed
            .list()?
            .into_iter()
            .map(Value::plain_text)
            .collect::<Result<Vec<_>, _>>()?;
        let fits = |allowed: &String| match number {
            Some(_) => as_number(allowed) == number,
            None => *allowed == value,
        };
        if !allowed.iter().any(fits) {
            return refuse(format!("is none of {}", allowed.join(", ")));
        }
    }
    if let (Some(number), Some(least)) = (number, declaration.optional("MinValue")?) {
        let least: f64 = least.number("a number")?;
        if number < least {
            return refuse(format!("is below {least}"));
        }
    }
    if let (Some(number), Some(most)) = (number, declaration.optional("MaxValue")?) {
        let most: f64 = most.number("a number")?;
        if number > most {
            return refuse(format!("is above {most}"));
        }
    }
    Ok(value)
}

fn as_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_of, error_with, stack_with};

    const SHARE: &str = "\
Parameters:
  Share:
    Type: Number
    Default: 0.5
    MinValue: 0.01
    MaxValue: 1
  Level:
    Type: String
    Default: info
    AllowedValues: [info, debug]
Resources:
  Set:
    Type: AWS::SES::ConfigurationSet
";

    #[test]
    fn takes_defaults_and_overrides_inside_the_limits() {
        assert!(stack_with(SHARE, &[]).is_ok());
        assert!(stack_with(SHARE, &[("Share", "1"), ("Level", "debug")]).is_ok());
        assert!(stack_with(SHARE, &[("Share", "0.01")]).is_ok());
    }

    #[test]
    fn refuses_an_override_that_the_template_does_not_declare() {
        assert_eq!(
            error_with(SHARE, &[("Shares", "1")]),
            "template.yaml:2: there is no parameter `Shares`"
        );
    }

    #[test]
    fn refuses_a_value_outside_the_limits() {
        for (name, value, error) in [
            ("Share", "0", "template.yaml:3: Share is `0`, which is below 0.01"),
            ("Share", "1.5", "template.yaml:3: Share is `1.5`, which is above 1"),
            (
                "Share",
                "much",
                "template.yaml:3: Share is `much`, which is not a number",
            ),
            ("Share", "NaN", "template.yaml:3: Share is `NaN`, which is not a number"),
            (
                "Level",
                "loud",
                "template.yaml:8: Level is `loud`, which is none of info, debug",
            ),
        ] {
            assert_eq!(error_with(SHARE, &[(name, value)]), error);
        }
    }

    #[test]
    fn holds_a_default_to_the_same_limits() {
        let error = error_of(&SHARE.replace("Default: 0.5", "Default: 7"));
        assert_eq!(error, "template.yaml:3: Share is `7`, which is above 1");
    }

    #[test]
    fn refuses_a_parameter_of_another_type_or_without_a_value() {
        assert_eq!(
            error_of("Parameters:\n  A:\n    Type: CommaDelimitedList\n    Default: a\n"),
            "template.yaml:3: parameter type `CommaDelimitedList` is not supported here"
        );
        assert_eq!(
            error_of("Parameters:\n  A:\n    Type: String\n"),
            "template.yaml:3: A has no `Default`"
        );
    }
}
