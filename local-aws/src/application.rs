//! The application that runs here, and the account that it runs in.

use std::collections::BTreeMap;

use crate::template::StackContext;

/// The region of everything.
pub const REGION: &str = "us-east-1";
/// The account of everything.
pub const ACCOUNT_ID: &str = "000000000000";

/// The properties of an application that a run needs.
///
/// Everything else comes from the application's template.
#[derive(Clone, Copy, Debug)]
pub struct Application {
    /// The text of the CloudFormation template.
    pub template: &'static str,
    /// The name of the stack, with which every physical name begins.
    pub stack_name: &'static str,
    /// The path at which the HTTP API answers 200 once the application is ready.
    pub readiness_path: &'static str,
    /// The topic of messages to operators, if there is one.
    pub operator_topic: Option<OperatorTopic>,
    /// The tag in which the application puts its own id of a mail. `/_local/outbox` finds and shows mails by it.
    pub mail_id_tag: Option<&'static str>,
    /// The logical id of the schedule that `POST /_local/schedule` runs.
    pub watched_schedule: Option<&'static str>,
    /// The HTML page at the root of the HTTP API, with one inline script and one inline style.
    pub page: Option<&'static str>,
}

/// A topic to which alarms and messages to operators go. It is not in the template, which gets its ARN as a parameter.
/// `/_local/notifications` lists what is published to it.
#[derive(Clone, Copy, Debug)]
pub struct OperatorTopic {
    /// The name of the template's parameter.
    pub parameter: &'static str,
    /// The ARN of the topic, unless a run sets the parameter itself.
    pub arn: &'static str,
}

impl Application {
    /// Returns the context of the application's stack, with `parameters` that differ from the template's defaults.
    #[must_use]
    pub fn stack_context(&self, mut parameters: BTreeMap<String, String>) -> StackContext {
        if let Some(topic) = self.operator_topic {
            parameters
                .entry(topic.parameter.to_owned())
                .or_insert_with(|| topic.arn.to_owned());
        }
        StackContext {
            region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            stack_name: self.stack_name.to_owned(),
            parameters,
        }
    }

    /// Returns the ARN of the topic of messages to operators in a context, if there is one.
    pub(crate) fn operator_topic_in(&self, context: &StackContext) -> Option<String> {
        let arn = context.parameters.get(self.operator_topic?.parameter)?;
        (!arn.is_empty()).then(|| arn.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Application = Application {
        template: "Resources: {}",
        stack_name: "shop",
        readiness_path: "/ready",
        operator_topic: Some(OperatorTopic {
            parameter: "Operators",
            arn: "arn:aws:sns:us-east-1:000000000000:operators",
        }),
        mail_id_tag: None,
        watched_schedule: None,
        page: None,
    };

    #[test]
    fn a_run_may_name_another_topic_for_operators_or_none() {
        let topic = |parameters: &[(&str, &str)]| {
            let parameters = parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            SHOP.operator_topic_in(&SHOP.stack_context(parameters.collect()))
        };
        assert_eq!(
            topic(&[]).as_deref(),
            Some("arn:aws:sns:us-east-1:000000000000:operators")
        );
        assert_eq!(topic(&[("Operators", "arn:other")]).as_deref(), Some("arn:other"));
        assert_eq!(topic(&[("Operators", "")]), None);
    }
}
