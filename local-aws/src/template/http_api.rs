//! The HTTP API, with the routes that the events of functions give it.

use std::fmt;

use super::StackContext;
use super::error::{TemplateError, TemplateFault};
use super::function::Function;
use super::names;
use super::resource::Resource;
use super::value::{Map, Value};

/// Methods that a route can have, besides `ANY`.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The HTTP API of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpApi {
    /// Logical id of the resource: `Api`.
    pub logical_id: String,
    /// Id of the API, the value of `!Ref`: `stack-Api`.
    pub name: String,
    /// The routes, in the order of the template.
    pub routes: Vec<HttpRoute>,
}

/// A route of an HTTP API. It invokes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRoute {
    /// The requests that take this route.
    pub key: RouteKey,
    /// Name of the function (as in [`Function::name`]).
    pub function: String,
}

/// The requests that take a route. `Display` writes the key as AWS does: `POST /`, `ANY /a/{proxy+}`, `$default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteKey {
    /// Every request that no other route takes.
    Default,
    /// The requests of a method with a path.
    Path {
        /// The method in upper case. None stands for `ANY`.
        method: Option<String>,
        /// The segments of the path.
        path: Vec<PathSegment>,
    },
}

/// A segment of a route's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathSegment {
    /// Text that a request repeats.
    Literal(String),
    /// `{name}`: any one segment.
    Variable(String),
    /// `{name+}`: the rest of a path, at least one character of it.
    Greedy(String),
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Path { method, path } = self else {
            return f.write_str("$default");
        };
        f.write_str(method.as_deref().unwrap_or("ANY"))?;
        f.write_str(" ")?;
        for segment in path {
            match segment {
                PathSegment::Literal(text) => write!(f, "/{text}")?,
                PathSegment::Variable(name) => write!(f, "/{{{name}}}")?,
                PathSegment::Greedy(name) => write!(f, "/{{{name}+}}")?,
            }
        }
        Ok(())
    }
}

impl RouteKey {
    /// Returns whether two routes take the same requests. The names of their variables do not matter.
    fn takes_the_same_as(&self, other: &Self) -> bool {
        let is_same = |pair: (&PathSegment, &PathSegment)| match pair {
            (PathSegment::Literal(one), PathSegment::Literal(other)) => one == other,
            (PathSegment::Variable(_), PathSegment::Variable(_)) | (PathSegment::Greedy(_), PathSegment::Greedy(_)) => {
                true
            }
            _ => false,
        };
        match (self, other) {
            (Self::Default, Self::Default) => true,
            (
                Self::Path { method, path },
                Self::Path {
                    method: methods,
                    path: paths,
                },
            ) => method == methods && path.len() == paths.len() && path.iter().zip(paths).all(is_same),
            _ => false,
        }
    }
}

/// Reads the routes to a function, and adds them to the API that they name.
pub(super) fn add_routes<'t>(
    http_api: &mut Option<HttpApi>,
    resource: &Resource<'t>,
    function: &Function,
    apis: &[Resource<'t>],
    context: &StackContext,
) -> Result<(), TemplateError> {
    for (_, event) in resource.properties.map("Events")?.all()? {
        let event = event.map()?;
        event.only(&["Properties", "Type"], &[])?;
        let kind = event.required("Type")?;
        if kind.clone().text()? != "HttpApi" {
            return Err(kind.unfit("must be HttpApi"));
        }
        let properties = event.required("Properties")?.map()?;
        // Nothing throttles requests on one machine.
        properties.only(&["ApiId", "Method", "Path", "PayloadFormatVersion"], &["RouteSettings"])?;
        if let Some(version) = properties.optional("PayloadFormatVersion")?
            && version.clone().plain_text()? != "2.0"
        {
            return Err(version.unfit("must be '2.0'"));
        }
        let line = properties.line;
        let (logical_id, name) = api(&properties, apis, context)?;
        let key = route_key(&properties)?;
        let api = http_api.get_or_insert_with(|| HttpApi {
            logical_id: logical_id.to_owned(),
            name,
            routes: Vec::new(),
        });
        if api.logical_id != logical_id {
            let what = format!("a second HTTP API beside `{}`", api.logical_id);
            return Err(TemplateFault::NotUnderstood(what).on(line));
        }
        if let Some(first) = api.routes.iter().find(|route| route.key.takes_the_same_as(&key)) {
            let what = format!("a second route `{key}` beside that of `{}`", first.function);
            return Err(TemplateFault::NotUnderstood(what).on(line));
        }
        api.routes.push(HttpRoute {
            key,
            function: function.name.clone(),
        });
    }
    Ok(())
}

