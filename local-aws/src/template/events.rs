//! The event pipeline: configuration set, event destination, topic, subscription, function.

use super::StackContext;
use super::error::{TemplateError, TemplateFault};
use super::function::Function;
use super::names;
use super::queue::known;
use super::resource::Resource;
use super::schedule::called;

/// An SNS topic of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnsTopic {
    /// Logical id of the resource: `EventTopic`.
    pub logical_id: String,
    /// ARN of the topic.
    pub arn: String,
    /// The subscribed functions and queues.
    pub subscriptions: Vec<Subscription>,
    /// The subscribed email addresses. Nothing on this machine sends them a mail.
    pub email_addresses: Vec<String>,
}

/// A function or a queue that is subscribed to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The function or the queue.
    pub endpoint: SubscriptionEndpoint,
    /// ARN of the dead-letter queue for messages that the endpoint does not accept.
    pub redrive: Option<String>,
}

/// Where a topic delivers its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionEndpoint {
    /// The function of this name, as in [`Function::name`].
    Function(String),
    /// The queue of this ARN.
    Queue(String),
}

/// An SES configuration set of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationSet {
    /// Logical id of the resource: `Sending`.
    pub logical_id: String,
    /// The name by which `SendEmail` refers to it.
    pub name: String,
    /// The enabled event destinations.
    pub event_destinations: Vec<EventDestination>,
}

/// A destination to which a configuration set publishes events of some types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDestination {
    /// ARN of the topic.
    pub topic_arn: String,
    /// The [types of events], in the capitals of the SES API: `BOUNCE`, `DELIVERY_DELAY`.
    ///
    /// [types of events]: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestination.html
    pub event_types: Vec<String>,
}

/// The types of events, in the two spellings that CloudFormation accepts.
const EVENT_TYPES: [(&str, &str); 10] = [
    ("send", "SEND"),
    ("reject", "REJECT"),
    ("bounce", "BOUNCE"),
    ("complaint", "COMPLAINT"),
    ("delivery", "DELIVERY"),
    ("open", "OPEN"),
    ("click", "CLICK"),
    ("renderingFailure", "RENDERING_FAILURE"),
    ("deliveryDelay", "DELIVERY_DELAY"),
    ("subscription", "SUBSCRIPTION"),
];

/// Reads a topic without its subscriptions.
pub(super) fn topic(resource: &Resource<'_>, context: &StackContext) -> Result<SnsTopic, TemplateError> {
    resource
        .properties
        .only(&[], &["DisplayName", "KmsMasterKeyId", "Tags"])?;
    Ok(SnsTopic {
        logical_id: resource.logical_id.to_owned(),
        arn: names::reference(context, names::TOPIC, resource.logical_id),
        subscriptions: Vec::new(),
        email_addresses: Vec::new(),
    })
}

/// Adds a subscription to its topic.
pub(super) fn subscribe(
    resource: &Resource<'_>,
    topics: &mut [SnsTopic],
    functions: &[Function],
    queue_arns: &[String],
) -> Result<(), TemplateError> {
    let properties = &resource.properties;
    properties.only(&["Endpoint", "Protocol", "RedrivePolicy", "TopicArn"], &[])?;
    let protocol = properties.required("Protocol")?;
    let endpoint = properties.required("Endpoint")?;
    let arn = properties.required("TopicArn")?;
    let line = arn.line;
    let arn = arn.text()?;
    let Some(topic) = topics.iter_mut().find(|topic| topic.arn == arn) else {
        return Err(TemplateFault::Unknown {
            what: "topic",
            name: arn,
        }
        .on(line));
    };
    let endpoint = match protocol.clone().text()?.as_str() {
        "lambda" => SubscriptionEndpoint::Function(called(&endpoint, functions)?),
        "sqs" => SubscriptionEndpoint::Queue(known(&endpoint, queue_arns)?),
        "email" => {
            topic.email_addresses.push(endpoint.text()?);
            return Ok(());
        }
        _ => return Err(protocol.unfit("must be email, lambda or sqs")),
    };
    let redrive = match properties.optional("RedrivePolicy")? {
        Some(policy) => {
            let policy = policy.map()?;
            policy.only(&["deadLetterTargetArn"], &[])?;
            Some(known(&policy.required("deadLetterTargetArn")?, queue_arns)?)
        }
        None => None,
    };
    topic.subscriptions.push(Subscription { endpoint, redrive });
    Ok(())
}

/// Reads a configuration set without its event destinations.
pub(super) fn configuration_set(
    resource: &Resource<'_>,
    context: &StackContext,
) -> Result<ConfigurationSet, TemplateError> {
    resource.properties.only(&[], &["ReputationOptions", "Tags"])?;
    Ok(ConfigurationSet {
        logical_id: resource.logical_id.to_owned(),
        name: names::physical(context, resource.logical_id),
        event_destinations: Vec::new(),
    })
}

