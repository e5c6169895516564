//! The command line: help, the version, and wrong arguments.

use std::fs;

use crate::support::*;

#[tokio::test]
async fn prints_its_version_and_help() {
    let version = finished(okite().arg("--version")).await;
    assert!(version.status.success());
    assert_eq!(text(&version.stdout), format!("okite {}\n", env!("CARGO_PKG_VERSION")));
    for (arguments, words) in [
        (vec!["--help"], vec!["up", "keys", "feedback"]),
        (
            vec!["feedback", "redrive", "--help"],
            vec!["--data-dir", "--stack", "--queue", "--region"],
        ),
        (
            vec!["up", "--help"],
            vec!["--port", "3000", "--data-dir", ".okite", "--sandbox", "--verify"],
        ),
        (
            vec!["keys", "list", "--help"],
            vec!["--json", "--data-dir", "--stack", "--table", "--region"],
        ),
        (
            vec!["keys", "revoke", "--help"],
            vec!["<ID>", "30 seconds", "--data-dir", "--stack", "--table", "--region"],
        ),
        (
            vec!["keys", "create", "--help"],
            vec![
                "--name",
                "--permission",
                "sending",
                "[default: full]",
                "--stream",
                "bulk",
                "--from",
                "--when-busy",
                "[default: queue; with --aws: wait]",
                "--aws",
                "--json",
                "--data-dir",
                "--stack",
                "--table",
                "--region",
            ],
        ),
    ] {
        let help = finished(okite().args(&arguments)).await;
        assert!(help.status.success(), "{arguments:?}");
        for word in words {
            assert!(text(&help.stdout).contains(word), "{arguments:?}: {word}");
        }
    }
}

#[tokio::test]
async fn rejects_wrong_arguments_before_it_does_anything() {
    let (folder, _) = folder();
    for arguments in [
        vec![],
        vec!["down"],
        vec!["up", "--port", "70000"],
        vec!["up", "--port", "http"],
        vec!["up", "--listen", "0.0.0.0:3000"],
        vec!["up", "--listen", "localhost"],
        vec!["up", "--allow-host", "http://okite"],
        vec!["up", "--colour"],
        vec!["up", "extra"],
        vec!["keys"],
        vec!["keys", "create"],
        vec!["keys", "create", "--name", "x", "--stack", "a", "--table", "b"],
        vec!["keys", "create", "--name", "x", "--stack", "a", "--data-dir", "b"],
        vec!["keys", "create", "--name", "x", "--region", "eu-west-1"],
        vec!["keys", "create", "--name", "x", "--stream", "other"],
        vec!["keys", "create", "--name", "x", "--permission", "reading"],
        vec!["keys", "create", "--name", "x", "--from", "hello@example.com"],
        vec!["keys", "create", "--name", "x", "--from", "*.example.com"],
        vec!["keys", "create", "--name", "x", "--from", "example.com,com"],
        vec!["keys", "create", "--name", "x", "--from", "example.com,"],
        vec!["keys", "create", "--name", "x", "--from", ""],
        vec!["keys", "revoke"],
        vec!["keys", "revoke", "a", "b"],
        vec!["keys", "list", "--stack", "a", "--table", "b"],
        vec!["up", "--verify", "not an identity"],
        vec!["feedback"],
        vec!["feedback", "redrive", "--stack", "a", "--queue", "b"],
        vec!["feedback", "redrive", "--region", "eu-west-1"],
        vec!["function", "nobody"],
        vec!["completions"],
        vec!["completions", "tcsh"],
        vec!["man"],
    ] {
        let output = finished(okite().args(&arguments).current_dir(folder.path())).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
