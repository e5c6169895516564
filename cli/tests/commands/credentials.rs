//! Commands for AWS where credentials, region or profile are missing, and options that name nothing there can be. None
//! of them reaches AWS: the metadata service of EC2, the last place that is looked at, is a port of this machine that
//! nobody listens on.

use std::fs;
use std::path::Path;

use crate::support::*;

const NO_CREDENTIALS: &str =
    "okite: no AWS credentials were found. Run `aws configure` or `aws sso login`, or set AWS_PROFILE\n";
const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
];
const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");

/// Runs a command with a home folder and these variables. Returns its exit code and its standard error.
async fn run(home: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let mut command = okite();
    command.args(arguments).env("HOME", home).current_dir(home);
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    command.envs(variables.iter().copied());
    let output = finished(&mut command).await;
    (output.status.code().unwrap(), text(&output.stderr).to_owned())
}

#[tokio::test]
async fn names_what_is_missing_before_it_calls_aws() {
    let home = tempfile::tempdir().unwrap();
    let profiles = "\
[profile work]
sso_session = work
sso_account_id = 111111111111
sso_role_name = operator
region = eu-west-1
[profile fresh]
sso_session = fresh
sso_account_id = 111111111111
sso_role_name = operator
region = eu-west-1
[sso-session work]
sso_region = eu-west-1
sso_start_url = https://example.com/work
[sso-session fresh]
sso_region = eu-west-1
sso_start_url = https://example.com/fresh
[profile here]
region = eu-west-1
";
    let cache = home.path().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    fs::write(home.path().join(".aws/config"), profiles).unwrap();
    // The file's name is the SHA-1 of the session's.
    let token = r#"{"accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z", "region": "eu-west-1", "startUrl": "https://example.com/work"}"#;
    fs::write(cache.join("e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json"), token).unwrap();
    let disabled = ("AWS_EC2_METADATA_DISABLED", "true");
    let profile = |name| ("AWS_PROFILE", name);
    let no_profile = "okite: there is no AWS profile nobody, which AWS_PROFILE names. Correct it: ";
    let signed_out = |name: &str| format!("Run `aws sso login --profile {name}`\n");
    for (variables, expected) in [
        (vec![REGION, disabled], NO_CREDENTIALS.to_owned()),
        (vec![REGION], NO_CREDENTIALS.to_owned()),
        (vec![disabled], NO_CREDENTIALS.to_owned()),
        (vec![profile("here"), disabled], NO_CREDENTIALS.to_owned()),
        (vec![profile("nobody"), disabled], no_profile.to_owned()),
        (vec![profile("nobody"), REGION], no_profile.to_owned()),
        (vec![profile("work"), disabled], signed_out("work")),
        (vec![profile("fresh"), disabled], signed_out("fresh")),
        (
            [&KEYS[..], &[disabled]].concat(),
            "okite: no AWS region is configured. Set AWS_REGION, or name the region with --region\n".to_owned(),
        ),
    ] {
        let (code, errors) = run(home.path(), &variables, &["keys", "list", "--stack", "okite"]).await;
        assert_eq!(code, 1, "{variables:?}: {errors}");
        assert!(errors.contains(&expected), "{variables:?}: {errors}");
        assert!(
            !errors.contains("IMDS") && !errors.contains("dispatch failure"),
            "{errors}"
        );
    }
    for arguments in [
        &["suppressions", "import", "--from-ses", "--stack", "okite"][..],
        &["keys", "list", "--table", "okite-ApiKeysTable"],
        &["domains", "records", "example.com", "--region", "eu-west-1"],
        &[
            "feedback",
            "redrive",
            "--queue",
            "https://sqs.eu-west-1.amazonaws.com/111111111111/Dead",
        ],
    ] {
        let (code, errors) = run(home.path(), &[REGION, disabled], arguments).await;
        assert_eq!((code, errors.as_str()), (1, NO_CREDENTIALS), "{arguments:?}");
    }
    let (code, errors) = run(home.path(), &[REGION, disabled], &["doctor", "--stack", "okite"]).await;
    assert_eq!((code, errors.as_str()), (1, NO_CREDENTIALS));
}

#[tokio::test]
async fn rejects_names_that_nothing_in_aws_can_have() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, word) in [
        (
            &["keys", "list", "--stack", "my stack"][..],
            "letters, digits and hyphens",
        ),
        (&["doctor", "--stack", "okite_prod"], "letters, digits and hyphens"),
        (
            &["domains", "records", "example.com", "--stack", ""],
            "letters, digits and hyphens",
        ),
        (&["feedback", "redrive", "--queue", "Dead"], "by its URL"),
        (
            &[
                "feedback",
                "redrive",
                "--queue",
                "arn:aws:sqs:eu-west-1:111111111111:Dead",
            ],
            "by its URL",
        ),
        (
            &["keys", "list", "--stack", "okite", "--region", "Ireland"],
            "eu-west-1",
        ),
    ] {
        let (code, errors) = run(home.path(), &[], arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {errors}");
        assert!(errors.contains(word), "{arguments:?}: {errors}");
    }
}
