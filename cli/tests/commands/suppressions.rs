//! `okite suppressions`: exports and imports the list.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::json;

use crate::support::*;

/// Every register once, with its time, and a diagnostic that needs quotes.
const EVERYTHING: &str = "\
address,reason,since,expires_at,subtype,diagnostic,source,bounce_reason,topic
Anna@example.net,bounce,2026-01-02T03:04:05.678Z,,General,\"550 5.1.1 no such user, \"\"anna\"\"\",f-1,user_unknown,
anna@example.net,complaint,2026-01-03T00:00:00Z,,abuse,,f-2,,
anna@example.net,lifted,2026-01-04T00:00:00Z,,,,,,
bob@example.net,blocked,2026-01-02T00:00:00Z,,General,550 5.7.1 policy,f-3,policy,
bob@example.net,blocked,2025-12-31T00:00:00Z,,,,,,
bob@example.net,blocked,2026-01-01T00:00:00Z,,,,,,
carl@example.net,manual,2026-01-02T00:00:00Z,2099-01-01T00:00:00Z,,,crm,,
dora@example.net,manual,2026-01-02T00:00:00Z,,,,crm,,
emil@example.net,soft,2026-01-02T00:00:00Z,,,,f-4,mailbox_full,
emil@example.net,soft,2026-01-02T00:00:00Z,,,,f-5,,
frida@example.net,resubscribed,2026-01-03T00:00:00Z,,,,link,,sale
frida@example.net,unsubscribed,2026-01-02T00:00:00Z,,,,link,,news
gina@example.net,unsubscribed,2026-01-02T00:00:00Z,,,,link,,*
";

/// Runs `okite suppressions` on the `okite up` of a data directory.
async fn run(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command
        .arg("suppressions")
        .args(arguments)
        .arg("--data-dir")
        .arg(data_dir);
    finished(&mut command).await
}

/// Imports this text from a file beside the data directory.
async fn import(list: &str, data_dir: &Path) -> Output {
    let file = data_dir.with_extension("csv");
    fs::write(&file, list).unwrap();
    run(&["import", file.to_str().unwrap()], data_dir).await
}

