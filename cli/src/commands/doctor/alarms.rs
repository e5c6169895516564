//! Findings about the CloudWatch alarms of the stack.

use super::facts::{Alarm, Facts};
use super::finding::{Finding, Level};
use crate::plural::counted;

const WHY_ALARMS: &str = "without an alarm that reaches a person, you notice a problem only when mail has stopped";

/// Judges the alarms.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    const CODE: &str = "alarms";
    let alarms = match &facts.alarms {
        Ok(alarms) => alarms,
        Err(reason) => return vec![Finding::not_checked(CODE, reason, WHY_ALARMS)],
    };
    let names = |which: fn(&Alarm) -> bool| -> Vec<String> {
        let found = alarms.iter().filter(|alarm| which(alarm));
        found.map(|alarm| alarm.name.clone()).collect()
    };
    let missing: Vec<String> = facts
        .alarms_of_template
        .iter()
        .filter(|logical_id| !alarms.iter().any(|alarm| alarm.name.contains(logical_id.as_str())))
        .cloned()
        .collect();
    let mut findings = Vec::new();
    for (names, is, remedy) in [
        (missing, "missing", "deploy the stack with the parameter Alarms=true"),
        (
            names(|alarm| !alarm.notifies),
            "without an action",
            "deploy the stack with the parameter AlarmEmail, an address that somebody reads, or with AlarmTopicArn, an SNS \
             topic to which people are subscribed",
        ),
        (
            names(|alarm| alarm.is_active),
            "in the state ALARM",
            "follow docs/OPERATIONS.md for each of them",
        ),
    ] {
        if names.is_empty() {
            continue;
        }
        let what = format!("{} {is} (--json names them)", counted(names.len(), "alarm", "alarms"));
        findings.push(Finding::bad(CODE, Level::Warn, what, WHY_ALARMS, remedy).naming(names));
    }
    if findings.is_empty() {
        let what = match alarms.len() {
            1 => "the alarm exists, has an action and is quiet".to_owned(),
            all => format!("all {all} alarms exist, have an action and are quiet"),
        };
        findings.push(Finding::ok(CODE, what, WHY_ALARMS));
    }
    findings
}
