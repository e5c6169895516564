//! Schedules that invoke a function at a rate.

use std::time::Duration;

use serde_json::Value as Json;

use super::error::{TemplateError, TemplateFault};
use super::function::Function;
use super::resource::Resource;
use super::value::{Map, Value};

/// An EventBridge schedule of the template. It fires at once and then after every interval of the clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Logical id of the resource: `ReportSchedule`.
    pub logical_id: String,
    /// Name of the function that it invokes, as in [`Function::name`].
    pub function: String,
    /// Time from one run to the next.
    pub every: Duration,
    /// The event of each invocation.
    pub input: Json,
}

pub(super) fn read(resource: &Resource<'_>, functions: &[Function]) -> Result<Schedule, TemplateError> {
    let properties = &resource.properties;
    // A start date is not supported: a schedule with one would not fire at once.
    properties.only(
        &["FlexibleTimeWindow", "ScheduleExpression", "Target"],
        &["Description", "ScheduleExpressionTimezone"],
    )?;
    let window = properties.required("FlexibleTimeWindow")?.map()?;
    let mode = window.required("Mode")?;
    if mode.clone().plain_text()? != "OFF" {
        return Err(mode.unfit("must be 'OFF'"));
    }
    let target = properties.required("Target")?.map()?;
    target.only(&["Arn", "Input", "RetryPolicy"], &["RoleArn"])?;
    check_retry_policy(&target.map("RetryPolicy")?)?;
    let input = target.required("Input")?;
    let event =
        serde_json::from_str(&input.clone().text()?).map_err(|error| input.unfit(format!("is not JSON: {error}")))?;
    Ok(Schedule {
        logical_id: resource.logical_id.to_owned(),
        function: called(&target.required("Arn")?, functions)?,
        every: rate(&properties.required("ScheduleExpression")?)?,
        input: event,
    })
}

/// Checks what the scheduler does with a run that Lambda does not accept. Lambda accepts every run here, so it has no
/// further effect: a function that accepts a run and fails is no matter of the scheduler's.
fn check_retry_policy(policy: &Map<'_>) -> Result<(), TemplateError> {
    policy.only(&["MaximumEventAgeInSeconds", "MaximumRetryAttempts"], &[])?;
    policy.number_within::<u32>("MaximumEventAgeInSeconds", "a whole number of seconds", (60, 86_400))?;
    policy.number_within::<u32>("MaximumRetryAttempts", "a whole number", (0, 185))?;
    Ok(())
}

/// Finds the function that an ARN names.
pub(super) fn called(arn: &Value<'_>, functions: &[Function]) -> Result<String, TemplateError> {
    let wanted = arn.clone().text()?;
    match functions.iter().find(|function| function.arn == wanted) {
        Some(function) => Ok(function.name.clone()),
        None => Err(TemplateFault::Unknown {
            what: "function",
            name: wanted,
        }
        .on(arn.line)),
    }
}

/// Reads `rate(5 minutes)`.
fn rate(expression: &Value<'_>) -> Result<Duration, TemplateError> {
    let text = expression.clone().text()?;
    let seconds = || {
        let (count, unit) = text.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
        let unit_seconds = match unit {
            "minute" | "minutes" => 60,
            "hour" | "hours" => 60 * 60,
            "day" | "days" => 24 * 60 * 60,
            _ => return None,
        };
        count
            .parse::<u64>()
            .ok()?
            .checked_mul(unit_seconds)
            .filter(|seconds| *seconds > 0)
    };
    seconds()
        .map(Duration::from_secs)
        .ok_or_else(|| TemplateFault::NotUnderstood(format!("the schedule `{text}`")).on(expression.line))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{error_of, stack};
    use super::*;

    const SCHEDULE: &str = "\
Resources:
  Reporter:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: reporter } }
  Often:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: rate(5 minutes)
      FlexibleTimeWindow: { Mode: 'OFF' }
      Target:
        Arn: !GetAtt Reporter.Arn
        Input: '{\"source\":\"here\"}'
        RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 }
";

    #[test]
    fn reads_the_function_the_rate_and_the_input() {
        assert_eq!(
            stack(SCHEDULE).schedules,
            [Schedule {
                logical_id: "Often".to_owned(),
                function: "reporter".to_owned(),
                every: Duration::from_mins(5),
                input: json!({"source": "here"}),
            }]
        );
    }

    #[test]
    fn reads_every_unit_of_a_rate() {
        for (expression, seconds) in [
            ("rate(1 minute)", 60),
            ("rate(2 hours)", 7_200),
            ("rate(1 day)", 86_400),
        ] {
            let stack = stack(&SCHEDULE.replace("rate(5 minutes)", expression));
            assert_eq!(stack.schedules[0].every, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn names_the_line_of_an_invalid_value() {
        for (good, bad, error) in [
            (
                "rate(5 minutes)",
                "cron(0 * * * ? *)",
                "8: the schedule `cron(0 * * * ? *)` is not supported here",
            ),
            (
                "rate(5 minutes)",
                "rate(0 minutes)",
                "8: the schedule `rate(0 minutes)` is not supported here",
            ),
            (
                "rate(5 minutes)",
                "rate(18446744073709551615 days)",
                "8: the schedule `rate(18446744073709551615 days)` is not supported here",
            ),
            ("'OFF'", "FLEXIBLE", "9: Often.FlexibleTimeWindow.Mode must be 'OFF'"),
            (
                "!GetAtt Reporter.Arn",
                "arn:other",
                "11: there is no function `arn:other`",
            ),
            (
                "'{\"source\":\"here\"}'",
                "'{'",
                "12: Often.Target.Input is not JSON: EOF while parsing an object at line 1 column 1",
            ),
            (
                "MaximumRetryAttempts: 0",
                "MaximumRetryAttempts: 186",
                "13: Often.Target.RetryPolicy.MaximumRetryAttempts must be 0 to 185",
            ),
            (
                "MaximumEventAgeInSeconds: 60",
                "MaximumEventAgeInSeconds: 59",
                "13: Often.Target.RetryPolicy.MaximumEventAgeInSeconds must be 60 to 86400",
            ),
            (
                "      ScheduleExpression",
                "      StartDate: soon\n      ScheduleExpression",
                "8: `Often.StartDate` is not supported here",
            ),
        ] {
            assert!(SCHEDULE.contains(good));
            assert_eq!(error_of(&SCHEDULE.replace(good, bad)), format!("template.yaml:{error}"));
        }
    }
}
