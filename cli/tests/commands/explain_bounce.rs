//! `okite explain-bounce`.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::*;

/// Runs the command with an input, and returns whether it succeeded, its output and its errors.
fn explain(arguments: &[&str], input: &str) -> (bool, String, String) {
    let mut command = okite();
    command.arg("explain-bounce").args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.success(),
        text(&output.stdout).to_owned(),
        text(&output.stderr).to_owned(),
    )
}

#[test]
fn explains_the_sample_events_in_every_wrapping() {
    for (name, words) in [
        ("bounce-event", "suppresses the address for good"),
        ("bounce-classic", "suppresses the address for good"),
        ("bounce-plain", "suppresses the address for good"),
        ("complaint-event", "suppresses the address for good"),
        ("queue-failure-record", "suppresses the address for good"),
        ("queue-ses-event", "suppresses the address for good"),
        ("queue-sns-envelope", "suppresses the address for good"),
    ] {
        let file = format!("{}/../events/feedback/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let (succeeded, output, errors) = explain(&[&file], "");
        assert!(succeeded && output.contains(words), "{name}: {output}{errors}");
    }
}

#[test]
fn explains_a_reply_by_its_evidence() {
    let (succeeded, output, _) = explain(&[], "smtp; 554 5.7.1 Your IP is on our blacklist");
    assert!(succeeded);
    for words in [
        "554",
        "5.7.1 in the reply",
        "blacklist",
        "sender_blocked",
        "blocks the address for 24 hours",
    ] {
        assert!(output.contains(words), "{words}: {output}");
    }
    let arguments = ["--type", "Transient", "--status", "4.2.2", "--json"];
    let (_, output, _) = explain(&arguments, "smtp; 452 mailbox full");
    let json: Value = serde_json::from_str(&output).unwrap();
    let recipient = &json["data"][0]["recipients"][0];
    assert_eq!(recipient["bounce_reason"], "mailbox_full");
    assert_eq!(recipient["decision"], "soft");
    assert_eq!(recipient["counts_for_rate"], false);
    let (_, output, _) = explain(&["--status", "5.1.1"], "");
    assert!(output.contains("user_unknown"), "{output}");
}

#[test]
fn says_what_is_wrong_with_an_input() {
    for (arguments, input, words) in [
        (vec![], " \n", "the input is empty"),
        (vec![], "hello", "neither the JSON of an SES event nor a server's reply"),
        (vec![], "{\"eventType\": ", "line 1"),
        (vec![], "{\"a\": 1}", "not an Amazon SES event"),
        (vec![], "{\"eventType\": \"Bounce\"}", "no bounce object"),
        (vec!["--status", "5.1.1"], "{\"eventType\": \"Send\"}", "only with a"),
        (vec!["nowhere.json"], "", "nowhere.json could not be read"),
        (vec!["--type", "Odd"], "550 x", "Permanent, Transient, Undetermined"),
    ] {
        let (succeeded, output, errors) = explain(&arguments, input);
        assert!(
            !succeeded && output.is_empty() && errors.contains(words),
            "{input}: {output}{errors}"
        );
    }
    let (succeeded, output, _) = explain(&[], "{\"eventType\": \"Send\"}");
    assert!(succeeded && output.contains("changes nothing"), "{output}");
    let nobody = "{\"eventType\": \"Complaint\", \"complaint\": {}}";
    let (succeeded, output, _) = explain(&[], nobody);
    assert!(succeeded && output.contains("names no recipient"), "{output}");
    let nonsense = json!({"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": "not an address", "status": "5.1.1"}]}});
    let (succeeded, output, _) = explain(&[], &nonsense.to_string());
    let words = "the address cannot be read: the event fails and waits for a person";
    assert!(succeeded && output.contains(words), "{output}");
    assert!(!output.contains("suppresses the address"), "{output}");
}

#[test]
fn spells_a_type_as_ses_does_and_rejects_a_status_that_is_none() {
    let (succeeded, output, _) = explain(&["--type", "transient"], "452 mailbox full");
    assert!(succeeded && output.contains("Transient/General"), "{output}");
    for status in ["99", "5.1", "3.1.1", "5.1.x", ""] {
        let (succeeded, _, errors) = explain(&["--status", status], "452 mailbox full");
        assert!(!succeeded && errors.contains("--status"), "{status}: {errors}");
    }
}
