//! Configuration sets: each has a switch for sending and a topic for some types of events.

use std::collections::BTreeMap;
use std::io;

use super::error::SesError;
use super::mail_event::{MailEventKind, event_type};

/// The settings of a configuration set with one event destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SesConfigurationSet {
    /// The name by which `SendEmail` refers to it.
    pub name: String,
    /// The types of events that it publishes, spelled `DELIVERY_DELAY` or `deliveryDelay`.
    pub event_types: Vec<String>,
    /// The topic of the events. Without one, nothing is published.
    pub topic_arn: Option<String>,
}

/// A configuration set with its current state.
#[derive(Clone, Debug)]
pub(super) struct ConfigurationSetState {
    pub(super) name: String,
    pub(super) event_types: Vec<&'static str>,
    pub(super) topic_arn: Option<String>,
    pub(super) sending_enabled: bool,
}

impl ConfigurationSetState {
    /// Refuses if sending with this set is switched off.
    pub(super) fn check_sending(&self) -> Result<(), SesError> {
        if self.sending_enabled {
            Ok(())
        } else {
            Err(SesError::SendingPaused(format!(
                "Email sending is paused for configuration set <{}>.",
                self.name
            )))
        }
    }

    /// Returns the topic of a kind of event, if the set publishes it.
    pub(super) fn topic_of(&self, kind: MailEventKind) -> Option<&str> {
        self.topic_arn
            .as_deref()
            .filter(|_| self.event_types.contains(&kind.event_type()))
    }
}

/// All configuration sets, by name.
#[derive(Clone, Debug)]
pub(super) struct ConfigurationSets {
    sets: BTreeMap<String, ConfigurationSetState>,
}

impl ConfigurationSets {
    pub(super) fn new(declared: Vec<SesConfigurationSet>) -> io::Result<Self> {
        let mut sets = BTreeMap::new();
        for set in declared {
            let event_types = set
                .event_types
                .iter()
                .map(|spelled| {
                    event_type(spelled).ok_or_else(|| {
                        let message = format!("SES has no event type {spelled}");
                        io::Error::new(io::ErrorKind::InvalidInput, message)
                    })
                })
                .collect::<io::Result<_>>()?;
            sets.insert(
                set.name.clone(),
                ConfigurationSetState {
                    name: set.name,
                    event_types,
                    topic_arn: set.topic_arn,
                    sending_enabled: true,
                },
            );
        }
        Ok(Self { sets })
    }

    pub(super) fn get(&self, name: &str) -> Result<&ConfigurationSetState, SesError> {
        self.sets.get(name).ok_or_else(|| missing(name))
    }

    /// Lists the sets by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ConfigurationSetState> {
        self.sets.values()
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Result<&mut ConfigurationSetState, SesError> {
        self.sets.get_mut(name).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> SesError {
    SesError::NotFound(format!("Configuration set <{name}> does not exist."))
}