/// Finds the API that an event names. Returns its logical id and its id.
fn api<'t>(
    properties: &Map<'t>,
    apis: &[Resource<'t>],
    context: &StackContext,
) -> Result<(&'t str, String), TemplateError> {
    let api = properties.required("ApiId")?;
    let line = api.line;
    let id = api.text()?;
    let found = apis
        .iter()
        .map(|api| api.logical_id)
        .find(|logical_id| names::physical(context, logical_id) == id);
    match found {
        Some(logical_id) => Ok((logical_id, id)),
        None => Err(TemplateFault::Unknown {
            what: "HTTP API",
            name: id,
        }
        .on(line)),
    }
}

/// Reads the key of a route. An event has a path and a method, or neither, and then is the `$default` route.
fn route_key(properties: &Map<'_>) -> Result<RouteKey, TemplateError> {
    match (properties.optional("Path")?, properties.optional("Method")?) {
        (None, None) => Ok(RouteKey::Default),
        (Some(path), Some(method)) => Ok(RouteKey::Path {
            method: read_method(&method)?,
            path: read_path(&path)?,
        }),
        (Some(path), None) => Err(path.unfit("needs a `Method` beside it")),
        (None, Some(method)) => Err(method.unfit("needs a `Path` beside it")),
    }
}

fn read_method(value: &Value<'_>) -> Result<Option<String>, TemplateError> {
    let method = value.clone().text()?.to_ascii_uppercase();
    if method == "ANY" {
        return Ok(None);
    }
    if !METHODS.contains(&method.as_str()) {
        return Err(value.unfit(format!("must be ANY, {}", METHODS.join(", "))));
    }
    Ok(Some(method))
}

