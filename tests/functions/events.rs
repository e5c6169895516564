//! Every file in events/ invokes the function of its folder, and has the effect that its name describes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::suppression::Registers;
use domain::unsubscribe::Topic;
use serde_json::{Value, json};

use crate::support::{Okite, assert_status, assert_suppressed, email, verdict};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn read(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(file)).unwrap()).unwrap()
}

/// Calls the function that a file is for with it.
async fn call(okite: &Okite, file: &str) -> Value {
    let (function, _) = file.split_once('/').unwrap();
    okite.invoke(function, &read(file)).await.unwrap()
}

/// The status and body of an answer of the send API.
fn http(answer: &Value) -> (u64, Value) {
    assert_eq!(answer["headers"]["content-type"], "application/json");
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), body)
}

/// The status and body of an answer of the SES API.
fn ses(answer: &Value, content_type: &str) -> (u64, String) {
    assert_eq!(answer["headers"]["content-type"], content_type);
    assert!(answer["headers"]["x-amzn-requestid"].is_string(), "{answer}");
    (
        answer["statusCode"].as_u64().unwrap(),
        answer["body"].as_str().unwrap().to_owned(),
    )
}

/// The one mail that SES took, with the bytes and the recipient of the events in `ses-api`. Returns SES's id.
async fn took_the_receipt(okite: &Okite) -> String {
    let [mail] = &okite.outbox().await[..] else {
        panic!("one mail")
    };
    assert_eq!(
        (&mail["subject"], &mail["to"]),
        (&json!("Your receipt"), &json!(["success@simulator.amazonses.com"]))
    );
    mail["ses_message_id"].as_str().unwrap().to_owned()
}

/// Makes a test of each function, named like it, and a list of the files that they exercise.
macro_rules! exercises {
    ($(async fn $name:ident($okite:ident, $file:ident = $path:literal) $body:block)*) => {
        const EXERCISED: &[&str] = &[$($path),*];

        $(
            #[tokio::test]
            async fn $name() {
                let ($okite, $file) = (Okite::start().await, $path);
                $body
            }
        )*
    };
}

