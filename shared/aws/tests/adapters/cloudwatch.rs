//! The reputation of the account: as the simulated CloudWatch tells it, and as it is asked for on the wire.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;

use aws::{CloudWatch, MetricsError};
use aws_smithy_cbor::Encoder;
use aws_smithy_types::DateTime;
use domain::reputation::{AwsRate, RateKind};
use jiff::Timestamp;
use local_aws::calls::Call;
use local_aws::clock::Clock;
use local_aws::middleware::Middleware;
use local_aws::services::ses::{Ses, SesLeniency, SesSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Answer, Fake, REGION, at, closed_port, config, stack};

/// CloudWatch with the alarms of the template, of an account that can be changed.
struct World {
    endpoint: String,
    ses: Arc<Ses>,
    clock: Clock,
    middleware: Middleware,
    _stop: DropGuard,
}

impl World {
    async fn start() -> Self {
        let (clock, middleware): (Clock, Middleware) = Default::default();
        let settings = SesSettings {
            region: REGION.to_owned(),
            account_id: "000000000000".to_owned(),
            configuration_sets: Vec::new(),
            production_access: true,
            verified: Vec::new(),
            outbox_file: None,
            account_file: None,
            leniency: SesLeniency::default(),
            id_tag: None,
        };
        let ses = Ses::new(settings, clock.clone(), unbounded_channel().0).unwrap();
        let sqs = local_aws::services::sqs::Sqs::open(Vec::new(), None, clock.clone()).unwrap();
        let cloudwatch =
            local_aws::services::cloudwatch::CloudWatch::new(Arc::clone(&ses), sqs, stack().alarms, clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let router = cloudwatch.router(&middleware);
        tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));
        Self {
            endpoint,
            ses,
            clock,
            middleware,
            _stop: stop.drop_guard(),
        }
    }

    fn set(&self, rates: Value) {
        self.ses.update_account(&serde_json::from_value(rates).unwrap());
    }

    async fn rates(&self) -> Result<Rates, MetricsError> {
        rates(&self.endpoint, self.clock.now()).await
    }
}

/// The bounce rate and the complaint rate.
type Rates = (Option<f64>, Option<f64>);

async fn rates(endpoint: &str, now: Timestamp) -> Result<Rates, MetricsError> {
    let cloudwatch = CloudWatch::new(client(endpoint));
    let rate = async |kind| {
        let rate: Option<AwsRate> = cloudwatch.rate(kind, now).await?;
        assert!(rate.is_none_or(|rate| rate.at == now));
        Ok(rate.map(|rate| rate.rate))
    };
    Ok((rate(RateKind::Bounce).await?, rate(RateKind::Complaint).await?))
}

fn client(endpoint: &str) -> aws_sdk_cloudwatch::Client {
    aws::cloudwatch(&config(endpoint))
}

#[tokio::test]
async fn an_account_has_a_reputation_once_ses_publishes_one() {
    let world = World::start().await;
    assert_eq!(world.rates().await.unwrap(), (None, None));
    world.set(json!({ "bounce_rate": 0.049, "complaint_rate": 0.0 }));
    assert_eq!(world.rates().await.unwrap(), (Some(0.049), Some(0.0)));
    world.set(json!({ "bounce_rate": null }));
    assert_eq!(world.rates().await.unwrap(), (None, Some(0.0)));
    let call = Call {
        function: "AKIDTEST".to_owned(),
        action: "cloudwatch:GetMetricStatistics".to_owned(),
        resource: "*".to_owned(),
    };
    assert_eq!(world.middleware.calls.count(&call), 6);
}

#[tokio::test]
async fn a_missing_figure_is_none() {
    let world = World::start().await;
    world.set(json!({ "bounce_rate": 0.1, "complaint_rate": 0.1 }));
    assert_eq!(rates(&world.endpoint, at(0)).await.unwrap(), (None, None));
}