fn read_path(value: &Value<'_>) -> Result<Vec<PathSegment>, TemplateError> {
    let path = value.clone().text()?;
    let Some(rest) = path.strip_prefix('/') else {
        return Err(value.unfit("must begin with `/`"));
    };
    let is_variable =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let segment = |text: &str| {
        let variable = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        match variable {
            Some(name) => match name.strip_suffix('+') {
                Some(name) if is_variable(name) => Some(PathSegment::Greedy(name.to_owned())),
                None if is_variable(name) => Some(PathSegment::Variable(name.to_owned())),
                _ => None,
            },
            None if text.contains(['{', '}']) => None,
            None => Some(PathSegment::Literal(text.to_owned())),
        }
    };
    let segments: Option<Vec<PathSegment>> = rest.split('/').map(segment).collect();
    let segments = segments.ok_or_else(|| value.unfit("has a segment that is neither text, `{name}` nor `{name+}`"))?;
    let is_greedy = |segment: &PathSegment| matches!(segment, PathSegment::Greedy(_));
    if segments.iter().rev().skip(1).any(is_greedy) {
        return Err(value.unfit("has a greedy variable before its last segment"));
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TWO_FUNCTIONS, error_of, stack};

    fn routes(template: &str) -> Vec<(String, String)> {
        let routes = stack(template).http_api.unwrap().routes;
        routes
            .into_iter()
            .map(|route| (route.key.to_string(), route.function))
            .collect()
    }

    #[test]
    fn reads_the_routes_of_several_functions() {
        let expected = [
            ("$default", "shop"),
            ("GET /v2/email/account", "shop"),
            ("POST /", "post"),
            ("ANY /v2/email/{proxy+}", "post"),
        ];
        let expected = expected.map(|(key, function)| (key.to_owned(), function.to_owned()));
        assert_eq!(routes(TWO_FUNCTIONS), expected);
        let api = stack(TWO_FUNCTIONS).http_api.unwrap();
        assert_eq!((api.logical_id.as_str(), api.name.as_str()), ("Api", "shop-Api"));
    }

    #[test]
    fn writes_the_method_in_upper_case() {
        let template = TWO_FUNCTIONS
            .replace("Method: POST", "Method: post")
            .replace("Method: ANY", "Method: any");
        assert_eq!(routes(&template), routes(TWO_FUNCTIONS));
    }

    #[test]
    fn rejects_a_second_route_for_the_same_requests() {
        for (good, same, key, function) in [
            ("Path: /, Method: POST, ", "", "$default", "shop"),
            (
                "Path: /v2/email/account, Method: GET",
                "Path: /, Method: post",
                "POST /",
                "shop",
            ),
            (
                "Path: /v2/email/account, Method: GET",
                "Path: '/v2/email/{rest+}', Method: ANY",
                "ANY /v2/email/{proxy+}",
                "shop",
            ),
        ] {
            let template = TWO_FUNCTIONS.replace(good, same);
            assert_ne!(template, TWO_FUNCTIONS);
            let error = error_of(&template);
            let expected = format!("a second route `{key}` beside that of `{function}` is not supported here");
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn takes_routes_that_differ_in_method_or_path() {
        for different in [
            "Path: /, Method: GET",
            "Path: /, Method: ANY",
            "Path: '/{proxy+}', Method: POST",
            "Path: '/v2/email/{proxy}', Method: ANY",
            "Path: /v2/email/, Method: ANY",
        ] {
            let template = TWO_FUNCTIONS.replace("Path: /v2/email/account, Method: GET", different);
            assert_eq!(routes(&template).len(), 4, "{different}");
        }
    }

    #[test]
    fn names_the_fault_of_an_event() {
        let properties = "{ Path: /, Method: POST, ApiId: !Ref Api }";
        for (bad, error) in [
            ("{ Method: POST, ApiId: !Ref Api }", ".Method needs a `Path` beside it"),
            ("{ Path: /, ApiId: !Ref Api }", ".Path needs a `Method` beside it"),
            (
                "{ Path: /, Method: FETCH, ApiId: !Ref Api }",
                ".Method must be ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            ),
            (
                "{ Path: a, Method: POST, ApiId: !Ref Api }",
                ".Path must begin with `/`",
            ),
            (
                "{ Path: '/{a+}/b', Method: POST, ApiId: !Ref Api }",
                ".Path has a greedy variable before its last segment",
            ),
            (
                "{ Path: '/a{b}', Method: POST, ApiId: !Ref Api }",
                ".Path has a segment that is neither text, `{name}` nor `{name+}`",
            ),
            (
                "{ Path: '/{}', Method: POST, ApiId: !Ref Api }",
                ".Path has a segment that is neither text, `{name}` nor `{name+}`",
            ),
            ("{ ApiId: other }", "there is no HTTP API `other`"),
            (
                "{ ApiId: !Ref Api, PayloadFormatVersion: 1.0 }",
                ".PayloadFormatVersion must be '2.0'",
            ),
            ("{ ApiId: !Ref Api, Auth: {} }", ".Auth` is not supported here"),
        ] {
            assert!(TWO_FUNCTIONS.contains(properties));
            let found = error_of(&TWO_FUNCTIONS.replace(properties, bad));
            assert!(found.starts_with("template.yaml:17: "), "{found}");
            assert!(found.ends_with(error), "{found}");
        }
        let error = error_of(&TWO_FUNCTIONS.replace("Root: { Type: HttpApi", "Root: { Type: SQS"));
        assert_eq!(error, "template.yaml:17: Post.Events.Root.Type must be HttpApi");
    }

    #[test]
    fn takes_one_api_only() {
        let template = TWO_FUNCTIONS
            .replace("  Shop:", "  Other: { Type: AWS::Serverless::HttpApi }\n  Shop:")
            .replace("Method: POST, ApiId: !Ref Api", "Method: POST, ApiId: !Ref Other");
        assert_eq!(
            error_of(&template),
            "template.yaml:18: a second HTTP API beside `Api` is not supported here"
        );
    }
}