/// Exports the list and returns its lines, sorted after the header.
async fn exported(data_dir: &Path) -> Vec<String> {
    let output = run(&["export"], data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut lines: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
    lines[1..].sort_unstable();
    lines
}

#[tokio::test]
async fn an_exported_list_is_the_same_after_an_import_elsewhere() {
    let (_folder, here) = folder();
    let (_other_folder, there) = folder();
    let _here = Up::start(&here, &[]).await;
    let there_up = Up::start(&there, &[]).await;
    let output = import(EVERYTHING, &here).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut wanted: Vec<_> = EVERYTHING.lines().collect();
    wanted[1..].sort_unstable();
    assert_eq!(exported(&here).await, wanted);

    let file = here.with_extension("exported");
    let output = run(&["export", "--output", file.to_str().unwrap()], &here).await;
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for _ in 0..2 {
        let output = import(&fs::read_to_string(&file).unwrap(), &there).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(exported(&there).await, wanted);
    }
    let verdict = async |to: &str| there_up.send(to).await["recipients"][0].clone();
    assert_eq!(verdict("dora@example.net").await["reason"], "manual");
    assert_eq!(verdict("carl@example.net").await["reason"], "manual");
    assert_eq!(verdict("anna@example.net").await["status"], "accepted");

    let again = run(&["export", "--output", file.to_str().unwrap()], &here).await;
    assert!(!again.status.success(), "a file was overwritten");
}

#[tokio::test]
async fn skips_bad_lines_and_names_their_numbers() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let list = "Email,Reason\nanna@example.net,HardBounce\nnobody.at.all,HardBounce\nbob@example.net,annoyed\ncarl@example.net\n";
    for _ in 0..2 {
        let output = import(list, &data_dir).await;
        assert_eq!(output.status.code(), Some(1));
        let errors = text(&output.stderr);
        for wanted in [
            "line 3 is skipped",
            "line 4 is skipped: the reason must be one of",
            "Imported: 2 lines",
            "skipped 2 lines",
        ] {
            assert!(errors.contains(wanted), "{wanted}: {errors}");
        }
        assert!(
            !errors.contains("nobody") && !errors.contains("example.net"),
            "{errors}"
        );
    }
    assert_eq!(exported(&data_dir).await.len(), 3);
    assert_eq!(up.send("ANNA@example.net").await["recipients"][0]["reason"], "bounce");
    assert_eq!(up.send("carl@example.net").await["recipients"][0]["reason"], "manual");
    assert_eq!(up.send("bob@example.net").await["recipients"][0]["status"], "accepted");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_standard_input_is_read() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    for (flag, lines) in [("--dry-run", 1), ("--", 2)] {
        let mut command = okite();
        command.args(["suppressions", "import", "--data-dir"]).arg(&data_dir);
        command.args([flag, "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(b"\xef\xbb\xbfaddress\r\nanna@example.net\r\n").unwrap();
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(exported(&data_dir).await.len(), lines, "{flag}");
    }
}

#[tokio::test]
async fn imports_the_list_of_ses() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    up.put_on_the_list_of_ses("Anna@example.net", "BOUNCE").await;
    up.put_on_the_list_of_ses("bob@example.net", "COMPLAINT").await;
    for added in [2, 0] {
        let output = run(&["import", "--from-ses"], &data_dir).await;
        let said = text(&output.stderr);
        let wanted = format!("On SES's list: 2. Added to Okite's list: {added}.");
        assert!(output.status.success() && said.contains(&wanted), "{said}");
    }
    assert_eq!(up.send("anna@example.net").await["recipients"][0]["reason"], "bounce");
    assert_eq!(up.send("bob@example.net").await["recipients"][0]["reason"], "complaint");
    let of_anna = exported(&data_dir)
        .await
        .into_iter()
        .find(|line| line.starts_with("Anna@"));
    assert!(of_anna.unwrap().ends_with(",BOUNCE,,ses-account-list,,"));
}

#[tokio::test]
async fn an_import_of_nothing_says_what_to_name() {
    let (_folder, data_dir) = folder();
    let output = run(&["import"], &data_dir).await;
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert_eq!(
        said,
        "okite: name what to import: a CSV file, - for standard input, or --from-ses for the list of SES\n"
    );
}

#[tokio::test]
async fn the_sandbox_has_no_list_to_import() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &["--sandbox"]).await;
    let output = run(&["import", "--from-ses"], &data_dir).await;
    assert!(
        !output.status.success() && text(&output.stderr).contains("sandbox"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn names_the_cause_of_an_error() {
    let (_folder, data_dir) = folder();
    let output = import("address\n", &data_dir).await;
    assert!(
        text(&output.stderr).contains("no `okite up` runs"),
        "{}",
        text(&output.stderr)
    );
    let _up = Up::start(&data_dir, &[]).await;
    for (list, wanted) in [
        ("anna@example.net\n", "no column of addresses"),
        ("", "no column of addresses"),
    ] {
        let output = import(list, &data_dir).await;
        assert!(
            !output.status.success() && text(&output.stderr).contains(wanted),
            "{}",
            text(&output.stderr)
        );
    }
    let output = run(&["import", "/nowhere/list.csv"], &data_dir).await;
    assert!(
        text(&output.stderr).contains("/nowhere/list.csv"),
        "{}",
        text(&output.stderr)
    );
    let output = run(&["import"], &data_dir).await;
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn an_import_without_a_time_is_later_than_a_lift_by_the_clock_of_okite_up() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let clock = up.http.post(format!("{}/_local/clock", up.url()));
    let set = clock.json(&json!({ "advance_ms": 86_400_000 })).send().await.unwrap();
    assert!(set.status().is_success());
    let suppressions = format!("{}/suppressions", up.url());
    let entry = format!("{suppressions}/anna@example.net");
    let add = up.http.post(&suppressions).bearer_auth(KEY);
    let added = add.json(&json!({ "email": "anna@example.net" })).send().await.unwrap();
    assert!(added.status().is_success());
    let lifted = up.http.delete(&entry).bearer_auth(KEY).send().await.unwrap();
    assert!(lifted.status().is_success());

    let output = import("email\nanna@example.net\n", &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = up.http.get(&entry).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(shown.status(), 200);
}