exercises! {
    async fn accepted_is_sent(okite, file = "send-api/accepted.json") {
        let (status, body) = http(&call(&okite, file).await);
        assert_eq!(status, 200);
        assert_status(&body, "success@simulator.amazonses.com", "accepted");
        let outbox = okite.outbox().await;
        assert_eq!((outbox.len(), &outbox[0]["subject"]), (1, &json!("Your receipt")));
    }

    async fn suppressed_leaves_out_whom_the_bounce_event_names(okite, file = "send-api/suppressed.json") {
        let (_, body) = http(&call(&okite, file).await);
        assert_status(&body, "Gone@Example.net", "accepted");
        call(&okite, "feedback/bounce-event.json").await;
        let (status, body) = http(&call(&okite, file).await);
        assert_eq!(status, 200);
        assert_suppressed(&body, "Gone@Example.net", "bounce");
        assert_status(&body, "anna@example.net", "accepted");
        assert_eq!(okite.outbox().await[1]["to"], json!(["anna@example.net"]));
    }

    async fn invalid_is_refused(okite, file = "send-api/invalid.json") {
        let (status, body) = http(&call(&okite, file).await);
        assert_eq!((status, &body["statusCode"], &body["name"]), (422, &json!(422), &json!("validation_error")));
        assert_eq!(okite.outbox().await, [] as [Value; 0]);
    }

    async fn attachment_arrives_with_its_files(okite, file = "send-api/attachment.json") {
        let (status, _) = http(&call(&okite, file).await);
        assert_eq!(status, 200);
        let asked: Value = serde_json::from_str(read(file)["body"].as_str().unwrap()).unwrap();
        let mail = &okite.outbox().await[0];
        assert_eq!(mail["subject"], asked["subject"]);
        let (asked, got) = (asked["attachments"].as_array().unwrap(), mail["attachments"].as_array().unwrap());
        assert_eq!(asked.len(), got.len());
        for (asked, got) in asked.iter().zip(got) {
            for field in ["filename", "content", "content_type", "content_id"] {
                assert!(asked.get(field).is_none_or(|asked| *asked == got[field]), "{field}: {asked} {got}");
            }
        }
    }

    async fn a_raw_mail_of_version_2_is_sent(okite, file = "ses-api/send-email-raw.json") {
        let (status, body) = ses(&call(&okite, file).await, "application/json");
        assert_eq!(status, 200, "{body}");
        assert_eq!(body, json!({ "MessageId": took_the_receipt(&okite).await }).to_string());
        // The same event once more is a repetition by an SDK.
        assert_eq!(ses(&call(&okite, file).await, "application/json"), (status, body));
        took_the_receipt(&okite).await;
    }

    async fn a_raw_mail_of_version_1_is_sent(okite, file = "ses-api/send-raw-email.json") {
        let (status, body) = ses(&call(&okite, file).await, "text/xml");
        assert_eq!(status, 200, "{body}");
        let id = format!("<MessageId>{}</MessageId>", took_the_receipt(&okite).await);
        assert!(body.starts_with("<SendRawEmailResponse") && body.contains(&id), "{body}");
    }

    async fn the_quota_is_that_of_the_report(okite, file = "ses-api/get-send-quota.json") {
        okite.report().await;
        let (status, body) = ses(&call(&okite, file).await, "text/xml");
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("<Max24HourSend>50000"), "{body}");
    }

    async fn an_address_without_a_domain_is_refused(okite, file = "ses-api/invalid.json") {
        let answer = call(&okite, file).await;
        let (status, body) = ses(&answer, "application/json");
        assert_eq!((status, &answer["headers"]["x-amzn-errortype"]), (400, &json!("BadRequestException")));
        assert!(body.contains("Missing final '@domain'"), "{body}");
        assert_eq!(okite.outbox().await, [] as [Value; 0]);
    }

    async fn a_bounce_of_the_classic_format_suppresses_whom_it_names(okite, file = "feedback/bounce-classic.json") {
        suppresses(&okite, file, "gone@example.net", "bounce").await;
    }

    async fn a_bounce_of_event_publishing_suppresses_whom_it_names(okite, file = "feedback/bounce-event.json") {
        suppresses(&okite, file, "gone@example.net", "bounce").await;
    }

    async fn a_complaint_of_the_classic_format_suppresses_whom_it_names(okite, file = "feedback/complaint-classic.json") {
        suppresses(&okite, file, "cross@example.net", "complaint").await;
    }

    async fn a_complaint_of_event_publishing_suppresses_whom_it_names(okite, file = "feedback/complaint-event.json") {
        suppresses(&okite, file, "cross@example.net", "complaint").await;
    }

    async fn a_subscription_of_event_publishing_is_about_one_topic(okite, file = "feedback/subscription-event.json") {
        let handled = call(&okite, file).await;
        assert_eq!(handled, json!({ "events": 1, "set_up": 0, "suppressed": 0 }));
        let registers = okite.registers("anna@example.net").await;
        assert!(registers.topics.left(&Topic::parse("news").unwrap()).is_some());
        assert_eq!((registers.bounce_at, registers.complaint_at), (None, None));
    }

    async fn an_event_of_ses_as_it_is_suppresses_whom_it_names(okite, file = "feedback/bounce-plain.json") {
        let handled = call(&okite, file).await;
        assert_eq!(handled, json!({ "events": 1, "set_up": 0, "suppressed": 1 }));
        assert!(okite.registers("gone@example.net").await.bounce_at.is_some());
    }

    async fn an_envelope_in_a_queue_suppresses_whom_it_names(okite, file = "feedback/queue-sns-envelope.json") {
        suppresses_from_a_queue(&okite, file).await;
    }

    async fn an_event_of_ses_in_a_queue_suppresses_whom_it_names(okite, file = "feedback/queue-ses-event.json") {
        suppresses_from_a_queue(&okite, file).await;
    }

    async fn what_lambda_gave_up_suppresses_whom_it_names(okite, file = "feedback/queue-failure-record.json") {
        suppresses_from_a_queue(&okite, file).await;
    }

    async fn set_up_is_acknowledged(okite, file = "feedback/set-up.json") {
        assert_eq!(call(&okite, file).await, json!({ "events": 0, "set_up": 1, "suppressed": 0 }));
    }

    async fn the_task_of_the_second_schedule_goes_over_sess_list(okite, file = "quota-reporter/suppression-list.json") {
        let done = call(&okite, file).await;
        assert_eq!((&done["listed"], &done["running"]), (&json!(0), &json!(false)));
    }

    async fn a_sweep_finds_nothing_to_hand_over(okite, file = "sender/sweep.json") {
        let swept = call(&okite, file).await;
        for stream in ["transactional", "bulk"] {
            let nothing = json!({
                "visible": 0, "in_flight": 0, "due": 0, "oldest_seconds": 0, "handed_over": 0, "expired": 0, "failed": 0,
            });
            assert_eq!(swept[stream], nothing);
        }
    }

    async fn a_hint_about_a_mail_that_is_not_there_is_done(okite, file = "sender/hints.json") {
        assert_eq!(call(&okite, file).await, json!({ "batchItemFailures": [] }));
    }

    async fn a_record_that_is_no_hint_comes_again(okite, file = "sender/malformed.json") {
        let id = &read(file)["Records"][0]["messageId"];
        assert_eq!(call(&okite, file).await, json!({ "batchItemFailures": [{ "itemIdentifier": id }] }));
    }

    async fn an_event_for_a_webhook_that_is_gone_is_done(okite, file = "webhooks/deliveries.json") {
        assert_eq!(call(&okite, file).await, json!({ "batchItemFailures": [] }));
    }

    async fn a_record_that_is_no_delivery_comes_again(okite, file = "webhooks/malformed.json") {
        let id = &read(file)["Records"][0]["messageId"];
        assert_eq!(call(&okite, file).await, json!({ "batchItemFailures": [{ "itemIdentifier": id }] }));
    }

    async fn scheduled_gives_a_report(okite, file = "quota-reporter/scheduled.json") {
        let report = call(&okite, file).await;
        assert_eq!((&report["verdict"], &report["region"]), (&json!("healthy"), &json!("us-east-1")));
        assert_eq!(report["account"]["max_24_hour_send"].as_f64(), Some(50_000.0));
    }
}

