//! Findings about the CloudWatch alarms of the stack.

use super::facts::{Alarm, Facts};
use super::finding::{Finding, Level};

const WHY_ALARMS: &str = "without an alarm that reaches a person, you notice a problem only when mail has stopped";

/// Judges the alarms.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    const CODE: &str = "alarms";
    let bad = |what: String, remedy: &str| vec![Finding::bad(CODE, Level::Warn, what, WHY_ALARMS, remedy)];
    let alarms = match &facts.alarms {
        Ok(alarms) => alarms,
        Err(reason) => return vec![Finding::not_checked(CODE, reason, WHY_ALARMS)],
    };
    let names = |which: &dyn Fn(&Alarm) -> bool| {
        let names: Vec<&str> = alarms
            .iter()
            .filter(|alarm| which(alarm))
            .map(|alarm| alarm.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let missing: Vec<&str> = facts
        .alarms_of_template
        .iter()
        .filter(|logical_id| !alarms.iter().any(|alarm| alarm.name.contains(logical_id.as_str())))
        .map(String::as_str)
        .collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let what = format!("missing alarms: {}", missing.join(", "));
        findings.extend(bad(what, "deploy the stack with the parameter Alarms=true"));
    }
    if let Some(silent) = names(&|alarm| !alarm.notifies) {
        let remedy =
            "deploy the stack with the parameter AlarmTopicArn: the ARN of an SNS topic to which people are subscribed";
        findings.extend(bad(format!("alarms without an action: {silent}"), remedy));
    }
    if let Some(active) = names(&|alarm| alarm.is_active) {
        findings.extend(bad(
            format!("alarms in the state ALARM: {active}"),
            "follow docs/OPERATIONS.md for each of them",
        ));
    }
    if findings.is_empty() {
        let what = format!("all {} alarms exist, have an action and are quiet", alarms.len());
        findings.push(Finding::ok(CODE, what, WHY_ALARMS));
    }
    findings
}
