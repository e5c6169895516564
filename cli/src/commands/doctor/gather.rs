//! Reads the facts from SES, SNS and CloudWatch. A failed call becomes the reason why a fact is not known.

use aws::{ApiKeys, Pace};
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::types::{IdentityInfo, SendingOptions, SuppressionAttributes};
use domain::stream::Stream;

use super::facts::{
    Account, Alarm, BulkKey, ConfigurationSet, EventDestination, Identity, IdentityState, Known, Subscription,
};
use crate::aws_error::{self, failed};

/// The number of identities that are checked if none is named. Each takes a second.
const MAX_IDENTITIES: usize = 10;

/// Reads from SES. A pace keeps the calls within SES's limit of one a second.
pub(super) struct Ses {
    client: aws_sdk_sesv2::Client,
    pace: Option<Pace>,
}

impl Ses {
    pub(super) fn new(client: aws_sdk_sesv2::Client, pace: Option<Pace>) -> Self {
        Self { client, pace }
    }

    async fn wait(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.wait().await;
        }
    }

    pub(super) async fn account(&mut self) -> Known<Account> {
        self.wait().await;
        let answer = self.client.get_account().send().await;
        let answer = answer.map_err(|error| failed("GetAccount", &error))?;
        let reasons = answer
            .suppression_attributes()
            .map(SuppressionAttributes::suppressed_reasons);
        let reasons = reasons.unwrap_or_default().iter();
        Ok(Account {
            production_access: answer.production_access_enabled(),
            sending_enabled: answer.sending_enabled(),
            enforcement_status: answer.enforcement_status().unwrap_or("HEALTHY").to_owned(),
            suppressed_reasons: reasons.map(|reason| reason.as_str().to_owned()).collect(),
        })
    }

    pub(super) async fn configuration_set(&mut self, name: &str) -> Known<Option<ConfigurationSet>> {
        self.wait().await;
        let set = self
            .client
            .get_configuration_set()
            .configuration_set_name(name)
            .send()
            .await;
        let set = match set {
            Ok(set) => set,
            Err(SdkError::ServiceError(error)) if error.err().is_not_found_exception() => return Ok(None),
            Err(error) => return Err(failed("GetConfigurationSet", &error)),
        };
        Ok(Some(ConfigurationSet {
            name: name.to_owned(),
            sending_enabled: set.sending_options().is_none_or(SendingOptions::sending_enabled),
            destinations: self.destinations(name).await,
        }))
    }

    async fn destinations(&mut self, set: &str) -> Known<Vec<EventDestination>> {
        self.wait().await;
        let request = self.client.get_configuration_set_event_destinations();
        let answer = request.configuration_set_name(set).send().await;
        let answer = answer.map_err(|error| failed("GetConfigurationSetEventDestinations", &error))?;
        let destination = |destination: &aws_sdk_sesv2::types::EventDestination| EventDestination {
            enabled: destination.enabled(),
            topic_arn: destination.sns_destination().map(|sns| sns.topic_arn().to_owned()),
            event_types: destination
                .matching_event_types()
                .iter()
                .map(|kind| kind.as_str().to_owned())
                .collect(),
        };
        Ok(answer.event_destinations().iter().map(destination).collect())
    }

    /// Reads the chosen identities, or the first of the account. Also returns how many were left out.
    pub(super) async fn identities(&mut self, chosen: &[String]) -> (Known<Vec<Identity>>, usize) {
        let mut names = chosen.to_vec();
        let mut left_out = 0;
        if names.is_empty() {
            match self.names().await {
                Ok(all) => names = all,
                Err(reason) => return (Err(reason), 0),
            }
            left_out = names.len().saturating_sub(MAX_IDENTITIES);
            names.truncate(MAX_IDENTITIES);
        }
        let mut identities = Vec::new();
        for name in names {
            let identity = self.identity_for(name).await;
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
        (Ok(identities), left_out)
    }

    async fn names(&mut self) -> Known<Vec<String>> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            self.wait().await;
            let request = self
                .client
                .list_email_identities()
                .page_size(1_000)
                .set_next_token(token);
            let answer = request
                .send()
                .await
                .map_err(|error| failed("ListEmailIdentities", &error))?;
            let name = |identity: &IdentityInfo| identity.identity_name().map(str::to_owned);
            names.extend(answer.email_identities().iter().filter_map(name));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(names);
            }
        }
    }

    /// Reads the identity that SES uses for an address or a domain: itself, its domain, or the nearest parent domain.
    async fn identity_for(&mut self, name: String) -> Identity {
        let domain = name.rsplit_once('@').map(|(_, domain)| domain);
        let above = |domain: &str| domain.split_once('.').map(|(_, above)| above.to_owned());
        let mut next = domain.map(str::to_owned).or_else(|| above(&name));
        let mut state = self.identity(&name).await;
        let mut found = name.clone();
        while let (Ok(None), Some(wider)) = (&state, next.take().filter(|wider| wider.contains('.'))) {
            next = above(&wider);
            state = self.identity(&wider).await;
            found = wider;
        }
        match state {
            Ok(None) => Identity { name, state },
            _ => Identity { name: found, state },
        }
    }

    async fn identity(&mut self, name: &str) -> Known<Option<IdentityState>> {
        self.wait().await;
        crate::identity::read(&self.client, name).await
    }
}