/// A bounce has the same effect in every envelope as a bounce of event publishing.
async fn suppresses_from_a_queue(okite: &Okite, file: &str) {
    assert_eq!(call(okite, file).await, json!({ "batchItemFailures": [] }));
    assert_eq!(okite.registers("anna@example.net").await, Registers::default());
    let from_queue = okite.registers("gone@example.net").await;
    assert!(from_queue.bounce_at.is_some());
    call(okite, "feedback/bounce-event.json").await;
    assert_eq!(okite.registers("gone@example.net").await, from_queue);
}

/// The recipients that the event names are left out of the next mail. The other recipients of the first mail are not.
async fn suppresses(okite: &Okite, file: &str, address: &str, reason: &str) {
    let handled = call(okite, file).await;
    assert_eq!(handled, json!({ "events": 1, "set_up": 0, "suppressed": 1 }));
    let bystander = "anna@example.net";
    assert_eq!(okite.registers(bystander).await, Registers::default());
    let body = okite.send(&email(json!([address, bystander]))).await;
    assert_suppressed(&body, address, reason);
    assert_status(&body, bystander, "accepted");
    let event = read(file);
    let message: Value = serde_json::from_str(event["Records"][0]["Sns"]["Message"].as_str().unwrap()).unwrap();
    let happened: jiff::Timestamp = message[reason]["timestamp"].as_str().unwrap().parse().unwrap();
    let since: jiff::Timestamp = verdict(&body, address)["since"].as_str().unwrap().parse().unwrap();
    // A time that is still to come counts as now.
    assert!(since <= happened, "{since} {happened}");
}

#[test]
fn every_file_is_exercised() {
    let mut files = BTreeSet::new();
    for function in std::fs::read_dir(folder()).unwrap() {
        let function = function.unwrap().path();
        for file in std::fs::read_dir(&function).unwrap() {
            let path = file.unwrap().path();
            files.insert(path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned());
        }
    }
    let exercised: BTreeSet<String> = EXERCISED.iter().map(|&file| file.to_owned()).collect();
    assert_eq!(files, exercised);
}
