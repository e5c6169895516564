//! Each command needs each of the actions that docs/CLI.md names for it: without one, it fails with AWS's own message.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::*;
use crate::waiting::ToWait;

const CLI: &str = include_str!("../../../docs/CLI.md");

/// Runs a command while `operation` on the table `table` is refused. Returns its exit code and its output.
async fn without(up: &Up, operation: &str, table: Option<&str>, arguments: &[&str]) -> (i32, String) {
    let mut fault = json!({
        "operation": operation, "for_ms": 3_600_000, "error": "AccessDeniedException",
        "message": "User: nobody is not authorized to perform this.",
    });
    if let Some(table) = table {
        fault["table"] = json!(table);
    }
    assert_eq!(up.local("faults", &fault).await.status(), 204);
    let mut command = okite();
    let output = finished(command.args(arguments).arg("--data-dir").arg(&up.data_dir)).await;
    let faults = format!("{}/_local/faults", up.url());
    assert_eq!(up.http.delete(faults).send().await.unwrap().status(), 204);
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.code().unwrap(), printed)
}

/// Returns the section of a command in docs/CLI.md.
fn section(command: &str) -> &'static str {
    let (_, rest) = CLI.split_once(&format!("\n## okite {command}\n")).unwrap();
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

fn csv(data_dir: &Path) -> String {
    let list = data_dir.with_extension("csv");
    fs::write(
        &list,
        "address,reason\ngone@example.net,bounce\nanna@example.net,bounce\n",
    )
    .unwrap();
    list.to_str().unwrap().to_owned()
}

/// A section of docs/CLI.md, an action that it names, the table of it, and a command that needs the action.
type Case<'a> = (&'a str, &'a str, Option<&'a str>, Vec<&'a str>);

fn cases<'a>(list: &'a str, export: &'a str) -> Vec<Case<'a>> {
    vec![
        (
            "keys",
            "dynamodb:PutItem",
            Some("ApiKeysTable"),
            vec!["keys", "create", "--name", "a"],
        ),
        ("keys", "dynamodb:Scan", Some("ApiKeysTable"), vec!["keys", "list"]),
        (
            "keys",
            "dynamodb:GetItem",
            Some("ApiKeysTable"),
            vec!["keys", "revoke", "local"],
        ),
        ("status", "dynamodb:GetItem", Some("UsageTable"), vec!["status"]),
        ("brake", "dynamodb:Query", Some("UsageTable"), vec!["brake"]),
        (
            "brake",
            "dynamodb:UpdateItem",
            Some("UsageTable"),
            vec!["brake", "bulk"],
        ),
        ("brake", "dynamodb:PutItem", Some("UsageTable"), vec!["brake", "bulk"]),
        (
            "suppressions",
            "dynamodb:Scan",
            Some("SuppressionsTable"),
            vec!["suppressions", "export", "--output", export],
        ),
        (
            "suppressions",
            "dynamodb:UpdateItem",
            Some("SuppressionsTable"),
            vec!["suppressions", "import", list],
        ),
        (
            "suppressions",
            "ses:ListSuppressedDestinations",
            None,
            vec!["suppressions", "import", "--from-ses"],
        ),
        (
            "forget",
            "dynamodb:UpdateItem",
            Some("SuppressionsTable"),
            vec!["forget", "anna@example.net", "--hash", "--yes"],
        ),
        (
            "forget",
            "dynamodb:UpdateItem",
            Some("MessagesTable"),
            vec!["forget", "anna@example.net", "--hash", "--yes"],
        ),
        (
            "forget",
            "dynamodb:GetItem",
            Some("SuppressionsTable"),
            vec!["forget", "anna@example.net", "--yes"],
        ),
        ("incident", "dynamodb:Query", Some("UsageTable"), vec!["incident"]),
        ("incident", "dynamodb:GetItem", Some("UsageTable"), vec!["incident"]),
        ("incident", "dynamodb:Scan", Some("SuppressionsTable"), vec!["incident"]),
        ("incident", "dynamodb:Scan", Some("ApiKeysTable"), vec!["incident"]),
        ("incident", "sqs:GetQueueAttributes", None, vec!["incident"]),
        ("doctor", "ses:GetAccount", None, vec!["doctor"]),
        ("doctor", "ses:ListEmailIdentities", None, vec!["doctor"]),
        ("doctor", "ses:GetConfigurationSet", None, vec!["doctor"]),
        ("doctor", "sns:ListSubscriptionsByTopic", None, vec!["doctor"]),
        ("doctor", "cloudwatch:DescribeAlarms", None, vec!["doctor"]),
    ]
}