/// Reads the subscriptions of a topic. Returns `None` if the topic does not exist.
pub(super) async fn subscriptions(client: &aws_sdk_sns::Client, topic: &str) -> Known<Option<Vec<Subscription>>> {
    let (mut subscriptions, mut token) = (Vec::new(), None);
    loop {
        let request = client
            .list_subscriptions_by_topic()
            .topic_arn(topic)
            .set_next_token(token);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(SdkError::ServiceError(error)) if error.err().is_not_found_exception() => return Ok(None),
            Err(error) => return Err(failed("ListSubscriptionsByTopic", &error)),
        };
        subscriptions.extend(answer.subscriptions().iter().map(|subscription| {
            Subscription {
                protocol: subscription.protocol().unwrap_or_default().to_owned(),
                endpoint: subscription.endpoint().unwrap_or_default().to_owned(),
                // A subscription that is not confirmed has `PendingConfirmation` instead of an ARN.
                confirmed: subscription
                    .subscription_arn()
                    .is_some_and(|arn| arn.starts_with("arn:")),
            }
        }));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(Some(subscriptions));
        }
    }
}

/// Reads the API keys for bulk mail.
pub(super) async fn bulk_keys(keys: &ApiKeys) -> Known<Vec<BulkKey>> {
    const PAGE_SIZE: i32 = 500;
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = keys.page(after.as_deref(), PAGE_SIZE).await;
        let page = page.map_err(|error| {
            format!(
                "the table of API keys could not be read: {}",
                aws_error::message(&error)
            )
        })?;
        let bulk = page.keys.into_iter().filter(|key| key.stream == Stream::Bulk);
        found.extend(bulk.map(|key| BulkKey {
            has_topic: key.topic.is_some(),
            name: key.name,
        }));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// Reads the alarms whose names begin with `prefix`.
pub(super) async fn alarms(client: &aws_sdk_cloudwatch::Client, prefix: &str) -> Known<Vec<Alarm>> {
    let (mut alarms, mut token) = (Vec::new(), None);
    loop {
        let request = client.describe_alarms().alarm_name_prefix(prefix).set_next_token(token);
        let answer = request.send().await.map_err(|error| failed("DescribeAlarms", &error))?;
        alarms.extend(answer.metric_alarms().iter().map(|alarm| Alarm {
            name: alarm.alarm_name().unwrap_or_default().to_owned(),
            notifies: alarm.actions_enabled() == Some(true) && !alarm.alarm_actions().is_empty(),
            is_active: alarm.state_value().is_some_and(|state| state.as_str() == "ALARM"),
        }));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(alarms);
        }
    }
}
