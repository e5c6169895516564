//! CloudWatch alarms, and the metrics that they watch.

use std::collections::BTreeMap;

use super::StackContext;
use super::error::TemplateError;
use super::names;
use super::resource::Resource;
use super::value::{Map, Value};

/// A CloudWatch alarm of the template. Nothing on this machine triggers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Logical id of the resource: `QueueFullAlarm`.
    pub logical_id: String,
    /// Name of the alarm.
    pub name: String,
    /// ARN of the alarm.
    pub arn: String,
    /// The description for people.
    pub description: String,
    /// Whether its actions are enabled.
    pub actions_enabled: bool,
    /// The ARNs of the actions that it triggers, such as a topic.
    pub actions: Vec<String>,
    /// The metrics that it watches. AWS bills each of them.
    pub metrics: Vec<WatchedMetric>,
    /// Its metric math: the last expression is what it compares with the threshold.
    pub expressions: Vec<String>,
    /// The value that the metric or the expression is compared with.
    pub threshold: Option<f64>,
    /// How it treats periods without a datapoint: `missing`, `ignore`, `breaching` or `notBreaching`.
    pub missing_data: String,
}

/// A metric of CloudWatch, identified by these three together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedMetric {
    /// Namespace: `AWS/Lambda`.
    pub namespace: String,
    /// Name: `Errors`.
    pub name: String,
    /// Dimensions: `FunctionName` and the function's name.
    pub dimensions: BTreeMap<String, String>,
}

pub(super) fn read(resource: &Resource<'_>, context: &StackContext) -> Result<Alarm, TemplateError> {
    let properties = &resource.properties;
    // This evaluates every value, so that a reference to nothing is an error even in values that are not used here.
    properties.all()?;
    let text = |name| properties.optional(name)?.map(Value::text).transpose();
    let actions_enabled = properties.optional("ActionsEnabled")?.map(Value::boolean).transpose()?;
    let actions = match properties.optional("AlarmActions")? {
        Some(actions) => actions.list()?.into_iter().map(Value::text).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let (metrics, expressions) = match properties.optional("Metrics")? {
        Some(queries) => read_queries(queries)?,
        None => (vec![read_metric(properties)?], Vec::new()),
    };
    let threshold = properties.optional("Threshold")?;
    Ok(Alarm {
        logical_id: resource.logical_id.to_owned(),
        name: names::physical(context, resource.logical_id),
        arn: names::alarm_arn(context, resource.logical_id),
        description: text("AlarmDescription")?.unwrap_or_default(),
        actions_enabled: actions_enabled.unwrap_or(true),
        actions,
        metrics,
        expressions,
        threshold: threshold.map(|value| value.number("a number")).transpose()?,
        missing_data: text("TreatMissingData")?.unwrap_or_else(|| "missing".to_owned()),
    })
}

/// Reads the metrics and the expressions of metric math. An expression names metrics by their ids.
fn read_queries(queries: Value<'_>) -> Result<(Vec<WatchedMetric>, Vec<String>), TemplateError> {
    let (mut metrics, mut expressions) = (Vec::new(), Vec::new());
    for query in queries.list()? {
        let query = query.map()?;
        query.only(&["Expression", "Id", "MetricStat"], &["Label", "ReturnData"])?;
        if let Some(stat) = query.optional("MetricStat")? {
            metrics.push(read_metric(&stat.map()?.required("Metric")?.map()?)?);
        } else {
            expressions.push(query.required("Expression")?.text()?);
        }
    }
    Ok((metrics, expressions))
}

fn read_metric(metric: &Map<'_>) -> Result<WatchedMetric, TemplateError> {
    let mut dimensions = BTreeMap::new();
    if let Some(written) = metric.optional("Dimensions")? {
        for dimension in written.list()? {
            let dimension = dimension.map()?;
            dimension.only(&["Name", "Value"], &[])?;
            dimensions.insert(
                dimension.required("Name")?.text()?,
                dimension.required("Value")?.text()?,
            );
        }
    }
    Ok(WatchedMetric {
        namespace: metric.required("Namespace")?.text()?,
        name: metric.required("MetricName")?.text()?,
        dimensions,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_of, stack};
    use super::*;

    const ALARMS: &str = "\
Resources:
  Topic:
    Type: AWS::SNS::Topic
  Full:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: Too much of it
      Namespace: !Sub ${AWS::StackName}/it
      MetricName: Much
      Threshold: 0
      AlarmActions: [!Ref Topic]
  Silent:
    Type: AWS::CloudWatch::Alarm
    Properties:
      ActionsEnabled: false
      Namespace: it
      MetricName: Little
      AlarmActions: !Ref AWS::NoValue
";

    #[test]
    fn reads_an_alarm_with_its_name_and_actions() {
        let alarms = stack(ALARMS).alarms;
        assert_eq!(
            alarms[0],
            Alarm {
                logical_id: "Full".to_owned(),
                name: "shop-Full".to_owned(),
                arn: "arn:aws:cloudwatch:us-east-1:000000000000:alarm:shop-Full".to_owned(),
                description: "Too much of it".to_owned(),
                actions_enabled: true,
                actions: vec!["arn:aws:sns:us-east-1:000000000000:shop-Topic".to_owned()],
                metrics: vec![WatchedMetric {
                    namespace: "shop/it".to_owned(),
                    name: "Much".to_owned(),
                    dimensions: BTreeMap::new(),
                }],
                expressions: Vec::new(),
                threshold: Some(0.0),
                missing_data: "missing".to_owned(),
            }
        );
        assert_eq!((alarms[1].actions_enabled, alarms[1].actions.len()), (false, 0));
    }

    #[test]
    fn names_the_line_of_an_invalid_value() {
        assert_eq!(
            error_of(&ALARMS.replace("MetricName: Much", "Metric: Much")),
            "template.yaml:7: Full has no `MetricName`"
        );
    }
}
