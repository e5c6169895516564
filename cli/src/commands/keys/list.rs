//! `okite keys list`: shows all keys without their secrets and hashes.

use std::fmt::{self, Display};
use std::io::Write;

use clap::Args;
use domain::api_key::ApiKeyRecord;
use domain::unsubscribe::Topic;
use jiff::Timestamp;
use serde_json::Value;

use super::{KeysError, KeysTable, permission, stream};
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::output::{self, note};
use crate::plural::counted;
use crate::retry::retry_throttled;
use crate::target::{Target, TargetArguments};
use crate::terminal;

/// The page size of a scan, in keys.
const PAGE_SIZE: i32 = 500;
const HEADER: [&str; 9] = [
    "ID",
    "NAME",
    "PERMISSION",
    "STREAM",
    "TOPIC",
    "FROM",
    "WHEN BUSY",
    "AWS",
    "CREATED",
];

/// List all API keys without their secrets, oldest first
///
/// The column AWS tells the keys that have AWS credentials. Their access key id is `ok_` and the key's id.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite keys list --stack okite")]
pub(crate) struct ListCommand {
    /// Print a JSON array instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl ListCommand {
    pub(crate) fn run(self) -> CommandResult {
        let Self { json, target } = self;
        block_on(async {
            let listed = list(&target.into()).await?;
            let mut output = output::stdout();
            if json {
                writeln!(output, "{:#}", listed.json())?;
            } else if listed.keys.is_empty() {
                note!(
                    "There are no keys in {}. `okite keys create` creates one.",
                    listed.target_name
                );
            } else {
                write!(output, "{listed}")?;
            }
            match listed.unreadable {
                0 => Ok(Exit::Success),
                unreadable => Err(Failure::new(format!(
                    "the list is not complete: {} of the table could not be read as keys",
                    counted(unreadable, "item", "items")
                ))),
            }
        })
    }
}

/// The keys of a target.
struct ListedKeys {
    /// The keys, oldest first.
    keys: Vec<ApiKeyRecord>,
    /// The number of items in the table that are not keys.
    unreadable: u64,
    target_name: String,
}

/// Reads all keys.
async fn list(target: &Target) -> Result<ListedKeys, KeysError> {
    let table = KeysTable::of(target).await?;
    let (mut keys, mut unreadable, mut after) = (Vec::new(), 0_u64, None::<String>);
    loop {
        let page = retry_throttled(async || table.keys.page(after.as_deref(), PAGE_SIZE).await)
            .await
            .map_err(|error| table.error(&error))?;
        keys.extend(page.keys);
        unreadable += page.unreadable as u64;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(ListedKeys {
        keys,
        unreadable,
        target_name: table.resolved.target_name,
    })
}

impl ListedKeys {
    /// Returns the keys as a JSON array, without their hashes and secrets.
    fn json(&self) -> Value {
        self.keys.iter().map(super::json).collect()
    }
}

/// Prints the keys as a table, one line each.
impl Display for ListedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&terminal::columns(HEADER, self.keys.iter().map(row)))
    }
}

fn row(key: &ApiKeyRecord) -> [String; HEADER.len()] {
    let from = match key.from_domains.as_slice() {
        [] => "any".to_owned(),
        domains => domains.join(","),
    };
    let topic = key.topic.as_ref().map_or("-", Topic::as_str);
    let aws = if key.secret_access_key.is_some() { "yes" } else { "no" };
    let created = Timestamp::from_second(key.created_at.as_second()).unwrap_or(key.created_at);
    let cells = [
        key.id.as_str(),
        &key.name,
        permission(key),
        stream(key),
        topic,
        &from,
        key.when_busy.as_str(),
        aws,
        &created.to_string(),
    ];
    cells.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use domain::api_key::KeyPermission;
    use domain::queue::WhenBusy;
    use domain::stream::Stream;
    use serde_json::json;

    use super::*;

    fn key(id: &str, name: &str) -> ApiKeyRecord {
        ApiKeyRecord {
            id: id.to_owned(),
            secret_sha256: "hash".to_owned(),
            secret_access_key: None,
            name: name.to_owned(),
            permission: KeyPermission::Full,
            stream: Stream::Transactional,
            from_domains: Vec::new(),
            when_busy: WhenBusy::Queue,
            topic: None,
            created_at: Timestamp::from_millisecond(1_800_000_000_123).unwrap(),
        }
    }

    fn listed(keys: Vec<ApiKeyRecord>) -> ListedKeys {
        ListedKeys {
            keys,
            unreadable: 0,
            target_name: "a test".to_owned(),
        }
    }

    #[test]
    fn a_table_has_a_line_for_each_key_in_columns() {
        let bound = ApiKeyRecord {
            permission: KeyPermission::Sending,
            stream: Stream::Bulk,
            topic: Some(Topic::parse("news").unwrap()),
            from_domains: vec!["example.com".to_owned(), "example.org".to_owned()],
            when_busy: WhenBusy::Refuse,
            secret_access_key: Some("hush".to_owned()),
            ..key("b2", "größere Kundschaft")
        };
        let table = listed(vec![key("a1a1", "shop"), bound]).to_string();
        let wanted = "\
ID    NAME                PERMISSION  STREAM         TOPIC  FROM                     WHEN BUSY  AWS  CREATED
a1a1  shop                full        transactional  -      any                      queue      no   2027-01-15T08:00:00Z
b2    größere Kundschaft  sending     bulk           news   example.com,example.org  refuse     yes  2027-01-15T08:00:00Z
";
        assert_eq!(table, wanted);
    }

    #[test]
    fn json_has_everything_but_the_hash_and_the_secret() {
        let wanted = json!([{
            "id": "a1", "name": "shop", "permission": "full", "stream": "transactional", "topic": null, "from_domains": [],
            "when_busy": "queue", "aws_credentials": true, "created_at": "2027-01-15T08:00:00.123Z",
        }]);
        let key = ApiKeyRecord {
            secret_access_key: Some("hush".to_owned()),
            ..key("a1", "shop")
        };
        assert_eq!(listed(vec![key]).json(), wanted);
        assert_eq!(listed(Vec::new()).json(), json!([]));
    }

    #[test]
    fn control_characters_in_a_name_are_replaced() {
        let table = listed(vec![key("a1", "shop\u{1b}[2J\nb2")]).to_string();
        assert_eq!(table.lines().count(), 2);
        assert!(!table.contains('\u{1b}'));
    }
}
