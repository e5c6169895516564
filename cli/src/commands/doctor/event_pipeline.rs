//! Findings about the event pipeline: from the configuration set through the topic to the `feedback` function.

use super::account::WHY_SENDING;
use super::facts::{ConfigurationSet, EventDestination, Facts, Subscription};
use super::finding::{Finding, Level};

const WHY_SET: &str =
    "Okite sends every mail with its configuration set. Without the set, nothing is sent and no event comes back";
const WHY_EVENTS: &str = "without these events Okite suppresses no address that bounces or complains, and AWS counts \
                          each of them against you";
const WHY_SUBSCRIPTION: &str = "an event on a topic to which nothing is subscribed is lost";

/// Judges the event pipeline.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    const SET: &str = "feedback.configuration_set";
    let mut findings = Vec::new();
    match &facts.configuration_set {
        Err(reason) => findings.push(Finding::not_checked(SET, reason, WHY_SET)),
        Ok(None) => {
            let what = "the configuration set of the stack does not exist";
            findings.push(Finding::bad(SET, Level::Fail, what, WHY_SET, "deploy the stack again"));
        }
        Ok(Some(set)) => findings.extend([configuration_set(set), destination(set, facts)]),
    }
    findings.push(subscription(facts));
    findings
}

fn configuration_set(set: &ConfigurationSet) -> Finding {
    const CODE: &str = "feedback.configuration_set";
    if set.sending_enabled {
        let what = format!("{} exists and its sending is on", set.name);
        return Finding::ok(CODE, what, WHY_SET);
    }
    let remedy = format!(
        "run: aws sesv2 put-configuration-set-sending-options --configuration-set-name {} --sending-enabled",
        set.name
    );
    let what = "sending is off for the configuration set";
    Finding::bad(CODE, Level::Fail, what, WHY_SENDING, remedy)
}

fn destination(set: &ConfigurationSet, facts: &Facts) -> Finding {
    const CODE: &str = "feedback.event_destination";
    const REMEDY: &str =
        "undo manual changes of the configuration set, or deploy the stack again to restore its event destination";
    let destinations = match &set.destinations {
        Ok(destinations) => destinations,
        Err(reason) => return Finding::not_checked(CODE, reason, WHY_EVENTS),
    };
    let topic = facts.feedback_topic.as_str();
    let to_topic =
        |destination: &&EventDestination| destination.enabled && destination.topic_arn.as_deref() == Some(topic);
    let published = |event_type: &str| {
        let mut to_topic = destinations.iter().filter(to_topic);
        to_topic.any(|destination| destination.event_types.iter().any(|known| known == event_type))
    };
    if !destinations.iter().any(|destination| to_topic(&destination)) {
        let what = format!("no enabled event destination publishes to {topic}");
        return Finding::bad(CODE, Level::Fail, what, WHY_EVENTS, REMEDY);
    }
    let lacks = |event_types: &[&str]| {
        let lacking: Vec<&str> = event_types.iter().copied().filter(|kind| !published(kind)).collect();
        (!lacking.is_empty()).then(|| format!("the event destination does not publish {}", lacking.join(", ")))
    };
    if let Some(what) = lacks(&["BOUNCE", "COMPLAINT"]) {
        return Finding::bad(CODE, Level::Fail, what, WHY_EVENTS, REMEDY);
    }
    let wanted: &[&str] = if facts.reports_sends {
        &["SEND", "REJECT"]
    } else {
        &["REJECT"]
    };
    if let Some(what) = lacks(wanted) {
        const WHY: &str =
            "SEND proves that SES took a mail whose answer was lost, and REJECT reports that SES found a virus";
        return Finding::bad(CODE, Level::Warn, what, WHY, REMEDY);
    }
    let unknown = match (published("SEND"), published("DELIVERY")) {
        (true, _) => "",
        (false, true) => {
            "; SendEvents is false, so an email with an unknown outcome stays so until it is delivered or bounces"
        }
        (false, false) => "; SendEvents and DeliveryEvents are false, so an email with an unknown outcome may stay so",
    };
    let what = format!("SES publishes bounces and complaints to the topic{unknown}");
    Finding::ok(CODE, what, WHY_EVENTS)
}

fn subscription(facts: &Facts) -> Finding {
    const CODE: &str = "feedback.subscription";
    const REMEDY: &str = "deploy the stack again to restore the topic and its subscription";
    let bad = |what: &str| Finding::bad(CODE, Level::Fail, what, WHY_SUBSCRIPTION, REMEDY);
    let subscriptions = match &facts.subscriptions {
        Err(reason) => return Finding::not_checked(CODE, reason, WHY_SUBSCRIPTION),
        Ok(None) => return bad("the feedback topic does not exist"),
        Ok(Some(subscriptions)) => subscriptions,
    };
    // With `FeedbackVia` at `sqs`, the function takes the events out of a queue.
    let is_possible = |subscription: &&Subscription| ["lambda", "sqs"].contains(&subscription.protocol.as_str());
    let leads_to_function = |subscription: &&Subscription| {
        let expected = facts.feedback_endpoint.as_ref();
        is_possible(subscription) && expected.is_none_or(|endpoint| *endpoint == subscription.endpoint)
    };
    match subscriptions.iter().find(leads_to_function) {
        None if subscriptions.iter().any(|subscription| is_possible(&subscription)) => {
            bad("what is subscribed to the feedback topic is not the stack's function or queue")
        }
        None => bad("neither a function nor a queue is subscribed to the feedback topic"),
        Some(subscription) if !subscription.confirmed => bad("the subscription of the feedback topic is not confirmed"),
        Some(Subscription { protocol, .. }) if protocol == "sqs" => {
            Finding::ok(CODE, "a queue is subscribed to the feedback topic", WHY_SUBSCRIPTION)
        }
        Some(_) => Finding::ok(CODE, "a function is subscribed to the feedback topic", WHY_SUBSCRIPTION),
    }
}
