//! The text as a tree whose nodes have line numbers.
//!
//! The two spellings of an intrinsic function, `!Sub text` and `Fn::Sub: text`, become one kind of node, so that no
//! other module sees a tag.

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};
use serde_json::Number;

use super::error::{TemplateError, TemplateFault};

/// The deepest nesting, which limits every recursion over the tree. A template has about ten levels.
const DEEPEST: usize = 64;

/// A node of the template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// The line on which it starts, counted from 1.
    pub(super) line: usize,
    pub(super) content: Content,
}

/// The content of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Null,
    Text(String),
    Number(Number),
    Boolean(bool),
    List(Vec<Node>),
    Map(Vec<Entry>),
    Function(Box<Function>),
}

/// A key of a map and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Node,
}

/// A call of an intrinsic function.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Function {
    /// The name without `!` or `Fn::`.
    pub(super) name: String,
    /// The name as it is written, for error messages.
    pub(super) spelling: String,
    pub(super) argument: Node,
}

/// Parses the one document of a template.
pub(super) fn parse(text: &str) -> Result<Node, TemplateError> {
    let documents = MarkedYaml::load_from_str(text)
        .map_err(|error| TemplateFault::Syntax(format!("not YAML: {}", error.info())).on(error.marker().line()))?;
    match documents.as_slice() {
        [document] => convert(document, 0),
        [] => Err(TemplateFault::Syntax("the template is empty".to_owned()).on(1)),
        [_, second, ..] => Err(TemplateFault::Syntax("a second YAML document".to_owned()).on(second.span.start.line())),
    }
}

fn convert(yaml: &MarkedYaml<'_>, depth: usize) -> Result<Node, TemplateError> {
    let line = yaml.span.start.line();
    if depth > DEEPEST {
        return Err(TemplateFault::Syntax("nested too deeply".to_owned()).on(line));
    }
    let content = match &yaml.data {
        YamlData::Value(scalar) => convert_scalar(scalar),
        YamlData::Representation(text, ..) => Content::Text(text.to_string()),
        YamlData::Sequence(items) => Content::List(
            items
                .iter()
                .map(|item| convert(item, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Mapping(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| convert_entry(key, value, depth))
                .collect::<Result<Vec<_>, _>>()?;
            long_form(entries)
        }
        YamlData::Tagged(tag, inner) => Content::Function(Box::new(Function {
            name: tag.suffix.clone(),
            spelling: tag.to_string(),
            argument: Node {
                line,
                ..convert(inner, depth + 1)?
            },
        })),
        YamlData::Alias(_) | YamlData::BadValue => {
            return Err(TemplateFault::Syntax("a value that cannot be read".to_owned()).on(line));
        }
    };
    Ok(Node { line, content })
}

fn convert_entry(key: &MarkedYaml<'_>, value: &MarkedYaml<'_>, depth: usize) -> Result<Entry, TemplateError> {
    let line = key.span.start.line();
    let key = match &key.data {
        YamlData::Value(scalar) => match convert_scalar(scalar) {
            Content::Text(text) => text,
            Content::Number(number) => number.to_string(),
            Content::Boolean(boolean) => boolean.to_string(),
            _ => return Err(TemplateFault::Syntax("a key that is empty".to_owned()).on(line)),
        },
        _ => return Err(TemplateFault::Syntax("a key that is not text".to_owned()).on(line)),
    };
    Ok(Entry {
        key,
        line,
        value: convert(value, depth + 1)?,
    })
}

fn convert_scalar(scalar: &Scalar<'_>) -> Content {
    match scalar {
        Scalar::Null => Content::Null,
        Scalar::Boolean(boolean) => Content::Boolean(*boolean),
        Scalar::Integer(integer) => Content::Number((*integer).into()),
        Scalar::FloatingPoint(float) => {
            Number::from_f64(float.into_inner()).map_or_else(|| Content::Text(float.to_string()), Content::Number)
        }
        Scalar::String(text) => Content::Text(text.to_string()),
    }
}

/// Turns `{Ref: …}` and `{Fn::…: …}` into the functions that they stand for.
fn long_form(mut entries: Vec<Entry>) -> Content {
    let is_function = match entries.as_slice() {
        [only] => only.key == "Ref" || only.key.starts_with("Fn::"),
        _ => false,
    };
    match entries.pop() {
        Some(entry) if is_function => Content::Function(Box::new(Function {
            name: entry.key.trim_start_matches("Fn::").to_owned(),
            spelling: entry.key,
            argument: entry.value,
        })),
        Some(last) => {
            entries.push(last);
            Content::Map(entries)
        }
        None => Content::Map(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(node: &Node) -> (&str, &str, &Content) {
        match &node.content {
            Content::Function(function) => (&function.name, &function.spelling, &function.argument.content),
            other => panic!("not a function: {other:?}"),
        }
    }

    #[test]
    fn reads_both_spellings_of_a_function_alike() {
        let short = parse("!Sub a-${B}").unwrap();
        let long = parse("Fn::Sub: a-${B}").unwrap();
        let text = Content::Text("a-${B}".to_owned());
        assert_eq!(function(&short), ("Sub", "!Sub", &text));
        assert_eq!(function(&long), ("Sub", "Fn::Sub", &text));
        assert_eq!(function(&parse("Ref: Topic").unwrap()).0, "Ref");
    }

    #[test]
    fn leaves_a_map_of_several_keys_as_it_is() {
        let node = parse("Ref: a\nOther: b").unwrap();
        assert!(matches!(node.content, Content::Map(entries) if entries.len() == 2));
    }

    #[test]
    fn keeps_the_line_of_every_key_and_value() {
        let Content::Map(entries) = parse("# why\na: 1\nb:\n  - x\n  - !If [c, d]\n").unwrap().content else {
            panic!("not a map");
        };
        assert_eq!(entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [2, 3]);
        let Content::List(items) = &entries[1].value.content else {
            panic!("not a list")
        };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn distinguishes_scalars() {
        let Content::List(items) = parse("[1, 0.2, true, '1', text, '', ~]").unwrap().content else {
            panic!("not a list");
        };
        let text = |text: &str| Content::Text(text.to_owned());
        assert_eq!(
            items.into_iter().map(|item| item.content).collect::<Vec<_>>(),
            [
                Content::Number(1.into()),
                Content::Number(Number::from_f64(0.2).unwrap()),
                Content::Boolean(true),
                text("1"),
                text("text"),
                text(""),
                Content::Null,
            ]
        );
    }

    #[test]
    fn names_the_line_of_a_syntax_error() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(error.to_string().starts_with("template.yaml:3: not YAML: "), "{error}");
        assert_eq!(parse("a: 1\na: 2\n").unwrap_err().line, 2);
    }

    #[test]
    fn refuses_input_that_is_not_a_template() {
        assert_eq!(
            parse("").unwrap_err().to_string(),
            "template.yaml:1: the template is empty"
        );
        assert_eq!(
            parse("a: 1\n---\nb: 2\n").unwrap_err().to_string(),
            "template.yaml:3: a second YAML document"
        );
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(
            parse(&deep).unwrap_err().to_string(),
            "template.yaml:1: nested too deeply"
        );
    }
}
