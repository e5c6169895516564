//! Functions, with the properties that `Globals` gives all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::StackContext;
use super::error::TemplateError;
use super::names;
use super::resource::Resource;
use super::value::Map;

/// Lambda's defaults.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
const DEFAULT_MEMORY_MB: u32 = 128;

/// Properties that control how a function is built, protected and logged, not how it runs.
const DEPLOYMENT_ONLY: &[&str] = &[
    "Architectures",
    "CodeUri",
    "Description",
    "Handler",
    "LoggingConfig",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "Tags",
];

/// A Lambda function of the template.
///
/// The registry's function has the same name: it is the code of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Logical id of the resource: `WorkerFunction`.
    pub logical_id: String,
    /// Name of the binary that it is built from: `worker`.
    pub name: String,
    /// ARN of the function.
    pub arn: String,
    /// Environment variables, including those of `Globals`.
    pub environment: BTreeMap<String, String>,
    /// Time limit of one invocation.
    pub timeout: Duration,
    /// Memory of one execution environment, in MB.
    pub memory_mb: u32,
}

pub(super) fn read<'t>(
    resource: &Resource<'t>,
    globals: &Map<'t>,
    context: &StackContext,
) -> Result<Function, TemplateError> {
    let properties = &resource.properties;
    let used = ["Environment", "Events", "MemorySize", "Timeout"];
    globals.only(&used, DEPLOYMENT_ONLY)?;
    properties.only(&used, DEPLOYMENT_ONLY)?;
    let own_or_global = |name| match properties.optional(name)? {
        Some(value) => Ok(Some(value)),
        None => globals.optional(name),
    };

    let timeout = match own_or_global("Timeout")? {
        Some(timeout) => Duration::from_secs(timeout.number("a whole number of seconds")?),
        None => DEFAULT_TIMEOUT,
    };
    let memory_mb = match own_or_global("MemorySize")? {
        Some(memory) => memory.number("a whole number of MB")?,
        None => DEFAULT_MEMORY_MB,
    };
    let mut environment = BTreeMap::new();
    for owner in [globals, properties] {
        for (name, value) in owner.map("Environment")?.map("Variables")?.all()? {
            environment.insert(name.to_owned(), value.plain_text()?);
        }
    }
    let build = resource.metadata.required("BuildProperties")?.map()?;
    Ok(Function {
        logical_id: resource.logical_id.to_owned(),
        name: build.required("Binary")?.text()?,
        arn: names::function_arn(context, resource.logical_id),
        environment,
        timeout,
        memory_mb,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_of, stack};
    use super::*;

    const FUNCTION: &str = "\
Globals:
  Function:
    MemorySize: 256
    Environment:
      Variables:
        LEVEL: info
        SHARE: 0.5
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties: { Binary: greeter }
    Properties:
      Role: !GetAtt SomeRole.ThatIsNotLookedAt
      Timeout: 29
      Environment:
        Variables: { LEVEL: debug, STACK: !Ref AWS::StackName }
";

    #[test]
    fn joins_its_own_properties_with_those_of_globals() {
        let stack = stack(FUNCTION);
        let environment = [("LEVEL", "debug"), ("SHARE", "0.5"), ("STACK", "shop")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            stack.functions,
            [Function {
                logical_id: "Greeter".to_owned(),
                name: "greeter".to_owned(),
                arn: "arn:aws:lambda:us-east-1:000000000000:function:shop-Greeter".to_owned(),
                environment: environment.into(),
                timeout: Duration::from_secs(29),
                memory_mb: 256,
            }]
        );
    }

    #[test]
    fn takes_the_defaults_of_lambda() {
        let function = stack(
            "\
Resources:
  Plain:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: plain } }
",
        )
        .functions
        .remove(0);
        assert_eq!((function.timeout, function.memory_mb), (Duration::from_secs(3), 128));
        assert!(function.environment.is_empty());
    }

    #[test]
    fn names_the_line_of_an_invalid_value() {
        for (good, bad, error) in [
            (
                "Timeout: 29",
                "Timeout: soon",
                "16: Greeter.Timeout must be a whole number of seconds, but is text",
            ),
            (
                "{ Binary: greeter }",
                "{ }",
                "13: Greeter.Metadata.BuildProperties has no `Binary`",
            ),
            (
                "MemorySize: 256",
                "Layers: []",
                "3: `Globals.Function.Layers` is not supported here",
            ),
            (
                "STACK: !Ref AWS::StackName",
                "STACK: [a]",
                "18: Greeter.Environment.Variables.STACK must be text, a number or a boolean, but is a list",
            ),
        ] {
            assert!(FUNCTION.contains(good));
            assert_eq!(error_of(&FUNCTION.replace(good, bad)), format!("template.yaml:{error}"));
        }
    }
}
