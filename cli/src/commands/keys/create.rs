//! `okite keys create`: generates a key, stores its hash and prints the key once, with its AWS credentials if it has
//! them.

use clap::{Args, ValueEnum};
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission, from_domain};
use domain::queue::WhenBusy;
use domain::stream::Stream;
use domain::unsubscribe::Topic;
use jiff::Timestamp;
use serde_json::Value;

use super::{KeysError, KeysTable, MAX_NAME_CHARS, json};
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::output::{note, say};
use crate::target::{Target, TargetArguments};

/// Create an API key and print it
///
/// The key alone goes to standard output. Okite stores only its hash, so it can never be shown again.
///
/// With --aws, the key also has AWS credentials. They follow the key as two lines for a shell or an .env file. An
/// application that sends through Amazon SES with an AWS SDK needs them, and the URL of the API as its endpoint. The
/// table keeps the secret access key of such a key. A reader of the table can send with it, but cannot learn the API
/// key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite keys create --name shop --permission sending --from example.com --stack okite
  okite keys create --name newsletter --permission sending --stream bulk --topic news --stack okite
  okite keys create --name django --permission sending --aws --stack okite")]
pub(crate) struct CreateCommand {
    /// Name of the key: 1 to 100 characters. Names need not be unique
    #[arg(long)]
    name: String,
    /// What the key may do
    #[arg(long, value_enum, default_value_t = PermissionArgument::Full)]
    permission: PermissionArgument,
    /// Stream of all mail sent with the key
    #[arg(long, value_enum, default_value_t = StreamArgument::Transactional)]
    stream: StreamArgument,
    /// Topic of all mail sent with the key, from which its readers can unsubscribe by one click; only with --stream
    /// bulk
    #[arg(long)]
    topic: Option<Topic>,
    /// Domain that the key may send from, with its subdomains; may be repeated or separated by commas [default: any
    /// domain]
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',', value_parser = from_domain)]
    from: Vec<String>,
    /// What Okite does with a mail for which there is no room, unless its request says otherwise [default: queue; with
    /// --aws: wait]
    #[arg(long, value_enum)]
    when_busy: Option<WhenBusyArgument>,
    /// Make AWS credentials too, for an application that calls Amazon SES with an AWS SDK
    #[arg(long = "aws")]
    aws_credentials: bool,
    /// Print a JSON object instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PermissionArgument {
    /// Send mail; read neither mails nor suppressions
    Sending,
    /// Everything
    Full,
}

impl From<PermissionArgument> for KeyPermission {
    fn from(argument: PermissionArgument) -> Self {
        match argument {
            PermissionArgument::Sending => Self::Sending,
            PermissionArgument::Full => Self::Full,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StreamArgument {
    /// Mail that a person waits for, such as a password reset
    Transactional,
    /// Mail to many people, such as a newsletter; it gives way to transactional mail
    Bulk,
}

impl From<StreamArgument> for Stream {
    fn from(argument: StreamArgument) -> Self {
        match argument {
            StreamArgument::Transactional => Self::Transactional,
            StreamArgument::Bulk => Self::Bulk,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhenBusyArgument {
    /// Keep the mail and send it when there is room
    Queue,
    /// Try again for up to 16 seconds, then refuse
    Wait,
    /// Refuse at once
    Refuse,
}

impl From<WhenBusyArgument> for WhenBusy {
    fn from(argument: WhenBusyArgument) -> Self {
        match argument {
            WhenBusyArgument::Queue => Self::Queue,
            WhenBusyArgument::Wait => Self::Wait,
            WhenBusyArgument::Refuse => Self::Refuse,
        }
    }
}

/// Returns the choice of a key for which the operator made none.
///
/// An application that calls SES knows a mail by SES's id, which a mail that waits in the queue does not have yet. So a
/// key for such an application waits for room.
fn default_when_busy(aws_credentials: bool) -> WhenBusy {
    if aws_credentials {
        WhenBusy::Wait
    } else {
        WhenBusy::default()
    }
}

impl CreateCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            name,
            permission,
            stream,
            topic,
            from,
            when_busy,
            aws_credentials,
            json,
            target,
        } = self;
        if topic.is_some() && !matches!(stream, StreamArgument::Bulk) {
            let wrong = "--topic needs --stream bulk: nobody unsubscribes from a password reset";
            return Err(Failure::of_command_line(wrong));
        }
        check_name(&name).map_err(Failure::of_command_line)?;
        let new = NewKey {
            name: name.clone(),
            permission: permission.into(),
            stream: stream.into(),
            topic,
            from_domains: from,
            when_busy: when_busy.map_or_else(|| default_when_busy(aws_credentials), WhenBusy::from),
            aws_credentials,
        };
        block_on(async {
            let created = create(new, &target.into()).await?;
            note!(
                "Created the key \"{name}\" (id {}) in {}. It is shown only now:",
                created.key.id(),
                created.target_name
            );
            if json {
                say!("{:#}", created.json())?;
            } else {
                say!("{}", created.key.reveal())?;
                if let Some(secret) = &created.record.secret_access_key {
                    say!("AWS_ACCESS_KEY_ID={}", created.key.access_key_id())?;
                    say!("AWS_SECRET_ACCESS_KEY={secret}")?;
                }
            }
            Ok(Exit::Success)
        })
    }
}

/// The properties of a key to create.
struct NewKey {
    name: String,
    permission: KeyPermission,
    stream: Stream,
    topic: Option<Topic>,
    /// Sender domains as [`domain::api_key::from_domain`] returns them; empty allows any domain.
    from_domains: Vec<String>,
    when_busy: WhenBusy,
    /// Whether the key gets AWS credentials.
    aws_credentials: bool,
}

/// A created key.
struct CreatedKey {
    /// The key with its secret.
    key: ApiKey,
    record: ApiKeyRecord,
    target_name: String,
}

impl CreatedKey {
    /// Returns the key as `okite keys list --json` does, with its secrets.
    fn json(&self) -> Value {
        let mut shown = json(&self.record);
        shown["api_key"] = self.key.reveal().into();
        if let Some(secret) = &self.record.secret_access_key {
            shown["aws_access_key_id"] = self.key.access_key_id().into();
            shown["aws_secret_access_key"] = secret.as_str().into();
        }
        shown
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let name = name.trim();
    if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(format!(
            "the name of a key must have 1 to {MAX_NAME_CHARS} characters and no control characters: change --name"
        ));
    }
    Ok(())
}

/// Generates a key and stores its hash.
#[expect(clippy::disallowed_methods, reason = "the command reads the clock")]
async fn create(new: NewKey, target: &Target) -> Result<CreatedKey, KeysError> {
    let name = new.name.trim();
    let (mut id, mut secret) = ([0; 8], [0; 32]);
    getrandom::fill(&mut id).map_err(KeysError::Random)?;
    getrandom::fill(&mut secret).map_err(KeysError::Random)?;
    let key = ApiKey::from_random(id, secret);
    let mut from_domains = new.from_domains;
    from_domains.sort_unstable();
    from_domains.dedup();
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        secret_sha256: key.secret_hash(),
        secret_access_key: None,
        name: name.to_owned(),
        permission: new.permission,
        stream: new.stream,
        from_domains,
        when_busy: new.when_busy,
        topic: new.topic,
        created_at: Timestamp::now(),
    };
    let record = if new.aws_credentials {
        record.with_aws_credentials(&key)
    } else {
        record
    };
    let table = KeysTable::of(target).await?;
    table.keys.put(&record).await.map_err(|error| table.error(&error))?;
    Ok(CreatedKey {
        key,
        record,
        target_name: table.resolved.target_name,
    })
}
