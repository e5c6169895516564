//! `okite keys`: creates, lists and revokes keys, in an `okite up` and in AWS.

use std::io::{BufRead, BufReader, Read, Write};

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use domain::api_key::ApiKey;
use serde_json::{Value, json};

use crate::support::*;

/// Runs `okite keys` on the `okite up` of a data directory.
async fn run(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command.arg("keys").args(arguments).arg("--data-dir").arg(data_dir);
    finished(&mut command).await
}

/// Creates a key with these options and returns it.
async fn created(flags: &[&str], data_dir: &Path) -> String {
    let output = run(&[&["create", "--name", "shop"], flags].concat(), data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

/// Returns the id in a key.
fn id_of(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

/// Returns all keys except the one that every `okite up` has.
async fn listed(data_dir: &Path) -> Vec<Value> {
    let output = run(&["list", "--json"], data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let keys: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let (local, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key["id"] == "local");
    assert_eq!(local.len(), 1);
    others
}

impl Up {
    /// Calls a path of the API with a key and returns the status.
    async fn status_with(&self, key: &str, path: &str) -> u16 {
        let request = self.http.get(format!("{}{path}", self.url())).bearer_auth(key);
        request.send().await.unwrap().status().as_u16()
    }

    /// Sends a mail from an address with a key and returns the status.
    async fn status_from(&self, key: &str, from: &str) -> u16 {
        let mut mail = email("success@simulator.amazonses.com");
        mail["from"] = json!(from);
        self.post_with(key, &mail).await.0
    }
}

/// Runs `okite keys` as in AWS, with the DynamoDB of an `okite up` and the CloudFormation at the URL `cloudformation`.
async fn run_in_aws(arguments: &[&str], target: &[&str], up: &Up, cloudformation: &str) -> Output {
    let mut command = okite();
    command
        .arg("keys")
        .args(arguments)
        .args(target)
        .args(["--region", "us-east-1"])
        .env(
            "AWS_ENDPOINT_URL_DYNAMODB",
            up.local_json().unwrap()["dynamodb_url"].as_str().unwrap(),
        )
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", cloudformation)
        .env("AWS_ACCESS_KEY_ID", "operator")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    finished(&mut command).await
}

/// Starts a CloudFormation with one stack, `okite`, whose output `name` is `value`. It ends with the process.
fn cloudformation(name: &'static str, value: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let asked = text(&body);
            assert!(asked.contains("Action=DescribeStacks"), "{asked}");
            let (status, xml) = if asked.contains("StackName=okite&") || asked.ends_with("StackName=okite") {
                let output = format!("<OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue>");
                let stack = format!(
                    "<StackName>okite</StackName><CreationTime>2026-11-22T00:00:00Z</CreationTime>\
                     <StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member>{output}</member></Outputs>"
                );
                let stacks = format!("<Stacks><member>{stack}</member></Stacks>");
                let result = format!("<DescribeStacksResult>{stacks}</DescribeStacksResult>");
                (
                    200,
                    format!("<DescribeStacksResponse>{result}</DescribeStacksResponse>"),
                )
            } else {
                let error = "<Code>ValidationError</Code><Message>Stack does not exist</Message>";
                (
                    400,
                    format!("<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"),
                )
            };
            let head = format!(
                "HTTP/1.1 {status} Answer\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                xml.len()
            );
            reader.get_mut().write_all((head + &xml).as_bytes()).unwrap();
        }
    });
    url
}

/// Creates a key in the `okite up` of a data directory.
async fn create_key(name: &str, data_dir: &Path) -> Output {
    run(&["create", "--name", name], data_dir).await
}

#[tokio::test]
async fn a_new_key_sends_at_once_and_after_a_restart() {
    let (_folder, data_dir) = folder();
    let mut up = Up::start(&data_dir, &[]).await;
    let output = create_key("shop backend", &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Standard output has only the key, so that a script can read it.
    let key = text(&output.stdout).trim_end();
    assert!(key.starts_with("ok_") && !key.contains(char::is_whitespace), "{key}");
    assert!(text(&output.stderr).contains("shop backend"));
    let mail = email("success@simulator.amazonses.com");
    assert_eq!(up.post_with(key, &mail).await.0, 200);
    assert_eq!(up.post_with(&format!("{key}0"), &mail).await.0, 403);
    up.signal("INT");
    up.ended().await;
    let up = Up::start(&data_dir, &[]).await;
    assert_eq!(up.post_with(key, &mail).await.0, 200);
}

#[tokio::test]
async fn two_keys_of_one_name_are_two_keys() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let first = create_key("shop", &data_dir).await;
    let second = create_key("shop", &data_dir).await;
    assert_ne!(first.stdout, second.stdout);
    for key in [first, second] {
        let mail = email("success@simulator.amazonses.com");
        assert_eq!(up.post_with(text(&key.stdout).trim_end(), &mail).await.0, 200);
    }
}

#[tokio::test]
async fn a_key_for_bulk_mail_leaves_the_reserve_to_transactional_mail() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let key = created(&["--stream", "bulk"], &data_dir).await;
    let account = format!("{}/_local/account", up.url());
    let put = up.http.put(account).body(json!({ "max_24_hour_send": 5 }).to_string());
    assert_eq!(put.send().await.unwrap().status(), 204);
    let report = up.http.post(format!("{}/_local/schedule", up.url())).send().await;
    assert_eq!(report.unwrap().status(), 200);
    let mut mail = email("");
    mail["to"] = json!([
        "a@example.net",
        "b@example.net",
        "c@example.net",
        "d@example.net",
        "e@example.net"
    ]);
    let (status, body) = up.post_with(&key, &mail).await;
    assert_eq!((status, &body["name"]), (429, &json!("daily_quota_exceeded")));
    assert_eq!(up.post_with(KEY, &mail).await.0, 200);
}

