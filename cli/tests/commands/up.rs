//! `okite up`: its files, its signals and its end.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use domain::api_key::ApiKey;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn prints_a_curl_command_that_sends_a_first_email() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let printed = up.printed();
    let url = up.url();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    assert!(printed.contains(&url) && printed.contains(KEY), "{printed}");
    let page = printed.lines().find_map(|line| line.trim().strip_prefix("Page"));
    let page = page.unwrap().split_whitespace().next().unwrap();
    let page = up.http.get(page).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<title>Okite</title>") && page.contains(KEY));
    let curl = printed.lines().find(|line| line.starts_with("curl ")).unwrap();

    let parts: Vec<&str> = curl.split('\'').collect();
    let [target, authorization, _, content_type, _, body, ..] = parts[..] else {
        panic!("{curl}");
    };
    let (name, value) = authorization.split_once(": ").unwrap();
    let request = up
        .http
        .post(target.split_whitespace().nth(1).unwrap())
        .header(name, value);
    let (name, value) = content_type.split_once(": ").unwrap();
    let answer = request.header(name, value).body(body.to_owned()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(up.outbox().await.as_array().unwrap().len(), 1);

    if Command::new("curl").arg("--version").output().is_ok() {
        let output = finished(Command::new("sh").args(["-c", curl])).await;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer["id"].is_string(), "{answer}");
        assert_eq!(up.outbox().await.as_array().unwrap().len(), 2);
    }
    assert_eq!(up.errors(), "");
}

#[tokio::test]
async fn prints_settings_for_aws_sdks_that_a_shell_and_django_take() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let (printed, url) = (up.printed(), up.url());
    let lines = |start: &str| -> Vec<&str> { printed.lines().filter(|line| line.starts_with(start)).collect() };
    let (exports, django) = (lines("export "), lines("AWS_SES_"));
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    let output = finished(shell.args(["-c", &format!("{}\nenv", exports.join("\n"))])).await;
    let key = ApiKey::parse(KEY).unwrap();
    let (id, secret) = (key.access_key_id(), key.secret_access_key());
    for (name, value) in [
        ("AWS_ENDPOINT_URL_SESV2", url.as_str()),
        ("AWS_ENDPOINT_URL_SES", &url),
        ("AWS_ACCESS_KEY_ID", &id),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ] {
        let line = format!("{name}={value}");
        assert!(text(&output.stdout).lines().any(|set| set == line), "{line}: {printed}");
    }
    let wanted = [
        format!("AWS_SES_REGION_ENDPOINT_URL = \"{url}\""),
        format!("AWS_SES_ACCESS_KEY_ID = \"{id}\""),
        format!("AWS_SES_SECRET_ACCESS_KEY = \"{secret}\""),
    ];
    assert_eq!(django, wanted);
    for line in exports.iter().chain(&django) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// The key that `okite up` made is the one whose credentials it prints.
#[tokio::test]
async fn the_local_key_has_aws_credentials_and_queues() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    let mut list = okite();
    list.args(["keys", "list", "--json", "--data-dir"]).arg(&data_dir);
    let keys: Value = serde_json::from_slice(&finished(&mut list).await.stdout).unwrap();
    let [local] = keys.as_array().unwrap().as_slice() else {
        panic!("{keys}");
    };
    assert_eq!(
        (&local["id"], &local["aws_credentials"], &local["when_busy"]),
        (&json!("local"), &json!(true), &json!("queue"))
    );
}

