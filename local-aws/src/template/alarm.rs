//! CloudWatch alarms.

use super::Surroundings;
use super::error::TemplateError;
use super::names;
use super::resource::Resource;
use super::value::Value;

/// An alarm of the template. What it measures is not looked at: nothing here sets one off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Name of the resource in the template: `FeedbackGivenUpAlarm`.
    pub logical_id: String,
    /// Name of the alarm.
    pub name: String,
    /// ARN of the alarm.
    pub arn: String,
    /// What it means, for a person.
    pub description: String,
    /// Whether it does anything.
    pub actions_enabled: bool,
    /// The ARNs of what is told when it goes off.
    pub actions: Vec<String>,
}

/// When it goes off, and whom else it tells.
const NOT_LOOKED_AT: &[&str] = &[
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Tags",
    "Threshold",
    "TreatMissingData",
    "Unit",
];

pub(super) fn read(resource: &Resource<'_>, surroundings: &Surroundings) -> Result<Alarm, TemplateError> {
    let properties = &resource.properties;
    properties.only(&["ActionsEnabled", "AlarmActions", "AlarmDescription"], NOT_LOOKED_AT)?;
    let description = properties.optional("AlarmDescription")?.map(Value::text).transpose()?;
    let actions_enabled = properties.optional("ActionsEnabled")?.map(Value::boolean).transpose()?;
    let actions = match properties.optional("AlarmActions")? {
        Some(actions) => actions.list()?.into_iter().map(Value::text).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(Alarm {
        logical_id: resource.logical_id.to_owned(),
        name: names::physical(surroundings, resource.logical_id),
        arn: names::alarm_arn(surroundings, resource.logical_id),
        description: description.unwrap_or_default(),
        actions_enabled: actions_enabled.unwrap_or(true),
        actions,
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
      Namespace: !Sub ${AWS::StackName}/${Something.NotLookedAt}
      MetricName: Much
      Threshold: 0
      AlarmActions: [!Ref Topic]
  Silent:
    Type: AWS::CloudWatch::Alarm
    Properties:
      ActionsEnabled: false
      AlarmActions: !Ref AWS::NoValue
";

    #[test]
    fn an_alarm_has_a_name_and_says_whom_it_tells() {
        let alarms = stack(ALARMS).alarms;
        assert_eq!(
            alarms[0],
            Alarm {
                logical_id: "Full".to_owned(),
                name: "okite-Full".to_owned(),
                arn: "arn:aws:cloudwatch:us-east-1:000000000000:alarm:okite-Full".to_owned(),
                description: "Too much of it".to_owned(),
                actions_enabled: true,
                actions: vec!["arn:aws:sns:us-east-1:000000000000:okite-Topic".to_owned()],
            }
        );
        assert_eq!((alarms[1].actions_enabled, alarms[1].actions.len()), (false, 0));
    }

    #[test]
    fn names_the_line_of_what_does_not_fit() {
        assert_eq!(
            error_of(&ALARMS.replace("MetricName", "Metric")),
            "template.yaml:9: `Full.Metric` is not understood here"
        );
    }
}
