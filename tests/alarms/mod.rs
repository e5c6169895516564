//! Each alarm on what the send API and the SES API answer and log is set off by the faults that it is for, and by no
//! others.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use local_aws::data_dir::DataDir;
use local_aws::template::{Alarm, MetricFilter, Monitoring, Stack};
use okite::application::{APPLICATION, TEMPLATE};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, KEY, Okite, email, email_with};

const GOOD: &str = "success@simulator.amazonses.com";
/// Longer than any test.
const FOR_GOOD: u64 = 3_600_000;

/// The alarms, filters and dashboards of the template with its defaults.
pub(crate) fn monitoring() -> Monitoring {
    Stack::monitoring(TEMPLATE, &APPLICATION.stack_context(std::collections::BTreeMap::new())).unwrap()
}

/// The lines of a function's log.
pub(crate) fn log_lines(folder: &Path, function: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(folder.join(format!("logs/{function}.log"))).unwrap_or_default();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The filters whose metric an alarm watches: one for each log.
fn filters_of<'m>(monitoring: &'m Monitoring, alarm: &Alarm) -> Vec<&'m MetricFilter> {
    let filters = monitoring.metric_filters.iter();
    let filters: Vec<_> = filters
        .filter(|filter| alarm.metrics.contains(&filter.metric))
        .collect();
    assert!(
        !filters.is_empty(),
        "no filter makes the metric of {}",
        alarm.logical_id
    );
    filters
}

fn alarm<'m>(monitoring: &'m Monitoring, logical_id: &str) -> &'m Alarm {
    let mut alarms = monitoring.alarms.iter();
    alarms.find(|alarm| alarm.logical_id == logical_id).unwrap()
}

/// Returns whether the metric of an alarm counts a line with this cause, in each of its logs.
pub(crate) fn counts(logical_id: &str, cause: &str) -> bool {
    let monitoring = monitoring();
    let filters = filters_of(&monitoring, alarm(&monitoring, logical_id));
    filters.iter().all(|filter| filter.counts(&json!({ "cause": cause })))
}

/// Counts the lines of the logs that the metric of an alarm counts.
pub(crate) fn counted(folder: &Path, logical_id: &str) -> usize {
    let monitoring = monitoring();
    let counted = |filter: &MetricFilter| {
        let function = match filter.log_group.as_str() {
            "okite-SendApiLogGroup" => "send-api",
            "okite-SesApiLogGroup" => "ses-api",
            "okite-FeedbackLogGroup" => "feedback",
            "okite-SenderLogGroup" => "sender",
            "okite-QuotaReporterLogGroup" => "quota-reporter",
            "okite-WebhooksLogGroup" => "webhooks",
            other => panic!("{other} is no log group of the tests"),
        };
        let lines = log_lines(folder, function);
        lines.iter().filter(|line| filter.counts(line)).count()
    };
    let filters = filters_of(&monitoring, alarm(&monitoring, logical_id));
    filters.into_iter().map(counted).sum()
}

/// The alarms on the logs of the send API and the SES API.
const OF_THE_LOG: [&str; 4] = [
    "SendApiBrokenAlarm",
    "SendApiRefusesAlarm",
    "SendApiStoreAlarm",
    "SendApiUnknownAlarm",
];

/// An Okite whose functions log what they do by default.
struct Watched {
    okite: Okite,
    folder: TempDir,
}

impl Watched {
    async fn start(parameters: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let okite = Okite::start_with(|settings| {
            settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
            settings.environment.insert("LOG_LEVEL".to_owned(), "warn".to_owned());
            settings.parameters = parameters
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
        })
        .await
        .refusing()
        .await;
        Self { okite, folder }
    }

    fn counted(&self) -> Vec<usize> {
        let count = |alarm: &&str| counted(self.folder.path(), alarm);
        OF_THE_LOG.iter().map(count).collect()
    }

    /// Sends a mail under a fault: as [`Self::request_under`].
    async fn post_under(&self, fault: Value, mail: &Value) -> (Vec<&'static str>, u16) {
        self.request_under(fault, self.okite.post(mail)).await
    }

    /// Sends a raw mail by the SES API under a fault: as [`Self::request_under`].
    async fn ses_under(&self, fault: Value, from: &str) -> (Vec<&'static str>, u16) {
        let data = STANDARD.encode(format!("From: {from}\nTo: {GOOD}\nSubject: Hello\n\nIt works.\n"));
        let mail = json!({ "Content": { "Raw": { "Data": data } } });
        let request = self.okite.request(Method::POST, "/v2/email/outbound-emails");
        let request = request.bearer_auth(KEY).json(&mail);
        self.request_under(fault, Answer::of_ses(request)).await
    }