const OF_FRONTS: [&str; 4] = ["MESSAGES_TABLE", "API_KEYS_TABLE", "CONFIGURATION_SET", "ACCOUNT_SHARE"];
/// The variables of each function that not every function has.
const OF_EACH_FUNCTION: [(&str, &[&str]); 6] = [
    ("send-api", &OF_FRONTS),
    ("ses-api", &OF_FRONTS),
    ("feedback", &["MESSAGES_TABLE", "FEEDBACK_TOPIC_ARN"]),
    ("quota-reporter", &["CONFIGURATION_SET", "ACCOUNT_SHARE"]),
    (
        "sender",
        &[
            "OUTBOX_TABLE",
            "TRANSACTIONAL_QUEUE_URL",
            "BULK_QUEUE_URL",
            "CONFIGURATION_SET",
        ],
    ),
    (
        "webhooks",
        &[
            "WEBHOOKS_TABLE",
            "DELIVERIES_TABLE",
            "WEBHOOK_QUEUE_URL",
            "ALLOW_LOOPBACK_WEBHOOKS",
        ],
    ),
];

#[tokio::test]
async fn local_json_has_all_urls_and_environments() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let local = up.local_json().unwrap();
    let mut keys: Vec<&str> = local.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "api_key",
            "aws_access_key_id",
            "aws_secret_access_key",
            "cloudwatch_url",
            "dynamodb_url",
            "functions",
            "pid",
            "queues",
            "ses_url",
            "smtp",
            "sns_url",
            "sqs_url",
            "tables",
            "url"
        ]
    );
    assert_eq!(
        (&local["api_key"], &local["pid"]),
        (&json!(KEY), &json!(up.process.id()))
    );
    let key = ApiKey::parse(KEY).unwrap();
    assert_eq!(
        (&local["aws_access_key_id"], &local["aws_secret_access_key"]),
        (&json!(key.access_key_id()), &json!(key.secret_access_key()))
    );
    for url in ["url", "dynamodb_url", "ses_url", "sqs_url", "sns_url", "cloudwatch_url"] {
        assert!(
            local[url].as_str().unwrap().starts_with("http://127.0.0.1:"),
            "{}",
            local[url]
        );
    }
    let functions = local["functions"].as_object().unwrap();
    let mut names: Vec<&str> = functions.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "feedback",
            "quota-reporter",
            "send-api",
            "sender",
            "ses-api",
            "webhooks"
        ]
    );
    let every = [
        "SUPPRESSIONS_TABLE",
        "USAGE_TABLE",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ];
    for (name, own) in OF_EACH_FUNCTION {
        let function = &functions[name];
        assert_eq!(function.as_object().unwrap().len(), 1);
        for variable in every.iter().chain(own) {
            assert!(
                function["env"][variable]
                    .as_str()
                    .is_some_and(|value| !value.is_empty()),
                "{name} {variable}"
            );
        }
        assert_eq!(function["env"]["AWS_ENDPOINT_URL_DYNAMODB"], local["dynamodb_url"]);
        assert_eq!(function["env"]["AWS_ENDPOINT_URL_SESV2"], local["ses_url"]);
    }
    for (path, mode) in [(data_dir.join("local.json"), 0o600), (data_dir, 0o700)] {
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            mode,
            "{}",
            path.display()
        );
    }
}

#[tokio::test]
async fn events_carry_the_key_that_it_accepts() {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    for function in ["send-api", "ses-api"] {
        for event in fs::read_dir(events.join(function)).unwrap() {
            let event: Value = serde_json::from_slice(&fs::read(event.unwrap().path()).unwrap()).unwrap();
            assert_eq!(event["headers"]["authorization"], format!("Bearer {KEY}"));
        }
    }
}

#[tokio::test]
async fn local_json_appears_when_okite_up_is_ready() {
    let (_folder, data_dir) = folder();
    let mut before = Up::start(&data_dir, &[]).await;
    before.signal("KILL");
    before.ended().await;
    assert!(before.local_json().is_some(), "a kill leaves it behind");

    let up = Up::spawn(&data_dir, &[]);
    let local = eventually("local.json is that of the new run", async || {
        up.local_json().filter(|local| local["pid"] == up.process.id())
    })
    .await;
    let health = format!("{}/health", local["url"].as_str().unwrap());
    assert_eq!(up.http.get(health).send().await.unwrap().status(), 200);
}

