//! `okite doctor`: looks at an account and a stack before there is trouble.
//!
//! Reading (`gather`, `dns`) makes facts, and judging (`account`, `identity`) makes findings of them: a function of the
//! facts alone. What could not be read is a finding too, which says why. `self_test` sends, and sees what comes back.

mod account;
mod dns;
mod facts;
mod finding;
mod gather;
mod identity;
mod self_test;
#[cfg(test)]
mod tests;

use local_aws::template::Stack;
use shared::aws::Pace;

pub use dns::ResolverAddress;
pub use finding::{Diagnosis, Finding, Level, Record};

use facts::{Answers, Facts, Identity};
use self_test::SelfTest;

use crate::application::{APPLICATION, STACK_NAME, TEMPLATE};
use crate::place::{CLOUDWATCH, CONFIGURATION_SET, FEEDBACK_TOPIC, Place, PlaceError, SEND_API};

/// Why DNS is not asked about what `okite up` simulates.
const SIMULATED: &str = "the identities of okite up are simulated; with --resolver DNS is asked all the same";

/// What to look at.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where.
    pub place: Place,
    /// The addresses or domains that mail is sent from; those of the account if none is named.
    pub from: Vec<String>,
    /// The resolver to ask, if not those of this machine.
    pub resolver: Option<ResolverAddress>,
}

/// What was found, and what a self-test goes on with.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What was found.
    pub diagnosis: Diagnosis,
    /// An address to send from, if there is one.
    sender: Option<String>,
}

/// Looks at all there is to look at.
///
/// # Errors
/// [`PlaceError`] if the place was not found. Everything else that does not work is a finding.
pub async fn examine(settings: &Settings) -> Result<Examined, PlaceError> {
    let Settings { place, from, resolver } = settings;
    let set = place.locate(CONFIGURATION_SET).await?;
    let topic = place.locate(FEEDBACK_TOPIC).await?;
    let metrics = place.locate(CLOUDWATCH).await?;
    let is_local = matches!(place, Place::Local { .. });
    let stack = match place {
        Place::Stack { name, .. } | Place::Part { name, .. } => name.as_str(),
        Place::Local { .. } => STACK_NAME,
    };
    let pace = (!is_local).then(|| Pace::new(false));
    let mut ses = gather::Ses::new(shared::aws::sesv2(&set.config), pace);
    let account = ses.account().await;
    let configuration_set = ses.configuration_set(&set.name).await;
    let (identities, identities_left_out) = ses.identities(from).await;
    let asked: Vec<_> = identities.iter().flatten().flat_map(identity::questions).collect();
    let dns: Answers = if is_local && resolver.is_none() {
        let unknown = |question| (question, Err(SIMULATED.to_owned()));
        asked.into_iter().map(unknown).collect()
    } else {
        dns::ask(asked, *resolver).await
    };
    let facts = Facts {
        region: set.config.region().map(ToString::to_string).unwrap_or_default(),
        account,
        configuration_set,
        subscriptions: gather::subscriptions(&shared::aws::sns(&topic.config), &topic.name).await,
        feedback_topic: topic.name,
        identities,
        identities_left_out,
        dns,
        alarms: gather::alarms(&shared::aws::cloudwatch(&metrics.config), &format!("{stack}-")).await,
        alarms_of_template: alarms_of_template()?,
    };
    let diagnosis = Diagnosis {
        place: format!("{} in {}", set.place, facts.region),
        findings: judge(&facts),
    };
    Ok(Examined {
        diagnosis,
        sender: sender(from, &facts),
    })
}

/// An address that the account may send from: the first that was named, or one of the first identity that may.
fn sender(from: &[String], facts: &Facts) -> Option<String> {
    let identities = facts.identities.as_deref().unwrap_or_default();
    let may_send = |identity: &&Identity| matches!(&identity.known, Ok(Some(known)) if known.verified);
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

/// Sends to the mailbox simulator of SES through the API of the place, and says what came back.
///
/// # Errors
/// [`PlaceError`] if the API was not found.
pub async fn self_test(
    settings: &Settings,
    examined: &Examined,
    key: String,
    id: String,
) -> Result<Vec<Finding>, PlaceError> {
    let Some(from) = examined.sender.clone() else {
        return Ok(vec![self_test::nobody_to_send_from()]);
    };
    let url = settings.place.locate(SEND_API).await?.name;
    Ok(SelfTest { url, key, from, id }.run().await)
}

/// Makes what tells the mails of one self-test from those of another.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the id of a test is made here and nowhere else"
)]
pub fn new_test_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id[..8].to_owned()
}

/// Judges what is known.
fn judge(facts: &Facts) -> Vec<Finding> {
    [
        account::account(facts),
        identity::identities(facts),
        account::feedback(facts),
        account::alarms(facts),
    ]
    .concat()
}

/// The logical ids of the alarms of the template that this `okite` belongs to.
fn alarms_of_template() -> Result<Vec<String>, PlaceError> {
    let stack = Stack::read(TEMPLATE, &APPLICATION.stack_context(std::collections::BTreeMap::new()));
    let stack = stack.map_err(|error| PlaceError::Stack {
        stack: STACK_NAME.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(stack.alarms.into_iter().map(|alarm| alarm.logical_id).collect())
}
