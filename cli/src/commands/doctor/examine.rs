//! Reads the facts of a target and judges them.

use aws::{ApiKeys, Pace};
use local_aws::template::Stack;

use super::facts::{Facts, Identity, UnknownNames};
use super::finding::{Diagnosis, Finding};
use super::self_test::{self, SelfTest};
use super::{account, alarms, event_pipeline, gather, identity, unsubscribe};
use crate::application::{APPLICATION, STACK_NAME, TEMPLATE};
use crate::dns::{self, ResolverAddress};
use crate::target::{
    API_KEYS, CLOUDWATCH, CONFIGURATION_SET, FEEDBACK_ENDPOINT, FEEDBACK_TOPIC, SEND_API, Target, TargetError,
};

/// Why DNS is not queried for the identities of an `okite up`.
const SIMULATED: &str = "`okite up` simulates its identities. Name a resolver with --resolver to query DNS anyway";

/// The options of a diagnosis.
#[derive(Clone, Debug)]
pub(super) struct DiagnosisOptions {
    pub(super) target: Target,
    /// The addresses or domains that mail is sent from; if empty, the first identities of the account.
    pub(super) from: Vec<String>,
    /// The resolver to query instead of those of this machine.
    pub(super) resolver: Option<ResolverAddress>,
}

/// The diagnosis, and the sender for a self-test.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    pub(super) diagnosis: Diagnosis,
    /// An address that the account may send from, if there is one.
    sender: Option<String>,
}

/// Runs all checks except the self-test.
///
/// # Errors
/// [`TargetError`] if the target was not found. Everything else that does not work is a finding.
pub(super) async fn examine(options: &DiagnosisOptions) -> Result<Examined, TargetError> {
    let DiagnosisOptions { target, from, resolver } = options;
    let set = target.resolve(CONFIGURATION_SET).await?;
    let topic = target.resolve(FEEDBACK_TOPIC).await?;
    let metrics = target.resolve(CLOUDWATCH).await?;
    let keys = target.resolve(API_KEYS).await?;
    // The topic of an `okite up` has the subscriptions of the template and no others.
    let feedback_endpoint = match target {
        Target::Stack { .. } => Some(target.resolve(FEEDBACK_ENDPOINT).await?.name),
        Target::Local { .. } | Target::Resource { .. } => None,
    };
    let reports_sends = target.reports_sends().await?;
    let is_local = matches!(target, Target::Local { .. });
    let stack = match target {
        Target::Stack { name, .. } | Target::Resource { name, .. } => name.as_str(),
        Target::Local { .. } => STACK_NAME,
    };
    let pace = (!is_local).then(|| Pace::new(false));
    let mut ses = gather::Ses::new(aws::sesv2(&set.config), pace);
    let account = ses.account().await;
    let configuration_set = ses.configuration_set(&set.name).await;
    let (identities, identities_left_out) = ses.identities(from).await;
    let queries: Vec<_> = identities.iter().flatten().flat_map(identity::queries).collect();
    let (dns, unknown_names) = if is_local && resolver.is_none() {
        let unknown = |query| (query, Err(SIMULATED.to_owned()));
        (queries.into_iter().map(unknown).collect(), UnknownNames::new())
    } else {
        dns::query(queries, *resolver).await
    };
    let region = set.config.region().map(ToString::to_string).unwrap_or_default();
    let facts = Facts {
        okite_options: match target {
            Target::Local { data_dir } => format!("--data-dir {}", data_dir.display()),
            Target::Stack { .. } | Target::Resource { .. } => format!("--region {region}"),
        },
        aws_options: match set.config.endpoint_url().filter(|_| is_local) {
            Some(url) => format!("--region {region} --endpoint-url {url}"),
            None => format!("--region {region}"),
        },
        region,
        account,
        configuration_set,
        reports_sends,
        subscriptions: gather::subscriptions(&aws::sns(&topic.config), &topic.name).await,
        feedback_topic: topic.name,
        feedback_endpoint,
        identities,
        identities_left_out,
        dns,
        unknown_names,
        alarms: gather::alarms(&aws::cloudwatch(&metrics.config), &format!("{stack}-")).await,
        alarms_of_template: alarms_of_template()?,
        bulk_keys: gather::bulk_keys(&ApiKeys::new(aws::dynamodb(&keys.config), keys.name)).await,
    };
    let diagnosis = Diagnosis {
        target_name: format!("{} in {}", set.target_name, facts.region),
        findings: judge(&facts),
    };
    Ok(Examined {
        diagnosis,
        sender: sender(from, &facts),
    })
}

/// Returns a sender address at the first verified identity: the identity itself if it is an address, else an address
/// from `--from` in its domain, else `okite-doctor@` its domain.
fn sender(from: &[String], facts: &Facts) -> Option<String> {
    let identities = facts.identities.as_deref().unwrap_or_default();
    let may_send = |identity: &&Identity| matches!(&identity.state, Ok(Some(state)) if state.verified);
    let identity = identities.iter().find(may_send)?;
    if identity.is_address() {
        return Some(identity.name.clone());
    }
    let named = from.iter().find(|from| from.ends_with(&format!("@{}", identity.name)));
    if let Some(named) = named {
        return Some(named.clone());
    }
    Some(format!("okite-doctor@{}", identity.name))
}

/// Sends to the SES mailbox simulator through the API of the target, and judges the events that come back.
///
/// # Errors
/// [`TargetError`] if the API was not found.
pub(super) async fn self_test(
    options: &DiagnosisOptions,
    examined: &Examined,
    key: String,
    id: String,
) -> Result<Vec<Finding>, TargetError> {
    let Some(from) = examined.sender.clone() else {
        return Ok(vec![self_test::no_sender()]);
    };
    let url = options.target.resolve(SEND_API).await?.name;
    Ok(SelfTest { url, key, from, id }.run().await)
}

/// Makes the id that distinguishes the mails of one self-test from those of another.
#[expect(
    clippy::disallowed_methods,
    reason = "the id of a test is made here and nowhere else"
)]
pub(super) fn new_test_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id[..8].to_owned()
}

/// Judges all facts.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    [
        account::judge(facts),
        identity::judge(facts),
        event_pipeline::judge(facts),
        alarms::judge(facts),
        unsubscribe::judge(facts),
    ]
    .concat()
}

/// Returns the logical ids of the alarms in the template of this version of `okite`.
fn alarms_of_template() -> Result<Vec<String>, TargetError> {
    let stack = Stack::read(TEMPLATE, &APPLICATION.stack_context(std::collections::BTreeMap::new()));
    let stack = stack.map_err(|error| TargetError::Stack {
        stack: STACK_NAME.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(stack.alarms.into_iter().map(|alarm| alarm.logical_id).collect())
}
