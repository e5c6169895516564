//! What can be wrong with a template, and on which line.

/// An error in the template, with the line it is on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template.yaml:{line}: {fault}")]
pub struct TemplateError {
    /// Line of the template, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: TemplateFault,
}

/// What is wrong at a place of the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateFault {
    /// The text is not YAML, or not a kind of YAML that templates are written in.
    #[error("{0}")]
    Syntax(String),
    /// An intrinsic function, property, resource attribute or value that only `CloudFormation` understands.
    #[error("{0} is not understood here")]
    NotUnderstood(String),
    /// A reference to something that the template does not declare, or does not create under its conditions.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What was looked for: a resource, a condition, …
        what: &'static str,
        /// The name it was looked for by.
        name: String,
    },
    /// A property without which the part cannot be run.
    #[error("{owner} has no `{property}`")]
    Missing {
        /// The part that lacks the property, as a path from the logical id.
        owner: String,
        /// The property's name.
        property: String,
    },
    /// A value of another type than the property has.
    #[error("{path} must be {expected}, but is {found}")]
    WrongType {
        /// The property, as a path from the logical id.
        path: String,
        /// The type it should have.
        expected: &'static str,
        /// The type that was found.
        found: &'static str,
    },
    /// A value of the right type that does not fit.
    #[error("{path} {why}")]
    Unfit {
        /// The property, as a path from the logical id.
        path: String,
        /// Why the value does not fit.
        why: String,
    },
}

impl TemplateFault {
    /// Places the fault on a line.
    pub(super) fn on(self, line: usize) -> TemplateError {
        TemplateError { line, fault: self }
    }
}
