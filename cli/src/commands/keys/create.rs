//! `okite keys create`: generates a key, stores its hash and prints the key once.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission, from_domain};
use domain::queue::WhenBusy;
use domain::stream::Stream;
use jiff::Timestamp;

use super::{KeysError, KeysTable, MAX_NAME_CHARS};
use crate::execution::{CommandResult, block_on};
use crate::output::{note, say};
use crate::target::{Target, TargetArguments};

/// Create an API key and print it
///
/// The key alone goes to standard output. Okite stores only its hash, so it can never be shown again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite keys create --name shop --permission sending --from example.com --stack okite")]
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
    /// Domain that the key may send from, with its subdomains; may be repeated or separated by commas [default: any
    /// domain]
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',', value_parser = from_domain)]
    from: Vec<String>,
    /// What Okite does with a mail for which there is no room, unless its request says otherwise
    #[arg(long, value_enum, default_value_t = WhenBusyArgument::Queue)]
    when_busy: WhenBusyArgument,
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
    /// Try again for 20 seconds, then refuse
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

impl CreateCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self {
            name,
            permission,
            stream,
            from,
            when_busy,
            target,
        } = self;
        let new = NewKey {
            name: name.clone(),
            permission: permission.into(),
            stream: stream.into(),
            from_domains: from,
            when_busy: when_busy.into(),
        };
        block_on(async {
            let created = create(new, &target.into()).await?;
            note!(
                "Created the key \"{name}\" (id {}) in {}. It is shown only now:",
                created.key.id(),
                created.target_name
            );
            say!("{}", created.key.reveal())?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The properties of a key to create.
struct NewKey {
    name: String,
    permission: KeyPermission,
    stream: Stream,
    /// Sender domains as [`domain::api_key::from_domain`] returns them; empty allows any domain.
    from_domains: Vec<String>,
    when_busy: WhenBusy,
}

/// A created key.
struct CreatedKey {
    /// The key with its secret.
    key: ApiKey,
    target_name: String,
}

/// Generates a key and stores its hash.
#[expect(clippy::disallowed_methods, reason = "the command reads the clock")]
async fn create(new: NewKey, target: &Target) -> Result<CreatedKey, KeysError> {
    let name = new.name.trim();
    if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(KeysError::Name);
    }
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
        created_at: Timestamp::now(),
    };
    let table = KeysTable::of(target).await?;
    table.keys.put(&record).await.map_err(|error| table.error(&error))?;
    Ok(CreatedKey {
        key,
        target_name: table.resolved.target_name,
    })
}