#[tokio::test]
async fn create_names_the_remedy_without_a_running_okite_up() {
    let (_folder, data_dir) = folder();
    let output = create_key("shop", &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    for words in ["okite up", "--data-dir", "--stack", data_dir.to_str().unwrap()] {
        assert!(errors.contains(words), "{errors}");
    }
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn create_names_the_remedy_after_a_kill() {
    let (_folder, data_dir) = folder();
    let mut up = Up::start(&data_dir, &[]).await;
    up.signal("KILL");
    up.ended().await;
    let output = create_key("shop", &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("okite up"), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_key_needs_a_name() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    for name in ["", "  ", &"n".repeat(101), "two\nlines", "\u{1b}[2J"] {
        let output = create_key(name, &data_dir).await;
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        assert!(
            text(&output.stderr).contains("name") && output.stdout.is_empty(),
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn a_sending_key_cannot_read() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let full = created(&[], &data_dir).await;
    let sending = created(&["--permission", "sending"], &data_dir).await;
    let id = up.send("success@simulator.amazonses.com").await["id"].clone();
    let email = format!("/emails/{}", id.as_str().unwrap());
    for path in ["/suppressions", "/quota", &email] {
        assert_eq!(up.status_with(&full, path).await, 200, "{path}");
        assert_eq!(up.status_with(&sending, path).await, 401, "{path}");
    }
    for key in [full, sending] {
        assert_eq!(up.status_from(&key, "hello@example.com").await, 200);
    }
}

#[tokio::test]
async fn a_key_sends_from_its_domains_and_their_subdomains() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &["--verify", "bücher.example"]).await;
    let flags = ["--from", "Example.COM, bücher.example", "--from", "example.com"];
    let key = created(&flags, &data_dir).await;
    let domains = json!(["example.com", "xn--bcher-kva.example"]);
    assert_eq!(listed(&data_dir).await[0]["from_domains"], domains);
    for (from, status) in [
        ("hello@example.com", 200),
        ("hello@mail.example.com", 200),
        ("hello@bücher.example", 200),
        ("hello@xn--bcher-kva.example", 200),
        ("hello@example.org", 403),
    ] {
        assert_eq!(up.status_from(&key, from).await, status, "{from}");
    }
}

#[tokio::test]
async fn rejects_a_wrong_domain_and_names_the_right_form() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    for (domain, words) in [
        ("hello@example.com", "after the @"),
        ("*.example.com", "already included"),
        ("", "empty"),
        ("example", "example.com"),
    ] {
        let output = run(&["create", "--name", "shop", "--from", domain], &data_dir).await;
        assert_eq!(output.status.code(), Some(2), "{domain}");
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
    assert_eq!(listed(&data_dir).await, [] as [Value; 0]);
}

#[tokio::test]
async fn the_list_shows_no_secret() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    let flags = [
        "--permission",
        "sending",
        "--stream",
        "bulk",
        "--from",
        "example.com,example.org",
    ];
    let first = created(&flags, &data_dir).await;
    let second = created(&[], &data_dir).await;

    let keys = listed(&data_dir).await;
    let ids: Vec<_> = keys.iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [id_of(&first), id_of(&second)]);
    let mut wanted = json!({
        "id": id_of(&first), "name": "shop", "permission": "sending", "stream": "bulk", "topic": null,
        "from_domains": ["example.com", "example.org"], "when_busy": "queue",
        "aws_credentials": false,
    });
    wanted["created_at"] = keys[0]["created_at"].clone();
    assert_eq!(keys[0], wanted);

    let output = run(&["list"], &data_dir).await;
    assert!(output.status.success() && output.stderr.is_empty());
    let table = text(&output.stdout);
    assert_eq!(table.lines().count(), 4, "{table}");
    let column = table.find("PERMISSION").unwrap();
    let line = table.lines().find(|line| line.starts_with(id_of(&first))).unwrap();
    assert!(
        line[column..].starts_with("sending     bulk           -      example.com,example.org"),
        "{table}"
    );
    for key in [first, second] {
        let secret = key.rsplit('_').next().unwrap();
        assert!(!table.contains(secret) && !keys.iter().any(|key| key.to_string().contains(secret)));
    }
}

#[tokio::test]
async fn a_key_with_aws_credentials_prints_them_as_lines_for_a_shell() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let output = run(&["create", "--name", "django", "--aws"], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    let [key, access_key_id, secret_access_key] = lines[..] else {
        panic!("{lines:?}");
    };
    let made = ApiKey::parse(key).unwrap();
    assert_eq!(access_key_id, format!("AWS_ACCESS_KEY_ID=ok_{}", made.id()));
    let secret = made.secret_access_key();
    assert_eq!(secret_access_key, format!("AWS_SECRET_ACCESS_KEY={secret}"));
    assert!(!text(&output.stderr).contains(&secret), "{}", text(&output.stderr));
    // The key itself works as any other, and waits for room.
    assert_eq!(up.status_from(key, "hello@example.com").await, 200);
    let listed = listed(&data_dir).await;
    assert_eq!(
        (&listed[0]["aws_credentials"], &listed[0]["when_busy"]),
        (&json!(true), &json!("wait"))
    );
}

#[tokio::test]
async fn a_key_has_aws_credentials_only_if_asked_and_the_list_tells_which() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    let plain = created(&[], &data_dir).await;
    assert_eq!(plain.lines().count(), 1);
    let with = created(&["--aws", "--when-busy", "queue"], &data_dir).await;
    let with = with.lines().next().unwrap();
    let keys = listed(&data_dir).await;
    let shown = |key: &str| {
        let shown = keys.iter().find(|shown| shown["id"] == id_of(key)).unwrap();
        (shown["aws_credentials"].clone(), shown["when_busy"].clone())
    };
    assert_eq!(shown(&plain), (json!(false), json!("queue")));
    assert_eq!(shown(with), (json!(true), json!("queue")));

    let secret = ApiKey::parse(with).unwrap().secret_access_key();
    let output = run(&["list"], &data_dir).await;
    let table = text(&output.stdout);
    let (header, column) = (table.lines().next().unwrap(), table.find(" AWS ").unwrap() + 1);
    assert!(header[column..].starts_with("AWS  CREATED"), "{table}");
    for (key, cell) in [(plain.as_str(), "no  "), (with, "yes ")] {
        let line = table.lines().find(|line| line.starts_with(id_of(key))).unwrap();
        assert!(line[column..].starts_with(cell), "{table}");
    }
    assert!(!table.contains(&secret) && !keys.iter().any(|key| key.to_string().contains(&secret)));
}