/// Adds an event destination to its configuration set.
pub(super) fn publish(
    resource: &Resource<'_>,
    configuration_sets: &mut [ConfigurationSet],
    topics: &[SnsTopic],
) -> Result<(), TemplateError> {
    let properties = &resource.properties;
    properties.only(&["ConfigurationSetName", "EventDestination"], &[])?;
    let name = properties.required("ConfigurationSetName")?;
    let line = name.line;
    let name = name.text()?;
    let set = configuration_sets
        .iter_mut()
        .find(|set| set.name == name)
        .ok_or(TemplateFault::Unknown {
            what: "configuration set",
            name,
        })
        .map_err(|fault| fault.on(line))?;

    let destination = properties.required("EventDestination")?.map()?;
    destination.only(&["Enabled", "MatchingEventTypes", "SnsDestination"], &["Name"])?;
    let event_types = destination
        .required("MatchingEventTypes")?
        .list()?
        .into_iter()
        .map(|value| {
            let name = value.clone().text()?;
            EVENT_TYPES
                .iter()
                .find(|(lower, upper)| name == *lower || name == *upper)
                .map(|(_, upper)| (*upper).to_owned())
                .ok_or_else(|| value.unfit(format!("is `{name}`, which is not a type of event")))
        })
        .collect::<Result<_, _>>()?;
    let sns = destination.required("SnsDestination")?.map()?;
    let topic = sns.required("TopicARN")?;
    let line = topic.line;
    let topic_arn = topic.text()?;
    if !topics.iter().any(|topic| topic.arn == topic_arn) {
        return Err(TemplateFault::Unknown {
            what: "topic",
            name: topic_arn,
        }
        .on(line));
    }
    if destination.required("Enabled")?.boolean()? {
        set.event_destinations.push(EventDestination { topic_arn, event_types });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_of, stack};
    use super::*;

    const EVENTS: &str = "\
Resources:
  Sending:
    Type: AWS::SES::ConfigurationSet
  Destination:
    Type: AWS::SES::ConfigurationSetEventDestination
    Properties:
      ConfigurationSetName: !Ref Sending
      EventDestination:
        Enabled: true
        MatchingEventTypes: [bounce, DELIVERY_DELAY]
        SnsDestination: { TopicARN: !Ref Events }
  Events:
    Type: AWS::SNS::Topic
  Subscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !GetAtt Events.TopicArn
      Protocol: lambda
      Endpoint: !GetAtt Listener.Arn
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Lost.Arn }
  Lost:
    Type: AWS::SQS::Queue
  Listener:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: listener } }
";

    #[test]
    fn leads_from_the_configuration_set_to_the_function() {
        let stack = stack(EVENTS);
        let arn = "arn:aws:sns:us-east-1:000000000000:shop-Events".to_owned();
        assert_eq!(
            stack.configuration_sets,
            [ConfigurationSet {
                logical_id: "Sending".to_owned(),
                name: "shop-Sending".to_owned(),
                event_destinations: vec![EventDestination {
                    topic_arn: arn.clone(),
                    event_types: vec!["BOUNCE".to_owned(), "DELIVERY_DELAY".to_owned()],
                }],
            }]
        );
        assert_eq!(
            stack.topics,
            [SnsTopic {
                logical_id: "Events".to_owned(),
                arn,
                subscriptions: vec![Subscription {
                    endpoint: SubscriptionEndpoint::Function("listener".to_owned()),
                    redrive: Some("arn:aws:sqs:us-east-1:000000000000:shop-Lost".to_owned()),
                }],
                email_addresses: Vec::new(),
            }]
        );
    }

    #[test]
    fn leads_from_a_topic_to_a_queue() {
        let to_queue = EVENTS
            .replace("Protocol: lambda", "Protocol: sqs")
            .replace("!GetAtt Listener.Arn", "!GetAtt Lost.Arn");
        let arn = "arn:aws:sqs:us-east-1:000000000000:shop-Lost".to_owned();
        let topic = stack(&to_queue).topics.remove(0);
        assert_eq!(topic.subscriptions[0].endpoint, SubscriptionEndpoint::Queue(arn));
        let unknown = to_queue.replace("Endpoint: !GetAtt Lost.Arn", "Endpoint: other");
        assert_eq!(error_of(&unknown), "template.yaml:19: there is no queue `other`");
    }

    #[test]
    fn keeps_the_addresses_that_a_topic_informs_apart() {
        let to_address = EVENTS
            .replace("Protocol: lambda", "Protocol: email")
            .replace("!GetAtt Listener.Arn", "ops@example.com");
        let topic = stack(&to_address).topics.remove(0);
        assert_eq!(topic.email_addresses, ["ops@example.com"]);
        assert_eq!(topic.subscriptions, []);
    }

    #[test]
    fn leaves_out_a_destination_that_is_not_enabled() {
        let stack = stack(&EVENTS.replace("Enabled: true", "Enabled: false"));
        assert!(stack.configuration_sets[0].event_destinations.is_empty());
    }

    #[test]
    fn names_the_line_of_an_invalid_value() {
        for (good, bad, error) in [
            (
                "[bounce, ",
                "[bounced, ",
                "10: Destination.EventDestination.MatchingEventTypes[0] is `bounced`, which is not a type of event",
            ),
            (
                "TopicARN: !Ref Events",
                "TopicARN: other",
                "11: there is no topic `other`",
            ),
            ("!Ref Sending", "Sending", "7: there is no configuration set `Sending`"),
            (
                "Protocol: lambda",
                "Protocol: https",
                "18: Subscription.Protocol must be email, lambda or sqs",
            ),
            (
                "!GetAtt Listener.Arn",
                "Listener",
                "19: there is no function `Listener`",
            ),
            ("!GetAtt Lost.Arn", "other", "20: there is no queue `other`"),
            ("!GetAtt Events.TopicArn", "other", "17: there is no topic `other`"),
        ] {
            assert!(EVENTS.contains(good));
            assert_eq!(error_of(&EVENTS.replace(good, bad)), format!("template.yaml:{error}"));
        }
    }
}
