//! `--json`: each output has the fields of the table in docs/CLI.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

/// Returns the words in backticks of the row of a command.
fn documented(row: &str) -> BTreeSet<&'static str> {
    let document = include_str!("../../../docs/CLI.md");
    let mut lines = document.lines();
    let begins = format!("| {row} |");
    let line = lines.find(|line| line.starts_with(&begins));
    let line = line.unwrap_or_else(|| panic!("docs/CLI.md has no row {row}"));
    line[begins.len()..].split('`').skip(1).step_by(2).collect()
}

/// Runs a command with `--json`. Returns what it prints, the first line of it if each line is an object.
async fn printed(arguments: &[&str], data_dir: &Path) -> Value {
    let mut command = okite();
    command.args(arguments).arg("--json");
    if arguments[0] != "explain-bounce" {
        command.arg("--data-dir").arg(data_dir);
    }
    let output = finished(&mut command).await;
    let shown = text(&output.stdout);
    let first = shown.lines().next().unwrap_or_default();
    let parsed = serde_json::from_str(shown).or_else(|_| serde_json::from_str(first));
    parsed.unwrap_or_else(|_| panic!("{arguments:?}: {shown}{}", text(&output.stderr)))
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

#[tokio::test]
async fn every_object_has_the_documented_fields() {
    let (_folder, data_dir) = folder();
    let _up = reported(&data_dir).await;
    let list = data_dir.with_extension("csv");
    fs::write(&list, "address,reason\ngone@example.net,bounce\n").unwrap();
    let list = list.to_str().unwrap();
    let reply = data_dir.with_extension("txt");
    fs::write(&reply, "550 5.1.1 unknown").unwrap();
    let reply = reply.to_str().unwrap();
    let key = printed(&["keys", "create", "--name", "a", "--aws"], &data_dir).await;
    let hook = ["webhooks", "create", "http://127.0.0.1:1/", "--events", "all"];
    let hook = printed(&hook, &data_dir).await;
    let (key, hook) = (id(&key), id(&hook));
    for (arguments, row) in [
        (&["keys", "create", "--name", "b", "--aws"][..], "`keys create`"),
        (&["keys", "revoke", key], "`keys revoke`"),
        (&["queue"], "`queue`"),
        (&["doctor"], "`doctor`"),
        (&["brake", "bulk"], "`brake OVERRIDE`"),
        (&["brake"], "`brake`"),
        (&["suppressions", "import", list], "`suppressions import FILE`"),
        (
            &["suppressions", "import", "--from-ses"],
            "`suppressions import --from-ses`",
        ),
        (&["suppressions", "export"], "`suppressions export`"),
        (&["incident"], "`incident`"),
        (
            &["webhooks", "update", hook, "--events", "email.sent"],
            "`webhooks list`, `show`, `update`",
        ),
        (&["webhooks", "delete", hook], "`webhooks delete`"),
        (&["forget", "gone@example.net", "--yes"], "`forget`"),
        (&["explain-bounce", reply], "`explain-bounce`"),
        (&["feedback", "redrive"], "`feedback redrive`"),
    ] {
        let shown = printed(arguments, &data_dir).await;
        let fields: BTreeSet<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        let documented = match row {
            // The names of its columns are in a table of their own.
            "`suppressions export`" => BTreeSet::from([
                "address",
                "reason",
                "since",
                "expires_at",
                "subtype",
                "diagnostic",
                "source",
                "bounce_reason",
                "topic",
            ]),
            row => documented(row),
        };
        let missing: Vec<_> = fields.difference(&documented).collect();
        assert!(missing.is_empty(), "{row}: {missing:?}");
    }
}
