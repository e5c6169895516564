//! Whole clients against a connector that keeps what it gets and answers as it is told.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sigv4::http_request as theirs;
use aws_sigv4::sign::v4;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::display::DisplayErrorContext;

use super::*;

const NOW: u64 = 1_800_000_000;

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn credentials() -> Credentials {
    Credentials::new("AKIDTEST", "the secret", Some("the+token".to_owned()), None, "tests")
}

/// What a service answers to one request.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
}

impl Answer {
    fn ok() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: "{}",
        }
    }

    /// Refuses the time of a request, as services do that have this time.
    fn wrong_time(code: &'static str, second: u64) -> Self {
        let date = DateTime::from(at(second)).fmt(Format::HttpDate).unwrap();
        Self {
            status: 403,
            headers: vec![("date", date), ("x-amzn-errortype", code.to_owned())],
            body: "{}",
        }
    }
}

/// A service whose answers are given in turn, and then a success each time.
#[derive(Clone, Debug, Default)]
struct Service {
    answers: Arc<Mutex<Vec<Answer>>>,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(request);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() {
            Answer::ok()
        } else {
            answers.remove(0)
        };
        let status = StatusCode::try_from(answer.status).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
        for (name, value) in answer.headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Service {
    fn answers(self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers.lock().unwrap().extend(answers);
        self
    }

    /// The configuration of a function's clients that call this service.
    fn sdk(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        SdkConfig::builder()
            .behavior_version(crate::behavior_version())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials()))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(StaticTimeSource::new(at(NOW))))
            .build()
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        signed_client!(aws_sdk_dynamodb, &crate::dynamodb::settings(&self.sdk()))
    }

    fn ses(&self) -> aws_sdk_sesv2::Client {
        signed_client!(aws_sdk_sesv2, &crate::ses::settings(&self.sdk()))
    }

    fn header(&self, request: usize, name: &str) -> Option<String> {
        let requests = self.requests.lock().unwrap();
        requests[request].headers().get(name).map(str::to_owned)
    }

    /// The times of the signatures of all requests.
    fn times(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let time = |request: &HttpRequest| request.headers().get("x-amz-date").unwrap().to_owned();
        requests.iter().map(time).collect()
    }
}

/// The header `authorization` that the library of AWS gives a request whose same headers are signed.
fn authorization_of_aws(request: &HttpRequest, region: &str, service: &str) -> String {
    let identity = credentials().into();
    let signed = |name: &str| name == "content-type" || name.starts_with("x-amz-");
    let headers: Vec<_> = request.headers().iter().filter(|(name, _)| signed(name)).collect();
    let body = theirs::SignableBody::Bytes(request.body().bytes().unwrap());
    let signable = theirs::SignableRequest::new(request.method(), request.uri(), headers.into_iter(), body).unwrap();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(at(NOW))
        .settings(theirs::SigningSettings::default())
        .build()
        .unwrap();
    let (instructions, _) = theirs::sign(signable, &params.into()).unwrap().into_parts();
    let mut headers = instructions.headers();
    headers.find(|(name, _)| *name == "authorization").unwrap().1.to_owned()
}

#[tokio::test]
async fn every_service_gets_the_signature_of_aws_and_few_headers() {
    let service = Service::default();
    let sdk = service.sdk();
    let cloudwatch = signed_client!(aws_sdk_cloudwatch, &crate::cloudwatch::settings(&sdk));
    let sns = signed_client!(aws_sdk_sns, &crate::sns::settings(&sdk));
    let sqs = signed_client!(aws_sdk_sqs, &crate::sqs::settings(&sdk));
    // What the fake answers means nothing to some of them.
    let _ = service.dynamodb().get_item().table_name("t").send().await;
    let list = service
        .ses()
        .list_suppressed_destinations()
        .next_token("a+/= \u{fc}")
        .page_size(2);
    let _ = list.send().await;
    let _ = service
        .ses()
        .get_suppressed_destination()
        .email_address("\u{fc}+a @b.example")
        .send()
        .await;
    let _ = sqs
        .send_message()
        .queue_url("https://sqs.example/q")
        .message_body("m")
        .send()
        .await;
    let _ = sns
        .publish()
        .topic_arn("arn:aws:sns:eu-west-1:1:t")
        .message("m + \u{fc}")
        .send()
        .await;
    let times = (
        aws_sdk_cloudwatch::primitives::DateTime::from_secs(1),
        aws_sdk_cloudwatch::primitives::DateTime::from_secs(2),
    );
    let metrics = cloudwatch
        .get_metric_statistics()
        .namespace("n")
        .metric_name("m")
        .period(60);
    let _ = metrics.start_time(times.0).end_time(times.1).send().await;

    let requests = service.requests.lock().unwrap();
    let names = ["dynamodb", "ses", "ses", "sqs", "sns", "monitoring"];
    assert!(requests.len() >= names.len());
    let mut found: Vec<&str> = Vec::new();
    for request in requests.iter() {
        let authorization = request.headers().get("authorization").unwrap();
        let name = names
            .iter()
            .find(|name| authorization.contains(&format!("/{name}/aws4_request")));
        let name = *name.unwrap();
        assert_eq!(
            authorization,
            authorization_of_aws(request, "eu-west-1", name),
            "{request:?}"
        );
        assert_eq!(request.headers().get("x-amz-security-token"), Some("the+token"));
        assert_eq!(
            request.headers().get("user-agent"),
            Some(concat!("okite/", env!("CARGO_PKG_VERSION")))
        );
        for header in ["x-amz-user-agent", "amz-sdk-invocation-id", "amz-sdk-request"] {
            assert_eq!(request.headers().get(header), None, "{name}");
        }
        found.push(name);
    }
    assert!(names.iter().all(|name| found.contains(name)), "{found:?}");
}

