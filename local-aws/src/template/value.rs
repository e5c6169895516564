//! Evaluated values, read by type. A value of another type is an error with its line and path.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::Number;

use super::error::{TemplateError, TemplateFault};
use super::yaml::{Entry, Node};

/// The names and functions that give nodes their values.
pub(super) trait Evaluate<'t>: std::fmt::Debug {
    /// Evaluates a node. Returns nothing if it has no value (`AWS::NoValue`).
    fn evaluate(&'t self, node: &'t Node, path: &str) -> Result<Option<Value<'t>>, TemplateError>;
}

/// A value of the template. If it was a function, this is its result.
#[derive(Debug, Clone)]
pub(super) struct Value<'t> {
    scope: &'t dyn Evaluate<'t>,
    pub(super) line: usize,
    /// Its path, from the logical id on: `OrdersTable.KeySchema`.
    pub(super) path: String,
    kind: Kind<'t>,
}

/// The content of a value.
#[derive(Debug, Clone)]
pub(super) enum Kind<'t> {
    Null,
    Text(String),
    Number(&'t Number),
    Boolean(bool),
    List(&'t [Node]),
    Map(&'t [Entry]),
}

impl<'t> Value<'t> {
    pub(super) fn new(scope: &'t dyn Evaluate<'t>, line: usize, path: &str, kind: Kind<'t>) -> Self {
        Self {
            scope,
            line,
            path: path.to_owned(),
            kind,
        }
    }

    /// Reads text.
    pub(super) fn text(self) -> Result<String, TemplateError> {
        match self.kind {
            Kind::Text(text) => Ok(text),
            _ => Err(self.wrong_type("text")),
        }
    }

    /// Reads text, a number or a boolean as text, in the form in which CloudFormation passes it on.
    pub(super) fn plain_text(self) -> Result<String, TemplateError> {
        match self.kind {
            Kind::Text(text) => Ok(text),
            Kind::Number(number) => Ok(number.to_string()),
            Kind::Boolean(boolean) => Ok(boolean.to_string()),
            _ => Err(self.wrong_type("text, a number or a boolean")),
        }
    }

    /// Reads a number, also one in text, as parameters are.
    pub(super) fn number<N: FromStr>(self, expected: &'static str) -> Result<N, TemplateError> {
        let parsed = match &self.kind {
            Kind::Text(text) => text.parse().ok(),
            Kind::Number(number) => number.to_string().parse().ok(),
            _ => None,
        };
        parsed.ok_or_else(|| self.wrong_type(expected))
    }

    /// Reads a boolean, also one in text, as parameters are.
    pub(super) fn boolean(self) -> Result<bool, TemplateError> {
        match &self.kind {
            Kind::Boolean(boolean) => Ok(*boolean),
            Kind::Text(text) if text == "true" => Ok(true),
            Kind::Text(text) if text == "false" => Ok(false),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// Reads a list without the items that have no value (`AWS::NoValue`).
    pub(super) fn list(self) -> Result<Vec<Value<'t>>, TemplateError> {
        let Kind::List(items) = self.kind else {
            return Err(self.wrong_type("a list"));
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                self.scope
                    .evaluate(item, &format!("{}[{index}]", self.path))
                    .transpose()
            })
            .collect()
    }

    /// Reads a map.
    pub(super) fn map(self) -> Result<Map<'t>, TemplateError> {
        match self.kind {
            Kind::Map(entries) => Ok(Map {
                scope: self.scope,
                line: self.line,
                path: self.path,
                entries,
            }),
            _ => Err(self.wrong_type("a map")),
        }
    }

    /// Returns the error for a value of the right type that is not allowed.
    pub(super) fn unfit(&self, why: impl Into<String>) -> TemplateError {
        TemplateFault::Unfit {
            path: self.path.clone(),
            why: why.into(),
        }
        .on(self.line)
    }

    fn wrong_type(&self, expected: &'static str) -> TemplateError {
        let found = match &self.kind {
            Kind::Null => "empty",
            Kind::Text(_) => "text",
            Kind::Number(_) => "a number",
            Kind::Boolean(_) => "a boolean",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        };
        TemplateFault::WrongType {
            path: self.path.clone(),
            expected,
            found,
        }
        .on(self.line)
    }
}

/// A map of the template. Its values are evaluated when a caller asks for them.
#[derive(Debug, Clone)]
pub(super) struct Map<'t> {
    scope: &'t dyn Evaluate<'t>,
    pub(super) line: usize,
    pub(super) path: String,
    entries: &'t [Entry],
}

