//! The meaning of names: parameters, conditions, pseudo parameters and resources, and the intrinsic functions over
//! them.
//!
//! A function is evaluated only when a caller asks for its value. Parts of a template that make no difference on one
//! machine may therefore hold functions that are not supported here.

use std::collections::BTreeMap;

use super::StackContext;
use super::error::{TemplateError, TemplateFault};
use super::names;
use super::value::{Evaluate, Kind, Value};
use super::yaml::{Content, Function, Node};

/// The longest chain of conditions that refer to one another, which ends a circle of them.
const LONGEST_CHAIN_OF_CONDITIONS: usize = 32;

/// The names to which a template's functions can refer.
#[derive(Debug, Clone)]
pub(super) struct Scope<'t> {
    pub(super) context: &'t StackContext,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) conditions: BTreeMap<&'t str, &'t Node>,
    /// The types of the resources whose condition holds, by logical id.
    pub(super) resources: BTreeMap<&'t str, String>,
}

impl<'t> Scope<'t> {
    /// Makes a scope that has nothing but its context.
    pub(super) fn of(context: &'t StackContext) -> Self {
        Self {
            context,
            parameters: BTreeMap::new(),
            conditions: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    fn call(&'t self, function: &'t Function, line: usize, path: &str) -> Result<Option<Value<'t>>, TemplateError> {
        let argument = &function.argument;
        let text = match function.name.as_str() {
            "If" => {
                let [condition, then, otherwise] = items(function)? else {
                    return Err(misused(function, "a condition and two values"));
                };
                let holds = self.condition(literal(function, condition)?, condition.line, 0)?;
                return self.evaluate(if holds { then } else { otherwise }, path);
            }
            "Ref" => {
                let name = literal(function, argument)?;
                if name == "AWS::NoValue" {
                    return Ok(None);
                }
                self.reference(name, line)?
            }
            "GetAtt" => match &argument.content {
                Content::List(_) => {
                    let [resource, attribute] = items(function)? else {
                        return Err(misused(function, "a resource and its attribute"));
                    };
                    self.attribute(literal(function, resource)?, literal(function, attribute)?, line)?
                }
                _ => match literal(function, argument)?.split_once('.') {
                    Some((resource, attribute)) => self.attribute(resource, attribute, line)?,
                    None => return Err(misused(function, "a resource and its attribute")),
                },
            },
            "Sub" => self.substitute(function, path)?,
            _ => return Err(TemplateFault::NotUnderstood(function.spelling.clone()).on(line)),
        };
        Ok(Some(Value::new(self, line, path, Kind::Text(text))))
    }

    /// Returns the value of `!Ref name`: the value of a parameter, or for a resource what CloudFormation returns.
    fn reference(&self, name: &str, line: usize) -> Result<String, TemplateError> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        if let Some(kind) = self.resources.get(name) {
            return Ok(names::reference(self.context, kind, name));
        }
        match names::pseudo_parameter(self.context, name) {
            Some(value) => Ok(value),
            None if name.starts_with("AWS::") => Err(TemplateFault::NotUnderstood(format!("`{name}`")).on(line)),
            None => Err(TemplateFault::Unknown {
                what: "parameter or resource",
                name: name.to_owned(),
            }
            .on(line)),
        }
    }

    fn attribute(&self, resource: &str, attribute: &str, line: usize) -> Result<String, TemplateError> {
        let Some(kind) = self.resources.get(resource) else {
            return Err(TemplateFault::Unknown {
                what: "resource",
                name: resource.to_owned(),
            }
            .on(line));
        };
        names::attribute(self.context, kind, resource, attribute)
            .ok_or_else(|| TemplateFault::NotUnderstood(format!("attribute `{attribute}` of {kind}")).on(line))
    }

