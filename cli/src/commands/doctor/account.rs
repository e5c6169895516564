//! The account, the way that feedback takes, and the alarms.

use super::facts::{Account, Alarm, ConfigurationSet, Destination, Facts, Subscription};
use super::finding::{Finding, Level};

const WHY_SANDBOX: &str = "in the sandbox SES sends to verified recipients only, 200 a day and 1 a second, and its suppression list cannot be changed";
const WHY_SENDING: &str = "while sending is off, SES refuses every mail";
const WHY_ENFORCEMENT: &str =
    "AWS reviews an account at 5 % bounces or 0.1 % complaints, and pauses it at 10 % or 0.5 %";
const WHY_LIST: &str =
    "SES's own list keeps you from sending again to whom another application of the account made bounce";
const WHY_SET: &str =
    "every mail is sent with the configuration set: without it nothing is sent, and no event comes back";
const WHY_EVENTS: &str =
    "without these events nobody who bounces or complains is suppressed, and AWS counts them against you";
const WHY_SUBSCRIPTION: &str = "events that reach the topic and no function are gone";
const WHY_ALARMS: &str = "an alarm that nobody gets is found out about when mail has stopped";

/// Judges the account.
pub(super) fn account(facts: &Facts) -> Vec<Finding> {
    let account = match &facts.account {
        Ok(account) => account,
        Err(reason) => return vec![Finding::not_checked("account", reason, WHY_ENFORCEMENT)],
    };
    vec![
        sandbox(account),
        sending(account),
        enforcement(account),
        suppression(account),
    ]
}

fn sandbox(account: &Account) -> Finding {
    const CODE: &str = "account.sandbox";
    if account.production_access {
        return Finding::ok(CODE, "the account has production access", WHY_SANDBOX);
    }
    let remedy = "request production access in the SES console, with the account dashboard of this region; AWS answers within a \
                  day as a rule";
    Finding::bad(CODE, Level::Warn, "the account is in the sandbox", WHY_SANDBOX, remedy)
}

fn sending(account: &Account) -> Finding {
    const CODE: &str = "account.sending";
    if account.sending_enabled {
        return Finding::ok(CODE, "sending is on", WHY_SENDING);
    }
    let remedy =
        "find out who switched it off and why, then: aws sesv2 put-account-sending-attributes --sending-enabled";
    Finding::bad(CODE, Level::Fail, "sending is off for the account", WHY_SENDING, remedy)
}

fn enforcement(account: &Account) -> Finding {
    const CODE: &str = "account.enforcement";
    let status = &account.enforcement_status;
    let (level, remedy) = match status.as_str() {
        "HEALTHY" => return Finding::ok(CODE, "AWS holds nothing against the account", WHY_ENFORCEMENT),
        "SHUTDOWN" => (
            Level::Fail,
            "answer the case that AWS opened in the Support Center: it says what AWS wants changed",
        ),
        _ => (
            Level::Warn,
            "find what bounces or complains, stop it, and answer AWS's case in the Support Center",
        ),
    };
    Finding::bad(
        CODE,
        level,
        format!("AWS's status of the account is {status}"),
        WHY_ENFORCEMENT,
        remedy,
    )
}

fn suppression(account: &Account) -> Finding {
    const CODE: &str = "account.suppression";
    let reasons = &account.suppressed_reasons;
    let missing: Vec<&str> = ["BOUNCE", "COMPLAINT"]
        .into_iter()
        .filter(|reason| !reasons.iter().any(|known| known == reason))
        .collect();
    if missing.is_empty() {
        return Finding::ok(CODE, "SES's list takes bounces and complaints", WHY_LIST);
    }
    let what = format!("SES's own suppression list does not take {}", missing.join(" and "));
    let remedy = "aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT";
    Finding::bad(CODE, Level::Warn, what, WHY_LIST, remedy)
}

/// Judges the way of an event, from the configuration set to the function.
pub(super) fn feedback(facts: &Facts) -> Vec<Finding> {
    const SET: &str = "feedback.configuration_set";
    let mut findings = Vec::new();
    match &facts.configuration_set {
        Err(reason) => findings.push(Finding::not_checked(SET, reason, WHY_SET)),
        Ok(None) => {
            let what = "there is no configuration set of the stack's name";
            findings.push(Finding::bad(SET, Level::Fail, what, WHY_SET, "deploy the stack again"));
        }
        Ok(Some(set)) => findings.extend([configuration_set(set), destination(set, &facts.feedback_topic)]),
    }
    findings.push(subscription(facts));
    findings
}

