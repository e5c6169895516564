//! `DescribeAlarms`: the alarms of the template, all without data.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>

use aws_smithy_cbor::Encoder;
use serde::Deserialize;
use serde_json::Value;

use super::super::CloudWatch;
use super::super::error::CloudWatchError;
use crate::template::Alarm;

/// The most alarms of a page.
const RECORDS_MAX: usize = 100;
/// The number of alarms of a page for which the request names no number.
const RECORDS_DEFAULT: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeAlarms {
    #[serde(default)]
    alarm_names: Vec<String>,
    #[serde(default)]
    alarm_name_prefix: String,
    max_records: Option<usize>,
    next_token: Option<String>,
}

impl CloudWatch {
    /// Lists alarms by name or prefix. The token of a page is the name of its last alarm.
    pub(in super::super) fn describe_alarms(&self, request: Value) -> Result<Vec<u8>, CloudWatchError> {
        let invalid = |message: &str| CloudWatchError::new("InvalidParameterValue", message);
        let asked: DescribeAlarms = serde_json::from_value(request).map_err(|error| invalid(&error.to_string()))?;
        let size = asked.max_records.unwrap_or(RECORDS_DEFAULT);
        if !(1..=RECORDS_MAX).contains(&size) {
            return Err(invalid("MaxRecords must be between 1 and 100."));
        }
        let wanted = |alarm: &&Alarm| {
            (asked.alarm_names.is_empty() || asked.alarm_names.contains(&alarm.name))
                && alarm.name.starts_with(&asked.alarm_name_prefix)
        };
        let mut alarms: Vec<&Alarm> = self.alarms.iter().filter(wanted).collect();
        alarms.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(token) = &asked.next_token {
            alarms.retain(|alarm| alarm.name > *token);
        }
        let more = alarms.len() > size;
        alarms.truncate(size);

        let mut encoder = Encoder::new(Vec::new());
        encoder.begin_map();
        encoder.str("MetricAlarms").array(alarms.len());
        for alarm in &alarms {
            describe(&mut encoder, alarm);
        }
        encoder.str("CompositeAlarms").array(0);
        if let Some(last) = alarms.last().filter(|_| more) {
            encoder.str("NextToken").str(&last.name);
        }
        encoder.end();
        Ok(encoder.into_writer())
    }
}

fn describe(encoder: &mut Encoder, alarm: &Alarm) {
    encoder.begin_map();
    encoder.str("AlarmName").str(&alarm.name);
    encoder.str("AlarmArn").str(&alarm.arn);
    encoder.str("AlarmDescription").str(&alarm.description);
    encoder.str("ActionsEnabled").boolean(alarm.actions_enabled);
    encoder.str("AlarmActions").array(alarm.actions.len());
    for action in &alarm.actions {
        encoder.str(action);
    }
    encoder.str("StateValue").str("INSUFFICIENT_DATA");
    encoder.str("StateReason").str("Unchecked: Initial alarm creation");
    encoder.end();
}
