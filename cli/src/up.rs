//! `okite up`: local AWS with Okite's functions in it, one API key that always works, and a file that says how to reach
//! it all.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use local_aws::data_dir::{DataDir, DataDirError};
use local_aws::services::lambda::Program;
use local_aws::{LocalAws, RunSettings, StartError};
use serde_json::{Value, json};
use shared::address::{AddressError, EmailAddress};
use shared::api_key::{ApiKey, ApiKeyRecord, Permission};
use shared::aws::{self, ApiKeys, StoreError};
use shared::stream::Stream;

use crate::application::APPLICATION;

/// The port, unless another is named.
pub const DEFAULT_PORT: u16 = 3000;
/// The data directory, unless another is named.
pub const DEFAULT_DATA_DIR: &str = ".okite";
/// The API key that every `okite up` accepts: full permission, transactional mail, any From. It is no secret, and no
/// deployed stack has it.
pub const LOCAL_API_KEY: &str = "ok_local_this_key_works_with_okite_up_only";

/// How to run.
#[derive(Debug)]
pub struct Settings {
    /// The port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Whether the SES account is in the sandbox.
    pub sandbox: bool,
    /// Identities to verify, beside `example.com` and `example.org`.
    pub verify: Vec<String>,
    /// What runs a function, given its name.
    pub program: Program,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// Another process uses the data directory.
    #[error("{0}. Stop the other `okite up`, or name another directory with --data-dir")]
    DataDirInUse(#[source] DataDirError),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(DataDirError),
    /// Another program listens on the port.
    #[error("{0}: stop that program, or choose another port with --port (0 picks a free one)")]
    PortTaken(#[source] StartError),
    /// Local AWS does not start.
    #[error(transparent)]
    Start(StartError),
    /// The send API is not ready.
    #[error("{source}: {}", .logs.display())]
    Unhealthy {
        /// Its answer.
        source: StartError,
        /// The directory of its log.
        logs: PathBuf,
    },
    /// The local key cannot be made.
    #[error("the local API key could not be made: {0}")]
    LocalKey(#[from] StoreError),
    /// `local.json` cannot be written.
    #[error("local.json could not be written: {0}")]
    LocalJson(#[source] std::io::Error),
}

/// Okite, running on this machine.
#[derive(Debug)]
pub struct Up {
    local_aws: LocalAws,
    data_dir: PathBuf,
    sandbox: bool,
    verified: Vec<String>,
    took: Duration,
}

impl Up {
    /// Starts everything and returns when the send API answers.
    ///
    /// # Errors
    /// [`UpError`] says what to do. Nothing is left running then.
    pub async fn start(settings: Settings) -> Result<Self, UpError> {
        let began = Instant::now();
        let Settings {
            port,
            data_dir,
            sandbox,
            verify,
            program,
        } = settings;
        let mut local = RunSettings::new(APPLICATION, program);
        local.port = port;
        local.sandbox = sandbox;
        local.verified.extend(verify);
        local.data_dir = Some(DataDir::take(&data_dir).map_err(data_dir_error)?);
        let verified = local.verified.clone();
        let local_aws = LocalAws::start(local).await.map_err(start_error)?;
        match ready(&local_aws).await {
            Ok(()) => Ok(Self {
                local_aws,
                data_dir,
                sandbox,
                verified,
                took: began.elapsed(),
            }),
            Err(error) => {
                local_aws.stop().await;
                Err(error)
            }
        }
    }

    /// Returns what is running.
    #[must_use]
    pub fn local_aws(&self) -> &LocalAws {
        &self.local_aws
    }

    /// Returns what a person needs to begin.
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
        let sandbox = if self.sandbox {
            "The account is in the sandbox: 1 recipient a second, 200 a day, verified ones only.\n\n"
        } else {
            ""
        };
        format!(
            "Okite {version} is ready after {seconds:.2} s; Amazon SES is simulated and no mail leaves this machine.\n\n{sandbox}  \
             URL       {url}\n  \
             Page      {url}/ (the mails, in a browser)\n  \
             API key   {LOCAL_API_KEY}\n  \
             Verified  {verified} (--verify adds more)\n  \
             Outbox    {url}/_local/outbox\n  \
             Data      {data_dir} (logs in {data_dir}/logs)\n\n\
             Send a first email:\n\n\
             curl {url}/emails -H 'Authorization: Bearer {LOCAL_API_KEY}' -H 'Content-Type: application/json' -d '{email}'\n\n\
             Ctrl-C stops it.",
            version = env!("CARGO_PKG_VERSION"),
            seconds = self.took.as_secs_f64(),
        )
    }

    /// Ends everything that was started.
    pub async fn stop(self) {
        self.local_aws.stop().await;
    }
}

fn start_error(error: StartError) -> UpError {
    match error {
        StartError::PortTaken(_) => UpError::PortTaken(error),
        error => UpError::Start(error),
    }
}

fn data_dir_error(error: DataDirError) -> UpError {
    match error {
        DataDirError::InUse { .. } => UpError::DataDirInUse(error),
        DataDirError::Unusable { .. } => UpError::DataDir(error),
    }
}

/// Makes the local key, waits for the send API, and says in `local.json` how to reach it all.
async fn ready(local_aws: &LocalAws) -> Result<(), UpError> {
    make_local_key(local_aws).await?;
    let data_dir = local_aws.data_dir();
    local_aws.healthy().await.map_err(|source| UpError::Unhealthy {
        source,
        logs: data_dir.map(DataDir::logs).unwrap_or_default(),
    })?;
    if let Some(data_dir) = data_dir {
        data_dir.publish(&local_json(local_aws)).map_err(UpError::LocalJson)?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the outermost function reads the clock")]
async fn make_local_key(local_aws: &LocalAws) -> Result<(), StoreError> {
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
        name: "local".to_owned(),
        permission: Permission::Full,
        stream: Stream::Transactional,
        from_domains: Vec::new(),
        created_at: Timestamp::now(),
    };
    ApiKeys::new(client, table.clone()).put(&record).await
}

fn local_json(local_aws: &LocalAws) -> Value {
    let functions: serde_json::Map<String, Value> = local_aws
        .environments
        .iter()
        .map(|(name, environment)| (name.clone(), json!({ "env": environment })))
        .collect();
    json!({
        "url": local_aws.url,
        "api_key": LOCAL_API_KEY,
        "dynamodb_url": local_aws.dynamodb_url,
        "ses_url": local_aws.ses_url,
        "sqs_url": local_aws.sqs_url,
        "sns_url": local_aws.sns_url,
        "cloudwatch_url": local_aws.cloudwatch_url,
        "queues": local_aws.queues,
        "pid": std::process::id(),
        "functions": functions,
    })
}

/// The configuration of a client of local AWS at `endpoint`.
pub(crate) fn local_config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("okite", "local", None, None, "local AWS");
    SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new(local_aws::REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws::http_client())
        .build()
}

/// Checks an identity of SES: an address, or a domain.
///
/// # Errors
/// [`AddressError`] if it is neither.
pub fn parse_identity(text: &str) -> Result<String, AddressError> {
    if text.contains('@') {
        return EmailAddress::parse(text).map(|address| address.as_wire().to_owned());
    }
    EmailAddress::parse(&format!("postmaster@{text}")).map(|address| address.domain().to_owned())
}

/// Runs a function by this very executable: `okite function <name>`.
///
/// # Errors
/// If the executable cannot be found.
pub fn this_program() -> std::io::Result<Program> {
    Ok(Program::ByName {
        path: std::env::current_exe()?,
        arguments: vec!["function".to_owned()],
    })
}

/// Returns a future that ends with Ctrl-C, a request to terminate, or the end of the terminal.
///
/// # Errors
/// If the signals cannot be listened for.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // The terminal was closed.
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