    fn substitute(&'t self, function: &'t Function, path: &str) -> Result<String, TemplateError> {
        let (pattern, own) = match &function.argument.content {
            Content::List(_) => {
                let [pattern, own] = items(function)? else {
                    return Err(misused(function, "a text and a map of names"));
                };
                (pattern, self.evaluate(own, path)?)
            }
            _ => (&function.argument, None),
        };
        let own = own.map(Value::map).transpose()?;
        let line = pattern.line;
        let mut rest = literal(function, pattern)?;
        let mut text = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err(misused(function, "a `}` for every `${`"));
            };
            rest = after;
            if let Some(kept) = name.strip_prefix('!') {
                text.push_str("${");
                text.push_str(kept);
                text.push('}');
            } else if let Some(value) = own.as_ref().map(|own| own.optional(name)).transpose()?.flatten() {
                text.push_str(&value.plain_text()?);
            } else if let Some((resource, attribute)) = name.split_once('.') {
                text.push_str(&self.attribute(resource, attribute, line)?);
            } else {
                text.push_str(&self.reference(name, line)?);
            }
        }
        text.push_str(rest);
        Ok(text)
    }

    /// Returns whether a condition holds.
    pub(super) fn condition(&'t self, name: &str, line: usize, chain: usize) -> Result<bool, TemplateError> {
        match self.conditions.get(name) {
            Some(_) if chain > LONGEST_CHAIN_OF_CONDITIONS => {
                Err(TemplateFault::Syntax(format!("condition `{name}` refers to itself")).on(line))
            }
            Some(node) => self.holds(node, chain),
            None => Err(TemplateFault::Unknown {
                what: "condition",
                name: name.to_owned(),
            }
            .on(line)),
        }
    }

    fn holds(&'t self, node: &'t Node, chain: usize) -> Result<bool, TemplateError> {
        let function = match &node.content {
            Content::Function(function) => function,
            // `Condition: Name` is the long form of `!Condition Name`.
            Content::Map(entries) => match entries.as_slice() {
                [only] if only.key == "Condition" => match &only.value.content {
                    Content::Text(name) => return self.condition(name, only.line, chain + 1),
                    _ => {
                        return Err(TemplateFault::NotUnderstood("this condition".to_owned()).on(only.line));
                    }
                },
                _ => return Err(TemplateFault::NotUnderstood("this condition".to_owned()).on(node.line)),
            },
            _ => return Err(TemplateFault::NotUnderstood("this condition".to_owned()).on(node.line)),
        };
        match (function.name.as_str(), &function.argument.content) {
            ("Condition", Content::Text(name)) => self.condition(name, node.line, chain + 1),
            ("Equals", Content::List(sides)) => match sides.as_slice() {
                [left, right] => Ok(self.compared(left)? == self.compared(right)?),
                _ => Err(misused(function, "two values")),
            },
            ("Not", Content::List(conditions)) => match conditions.as_slice() {
                [condition] => Ok(!self.holds(condition, chain)?),
                _ => Err(misused(function, "one condition")),
            },
            ("And", Content::List(conditions)) => conditions
                .iter()
                .try_fold(true, |all, next| Ok(self.holds(next, chain)? && all)),
            ("Or", Content::List(conditions)) => conditions
                .iter()
                .try_fold(false, |any, next| Ok(self.holds(next, chain)? || any)),
            _ => Err(TemplateFault::NotUnderstood(function.spelling.clone()).on(node.line)),
        }
    }

    fn compared(&'t self, side: &'t Node) -> Result<String, TemplateError> {
        match self.evaluate(side, "a side of Equals")? {
            Some(value) => value.plain_text(),
            None => Err(TemplateFault::NotUnderstood("`AWS::NoValue`".to_owned()).on(side.line)),
        }
    }
}

impl<'t> Evaluate<'t> for Scope<'t> {
    /// Maps and lists stay as they are. Their items are evaluated when a caller asks for them.
    fn evaluate(&'t self, node: &'t Node, path: &str) -> Result<Option<Value<'t>>, TemplateError> {
        let kind = match &node.content {
            Content::Null => Kind::Null,
            Content::Text(text) => Kind::Text(text.clone()),
            Content::Number(number) => Kind::Number(number),
            Content::Boolean(boolean) => Kind::Boolean(*boolean),
            Content::List(items) => Kind::List(items),
            Content::Map(entries) => Kind::Map(entries),
            Content::Function(function) => return self.call(function, node.line, path),
        };
        Ok(Some(Value::new(self, node.line, path, kind)))
    }
}

fn items(function: &Function) -> Result<&[Node], TemplateError> {
    match &function.argument.content {
        Content::List(items) => Ok(items),
        _ => Err(misused(function, "a list")),
    }
}

fn literal<'t>(function: &Function, node: &'t Node) -> Result<&'t str, TemplateError> {
    match &node.content {
        Content::Text(text) => Ok(text),
        _ => Err(misused(function, "plain text")),
    }
}

fn misused(function: &Function, wants: &str) -> TemplateError {
    TemplateFault::Unfit {
        path: function.spelling.clone(),
        why: format!("takes {wants}"),
    }
    .on(function.argument.line)
}
