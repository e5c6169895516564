//! The file that keeps the account over restarts: its settings, identities, suppression list and switches.
//!
//! Each change is a JSON line that says what holds from then on. A start reads the lines, and writes the file anew with
//! one line for each thing, so that it does not grow with the number of changes. The counts of the last 24 hours are
//! not here, because the outbox has them.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::account::AccountSettings;
use super::configuration_set::ConfigurationSets;
use super::identities::{Identities, Identity};
use super::suppression_list::{Suppressed, SuppressionList};
use crate::json_lines::JsonLines;

/// The options that a start gives the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartOptions {
    pub(super) production_access: bool,
    pub(super) verified: Vec<String>,
}

/// A line: what holds from here on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Start(StartOptions),
    Account(AccountSettings),
    Identity(Identity),
    Suppressed(Suppressed),
    /// The address is no longer on the suppression list.
    NotSuppressed(String),
    ConfigurationSet {
        name: String,
        sending_enabled: bool,
    },
}

/// The state of the account that outlives a restart.
#[derive(Debug)]
pub(super) struct KeptAccount {
    pub(super) settings: AccountSettings,
    pub(super) identities: Identities,
    pub(super) suppression_list: SuppressionList,
    pub(super) configuration_sets: ConfigurationSets,
}

impl KeptAccount {
    /// Makes the account that a first start has.
    fn new(options: &StartOptions, configuration_sets: ConfigurationSets) -> Self {
        let mut identities = Identities::default();
        for identity in &options.verified {
            identities.verify(identity);
        }
        Self {
            settings: AccountSettings::new(options.production_access),
            identities,
            suppression_list: SuppressionList::default(),
            configuration_sets,
        }
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Start(_) => {}
            Line::Account(settings) => self.settings = settings,
            Line::Identity(identity) => self.identities.put(identity),
            Line::Suppressed(suppressed) => self.suppression_list.insert(suppressed),
            Line::NotSuppressed(address) => drop(self.suppression_list.remove(&address)),
            Line::ConfigurationSet { name, sending_enabled } => {
                // A set that the template no longer has is left out.
                if let Ok(set) = self.configuration_sets.get_mut(&name) {
                    set.sending_enabled = sending_enabled;
                }
            }
        }
    }

    fn lines(&self, options: StartOptions) -> Vec<Line> {
        let identities = self.identities.iter().cloned().map(Line::Identity);
        let suppressed = self.suppression_list.iter().cloned().map(Line::Suppressed);
        let sets = self.configuration_sets.iter().map(|set| Line::ConfigurationSet {
            name: set.name.clone(),
            sending_enabled: set.sending_enabled,
        });
        [Line::Start(options), Line::Account(self.settings.clone())]
            .into_iter()
            .chain(identities)
            .chain(suppressed)
            .chain(sets)
            .collect()
    }
}

/// The file, if the account has one.
#[derive(Debug)]
pub(super) struct AccountFile(Option<JsonLines>);

impl AccountFile {
    /// Opens the file, and returns the account as it was left. What this start asks for differently than the last one
    /// wins: another choice of the sandbox gives the account its default limits, and an identity that is new among the
    /// verified ones is verified.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds a line of another shape.
    pub(super) fn open(
        path: Option<PathBuf>,
        options: StartOptions,
        configuration_sets: ConfigurationSets,
    ) -> io::Result<(Self, KeptAccount)> {
        let mut account = KeptAccount::new(&options, configuration_sets);
        let Some(path) = path else {
            return Ok((Self(None), account));
        };
        let (mut file, lines) = JsonLines::open::<Line>(path)?;
        let last_start = lines.iter().rev().find_map(|line| match line {
            Line::Start(options) => Some(options.clone()),
            _ => None,
        });
        if let Some(last) = last_start {
            account.identities = Identities::default();
            for line in lines {
                account.apply(line);
            }
            if last.production_access != options.production_access {
                account.settings = AccountSettings::new(options.production_access);
            }
            for name in options.verified.iter().filter(|name| !last.verified.contains(name)) {
                account.identities.verify(name);
            }
        }
        file.rewrite(account.lines(options).iter())?;
        Ok((Self(Some(file)), account))
    }

    pub(super) fn settings(&mut self, settings: &AccountSettings) {
        self.add(|| Line::Account(settings.clone()));
    }

    pub(super) fn identity(&mut self, identity: Option<&Identity>) {
        if let Some(identity) = identity {
            self.add(|| Line::Identity(identity.clone()));
        }
    }

    pub(super) fn suppressed(&mut self, suppressed: Option<&Suppressed>) {
        if let Some(suppressed) = suppressed {
            self.add(|| Line::Suppressed(suppressed.clone()));
        }
    }

    pub(super) fn not_suppressed(&mut self, address: &str) {
        self.add(|| Line::NotSuppressed(address.to_owned()));
    }

    pub(super) fn configuration_set(&mut self, name: &str, sending_enabled: bool) {
        self.add(|| Line::ConfigurationSet {
            name: name.to_owned(),
            sending_enabled,
        });
    }

    /// Adds a line. A change that cannot be written holds until the next start.
    fn add(&mut self, line: impl FnOnce() -> Line) {
        if let Some(file) = &mut self.0
            && let Err(error) = file.append(&line())
        {
            tracing::warn!(%error, "a change of the SES account was not written, and ends with this run");
        }
    }
}