#[tokio::test]
async fn a_failed_read_has_a_reason() {
    let world = World::start().await;
    let error = |code: &str| Err(MetricsError { code: code.to_owned() });
    let fault = r#"{"operation": "GetMetricStatistics", "times": 2, "error": "AccessDenied"}"#;
    world.middleware.faults.add(serde_json::from_str(fault).unwrap());
    assert_eq!(world.rates().await, error("AccessDenied"));
    let nowhere = rates(&closed_port().await, at(0)).await;
    assert_eq!(nowhere, error("ConnectionFailed"));
}

#[tokio::test]
async fn the_simulator_refuses_requests_as_cloudwatch_does() {
    let world = World::start().await;
    let asked = |start, period| {
        client(&world.endpoint)
            .get_metric_statistics()
            .namespace("AWS/SES")
            .metric_name("Reputation.BounceRate")
            .start_time(DateTime::from_secs(start))
            .end_time(DateTime::from_secs(1_000_000))
            .period(period)
            .statistics(aws_sdk_cloudwatch::types::Statistic::Maximum)
    };
    for (start, period, code) in [
        (999_000, 61, "InvalidParameterValueException"),
        (1_000_000, 60, "InvalidParameterValueException"),
        (0, 60, "InvalidParameterCombinationException"),
    ] {
        let error = asked(start, period).send().await.unwrap_err().into_service_error();
        assert!(format!("{error:?}").starts_with(code), "{error:?}");
    }
    let unknown = client(&world.endpoint).list_metrics().send().await.unwrap_err();
    assert_eq!(
        aws_sdk_cloudwatch::error::ProvideErrorMetadata::code(&unknown),
        Some("UnknownOperationException")
    );
}

/// An answer with datapoints of so many seconds and so much.
fn datapoints(points: &[(i64, f64)]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(1).str("Datapoints").array(points.len());
    for &(second, value) in points {
        encoder.map(2).str("Timestamp").timestamp(&DateTime::from_secs(second));
        encoder.str("Maximum").double(value);
    }
    encoder.into_writer()
}

#[tokio::test]
async fn the_newest_valid_figure_counts_in_any_order() {
    for (points, expected) in [
        (&[(300, 0.1), (900, 0.3), (600, 0.2)][..], Some(0.3)),
        (&[(300, 0.1), (900, f64::NAN)], None),
        (&[(300, 1.5)], None),
        (&[(300, -0.1)], None),
        (&[(300, f64::INFINITY)], None),
        (&[], None),
    ] {
        let body = datapoints(points);
        let fake = Fake::start(move |_, _| Answer::Bytes(body.clone())).await;
        assert_eq!(
            rates(&fake.endpoint, at(0)).await.unwrap(),
            (expected, expected),
            "{points:?}"
        );
    }
}

#[tokio::test]
async fn alarms_are_listed_by_their_names_page_by_page() {
    let world = World::start().await;
    let client = client(&world.endpoint);
    let all = client.describe_alarms().send().await.unwrap();
    let names: Vec<&str> = all
        .metric_alarms()
        .iter()
        .filter_map(|alarm| alarm.alarm_name())
        .collect();
    assert!(names.contains(&"okite-FeedbackGivenUpAlarm"), "{names:?}");
    let mut one_by_one = Vec::new();
    let mut pages = client.describe_alarms().max_records(1).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.metric_alarms().len(), 1);
        one_by_one.extend(
            page.metric_alarms()
                .iter()
                .filter_map(|alarm| alarm.alarm_name().map(str::to_owned)),
        );
    }
    assert_eq!(one_by_one, names);
    let some = client
        .describe_alarms()
        .alarm_name_prefix("okite-FeedbackG")
        .send()
        .await
        .unwrap();
    let one = client
        .describe_alarms()
        .alarm_names("okite-FeedbackGivenUpAlarm")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (some.metric_alarms().len(), one.metric_alarms()),
        (1, some.metric_alarms())
    );
    let alarm = &one.metric_alarms()[0];
    assert_eq!((alarm.actions_enabled(), alarm.alarm_actions().len()), (Some(true), 0));
    assert!(alarm.alarm_description().is_some_and(|text| !text.is_empty()));
}