/// Returns the addresses that a process listens on, in the hexadecimal form of `/proc/net/tcp`.
fn listens_on(pid: u32) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_owned(),
            )
        })
        .collect();
    let mut addresses = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            // 0A is LISTEN; the tenth column is the socket's inode.
            if columns[3] == "0A" && sockets.iter().any(|socket| socket == columns[9]) {
                addresses.push(columns[1].split(':').next().unwrap().to_owned());
            }
        }
    }
    addresses
}

#[tokio::test]
async fn listens_on_this_machine_only() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let addresses = listens_on(up.process.id());
    assert!(addresses.len() >= 5, "{addresses:?}");
    assert!(addresses.iter().all(|address| address == "0100007F"), "{addresses:?}");
}

#[tokio::test]
async fn the_lists_the_outbox_and_the_account_outlive_a_kill_and_a_stop() {
    let (_folder, data_dir) = folder();
    let mut up = Up::start(&data_dir, &[]).await;
    up.send("success@simulator.amazonses.com").await;
    let bounce = json!({
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{ "emailAddress": "gone@example.net" }],
        },
    });
    let sns = format!("{}/_local/sns", up.url());
    let handled = up.http.post(sns).body(bounce.to_string()).send().await.unwrap();
    assert_eq!(
        handled.json::<Value>().await.unwrap(),
        json!({ "delivered": 1, "failed": 0 })
    );

    let verdict = up.send("gone@example.net").await["recipients"].clone();
    assert_eq!(verdict[0]["status"], "suppressed");
    let outbox = up.outbox().await;
    assert_eq!(outbox.as_array().unwrap().len(), 1);
    let account_url = |up: &Up| format!("{}/_local/account", up.url());
    let account = up
        .http
        .put(account_url(&up))
        .body(json!({ "max_send_rate": 77 }).to_string());
    assert_eq!(account.send().await.unwrap().status(), 204);
    up.put_on_the_list_of_ses("listed@example.net", "COMPLAINT").await;
    for signal in ["KILL", "INT"] {
        up.signal(signal);
        up.ended().await;
        up = Up::start(&data_dir, &[]).await;
        assert_eq!(
            up.send("Gone@Example.net").await["recipients"][0]["since"],
            verdict[0]["since"],
            "{signal}"
        );
        assert_eq!(up.outbox().await, outbox, "{signal}");
        let account = up.http.get(account_url(&up)).send().await.unwrap();
        let account: Value = account.json().await.unwrap();
        assert_eq!(account["max_send_rate"], 77, "{signal}");
        let listed = format!(
            "{}/v2/email/suppression/addresses/listed@example.net",
            up.local_json().unwrap()["ses_url"].as_str().unwrap()
        );
        let listed = up
            .http
            .get(listed)
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test");
        assert_eq!(listed.send().await.unwrap().status(), 200, "{signal}");
    }
}

/// The account has a rate of one a second, and the slots of the next minute are taken.
#[tokio::test]
async fn a_mail_that_waits_outlives_a_kill_and_is_sent_once() {
    let (_folder, data_dir) = folder();
    let mut up = reported(&data_dir).await;
    let account = up.http.put(format!("{}/_local/account", up.url()));
    let account = account.body(json!({ "max_send_rate": 1 }).to_string());
    assert_eq!(account.send().await.unwrap().status(), 204);
    report(&up).await;
    let mut many = email("");
    let people = (0..50).map(|number| format!("success+{number}@simulator.amazonses.com"));
    many["to"] = people.collect();
    assert_eq!(up.post_with(KEY, &many).await.0, 200);
    let mut waits = email("success+waits@simulator.amazonses.com");
    waits["okite_when_busy"] = json!("queue");
    let (status, body) = up.post_with(KEY, &waits).await;
    assert_eq!(status, 200, "{body}");
    let id = body["id"].clone();
    let shown = async |up: &Up| -> Value {
        let url = format!("{}/emails/{}", up.url(), id.as_str().unwrap());
        let answer = up.http.get(url).bearer_auth(KEY).send().await;
        answer.unwrap().json().await.unwrap()
    };
    assert_eq!(shown(&up).await["okite_state"], "queued");
    up.signal("KILL");
    up.ended().await;
    let up = reported(&data_dir).await;
    assert_eq!(shown(&up).await["okite_state"], "queued");
    // Its hint, or the sweep, brings it back.
    up.local("clock", &json!({ "advance_ms": 180_000 })).await;
    eventually("it has left", async || {
        (shown(&up).await["okite_state"] == "sent").then_some(())
    })
    .await;
    assert_eq!(up.outbox().await.as_array().unwrap().len(), 2);
}