fn configuration_set(set: &ConfigurationSet) -> Finding {
    const CODE: &str = "feedback.configuration_set";
    if set.sending_enabled {
        return Finding::ok(CODE, format!("{} is there and sends", set.name), WHY_SET);
    }
    let remedy = format!(
        "aws sesv2 put-configuration-set-sending-options --configuration-set-name {} --sending-enabled",
        set.name
    );
    let what = "sending is off for the configuration set";
    Finding::bad(CODE, Level::Fail, what, WHY_SENDING, remedy)
}

fn destination(set: &ConfigurationSet, topic: &str) -> Finding {
    const CODE: &str = "feedback.event_destination";
    const REMEDY: &str =
        "deploy the stack again, which makes the event destination; what was changed by hand is to be undone";
    let destinations = match &set.destinations {
        Ok(destinations) => destinations,
        Err(reason) => return Finding::not_checked(CODE, reason, WHY_EVENTS),
    };
    let ours = |destination: &&Destination| destination.enabled && destination.topic_arn.as_deref() == Some(topic);
    let published = |kind: &str| {
        let mut ours = destinations.iter().filter(ours);
        ours.any(|destination| destination.event_types.iter().any(|known| known == kind))
    };
    if !destinations.iter().any(|destination| ours(&destination)) {
        let what = format!("no event destination that is switched on leads to {topic}");
        return Finding::bad(CODE, Level::Fail, what, WHY_EVENTS, REMEDY);
    }
    let lacks = |kinds: &[&'static str]| {
        let lacking: Vec<&str> = kinds.iter().copied().filter(|kind| !published(kind)).collect();
        (!lacking.is_empty()).then(|| format!("the event destination leaves out {}", lacking.join(", ")))
    };
    if let Some(what) = lacks(&["BOUNCE", "COMPLAINT"]) {
        return Finding::bad(CODE, Level::Fail, what, WHY_EVENTS, REMEDY);
    }
    if let Some(what) = lacks(&["SEND", "REJECT"]) {
        const WHY: &str = "SEND settles a mail whose answer never came, and REJECT says that SES found a virus";
        return Finding::bad(CODE, Level::Warn, what, WHY, REMEDY);
    }
    Finding::ok(CODE, "bounces and complaints go to the topic", WHY_EVENTS)
}

fn subscription(facts: &Facts) -> Finding {
    const CODE: &str = "feedback.subscription";
    const REMEDY: &str = "deploy the stack again, which makes topic and subscription";
    let bad = |what: &str| Finding::bad(CODE, Level::Fail, what, WHY_SUBSCRIPTION, REMEDY);
    let subscriptions = match &facts.subscriptions {
        Err(reason) => return Finding::not_checked(CODE, reason, WHY_SUBSCRIPTION),
        Ok(None) => return bad("the topic of feedback is not there"),
        Ok(Some(subscriptions)) => subscriptions,
    };
    let of_lambda = |subscription: &&Subscription| subscription.protocol == "lambda";
    match subscriptions.iter().find(of_lambda) {
        None => bad("no function is subscribed to the topic of feedback"),
        Some(subscription) if !subscription.confirmed => bad("the subscription of the function is not confirmed"),
        Some(_) => Finding::ok(
            CODE,
            "a function is subscribed to the topic of feedback",
            WHY_SUBSCRIPTION,
        ),
    }
}

/// Judges the alarms.
pub(super) fn alarms(facts: &Facts) -> Vec<Finding> {
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
        let what = format!("there is no alarm {}", missing.join(", "));
        findings.extend(bad(what, "deploy the stack with Alarms=true"));
    }
    if let Some(silent) = names(&|alarm| !alarm.tells) {
        let remedy = "deploy the stack with AlarmTopicArn, the ARN of a topic that people are subscribed to";
        findings.extend(bad(format!("nobody is told by {silent}"), remedy));
    }
    if let Some(alarmed) = names(&|alarm| alarm.alarmed) {
        findings.extend(bad(
            format!("going off: {alarmed}"),
            "docs/OPERATIONS.md says what to do for each",
        ));
    }
    if findings.is_empty() {
        let what = format!("{} alarms are there, tell somebody and are quiet", alarms.len());
        findings.push(Finding::ok(CODE, what, WHY_ALARMS));
    }
    findings
}