#[tokio::test]
async fn fips_and_dual_stack_endpoints_and_an_override_are_signed_for_the_region() {
    let service = Service::default();
    let sdk = service.sdk();
    let variants = [
        (
            sdk.to_builder().use_fips(true).build(),
            "https://dynamodb-fips.eu-west-1.amazonaws.com/",
            "eu-west-1",
        ),
        (
            sdk.to_builder().use_dual_stack(true).build(),
            "https://dynamodb.eu-west-1.api.aws/",
            "eu-west-1",
        ),
        (
            sdk.to_builder().region(Region::new("cn-north-1")).build(),
            "https://dynamodb.cn-north-1.amazonaws.com.cn/",
            "cn-north-1",
        ),
        (
            sdk.to_builder().endpoint_url("http://127.0.0.1:4566/aws").build(),
            "http://127.0.0.1:4566/aws/",
            "eu-west-1",
        ),
        // The SDK knows this region of DynamoDB's local edition, and signs for another one.
        (
            sdk.to_builder().region(Region::new("local")).build(),
            "http://localhost:8000/",
            "us-east-1",
        ),
    ];
    for (index, (sdk, uri, region)) in variants.iter().enumerate() {
        let client = signed_client!(aws_sdk_dynamodb, sdk);
        client.get_item().table_name("t").send().await.unwrap();
        let requests = service.requests.lock().unwrap();
        assert_eq!(requests[index].uri(), *uri);
        let expected = authorization_of_aws(&requests[index], region, "dynamodb");
        assert_eq!(
            requests[index].headers().get("authorization"),
            Some(expected.as_str()),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected_by_a_second_attempt() {
    for code in [
        "InvalidSignatureException",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    ] {
        for (server, signed_at) in [(NOW + 600, "20270115T081000Z"), (NOW - 600, "20270115T075000Z")] {
            let service = Service::default().answers([Answer::wrong_time(code, server)]);
            let client = service.dynamodb();
            client.get_item().table_name("t").send().await.unwrap();
            assert_eq!(service.times(), ["20270115T080000Z", signed_at], "{code}");
            // The client remembers it.
            client.get_item().table_name("t").send().await.unwrap();
            assert_eq!(service.times()[2], signed_at, "{code}");
        }
    }
}

#[tokio::test]
async fn ses_is_never_called_twice_for_it_but_the_next_call_has_the_right_time() {
    let service = Service::default().answers([Answer::wrong_time("InvalidSignatureException", NOW + 600)]);
    let client = service.ses();
    assert!(client.get_account().send().await.is_err());
    assert_eq!(service.times().len(), 1);
    client.get_account().send().await.unwrap();
    assert_eq!(service.times()[1], "20270115T081000Z");
}

#[tokio::test]
async fn answers_that_are_no_proof_of_a_wrong_clock_change_nothing() {
    let date = DateTime::from(at(NOW + 600)).fmt(Format::HttpDate).unwrap();
    let cached = Answer {
        headers: vec![("date", date.clone()), ("age", "600".to_owned())],
        ..Answer::wrong_time("AccessDeniedException", NOW)
    };
    let success = Answer {
        headers: vec![("date", date)],
        ..Answer::ok()
    };
    let service = Service::default().answers([cached, success]);
    let client = service.ses();
    for _ in 0..3 {
        let _ = client.get_account().send().await;
    }
    assert_eq!(service.times(), ["20270115T080000Z"; 3]);
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_with_a_signature() {
    let slow_down = Answer {
        status: 503,
        ..Answer::ok()
    };
    let service = Service::default().answers([slow_down]);
    service.dynamodb().get_item().table_name("t").send().await.unwrap();
    assert_eq!(service.times().len(), 2);
    assert_eq!(service.header(0, "authorization"), service.header(1, "authorization"));
}

#[tokio::test]
async fn a_call_without_credentials_says_so() {
    let service = Service::default();
    let mut sdk = service.sdk().into_builder();
    sdk.set_credentials_provider(None);
    let client = signed_client!(aws_sdk_dynamodb, &sdk.build());
    let error = client.get_item().table_name("t").send().await.unwrap_err();
    let error = DisplayErrorContext(error).to_string();
    assert!(error.contains("Be sure to set an identity"), "{error}");
    assert!(service.times().is_empty());
}

#[test]
fn shows_no_secret() {
    let service = Service::default();
    let (scheme, interceptor) = parts(&service.sdk());
    let shown = format!("{scheme:?} {interceptor:?}");
    assert!(!shown.contains("the secret") && !shown.contains("the+token"), "{shown}");
}