#[tokio::test]
async fn a_command_without_one_of_its_permissions_fails_with_the_message_of_aws() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    up.send("anna@example.net").await;
    let list = csv(&data_dir);
    let export = data_dir.with_extension("export");
    let export = export.to_str().unwrap();
    let mut wrong = Vec::new();
    for (section_name, action, table, arguments) in cases(&list, export) {
        let context = format!("{arguments:?} without {action} on {table:?}");
        assert!(
            section(section_name).contains(&format!("`{action}`")),
            "docs/CLI.md: {context}"
        );
        if section_name == "forget" {
            // There must be something to forget.
            up.send("anna@example.net").await;
            let mut import = okite();
            import
                .args(["suppressions", "import", &list, "--data-dir"])
                .arg(&data_dir);
            assert!(finished(&mut import).await.status.success());
        }
        let (_, operation) = action.split_once(':').unwrap();
        let refused = without(&up, operation, table, &arguments).await;
        wrong.extend(complaint(&context, refused));
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
}

/// Returns what is wrong with the exit code and the output of a command whose permission is missing.
fn complaint(context: &str, (code, printed): (i32, String)) -> Option<String> {
    let is_debug = [
        "Error {",
        "ErrorMetadata",
        "Unhandled",
        "Extensions",
        "SdkBody",
        "ServiceError",
        "Some(",
    ]
    .iter()
    .any(|debug| printed.contains(debug));
    let is_wrong = is_debug || !printed.contains("User: nobody is not authorized to perform this.");
    is_wrong.then(|| format!("{context}: {code}\n{printed}"))
}

/// A transaction needs the permission for each of its writes; AWS has none of its own for it.
const TRANSACTION: &str = "TransactWriteItems";

#[tokio::test]
async fn a_command_on_mails_that_wait_needs_its_permissions_too() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    let mut wrong = Vec::new();
    let shared = || ToWait {
        to: &["bob@example.net", "anna@example.net"],
        ..ToWait::default()
    };
    let id = up.put_in_queue(shared()).await.to_string();
    let (queue, cancel) = (vec!["queue"], vec!["emails", "cancel", id.as_str()]);
    let reschedule = vec!["emails", "reschedule", id.as_str(), "in 1 hour"];
    let forget = vec!["forget", "anna@example.net", "--yes"];
    for (section_name, action, operation, table, arguments) in [
        ("queue", "Query", "Query", "OutboxTable", &queue),
        ("queue", "BatchGetItem", "BatchGetItem", "MessagesTable", &queue),
        ("queue", "GetItem", "GetItem", "UsageTable", &queue),
        ("emails", "GetItem", "GetItem", "MessagesTable", &cancel),
        ("emails", "GetItem", "GetItem", "OutboxTable", &cancel),
        ("emails", "DeleteItem", TRANSACTION, "OutboxTable", &cancel),
        ("emails", "UpdateItem", TRANSACTION, "MessagesTable", &reschedule),
        ("forget", "GetItem", "GetItem", "OutboxTable", &forget),
        ("forget", "BatchGetItem", "BatchGetItem", "OutboxTable", &forget),
        ("forget", "BatchWriteItem", "BatchWriteItem", "OutboxTable", &forget),
        ("forget", "UpdateItem", TRANSACTION, "OutboxTable", &forget),
    ] {
        let context = format!("{arguments:?} without {operation} on {table}");
        assert!(
            section(section_name).contains(&format!("`dynamodb:{action}`")),
            "docs/CLI.md: {context}"
        );
        let refused = without(&up, operation, Some(table), arguments).await;
        wrong.extend(complaint(&context, refused));
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
    // What was refused has changed nothing for good.
    let output = finished(okite().args(forget).arg("--data-dir").arg(&data_dir)).await;
    assert!(
        text(&output.stderr).contains("1 will be sent without it"),
        "{}",
        text(&output.stderr)
    );
}