#[tokio::test]
async fn json_of_a_new_key_has_its_secrets() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    for aws in [false, true] {
        let flags: &[&str] = if aws { &["--json", "--aws"] } else { &["--json"] };
        let mut shown: Value = serde_json::from_str(&created(flags, &data_dir).await).unwrap();
        let key = ApiKey::parse(shown["api_key"].as_str().unwrap()).unwrap();
        let secrets = json!({
            "api_key": key.reveal(),
            "aws_access_key_id": key.access_key_id(),
            "aws_secret_access_key": key.secret_access_key(),
        });
        let secrets = secrets.as_object().unwrap();
        let shown = shown.as_object_mut().unwrap();
        for (name, value) in secrets.iter().filter(|(name, _)| aws || *name == "api_key") {
            assert_eq!(shown.remove(name).as_ref(), Some(value), "{name}");
        }
        // The rest is as in the list.
        let keys = listed(&data_dir).await;
        let wanted = keys.iter().find(|shown| shown["id"] == key.id()).unwrap();
        assert_eq!(&Value::Object(shown.clone()), wanted);
    }
}

#[tokio::test]
async fn a_revoked_key_stops_working_and_the_others_do_not() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let gone = created(&[], &data_dir).await;
    let stays = created(&[], &data_dir).await;
    assert_eq!(up.status_from(&gone, "hello@example.com").await, 200);

    let output = run(&["revoke", id_of(&gone)], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in [id_of(&gone), "30 seconds"] {
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
    let advanced = up.local("clock", &json!({ "advance_ms": 30_000 })).await;
    assert_eq!(advanced.status(), 204);
    assert_eq!(up.status_from(&gone, "hello@example.com").await, 403);
    assert_eq!(up.status_from(&stays, "hello@example.com").await, 200);
    assert_eq!(listed(&data_dir).await.len(), 1);

    let again = run(&["revoke", id_of(&gone)], &data_dir).await;
    assert_eq!(again.status.code(), Some(1));
    for words in [id_of(&gone), "okite keys list", data_dir.to_str().unwrap()] {
        assert!(text(&again.stderr).contains(words), "{}", text(&again.stderr));
    }
}

#[tokio::test]
async fn revoke_accepts_an_access_key_id() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    let printed = created(&["--aws"], &data_dir).await;
    let access_key_id = printed.lines().find_map(|line| line.strip_prefix("AWS_ACCESS_KEY_ID="));
    let output = run(&["revoke", access_key_id.unwrap()], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(listed(&data_dir).await, [] as [Value; 0]);
}

#[tokio::test]
async fn revoke_accepts_the_whole_key_and_does_not_repeat_it() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    let key = created(&[], &data_dir).await;
    let secret = key.rsplit('_').next().unwrap();
    let output = run(&["revoke", &key], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains(secret) && output.stdout.is_empty());
    assert_eq!(listed(&data_dir).await, [] as [Value; 0]);
    // A text that is no key is not repeated either.
    for wrong in [format!("x{key}"), format!("ok-{secret}"), String::new()] {
        let output = run(&["revoke", &wrong], &data_dir).await;
        assert_eq!(output.status.code(), Some(1));
        let errors = text(&output.stderr);
        assert!(
            errors.contains("okite keys list") && !errors.contains(secret),
            "{errors}"
        );
    }
}

