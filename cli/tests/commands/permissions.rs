//! Each command needs each of the actions that docs/CLI.md names for it: without one, it fails with AWS's own message.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::*;
use crate::waiting::ToWait;

const CLI: &str = include_str!("../../../docs/CLI.md");

/// Runs a command while `action` on the table `table` is refused. Returns its exit code and its output.
pub(crate) async fn without(up: &Up, action: &str, table: Option<&str>, arguments: &[&str]) -> (i32, String) {
    let (_, operation) = action.split_once(':').unwrap();
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

/// Returns whether a command that was refused printed AWS's own message and no debug text.
pub(crate) fn is_aws_own_message(printed: &str) -> bool {
    let debug = [
        "Error {",
        "ErrorMetadata",
        "Unhandled",
        "Extensions",
        "SdkBody",
        "ServiceError",
        "Some(",
    ];
    printed.contains("User: nobody is not authorized to perform this.")
        && !debug.iter().any(|text| printed.contains(text))
}

/// Returns the section of a command in docs/CLI.md.
pub(crate) fn section(command: &str) -> &'static str {
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
        (
            "webhooks",
            "dynamodb:Query",
            Some("WebhooksTable"),
            vec!["webhooks", "list"],
        ),
        (
            "webhooks",
            "dynamodb:GetItem",
            Some("WebhooksTable"),
            vec!["webhooks", "show", "x"],
        ),
        (
            "webhooks",
            "dynamodb:GetItem",
            Some("WebhooksTable"),
            vec!["webhooks", "delete", "x"],
        ),
        (
            "listen",
            "dynamodb:Query",
            Some("WebhooksTable"),
            vec!["listen", "--forward", "http://127.0.0.1:1/"],
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
            "suppressions",
            "dynamodb:BatchGetItem",
            Some("SuppressionsTable"),
            vec!["suppressions", "import", "--from-ses"],
        ),
        (
            "suppressions",
            "dynamodb:UpdateItem",
            Some("SuppressionsTable"),
            vec!["suppressions", "import", "--from-ses"],
        ),
        (
            "emails",
            "dynamodb:Scan",
            Some("MessagesTable"),
            vec![
                "emails",
                "show",
                "0100019b0a1b2c3d-1a2b3c4d-0000-0000-0000-000000000000-000000",
            ],
        ),
        ("incident", "dynamodb:Query", Some("UsageTable"), vec!["incident"]),
        ("incident", "dynamodb:GetItem", Some("UsageTable"), vec!["incident"]),
        ("incident", "dynamodb:Scan", Some("SuppressionsTable"), vec!["incident"]),
        ("incident", "dynamodb:Scan", Some("ApiKeysTable"), vec!["incident"]),
        ("incident", "sqs:GetQueueAttributes", None, vec!["incident"]),
    ]
}

fn cases_of_ses<'a>() -> Vec<Case<'a>> {
    vec![
        (
            "domains",
            "ses:GetEmailIdentity",
            None,
            vec!["domains", "records", "example.com"],
        ),
        (
            "domains",
            "ses:CreateEmailIdentity",
            None,
            vec!["domains", "create", "new.example"],
        ),
        (
            "domains",
            "ses:PutEmailIdentityMailFromAttributes",
            None,
            vec!["domains", "create", "new.example"],
        ),
        ("doctor", "ses:GetAccount", None, vec!["doctor"]),
        ("doctor", "ses:ListEmailIdentities", None, vec!["doctor"]),
        ("doctor", "ses:GetConfigurationSet", None, vec!["doctor"]),
        ("doctor", "sns:ListSubscriptionsByTopic", None, vec!["doctor"]),
        ("doctor", "cloudwatch:DescribeAlarms", None, vec!["doctor"]),
    ]
}

fn cases_of_forget<'a>() -> Vec<Case<'a>> {
    vec![
        (
            "forget",
            "dynamodb:Query",
            Some("MessagesTable"),
            vec!["forget", "anna@example.net", "--yes"],
        ),
        (
            "forget",
            "dynamodb:Scan",
            Some("MessagesTable"),
            vec!["forget", "anna@example.net", "--scan", "--yes"],
        ),
        (
            "forget",
            "dynamodb:DeleteItem",
            Some("MessagesTable"),
            vec!["forget", "anna@example.net", "--yes"],
        ),
        (
            "forget",
            "dynamodb:UpdateItem",
            Some("SuppressionsTable"),
            vec!["forget", "anna@example.net", "--yes"],
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
    ]
}

#[tokio::test]
async fn a_command_without_one_of_its_permissions_fails_with_the_message_of_aws() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    up.send("anna@example.net").await;
    up.put_on_the_list_of_ses("dora@example.net", "BOUNCE").await;
    let list = csv(&data_dir);
    let export = data_dir.with_extension("export");
    let export = export.to_str().unwrap();
    let mut wrong = Vec::new();
    for (section_name, action, table, arguments) in [cases(&list, export), cases_of_ses(), cases_of_forget()].concat() {
        let context = format!("{arguments:?} without {action} on {table:?}");
        assert!(
            section(section_name).contains(&format!("`{action}`")),
            "docs/CLI.md: {context}"
        );
        if section_name == "forget" {
            // There must be something to forget: a mail to several people has an item for each.
            let mail = json!({
                "from": "hello@example.com", "to": ["anna@example.net", "bob@example.net"], "subject": "Hi", "text": "Hi.",
            });
            assert_eq!(up.post_with(KEY, &mail).await.0, 200);
            let mut import = okite();
            import
                .args(["suppressions", "import", &list, "--data-dir"])
                .arg(&data_dir);
            assert!(finished(&mut import).await.status.success());
        }
        let (code, printed) = without(&up, action, table, &arguments).await;
        if !is_aws_own_message(&printed) {
            wrong.push(format!("{context}: {code}\n{printed}"));
        }
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
}

#[tokio::test]
async fn forget_reads_a_record_that_changed_meanwhile_and_needs_a_permission_for_it() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    up.send("anna@example.net").await;
    let changed = json!({
        "operation": "UpdateItem", "table": "MessagesTable", "for_ms": 3_600_000,
        "error": "ConditionalCheckFailedException",
    });
    assert_eq!(up.local("faults", &changed).await.status(), 204);
    let arguments = ["forget", "anna@example.net", "--yes"];
    let (code, printed) = without(&up, "dynamodb:GetItem", Some("MessagesTable"), &arguments).await;
    assert!(code == 1 && is_aws_own_message(&printed), "{printed}");
}

/// A transaction needs the permission for each of its writes; AWS has none of its own for it.
const TRANSACTION: &str = "TransactWriteItems";

#[tokio::test]
async fn a_command_on_mails_that_wait_needs_its_permissions_too() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    let mut wrong = Vec::new();
    let attributes = "sqs:GetQueueAttributes";
    assert!(section("queue").contains(&format!("`{attributes}`")));
    let (code, printed) = without(&up, attributes, None, &["queue"]).await;
    if !is_aws_own_message(&printed) {
        wrong.push(format!("queue without {attributes}: {code}\n{printed}"));
    }
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
        let action = format!("dynamodb:{operation}");
        let (code, printed) = without(&up, &action, Some(table), arguments).await;
        if !is_aws_own_message(&printed) {
            wrong.push(format!("{context}: {code}\n{printed}"));
        }
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
    // The refused commands changed nothing for good.
    let output = finished(okite().args(forget).arg("--data-dir").arg(&data_dir)).await;
    assert!(
        text(&output.stderr).contains("1 will be sent without it"),
        "{}",
        text(&output.stderr)
    );
}