/// A worker has begun to send the mail when everything is killed. Nobody knows then whether SES took it.
#[tokio::test]
async fn a_mail_that_is_being_sent_at_a_kill_is_not_sent_again() {
    for (hold, taken) in [("before", 0), ("after", 1)] {
        let (_folder, data_dir) = folder();
        let mut up = reported(&data_dir).await;
        let mut mail = email("success@simulator.amazonses.com");
        mail["scheduled_at"] = json!("in 1 min");
        let (status, body) = up.post_with(KEY, &mail).await;
        assert_eq!(status, 200, "{body}");
        let fault = json!({ "operation": "SendEmail", "function": "sender", "times": 9, "hold": hold });
        up.local("faults", &fault).await;
        up.local("clock", &json!({ "advance_ms": 61_000 })).await;
        eventually("SES has the mail", async || {
            let held = up.http.get(format!("{}/_local/held", up.url())).send().await;
            let held: Value = held.unwrap().json().await.unwrap();
            (held != json!([])).then_some(())
        })
        .await;
        up.signal("KILL");
        up.ended().await;
        let up = reported(&data_dir).await;
        let (id, outbox) = (body["id"].as_str().unwrap(), up.outbox_table());
        // An hour after the lease of the worker that died, its entry is deleted, and its content before that.
        eventually("nothing is left", async || {
            up.local("clock", &json!({ "advance_ms": 3_600_000 })).await;
            let sweep = format!("{}/_local/schedules/SweepSchedule", up.url());
            assert_eq!(up.http.post(sweep).send().await.unwrap().status(), 200);
            outbox.entry(id.parse().unwrap()).await.unwrap().is_none().then_some(())
        })
        .await;
        assert_eq!(up.outbox().await.as_array().unwrap().len(), taken, "{hold}");
        let url = format!("{}/emails/{}", up.url(), id);
        let shown = up.http.get(url).bearer_auth(KEY).send().await;
        let shown: Value = shown.unwrap().json().await.unwrap();
        // An event of SES may have come before the kill.
        let state = shown["okite_state"].as_str().unwrap();
        assert!(state == "unknown" || taken == 1 && state == "sent", "{hold}: {state}");
    }
}

#[tokio::test]
async fn a_kill_leaves_no_function_behind() {
    let (_folder, data_dir) = folder();
    let mut up = Up::start(&data_dir, &[]).await;
    eventually("all functions run", async || {
        (functions(&data_dir).len() >= 4).then_some(())
    })
    .await;
    up.signal("KILL");
    up.ended().await;
    up.nothing_is_left().await;
}

#[tokio::test]
async fn ctrl_c_and_a_request_to_terminate_stop_it_cleanly() {
    for signal in ["INT", "TERM"] {
        let (_folder, data_dir) = folder();
        let mut up = Up::start(&data_dir, &[]).await;
        up.signal(signal);
        let status = up.ended().await;
        assert_eq!(status.code(), Some(0), "{signal}: {}", up.errors());
        assert!(up.local_json().is_none(), "{signal}");
        // Unlike after a kill, the functions have already ended.
        assert_eq!(functions(&data_dir), [] as [u32; 0], "{signal}");
    }
}

