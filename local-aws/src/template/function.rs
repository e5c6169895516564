//! Functions, with the properties that `Globals` gives all of them, and the API that invokes one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::StackContext;
use super::error::{TemplateError, TemplateFault};
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

/// The HTTP API of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpApi {
    /// Logical id of the resource: `Api`.
    pub logical_id: String,
    /// Id of the API, the value of `!Ref`: `stack-Api`.
    pub name: String,
    /// Name of the function (as in [`Function::name`]) that every request goes to, by the `$default` route.
    pub function: String,
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

/// Finds the API that invokes the function, if there is one.
pub(super) fn http_api(
    resource: &Resource<'_>,
    function: &Function,
    apis: &[Resource<'_>],
    context: &StackContext,
) -> Result<Option<HttpApi>, TemplateError> {
    let mut found: Option<HttpApi> = None;
    for (_, event) in resource.properties.map("Events")?.all()? {
        let event = event.map()?;
        event.only(&["Properties", "Type"], &[])?;
        let kind = event.required("Type")?;
        let line = kind.line;
        if kind.clone().text()? != "HttpApi" {
            return Err(kind.unfit("must be HttpApi"));
        }
        if found.is_some() {
            return Err(TemplateFault::NotUnderstood(format!("a second event, `{}`,", event.path)).on(line));
        }
        let route = event.required("Properties")?.map()?;
        // Without a path and a method, the event is the `$default` route.
        route.only(&["ApiId", "PayloadFormatVersion"], &[])?;
        if let Some(version) = route.optional("PayloadFormatVersion")?
            && version.clone().plain_text()? != "2.0"
        {
            return Err(version.unfit("must be '2.0'"));
        }
        let api = route.required("ApiId")?;
        let line = api.line;
        let id = api.text()?;
        let logical_id = apis
            .iter()
            .map(|api| api.logical_id)
            .find(|logical_id| names::physical(context, logical_id) == id)
            .ok_or(TemplateFault::Unknown {
                what: "HTTP API",
                name: id.clone(),
            })
            .map_err(|fault| fault.on(line))?;
        found = Some(HttpApi {
            logical_id: logical_id.to_owned(),
            name: id,
            function: function.name.clone(),
        });
    }
    Ok(found)
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
  Api:
    Type: AWS::Serverless::HttpApi
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
      Events:
        Any:
          Type: HttpApi
          Properties: { ApiId: !Ref Api }
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
        assert_eq!(
            stack.http_api,
            Some(HttpApi {
                logical_id: "Api".to_owned(),
                name: "shop-Api".to_owned(),
                function: "greeter".to_owned()
            })
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
                "18: Greeter.Timeout must be a whole number of seconds, but is text",
            ),
            (
                "{ Binary: greeter }",
                "{ }",
                "15: Greeter.Metadata.BuildProperties has no `Binary`",
            ),
            (
                "Type: HttpApi",
                "Type: SQS",
                "23: Greeter.Events.Any.Type must be HttpApi",
            ),
            (
                "{ ApiId: !Ref Api }",
                "{ ApiId: other }",
                "24: there is no HTTP API `other`",
            ),
            (
                "{ ApiId: !Ref Api }",
                "{ ApiId: !Ref Api, Path: /a }",
                "24: `Greeter.Events.Any.Properties.Path` is not supported here",
            ),
            (
                "{ ApiId: !Ref Api }",
                "{ ApiId: !Ref Api, PayloadFormatVersion: 1.0 }",
                "24: Greeter.Events.Any.Properties.PayloadFormatVersion must be '2.0'",
            ),
            (
                "MemorySize: 256",
                "Layers: []",
                "3: `Globals.Function.Layers` is not supported here",
            ),
            (
                "STACK: !Ref AWS::StackName",
                "STACK: [a]",
                "20: Greeter.Environment.Variables.STACK must be text, a number or a boolean, but is a list",
            ),
        ] {
            assert!(FUNCTION.contains(good));
            assert_eq!(error_of(&FUNCTION.replace(good, bad)), format!("template.yaml:{error}"));
        }
    }
}
