//! Starts Okite on local AWS, creates the API key that always works, and writes `local.json`, which lists the URLs, the
//! key and the environment of each function.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws::{self, ApiKeys, StoreError};
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission};
use domain::queue::WhenBusy;
use domain::stream::Stream;
use jiff::Timestamp;
use local_aws::data_dir::{DataDir, DataDirError};
use local_aws::services::lambda::Program;
use local_aws::services::ses::SesLeniency;
use local_aws::{LocalAws, RunSettings, StartError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::listener::{ListenOptions, wrong_address};
use super::smtp::{self, LocalSmtp, SmtpError};
use crate::application::APPLICATION;
use crate::aws_error;
use crate::local::{LOCAL_ACCESS_KEY_ID, LOCAL_API_KEY, LOCAL_SECRET_ACCESS_KEY, local_config};

/// Options of a local Okite.
#[derive(Debug)]
pub struct LocalOptions {
    /// The address and the names by which it may be called.
    pub listen: ListenOptions,
    /// The port of the HTTP API; 0 picks a free one.
    pub port: u16,
    /// The port of the SMTP server; 0 picks a free one. If it is not given, 1025 is taken unless another program has
    /// it.
    pub smtp_port: Option<u16>,
    /// The directory of the tables, mails and logs.
    pub data_dir: PathBuf,
    /// Whether the simulated SES account is in the sandbox.
    pub sandbox: bool,
    /// Identities that SES has verified, besides `example.com` and `example.org`.
    pub verify: Vec<String>,
    /// Whether the simulated SES refuses every sender that is not verified, as SES does.
    pub strict: bool,
    /// The program that runs a function, given the function's name.
    pub program: Program,
}

/// Why a local Okite did not start.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// Another process uses the data directory.
    #[error("{0}. Stop the other `okite up`, or name another directory with --data-dir")]
    DataDirInUse(#[source] DataDirError),
    /// The directory has files of something else, or is a file.
    #[error("{0}. Name an empty or a new directory with --data-dir")]
    ForeignDataDir(#[source] DataDirError),
    /// The data directory cannot be written.
    #[error(transparent)]
    DataDir(DataDirError),
    /// Another program listens on the port.
    #[error("{0}: stop that program, or choose another port with --port (0 picks a free one)")]
    PortTaken(#[source] StartError),
    /// Another program listens on the SMTP port.
    #[error("{0}: stop that program, or choose another port with --smtp-port (0 picks a free one)")]
    SmtpPortTaken(#[source] std::io::Error),
    /// This process cannot listen on the address.
    #[error("{}", wrong_address(*.address, .source))]
    Address {
        /// The address.
        address: IpAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The SMTP server did not start.
    #[error("the SMTP server did not start: {0}")]
    Smtp(#[from] SmtpError),
    /// The local AWS did not start.
    #[error(transparent)]
    Start(StartError),
    /// The send API did not become healthy.
    #[error("{source}. Read the logs in {}", .logs.display())]
    Unhealthy {
        /// The cause.
        source: StartError,
        /// The directory of the logs.
        logs: PathBuf,
    },
    /// The local API key was not written.
    #[error("the local API key could not be created: {}", aws_error::message(.0))]
    LocalKey(#[from] StoreError),
    /// `local.json` was not written.
    #[error("local.json could not be written to the data directory: {0}")]
    LocalJson(#[source] std::io::Error),
}

/// Okite, running on this machine.
#[derive(Debug)]
pub struct LocalOkite {
    local_aws: LocalAws,
    /// The SMTP server; nothing if another program has the default port.
    smtp: Option<LocalSmtp>,
    data_dir: PathBuf,
    sandbox: bool,
    verified: Vec<String>,
    listen: ListenOptions,
    strict: bool,
    took: Duration,
}

impl LocalOkite {
    /// Starts everything and returns when the send API is healthy.
    ///
    /// # Errors
    /// [`UpError`]. Everything that was started is stopped again.
    pub async fn start(options: LocalOptions) -> Result<Self, UpError> {
        let began = Instant::now();
        let LocalOptions {
            port,
            smtp_port,
            data_dir,
            sandbox,
            verify,
            listen,
            strict,
            program,
        } = options;
        listen.check().await?;
        let smtp = match (
            LocalSmtp::bind(listen.listen, smtp_port.unwrap_or(smtp::DEFAULT_PORT)).await,
            smtp_port,
        ) {
            (Ok(listener), _) => Some(listener),
            (Err(error), Some(port)) => return Err(smtp_port_taken(listen.listen, port, &error)),
            (Err(_), None) => None,
        };
        let mut local = RunSettings::new(APPLICATION, program);
        local.address = listen.listen;
        local.port = port;
        local.allowed_hosts.clone_from(&listen.allow_host);
        let address = smtp.as_ref().and_then(|listener| listener.local_addr().ok());
        local.smtp_port = address.map(|address| address.port());
        local.sandbox = sandbox;
        local.verified.extend(verify);
        // Nothing is tracked unless an email asks for it.
        let tracking = ("TrackingEvents".to_owned(), "true".to_owned());
        local.parameters.extend([tracking]);
        local.data_dir = Some(DataDir::take(&data_dir).map_err(data_dir_error)?);
        // For a webhook of an application on this machine. A deployed stack refuses such a URL.
        let loopback = ("ALLOW_LOOPBACK_WEBHOOKS".to_owned(), "true".to_owned());
        // An endpoint receives events as soon as it is made.
        let list_age = ("WEBHOOK_LIST_SECONDS".to_owned(), "0".to_owned());
        local.environment.extend([loopback, list_age]);
        if !strict {
            local.leniency = SesLeniency {
                any_sender: true,
                test_addresses: test_addresses(),
            };
            let local_senders = ("ALLOW_LOCAL_SENDERS".to_owned(), "true".to_owned());
            local.environment.extend([local_senders]);
        }
        let verified = local.verified.clone();
        let local_aws = LocalAws::start(local).await.map_err(start_error)?;
        match ready(&local_aws, smtp).await {
            Ok(smtp) => Ok(Self {
                local_aws,
                smtp,
                data_dir,
                sandbox,
                verified,
                listen,
                strict,
                took: began.elapsed(),
            }),
            Err(error) => {
                local_aws.stop().await;
                Err(error)
            }
        }
    }

    /// Returns the local AWS that it runs on.
    #[must_use]
    pub fn local_aws(&self) -> &LocalAws {
        &self.local_aws
    }

    /// Returns the text that `okite up` prints: URLs, the API key, a first curl command, and the settings with which an
    /// application that uses an AWS SDK sends through Okite.
    #[must_use]
    pub fn welcome(&self) -> String {
        let url = &self.local_aws.url;
        let data_dir = self.data_dir.display();
        let email = json!({
            "from": "Acme <hello@example.com>",
            "to": "success@simulator.amazonses.com",
            "subject": "Hello",
            "text": "It works.",
        });
        let verified = self.verified.join(", ");
        let senders = if self.strict {
            format!("{verified} (--verify adds more)")
        } else {
            format!("any (verified: {verified}; --strict refuses the others, as SES does)")
        };
        let sandbox = if self.sandbox {
            "The SES account is in the sandbox: 200 recipients a day, 1 a second, verified recipients only.\n\n"
        } else {
            ""
        };
        let smtp = match &self.smtp {
            Some(smtp) => format!(
                "{} (without a password, or with an API key as the password)",
                smtp.address
            ),
            None => format!(
                "none: another program has port {} (--smtp-port names another)",
                smtp::DEFAULT_PORT
            ),
        };
        format!(
            "Okite {version} is ready after {seconds:.2} s. Amazon SES is simulated; no mail leaves this machine.\n\n\
             {sandbox}  \
             URL       {url}\n  \
             Page      {url}/ (shows the mails in a browser)\n  \
             SMTP      {smtp}\n  \
             API key   {LOCAL_API_KEY}\n  \
             Senders   {senders}\n  \
             Outbox    {url}/_local/outbox\n  \
             Data      {data_dir} (logs in {data_dir}/logs)\n\n\
             Send a first email:\n\n\
             curl {url}/emails -H 'Authorization: Bearer {LOCAL_API_KEY}' \
             -H 'Content-Type: application/json' -d '{email}'\n\n\
             {aws_settings}\n\n\
             Ctrl-C stops it.",
            aws_settings = aws_settings(url),
            version = env!("CARGO_PKG_VERSION"),
            seconds = self.took.as_secs_f64(),
        )
    }

    /// Returns the warning that this Okite is reached from elsewhere, if it is.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.listen.warning()
    }

    /// Stops everything that was started.
    pub async fn stop(self) {
        if let Some(smtp) = self.smtp {
            smtp.stop().await;
        }
        self.local_aws.stop().await;
    }
}

/// Returns the settings with which an application that calls Amazon SES sends through Okite at `url`: the variables
/// that AWS's SDKs read, and the settings of django-ses, which does not read the variables of endpoints.
fn aws_settings(url: &str) -> String {
    let region = local_aws::REGION;
    // boto3 reads AWS_DEFAULT_REGION and not AWS_REGION; most other SDKs read AWS_REGION.
    format!(
        "To send from an application that uses an AWS SDK, set these in its shell:\n\
         export AWS_ENDPOINT_URL_SESV2={url}\n\
         export AWS_ENDPOINT_URL_SES={url}\n\
         export AWS_ACCESS_KEY_ID={LOCAL_ACCESS_KEY_ID}\n\
         export AWS_SECRET_ACCESS_KEY={LOCAL_SECRET_ACCESS_KEY}\n\
         export AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\n\
         Or from Django with django-ses, in settings.py:\n\
         AWS_SES_REGION_ENDPOINT_URL = \"{url}\"\n\
         AWS_SES_ACCESS_KEY_ID = \"{LOCAL_ACCESS_KEY_ID}\"\n\
         AWS_SES_SECRET_ACCESS_KEY = \"{LOCAL_SECRET_ACCESS_KEY}\""
    )
}

/// Returns the test addresses of Resend, whose API Okite's has the shape of, with the names of those of SES's mailbox
/// simulator that behave alike. <https://resend.com/docs/dashboard/emails/send-test-emails>
fn test_addresses() -> BTreeMap<String, String> {
    [
        ("delivered", "success"),
        ("bounced", "bounce"),
        ("complained", "complaint"),
        ("suppressed", "suppressionlist"),
    ]
    .map(|(name, simulated)| (format!("{name}@resend.dev"), simulated.to_owned()))
    .into()
}

fn start_error(error: StartError) -> UpError {
    match error {
        StartError::PortTaken(_) => UpError::PortTaken(error),
        error => UpError::Start(error),
    }
}

fn smtp_port_taken(address: IpAddr, port: u16, error: &std::io::Error) -> UpError {
    let address = std::net::SocketAddr::new(address, port);
    let text = format!("{address} cannot be listened on: {error}");
    UpError::SmtpPortTaken(std::io::Error::new(error.kind(), text))
}

fn data_dir_error(error: DataDirError) -> UpError {
    match error {
        DataDirError::InUse { .. } => UpError::DataDirInUse(error),
        DataDirError::Foreign { .. } | DataDirError::NotADirectory { .. } => UpError::ForeignDataDir(error),
        DataDirError::Unusable { .. } => UpError::DataDir(error),
    }
}

/// Creates the local API key, waits until the send API is healthy, starts the SMTP server, and writes `local.json`.
async fn ready(local_aws: &LocalAws, smtp: Option<TcpListener>) -> Result<Option<LocalSmtp>, UpError> {
    create_local_key(local_aws).await?;
    let data_dir = local_aws.data_dir();
    local_aws.healthy().await.map_err(|source| UpError::Unhealthy {
        source,
        logs: data_dir.map(DataDir::logs).unwrap_or_default(),
    })?;
    let smtp = smtp
        .map(|listener| LocalSmtp::start(listener, &local_aws.url))
        .transpose()?;
    if let Some(data_dir) = data_dir {
        data_dir
            .publish(&local_json(local_aws, smtp.as_ref()))
            .map_err(UpError::LocalJson)?;
    }
    Ok(smtp)
}

#[expect(clippy::disallowed_methods, reason = "the command reads the clock")]
async fn create_local_key(local_aws: &LocalAws) -> Result<(), StoreError> {
    const OPERATION: &str = "PutItem";
    let incomplete = |code: &str| StoreError {
        operation: OPERATION,
        code: code.to_owned(),
        source: None,
    };
    let key = ApiKey::parse(LOCAL_API_KEY).map_err(|_| incomplete("NotAKey"))?;
    let table = local_aws
        .environments
        .values()
        .find_map(|environment| environment.get("API_KEYS_TABLE"))
        .ok_or_else(|| incomplete("NoTable"))?;
    let client = aws::dynamodb(&local_config(&local_aws.dynamodb_url));
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        secret_sha256: key.secret_hash(),
        secret_access_key: None,
        name: "local".to_owned(),
        permission: KeyPermission::Full,
        stream: Stream::Transactional,
        from_domains: Vec::new(),
        // Not `wait`, the default of `okite keys create --aws`: every front takes this key, and people try the queue
        // with it. A front that needs `wait` passes it with its mails.
        when_busy: WhenBusy::default(),
        topic: None,
        created_at: Timestamp::now(),
    }
    .with_aws_credentials(&key);
    ApiKeys::new(client, table.clone()).put(&record).await
}

fn local_json(local_aws: &LocalAws, smtp: Option<&LocalSmtp>) -> Value {
    let functions: serde_json::Map<String, Value> = local_aws
        .environments
        .iter()
        .map(|(name, environment)| (name.clone(), json!({ "env": environment })))
        .collect();
    json!({
        "url": local_aws.url,
        "api_key": LOCAL_API_KEY,
        "aws_access_key_id": LOCAL_ACCESS_KEY_ID,
        "aws_secret_access_key": LOCAL_SECRET_ACCESS_KEY,
        "dynamodb_url": local_aws.dynamodb_url,
        "ses_url": local_aws.ses_url,
        "sqs_url": local_aws.sqs_url,
        "sns_url": local_aws.sns_url,
        "cloudwatch_url": local_aws.cloudwatch_url,
        "smtp": smtp.map(|smtp| smtp.address),
        "queues": local_aws.queues,
        "tables": local_aws.tables,
        "pid": std::process::id(),
        "functions": functions,
    })
}

/// Returns the program that runs a function: this executable, as `okite function NAME`.
pub(super) fn this_program() -> std::io::Result<Program> {
    Ok(Program::ByName {
        path: std::env::current_exe()?,
        arguments: vec!["function".to_owned()],
    })
}