/// Starts an `okite up` that works on a request which does not end.
async fn at_work(data_dir: &Path) -> (Up, tokio::task::JoinHandle<reqwest::Result<reqwest::Response>>) {
    let up = Up::start(data_dir, &[]).await;
    let fault = json!({ "operation": "SendEmail", "delay_ms": 60_000 });
    let faults = format!("{}/_local/faults", up.url());
    assert_eq!(
        up.http
            .post(faults)
            .body(fault.to_string())
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let url = up.url();
    let request = up.http.post(format!("{url}/emails")).bearer_auth(KEY);
    let request = tokio::spawn(request.json(&email("success@simulator.amazonses.com")).send());
    eventually("the request is at work, and others need another process", async || {
        let health = up.http.get(format!("{url}/health")).send().await.unwrap();
        assert_eq!(health.status(), 200);
        (functions(&up.data_dir).len() > 3).then_some(())
    })
    .await;
    (up, request)
}

#[tokio::test]
async fn ctrl_c_stops_it_while_requests_are_under_way() {
    let (_folder, data_dir) = folder();
    let (mut up, request) = at_work(&data_dir).await;
    up.signal("INT");
    assert_eq!(up.ended().await.code(), Some(0));
    assert_eq!(functions(&data_dir), [] as [u32; 0]);
    request.abort();
}

#[tokio::test]
async fn ctrl_c_once_more_ends_it_at_once() {
    let (_folder, data_dir) = folder();
    let (mut up, request) = at_work(&data_dir).await;
    let status = eventually("okite up has ended", async || {
        up.signal("INT");
        up.process.try_wait().unwrap()
    })
    .await;
    assert_eq!(status.code(), Some(130));
    up.nothing_is_left().await;
    request.abort();
}

#[tokio::test]
async fn ctrl_c_while_it_starts_leaves_nothing_behind() {
    let (_folder, data_dir) = folder();
    let mut up = Up::spawn(&data_dir, &[]);
    eventually("it has begun", async || data_dir.join("logs").exists().then_some(())).await;
    up.signal("INT");
    let status = up.ended().await;
    assert_eq!(status.code(), Some(0), "{}", up.errors());
    up.nothing_is_left().await;
    assert!(up.local_json().is_none());
    Up::start(&data_dir, &[]).await;
}

#[tokio::test]
async fn rejects_a_data_directory_in_use_and_names_the_process() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let second = finished(okite().args(["up", "--port", "0", "--data-dir"]).arg(&data_dir)).await;
    assert_eq!(second.status.code(), Some(1));
    let errors = text(&second.stderr);
    assert!(errors.contains(&format!("process {}", up.process.id())), "{errors}");
    assert!(errors.contains("--data-dir") && second.stdout.is_empty(), "{errors}");
    up.send("success@simulator.amazonses.com").await;
}

#[tokio::test]
async fn names_a_port_that_is_taken() {
    let (_folder, data_dir) = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = finished(okite().args(["up", "--port", &port, "--data-dir"]).arg(&data_dir)).await;
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains(&port) && errors.contains("--port"), "{errors}");
    assert!(!data_dir.join("local.json").exists());
    assert_eq!(functions(&data_dir), [] as [u32; 0]);
}

#[tokio::test]
async fn listens_on_the_named_port() {
    let (_folder, data_dir) = folder();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let mut command = okite();
    command.args(["up", "--port", &port, "--data-dir"]).arg(&data_dir);
    let mut up = Up::run(command, &data_dir);
    up.ready().await;
    assert_eq!(up.url(), format!("http://127.0.0.1:{port}"));
}

#[tokio::test]
async fn names_a_data_directory_that_cannot_be_used() {
    let (folder, _) = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = finished(okite().args(["up", "--port", "0", "--data-dir"]).arg(&file)).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains(file.to_str().unwrap()),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn the_sandbox_accepts_only_verified_recipients() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &["--sandbox", "--verify", "anna@example.net"]).await;
    let (status, body) = up.post_with(KEY, &email("bob@example.net")).await;
    assert_eq!((status, &body["name"]), (403, &json!("validation_error")));
    assert!(body["message"].as_str().unwrap().contains("sandbox"), "{body}");
    up.send("anna@example.net").await;
}

