//! The settings of a run.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::application::Application;
use crate::data_dir::DataDir;
use crate::services::lambda::{self, Program};
use crate::services::ses::SesLeniency;

/// The settings of a run.
#[derive(Debug)]
pub struct RunSettings {
    /// The application that runs.
    pub application: Application,
    /// The address of the HTTP API. All other services are on 127.0.0.1.
    pub address: IpAddr,
    /// The port of the HTTP API; 0 picks a free one.
    pub port: u16,
    /// Hosts that requests to the page and `/_local/` may name, besides this machine's own names and `address`.
    pub allowed_hosts: Vec<String>,
    /// The port of an SMTP server of the application. A client of SMTP that calls the port of the HTTP API is told it.
    pub smtp_port: Option<u16>,
    /// The directory of the data. Without one, everything is kept in memory.
    pub data_dir: Option<DataDir>,
    /// Whether the SES account is in the sandbox.
    pub sandbox: bool,
    /// The verified identities of SES: addresses and domains.
    pub verified: Vec<String>,
    /// What SES accepts here although it would not on AWS.
    pub leniency: SesLeniency,
    /// How the process of a function is started.
    pub program: Program,
    /// The pauses before Lambda retries a failed asynchronous event; see [`lambda::RETRIES`].
    pub retries: Vec<Duration>,
    /// Whether schedules run again after their first run. Setting the clock forward runs those that come due, so a test
    /// may want none but those that it asks for.
    pub repeats_schedules: bool,
    /// The values of template parameters that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Variables of every function that replace those it would get otherwise: the endpoint of a service that is down,
    /// say.
    pub environment: BTreeMap<String, String>,
    /// Whether the read and write units of DynamoDB are counted, which takes time. Other consumption always is.
    pub counts_units: bool,
    /// The time limit of an invocation of any function, if it differs from the template's.
    pub timeout: Option<Duration>,
}

impl RunSettings {
    /// An account with production access and two verified domains, in memory, on a free port.
    #[must_use]
    pub fn new(application: Application, program: Program) -> Self {
        Self {
            application,
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            allowed_hosts: Vec::new(),
            smtp_port: None,
            data_dir: None,
            sandbox: false,
            verified: vec!["example.com".to_owned(), "example.org".to_owned()],
            leniency: SesLeniency::default(),
            program,
            retries: lambda::RETRIES.to_vec(),
            repeats_schedules: true,
            parameters: BTreeMap::new(),
            environment: BTreeMap::new(),
            counts_units: false,
            timeout: None,
        }
    }
}