impl<'t> Map<'t> {
    /// Makes an empty map, for a part that is left out.
    pub(super) fn empty(scope: &'t dyn Evaluate<'t>, line: usize, path: &str) -> Self {
        Self {
            scope,
            line,
            path: path.to_owned(),
            entries: &[],
        }
    }

    /// Replaces the path of the map.
    pub(super) fn called(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Returns the value of a required key.
    pub(super) fn required(&self, key: &str) -> Result<Value<'t>, TemplateError> {
        self.optional(key)?.ok_or_else(|| {
            TemplateFault::Missing {
                owner: self.path.clone(),
                property: key.to_owned(),
            }
            .on(self.line)
        })
    }

    /// Returns the value of an optional key.
    pub(super) fn optional(&self, key: &str) -> Result<Option<Value<'t>>, TemplateError> {
        match self.entries.iter().find(|entry| entry.key == key) {
            Some(entry) => self.scope.evaluate(&entry.value, &self.path_of(entry)),
            None => Ok(None),
        }
    }

    /// Returns the map of an optional key, or an empty one.
    pub(super) fn map(&self, key: &str) -> Result<Map<'t>, TemplateError> {
        match self.optional(key)? {
            Some(value) => value.map(),
            None => Ok(Map::empty(self.scope, self.line, &format!("{}.{key}", self.path))),
        }
    }

    /// Reads a number of an optional key, which must be within limits. `expected` describes it.
    pub(super) fn number_within<N: FromStr + PartialOrd + Display>(
        &self,
        key: &str,
        expected: &'static str,
        (least, most): (N, N),
    ) -> Result<Option<N>, TemplateError> {
        let Some(value) = self.optional(key)? else {
            return Ok(None);
        };
        let number = value.clone().number(expected)?;
        if number < least || number > most {
            return Err(value.unfit(format!("must be {least} to {most}")));
        }
        Ok(Some(number))
    }

    /// Returns every key that has a value, with the value.
    pub(super) fn all(&self) -> Result<Vec<(&'t str, Value<'t>)>, TemplateError> {
        self.entries
            .iter()
            .filter_map(|entry| {
                let value = self.scope.evaluate(&entry.value, &self.path_of(entry)).transpose()?;
                Some(value.map(|value| (entry.key.as_str(), value)))
            })
            .collect()
    }

    /// Returns the keys and their nodes without evaluating them.
    pub(super) fn entries(&self) -> &'t [Entry] {
        self.entries
    }

    /// Rejects a key that is neither used nor known to have no effect on one machine. Otherwise a run here could differ
    /// silently from the deployment.
    pub(super) fn only(&self, used: &[&str], ignored: &[&str]) -> Result<(), TemplateError> {
        let stranger = self.entries.iter().find(|entry| {
            let key = entry.key.as_str();
            !used.contains(&key) && !ignored.contains(&key)
        });
        match stranger {
            Some(entry) => Err(TemplateFault::NotUnderstood(format!("`{}`", self.path_of(entry))).on(entry.line)),
            None => Ok(()),
        }
    }

    fn path_of(&self, entry: &Entry) -> String {
        if self.path.is_empty() {
            entry.key.clone()
        } else {
            format!("{}.{}", self.path, entry.key)
        }
    }
}