#[tokio::test]
async fn verifies_senders_besides_the_default_ones() {
    let (_folder, data_dir) = folder();
    let options = ["--strict", "--verify", "shop.example", "--verify", "me@home.example"];
    let up = Up::start(&data_dir, &options).await;
    for (from, status) in [
        ("a@shop.example", 200),
        ("a@mail.shop.example", 200),
        ("me@home.example", 200),
        ("a@example.com", 200),
        ("a@example.org", 200),
        ("you@home.example", 403),
        ("a@example.net", 403),
        ("webmaster@localhost", 422),
    ] {
        let mut email = email("success@simulator.amazonses.com");
        email["from"] = json!(from);
        assert_eq!(up.post_with(KEY, &email).await.0, status, "{from}");
    }
}

/// Posts an email from any sender, and waits until SES has reported this last event.
async fn becomes(up: &Up, from: &str, to: &str, event: &str) {
    let mut email = email(to);
    email["from"] = json!(from);
    let (status, body) = up.post_with(KEY, &email).await;
    assert_eq!(status, 200, "{from} {to}: {body}");
    let url = format!("{}/emails/{}", up.url(), body["id"].as_str().unwrap());
    eventually("SES has reported", async || {
        let shown: Value = up
            .http
            .get(&url)
            .bearer_auth(KEY)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        (shown["last_event"] == event).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_examples_of_frameworks_and_of_resend_work_and_each_mail_has_a_line() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    for (from, to, event) in [
        ("webmaster@localhost", "anna@example.net", "delivered"),
        ("Acme <onboarding@resend.dev>", "delivered@resend.dev", "delivered"),
        ("onboarding@resend.dev", "bounced+label@resend.dev", "bounced"),
        ("onboarding@resend.dev", "complained@resend.dev", "complained"),
    ] {
        becomes(&up, from, to, event).await;
    }
    eventually("each event has a line", async || {
        up.printed().contains("complained  complained@resend.dev").then_some(())
    })
    .await;
    let printed = up.printed();
    let lines: Vec<&str> = printed.lines().collect();
    for words in [
        &[
            "sent ",
            "anna@example.net",
            "Hello",
            "SES refuses the sender webmaster@localhost",
        ][..],
        &["delivered ", "delivered@resend.dev"],
        &["bounced ", "bounced+label@resend.dev", "Permanent/General"],
    ] {
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        assert_eq!(
            lines.iter().filter(|line| has_all(line)).count(),
            1,
            "{words:?}: {printed}"
        );
    }
    assert!(!printed.contains('\u{1b}') && up.errors().is_empty(), "{printed}");
}

#[tokio::test]
async fn prints_no_line_if_it_is_quiet() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &["--quiet"]).await;
    becomes(&up, "a@example.com", "anna@example.net", "delivered").await;
    assert!(
        up.printed().trim_end().ends_with("Ctrl-C stops it."),
        "{}",
        up.printed()
    );
}

#[tokio::test]
async fn does_not_write_into_a_directory_of_something_else() {
    let (folder, _) = folder();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let output = finished(okite().args(["up", "--port", "0", "--data-dir"]).arg(folder.path())).await;
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("notes.txt") && errors.contains("--data-dir"),
        "{errors}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn the_default_data_directory_is_in_the_current_directory() {
    let (folder, _) = folder();
    let data_dir = folder.path().join(".okite");
    let mut command = okite();
    command.args(["up", "--port", "0"]).current_dir(folder.path());
    let mut up = Up::run(command, &data_dir);
    up.ready().await;
    let mut create = okite();
    let output = finished(
        create
            .args(["keys", "create", "--name", "x"])
            .current_dir(folder.path()),
    )
    .await;
    assert!(output.status.success(), "{}", text(&output.stderr));
}