#[tokio::test]
async fn creates_lists_and_revokes_in_aws_by_stack_and_by_table() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let local = up.local_json().unwrap();
    let table = local["functions"]["send-api"]["env"]["API_KEYS_TABLE"]
        .as_str()
        .unwrap();
    let cloudformation = cloudformation("ApiKeysTable", table.to_owned());
    for target in [["--stack", "okite"], ["--table", table]] {
        let run = async |arguments: &[&str]| run_in_aws(arguments, &target, &up, &cloudformation).await;
        let output = run(&["create", "--name", "shop"]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(target[1]), "{}", text(&output.stderr));
        let key = text(&output.stdout).trim_end();
        assert_eq!(up.status_from(key, "hello@example.com").await, 200);
        let output = run(&["list"]).await;
        assert!(output.status.success() && text(&output.stdout).contains(id_of(key)));
        let output = run(&["revoke", key]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(listed(&data_dir).await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn an_error_names_the_wrong_stack_or_table() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let other = cloudformation("SomeOutput", "x".to_owned());
    for (target, words) in [
        (["--stack", "okite"], vec!["okite", "ApiKeysTable"]),
        (["--stack", "nowhere"], vec!["nowhere", "Stack does not exist"]),
        (
            ["--table", "no-such-table"],
            vec!["no-such-table", "ResourceNotFoundException"],
        ),
    ] {
        for arguments in [["list"].as_slice(), &["revoke", "a1"], &["create", "--name", "shop"]] {
            let output = run_in_aws(arguments, &target, &up, &other).await;
            assert_eq!(output.status.code(), Some(1), "{arguments:?}");
            for word in &words {
                assert!(text(&output.stderr).contains(word), "{}", text(&output.stderr));
            }
            assert!(output.stdout.is_empty());
        }
    }
}

#[tokio::test]
async fn list_and_revoke_name_the_remedy_without_a_running_okite_up() {
    let (_folder, data_dir) = folder();
    let never = [run(&["list"], &data_dir).await, run(&["revoke", "a1"], &data_dir).await];
    let mut up = Up::start(&data_dir, &[]).await;
    up.signal("KILL");
    up.ended().await;
    let killed = [run(&["list"], &data_dir).await, run(&["revoke", "a1"], &data_dir).await];
    for output in never.into_iter().chain(killed) {
        assert_eq!(output.status.code(), Some(1));
        for words in ["okite up", "--data-dir", "--stack"] {
            assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
        }
        assert!(output.stdout.is_empty());
    }
}
