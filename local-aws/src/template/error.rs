//! The errors of a template, with their lines.

/// An error in the template, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template.yaml:{line}: {fault}")]
pub struct TemplateError {
    /// Line of the template, counted from 1.
    pub line: usize,
    /// The problem.
    pub fault: TemplateFault,
}

/// A template that local AWS cannot run, with all its problems.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateFault {
    /// The text is not YAML, or not the subset of YAML that templates use.
    #[error("{0}")]
    Syntax(String),
    /// An intrinsic function, property, resource attribute or value that only CloudFormation supports.
    #[error("{0} is not supported here")]
    NotUnderstood(String),
    /// A reference to something that the template does not declare, or whose condition does not hold.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// The kind of thing that was looked for: a resource, a condition, …
        what: &'static str,
        /// The name in the reference.
        name: String,
    },
    /// A required property is missing.
    #[error("{owner} has no `{property}`")]
    Missing {
        /// The path of the part that lacks the property, from the logical id on.
        owner: String,
        /// The name of the property.
        property: String,
    },
    /// A value has the wrong type.
    #[error("{path} must be {expected}, but is {found}")]
    WrongType {
        /// The path of the value, from the logical id on.
        path: String,
        /// The type that the property has.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
    },
    /// A value of the right type is not allowed.
    #[error("{path} {why}")]
    Unfit {
        /// The path of the value, from the logical id on.
        path: String,
        /// Why the value is not allowed.
        why: String,
    },
}

impl TemplateFault {
    /// Adds the line.
    pub(super) fn on(self, line: usize) -> TemplateError {
        TemplateError { line, fault: self }
    }
}
