//! The permissions of functions: the policies in their roles.
//!
//! Nothing here enforces them. A test compares them with the recorded calls.

use std::collections::BTreeMap;

use super::error::{TemplateError, TemplateFault};
use super::names;
use super::resource::{self, Resource};
use super::scope::Scope;
use super::value::Value;
use super::yaml::Node;
use super::{StackContext, section};

/// The permission for one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The action: `dynamodb:GetItem`.
    pub action: String,
    /// The ARN of the resource, in which `*` matches any text.
    pub resource: String,
    /// The patterns of the partition keys that it is limited to (`dynamodb:LeadingKeys`); none for no limit.
    pub leading_keys: Vec<String>,
}

impl Permission {
    /// Returns whether it allows `action` on `resource`.
    #[must_use]
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        self.action == action && matches(&self.resource, resource)
    }

    /// Returns whether it allows requests with this partition key.
    #[must_use]
    pub fn allows_key(&self, key: &str) -> bool {
        let mut patterns = self.leading_keys.iter();
        self.leading_keys.is_empty() || patterns.any(|pattern| matches(pattern, key))
    }
}

/// Returns whether `text` matches `pattern`, in which `*` matches any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|end| text.get(end..).is_some_and(|tail| matches(rest, tail)))),
    }
}

/// Reads the permissions of every function, by its name.
pub(super) fn read_all<'t>(
    scope: &'t Scope<'t>,
    root: &'t Node,
) -> Result<BTreeMap<String, Vec<Permission>>, TemplateError> {
    let resources = section(scope, root, "Resources")?;
    let roles = resource::of_type(scope, &resources, names::ROLE)?;
    let permissions = |function: &Resource<'_>| {
        let name = function
            .metadata
            .required("BuildProperties")?
            .map()?
            .required("Binary")?
            .text()?;
        Ok((name, read(function, &roles, scope.context)?))
    };
    let functions = resource::of_type(scope, &resources, names::FUNCTION)?;
    functions.iter().map(permissions).collect()
}

/// Reads the permissions of a function out of its role.
fn read(
    function: &Resource<'_>,
    roles: &[Resource<'_>],
    context: &StackContext,
) -> Result<Vec<Permission>, TemplateError> {
    let Some(role) = function.properties.optional("Role")? else {
        return Ok(Vec::new());
    };
    let line = role.line;
    let arn = role.text()?;
    let role = roles
        .iter()
        .find(|role| names::role_arn(context, role.logical_id) == arn)
        .ok_or_else(|| {
            TemplateFault::Unknown {
                what: "role",
                name: arn,
            }
            .on(line)
        })?;
    let mut permissions = Vec::new();
    let Some(policies) = role.properties.optional("Policies")? else {
        return Ok(permissions);
    };
    for policy in policies.list()? {
        let document = policy.map()?.required("PolicyDocument")?.map()?;
        for statement in document.required("Statement")?.list()? {
            let statement = statement.map()?;
            statement.only(&["Action", "Condition", "Effect", "Resource"], &["Sid"])?;
            let effect = statement.required("Effect")?;
            if effect.clone().text()? != "Allow" {
                return Err(effect.unfit("must be Allow"));
            }
            let resources = one_or_many(statement.required("Resource")?)?;
            let condition = statement.map("Condition")?;
            condition.only(&["ForAllValues:StringLike"], &[])?;
            let condition = condition.map("ForAllValues:StringLike")?;
            condition.only(&["dynamodb:LeadingKeys"], &[])?;
            let leading_keys = match condition.optional("dynamodb:LeadingKeys")? {
                Some(keys) => one_or_many(keys)?,
                None => Vec::new(),
            };
            for action in one_or_many(statement.required("Action")?)? {
                permissions.extend(resources.iter().map(|resource| Permission {
                    action: action.clone(),
                    resource: resource.clone(),
                    leading_keys: leading_keys.clone(),
                }));
            }
        }
    }
    Ok(permissions)
}

fn one_or_many(value: Value<'_>) -> Result<Vec<String>, TemplateError> {
    match value.clone().list() {
        Ok(values) => values.into_iter().map(Value::text).collect(),
        Err(_) => Ok(vec![value.text()?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("arn:a", "arn:a", true),
            ("arn:a", "arn:ab", false),
            ("*", "", true),
            ("arn:*:identity/*", "arn:aws:identity/example.com", true),
            ("arn:*:identity/*", "arn:aws:configuration-set/example.com", false),
            ("a*b", "a-b-b", true),
            ("a*b", "a-b-c", false),
            ("é*", "é", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
