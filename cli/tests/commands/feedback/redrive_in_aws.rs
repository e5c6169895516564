//! `okite feedback redrive` against an SQS that is slow, busy, or fails. The SQS of `okite up` does none of this.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use serde_json::{Value, json};

use crate::support::text;

const ARN: &str = "arn:aws:sqs:eu-west-1:111111111111:Dead";
const RETRIES_ARN: &str = "arn:aws:sqs:eu-west-1:111111111111:Retries";
const RETRIES_URL: &str = "https://sqs.eu-west-1.amazonaws.com/111111111111/Retries";
const GONE: &str = "https://sqs.eu-west-1.amazonaws.com/111111111111/Gone";
const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111111111111/Dead";

/// Returns a move task of SQS.
fn task(started: u64, status: &str, moved: u64) -> Value {
    json!({
        "Status": status,
        "SourceArn": ARN,
        "StartedTimestamp": started,
        "ApproximateNumberOfMessagesMoved": moved,
        "FailureReason": if status == "FAILED" { json!("CouldNotDetermineMessageSource") } else { Value::Null },
    })
}

/// Starts an SQS with `waiting` messages in its dead-letter queue, which lists `tasks` one after the other. It ends
/// with the process.
fn sqs(waiting: u64, tasks: Vec<Option<Value>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut tasks = tasks.into_iter();
        for stream in listener.incoming() {
            answer(stream.unwrap(), |operation, body| match operation {
                "ListDeadLetterSourceQueues" => {
                    assert_eq!(body["QueueUrl"], URL);
                    json!({ "queueUrls": [RETRIES_URL] })
                }
                "GetQueueAttributes" if body["QueueUrl"] == RETRIES_URL => {
                    json!({ "Attributes": { "QueueArn": RETRIES_ARN } })
                }
                "GetQueueAttributes" => {
                    assert_eq!(body["QueueUrl"], URL);
                    json!({ "Attributes": { "QueueArn": ARN, "ApproximateNumberOfMessages": waiting.to_string() } })
                }
                "ListMessageMoveTasks" => {
                    assert_eq!(body["SourceArn"], ARN);
                    let listed = tasks.next().unwrap();
                    json!({ "Results": listed.into_iter().collect::<Vec<_>>() })
                }
                "StartMessageMoveTask" => {
                    // Without a destination, SQS fails at an event that SNS put into the queue.
                    let arns = [&body["SourceArn"], &body["DestinationArn"]];
                    assert_eq!(arns, [ARN, RETRIES_ARN]);
                    json!({ "TaskHandle": "handle" })
                }
                other => panic!("{other}"),
            });
        }
    });
    url
}

/// Answers the only request of a connection.
fn answer(stream: TcpStream, mut carry_out: impl FnMut(&str, &Value) -> Value) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut operation) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "x-amz-target" => operation = value.replace("AmazonSQS.", ""),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = carry_out(&operation, &serde_json::from_slice(&body).unwrap());
    let status = if answer["__type"].is_null() { 200 } else { 400 };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\nconnection: \
         close\r\n\r\n",
        answer.len()
    );
    reader.into_inner().write_all((head + &answer).as_bytes()).unwrap();
}

/// Runs the command as in AWS, with SQS at `endpoint`.
fn redrive(endpoint: &str) -> Output {
    redrive_queue(URL, endpoint)
}

fn redrive_queue(queue: &str, endpoint: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_okite"))
        .args(["feedback", "redrive", "--region", "eu-west-1", "--queue", queue])
        .env("AWS_ENDPOINT_URL_SQS", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap()
}

#[test]
fn waits_for_its_own_task_and_ignores_the_one_before() {
    let before = Some(task(1, "COMPLETED", 9));
    let tasks = [
        before.clone(),
        before,
        Some(task(2, "RUNNING", 3)),
        Some(task(2, "COMPLETED", 5)),
    ];
    let output = redrive(&sqs(5, tasks.into()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "only a person sees progress");
    let said = text(&output.stdout);
    assert!(
        said.contains(&format!("the queue {URL}: 5. ")) && said.contains("queue: 5."),
        "{said}"
    );
}

#[test]
fn fails_while_another_task_runs() {
    let output = redrive(&sqs(5, vec![Some(task(1, "RUNNING", 2))]));
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("has moved 2 events so far") && output.stdout.is_empty(),
        "{errors}"
    );
}

#[test]
fn names_why_sqs_failed() {
    let output = redrive(&sqs(5, vec![None, Some(task(1, "FAILED", 4))]));
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    for words in ["FAILED", "after 4 events", "CouldNotDetermineMessageSource"] {
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn leaves_an_empty_queue_alone() {
    let output = redrive(&sqs(0, Vec::new()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("is empty"), "{}", text(&output.stdout));
}

/// Starts an SQS that has these queues, and not the one that is asked for.
fn without_the_queue(code: &'static str, queues: Option<Vec<&'static str>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), |operation, _| match (operation, &queues) {
                ("ListQueues", Some(queues)) => json!({ "QueueUrls": queues }),
                ("ListQueues", None) => json!({ "__type": "AccessDenied", "message": "no" }),
                _ => json!({ "__type": code, "message": "The address foo is not valid." }),
            });
        }
    });
    url
}

#[test]
fn names_the_queues_that_exist_for_one_that_does_not() {
    let (invalid, missing) = ("InvalidAddress", "com.amazonaws.sqs#QueueDoesNotExist");
    for (code, queues, wanted) in [
        (
            invalid,
            Some(vec![URL, RETRIES_URL]),
            format!("{GONE} is not the URL of a queue in this account and region. Its queues: {URL}, {RETRIES_URL}"),
        ),
        (missing, Some(vec![URL]), format!("Its queues: {URL}")),
        (
            missing,
            Some(vec![]),
            "there are no queues in this account and region".to_owned(),
        ),
        (invalid, None, "The address foo is not valid.".to_owned()),
        (
            "AccessDenied",
            Some(vec![URL]),
            "The address foo is not valid.".to_owned(),
        ),
    ] {
        let output = redrive_queue(GONE, &without_the_queue(code, queues));
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(&wanted),
            "{code}: {}",
            text(&output.stderr)
        );
    }
}
