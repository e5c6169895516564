//! Metric filters: the lines of a log that count as a metric.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::alarm::WatchedMetric;
use super::error::TemplateError;
use super::resource::Resource;
use super::value::Value;

/// A metric filter of the template. Nothing on this machine counts by it; tests do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricFilter {
    /// Logical id of the resource: `ForeignEvents`.
    pub logical_id: String,
    /// Name of the log group.
    pub log_group: String,
    /// The terms of its pattern. A line counts if one of them matches.
    pub any_of: Vec<MetricFilterTerm>,
    /// The metric that counts the lines.
    pub metric: WatchedMetric,
}

/// A term of a pattern: `$.field = "value"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricFilterTerm {
    /// Name of the field.
    pub field: String,
    /// Its value.
    pub value: String,
}

impl MetricFilter {
    /// Returns whether a line of the log counts.
    #[must_use]
    pub fn counts(&self, line: &Json) -> bool {
        self.any_of.iter().any(|term| line[&term.field] == term.value.as_str())
    }
}

pub(super) fn read(resource: &Resource<'_>) -> Result<MetricFilter, TemplateError> {
    let properties = &resource.properties;
    properties.only(
        &["FilterPattern", "LogGroupName", "MetricTransformations"],
        &["FilterName"],
    )?;
    let transformations = properties.required("MetricTransformations")?;
    let line_of_all = transformations.clone();
    let [transformation] =
        <[Value<'_>; 1]>::try_from(transformations.list()?).map_err(|_| line_of_all.unfit("must have one metric"))?;
    let transformation = transformation.map()?;
    transformation.only(&["MetricName", "MetricNamespace", "MetricValue"], &["Unit"])?;
    let value = transformation.required("MetricValue")?;
    if value.clone().plain_text()? != "1" {
        return Err(value.unfit("must be '1'"));
    }
    Ok(MetricFilter {
        logical_id: resource.logical_id.to_owned(),
        log_group: properties.required("LogGroupName")?.text()?,
        any_of: terms(&properties.required("FilterPattern")?)?,
        metric: WatchedMetric {
            namespace: transformation.required("MetricNamespace")?.text()?,
            name: transformation.required("MetricName")?.text()?,
            dimensions: BTreeMap::new(),
        },
    })
}

/// Reads `{ $.field = "value" || $.other = "value" }`.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
fn terms(pattern: &Value<'_>) -> Result<Vec<MetricFilterTerm>, TemplateError> {
    let text = pattern.clone().text()?;
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let all = inside.and_then(|inside| inside.split("||").map(term).collect::<Option<Vec<_>>>());
    all.ok_or_else(|| pattern.unfit("must be terms like `{ $.field = \"value\" }`, joined by `||`"))
}

fn term(text: &str) -> Option<MetricFilterTerm> {
    let (field, value) = text.trim().strip_prefix("$.")?.split_once(" = ")?;
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    Some(MetricFilterTerm {
        field: field.to_owned(),
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Stack, StackContext};
    use super::*;

    const FILTER: &str = r#"
Resources:
  Log: { Type: AWS::Logs::LogGroup }
  Bad:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref Log
      FilterPattern: '{ $.cause = "a" || $.kind = "b" }'
      MetricTransformations:
        - { MetricNamespace: !Ref AWS::StackName, MetricName: Bad, MetricValue: '1' }
"#;

    fn filter(template: &str) -> Result<MetricFilter, TemplateError> {
        let context = StackContext {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            stack_name: "shop".to_owned(),
            parameters: BTreeMap::new(),
        };
        Stack::monitoring(template, &context).map(|mut all| all.metric_filters.remove(0))
    }

    #[test]
    fn counts_the_lines_of_which_one_term_matches() {
        let filter = filter(FILTER).unwrap();
        assert_eq!(
            (filter.log_group.as_str(), filter.metric.name.as_str()),
            ("shop-Log", "Bad")
        );
        for (line, counts) in [
            (json!({"cause": "a"}), true),
            (json!({"cause": "c", "kind": "b"}), true),
            (json!({"cause": "b"}), false),
            (json!({}), false),
        ] {
            assert_eq!(filter.counts(&line), counts, "{line}");
        }
    }

    #[test]
    fn names_the_line_of_an_invalid_value() {
        for (good, bad, error) in [
            (
                "'{ $.cause = \"a\" ||",
                "'{ $.cause > 1 ||",
                "8: Bad.FilterPattern must be terms like",
            ),
            (
                "MetricValue: '1'",
                "MetricValue: $.size",
                "10: Bad.MetricTransformations[0].MetricValue must be '1'",
            ),
            ("FilterPattern:", "Pattern:", "8: `Bad.Pattern` is not supported here"),
        ] {
            assert!(FILTER.contains(good), "{good}");
            let found = filter(&FILTER.replace(good, bad)).unwrap_err().to_string();
            assert!(found.starts_with(&format!("template.yaml:{error}")), "{found}");
        }
    }
}