    /// Makes a request under a fault, and returns the alarms whose metric has counted it and the status of the answer.
    async fn request_under(&self, fault: Value, request: impl Future<Output = Answer>) -> (Vec<&'static str>, u16) {
        let before = self.counted();
        if !fault.is_null() {
            self.okite.fault(fault).await;
        }
        let answer = request.await;
        let cleared = self.okite.local(Method::DELETE, "faults", &Value::Null).await;
        assert_eq!(cleared.status, 204);
        let after = self.counted();
        let rose = |place: &usize| after[*place] > before[*place];
        let risen = (0..OF_THE_LOG.len()).filter(rose).map(|place| OF_THE_LOG[place]);
        (risen.collect(), answer.status)
    }
}

fn table(operation: &str, table: &str, error: &str) -> Value {
    json!({ "operation": operation, "table": table, "for_ms": FOR_GOOD, "error": error })
}

fn ses(error: &str) -> Value {
    json!({ "operation": "SendEmail", "for_ms": FOR_GOOD, "error": error })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_must_mend_sets_off_an_alarm_at_once() {
    let watched = Watched::start(&[]).await;
    for (fault, status) in [
        (table("GetItem", "ApiKeysTable", "AccessDeniedException"), 503),
        (
            table("BatchGetItem", "SuppressionsTable", "ResourceNotFoundException"),
            503,
        ),
        (table("PutItem", "MessagesTable", "AccessDeniedException"), 503),
        (table("UpdateItem", "UsageTable", "AccessDeniedException"), 503),
        (ses("AccessDeniedException"), 500),
        (ses("NotFoundException"), 500),
        (ses("SendingPausedException"), 503),
        (ses("AccountSuspendedException"), 403),
    ] {
        let told = watched.post_under(fault.clone(), &email(GOOD)).await;
        assert_eq!(told, (vec!["SendApiBrokenAlarm"], status), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_sets_off_its_alarm() {
    let watched = Watched::start(&[]).await;
    for fault in [
        table("BatchGetItem", "SuppressionsTable", "InternalServerError"),
        table("PutItem", "MessagesTable", "ProvisionedThroughputExceededException"),
        json!({ "operation": "UpdateItem", "table": "UsageTable", "for_ms": FOR_GOOD, "drop": "before" }),
    ] {
        let told = watched.post_under(fault.clone(), &email(GOOD)).await;
        assert_eq!(told, (vec!["SendApiStoreAlarm"], 503), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_which_nobody_knows_whether_it_was_sent_sets_off_an_alarm() {
    let watched = Watched::start(&[("DeliveryEvents", "false")]).await;
    let cut = json!({ "operation": "SendEmail", "times": 1, "drop": "after" });
    let told = watched.post_under(cut, &email(GOOD)).await;
    assert_eq!(told, (vec!["SendApiUnknownAlarm"], 500));
    // SES took the mail, and its record does not say so.
    let unsettled = table("UpdateItem", "MessagesTable", "InternalServerError");
    let told = watched.post_under(unsettled, &email(GOOD)).await;
    assert_eq!(told, (vec!["SendApiUnknownAlarm"], 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_which_nobody_knows_whether_it_waits_sets_off_an_alarm() {
    let watched = Watched::start(&[]).await;
    let later = email_with("scheduled_at", "in 1 hour");
    let waiting = watched.okite.send(&later).await;
    let path = format!("/emails/{}/cancel", waiting["id"].as_str().unwrap());
    let cancel = || Answer::of(watched.okite.request(Method::POST, &path).bearer_auth(KEY));
    let unanswered = json!({ "operation": "TransactWriteItems", "for_ms": FOR_GOOD, "drop": "before" });
    // Each call without an answer is one of a table, too.
    let alarms = vec!["SendApiStoreAlarm", "SendApiUnknownAlarm"];
    let told = watched.post_under(unanswered.clone(), &later).await;
    assert_eq!(told, (alarms.clone(), 500));
    let told = watched.request_under(unanswered, cancel()).await;
    assert_eq!(told, (alarms, 503));
    assert_eq!(watched.request_under(Value::Null, cancel()).await, (vec![], 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_that_may_not_be_sent_sets_off_an_alarm_and_one_that_is_lost_does_not() {
    let watched = Watched::start(&[]).await;
    let soon = email_with("scheduled_at", "in 5 min");
    for (error, alarms) in [
        ("AccessDenied", vec!["SendApiBrokenAlarm"]),
        ("QueueDoesNotExist", vec!["SendApiBrokenAlarm"]),
        ("InternalError", vec![]),
    ] {
        let fault = json!({ "operation": "SendMessage", "for_ms": FOR_GOOD, "error": error });
        assert_eq!(watched.post_under(fault, &soon).await, (alarms, 200), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_for_the_rate_count_for_their_alarm() {
    let watched = Watched::start(&[("PermitWaitSeconds", "0")]).await;
    watched.okite.account(json!({ "max_send_rate": 1 })).await;
    watched.okite.report().await;
    let many: Vec<String> = (0..50)
        .map(|number| format!("success+{number}@simulator.amazonses.com"))
        .collect();
    watched.okite.send(&email(many)).await;
    let refused = || counted(watched.folder.path(), "SendApiRefusesAlarm");
    for _ in 0..3 {
        let before = refused();
        let told = watched.post_under(Value::Null, &email(GOOD)).await;
        assert_eq!(told, (vec!["SendApiRefusesAlarm"], 429));
        assert_eq!(refused(), before + 1);
    }
    let before = refused();
    let told = watched.post_under(ses("TooManyRequestsException"), &email(GOOD)).await;
    assert_eq!((told.1, refused()), (429, before + 1));
    let monitoring = monitoring();
    let alarm = alarm(&monitoring, "SendApiRefusesAlarm");
    assert_eq!(alarm.expressions, ["100 * FILL(refused, 0) / requests"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_did_wrong_sets_off_no_alarm() {
    let watched = Watched::start(&[]).await;
    let none = Vec::<&str>::new();
    let unverified = email_with("from", "Eve <eve@unverified.example>");
    for (fault, mail, status) in [
        (Value::Null, email(GOOD), 200),
        (Value::Null, email_with("to", "nobody"), 422),
        (Value::Null, unverified, 403),
        (ses("MessageRejected"), email(GOOD), 422),
    ] {
        let told = watched.post_under(fault.clone(), &mail).await;
        assert_eq!(told, (none.clone(), status), "{fault} {mail}");
    }
}

/// The SES API has the send API's alarms, by filters on its own log.
#[tokio::test(flavor = "multi_thread")]
async fn faults_under_the_ses_api_set_off_the_same_alarms() {
    let watched = Watched::start(&[("DeliveryEvents", "false")]).await;
    let from = "hello@example.com";
    for (fault, alarm, status) in [
        (
            table("GetItem", "ApiKeysTable", "AccessDeniedException"),
            "SendApiBrokenAlarm",
            500,
        ),
        (
            table("PutItem", "MessagesTable", "AccessDeniedException"),
            "SendApiBrokenAlarm",
            500,
        ),
        (ses("AccessDeniedException"), "SendApiBrokenAlarm", 500),
        (ses("SendingPausedException"), "SendApiBrokenAlarm", 400),
        (
            table("BatchGetItem", "SuppressionsTable", "InternalServerError"),
            "SendApiStoreAlarm",
            503,
        ),
        (
            json!({ "operation": "SendEmail", "times": 1, "drop": "after" }),
            "SendApiUnknownAlarm",
            500,
        ),
        (
            table("UpdateItem", "MessagesTable", "InternalServerError"),
            "SendApiUnknownAlarm",
            200,
        ),
        (ses("TooManyRequestsException"), "SendApiRefusesAlarm", 429),
    ] {
        let told = watched.ses_under(fault.clone(), from).await;
        assert_eq!(told, (vec![alarm], status), "{fault}");
    }
    let none = Vec::<&str>::new();
    for (fault, from, status) in [
        (Value::Null, from, 200),
        (Value::Null, "eve@unverified.example", 400),
        (ses("MessageRejected"), from, 400),
    ] {
        let told = watched.ses_under(fault.clone(), from).await;
        assert_eq!(told, (none.clone(), status), "{fault} {from}");
    }
}

/// What API Gateway counts: its requests, and those that failed.
#[tokio::test(flavor = "multi_thread")]
async fn the_share_of_failed_requests_is_above_its_threshold_while_no_mail_can_be_sent() {
    let monitoring = monitoring();
    let alarm = alarm(&monitoring, "SendApiFailuresAlarm");
    assert_eq!(alarm.expressions, ["100 * FILL(failures, 0) / requests"]);
    let names: Vec<_> = alarm.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["5xx", "Count"]);
    let threshold = alarm.threshold.unwrap();

    let watched = Watched::start(&[]).await;
    for (fault, goes_off) in [
        (Value::Null, false),
        (ses("MessageRejected"), false),
        (table("PutItem", "MessagesTable", "AccessDeniedException"), true),
        (table("BatchGetItem", "SuppressionsTable", "InternalServerError"), true),
        (ses("AccessDeniedException"), true),
        (ses("NotFoundException"), true),
        (
            json!({ "operation": "PutItem", "table": "MessagesTable", "for_ms": FOR_GOOD, "kill": "before" }),
            true,
        ),
    ] {
        let (requests, mut failures) = (3, 0);
        for _ in 0..requests {
            let (_, status) = watched.post_under(fault.clone(), &email(GOOD)).await;
            failures += u32::from(status >= 500);
        }
        let share = 100.0 * f64::from(failures) / f64::from(requests);
        assert_eq!(share >= threshold, goes_off, "{fault}: {share}");
    }
}

/// The periods of the alarms on what services count of themselves.
const PERIOD: Duration = Duration::from_mins(5);

/// Returns the sum of all metrics of an alarm in the last period.
fn sum(okite: &Okite, alarm: &Alarm) -> u64 {
    let sum = |metric| okite.local.metrics.in_the_last(PERIOD, metric);
    alarm.metrics.iter().filter_map(sum).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_sets_off_its_alarm_and_usual_traffic_does_not() {
    let okite = Okite::start_with(|settings| {
        settings.parameters.insert("ApiRate".to_owned(), "1".to_owned());
    })
    .await;
    let monitoring = Stack::monitoring(
        TEMPLATE,
        &APPLICATION.stack_context([("ApiRate".to_owned(), "1".to_owned())].into()),
    );
    let monitoring = monitoring.unwrap();
    let alarm = alarm(&monitoring, "ApiRequestsAlarm");
    assert_eq!(alarm.expressions, ["100 * requests / (300 * 1)"]);
    let (threshold, limit) = (alarm.threshold.unwrap(), 300.0);
    // What API Gateway counts does not depend on the answer.
    for (path, requests, goes_off) in [("/health", 20, false), ("/health", 240, true), ("/nowhere", 240, true)] {
        for _ in 0..requests {
            okite.get(path).await;
        }
        let counted = sum(&okite, alarm);
        assert_eq!(counted, requests, "{path}");
        let share = 100.0 * f64::from(u32::try_from(counted).unwrap()) / limit;
        assert_eq!(share >= threshold, goes_off, "{path}: {share}");
        okite.advance(PERIOD).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_table_that_dynamodb_throttles_counts_for_the_alarm_on_throttles() {
    let monitoring = monitoring();
    let alarm = alarm(&monitoring, "TableThrottlesAlarm");
    assert!(alarm.expressions[0].starts_with("SUM(["), "{:?}", alarm.expressions);
    let threshold = alarm.threshold.unwrap();
    let watched = Watched::start(&[]).await;
    let throttled = "ProvisionedThroughputExceededException";
    for (fault, goes_off) in [
        (Value::Null, false),
        (table("PutItem", "MessagesTable", "AccessDeniedException"), false),
        (table("BatchGetItem", "SuppressionsTable", "InternalServerError"), false),
        (table("BatchGetItem", "SuppressionsTable", throttled), true),
        (table("PutItem", "MessagesTable", throttled), true),
        (table("UpdateItem", "UsageTable", throttled), true),
        (table("UpdateItem", "UsageTable", "ThrottlingException"), true),
        // The table of API keys is not watched.
        (table("GetItem", "ApiKeysTable", throttled), false),
    ] {
        watched.post_under(fault.clone(), &email(GOOD)).await;
        let counted = sum(&watched.okite, alarm);
        assert_eq!(
            f64::from(u32::try_from(counted).unwrap()) > threshold,
            goes_off,
            "{fault}: {counted}"
        );
        watched.okite.advance(PERIOD).await;
    }
}

/// Lambda drops a line of JSON below the level of the template, and keeps one that names no level as `INFO`. It takes
/// the time of a line from a `timestamp` in RFC 3339.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
#[tokio::test(flavor = "multi_thread")]
async fn lambda_keeps_every_line_that_a_function_logs() {
    let (_, logging) = TEMPLATE.split_once("    LoggingConfig:\n").unwrap();
    let (logging, _) = logging.split_once("    Environment:").unwrap();
    assert!(logging.contains("LogFormat: JSON"), "{logging}");
    assert!(logging.contains("ApplicationLogLevel: INFO"), "{logging}");
    assert!(logging.contains("SystemLogLevel: WARN"), "{logging}");

    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "info".to_owned());
    })
    .await;
    okite.send(&email(GOOD)).await;
    okite.post(&email_with("to", "nobody")).await;
    let unknown = okite.request(Method::GET, "/v2/email/account");
    assert_eq!(Answer::of_ses(unknown).await.status, 403);
    okite.report().await;
    okite.publish(&json!({ "eventType": "Bounce" })).await;
    let no_delivery = json!({ "Records": [{ "messageId": "1", "body": "hello", "eventSource": "aws:sqs" }] });
    okite.invoke("webhooks", &no_delivery).await.unwrap();
    for function in registry::names() {
        let lines = log_lines(folder.path(), function);
        assert!(!lines.is_empty(), "{function}");
        for line in lines {
            let level = line["level"].as_str().unwrap();
            assert!(["INFO", "WARN", "ERROR"].contains(&level), "{line}");
            let timestamp = line["timestamp"].as_str().unwrap();
            assert!(timestamp.parse::<jiff::Timestamp>().is_ok(), "{line}");
        }
    }
}
