//! Messages to operators, through the simulated SNS and on the wire.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;

use aws::{Notifications, NotifyError};
use local_aws::calls::Call;
use local_aws::clock::Clock;
use local_aws::feed::Feed;
use local_aws::middleware::Middleware;
use local_aws::services::lambda::{Asynchronous, Lambda, Program};
use local_aws::services::sns::Sns;
use local_aws::services::sqs::Sqs;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Answer, Fake, closed_port, config};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:okite-alarms";

/// SNS with no topic but that of operators.
struct Topics {
    endpoint: String,
    sns: Arc<Sns>,
    middleware: Middleware,
    _stop: DropGuard,
}

impl Topics {
    async fn start() -> Self {
        let stop = CancellationToken::new();
        let clock: Clock = Clock::default();
        let program = Program::Bootstraps("/nowhere".into());
        let lambda = Lambda::new(program, Vec::new(), String::new(), clock.clone(), stop.clone());
        let sqs = Sqs::open(Vec::new(), None, clock.clone()).unwrap();
        let middleware = Middleware::default();
        let (none, waits) = (Vec::new(), Vec::new());
        let asynchronous = Asynchronous::new(lambda, Arc::clone(&sqs), middleware.clone(), clock.clone(), none, waits);
        let sns = Arc::new(Sns::new(
            Vec::new(),
            Some(TOPIC.to_owned()),
            asynchronous,
            sqs,
            middleware.clone(),
            clock,
            Feed::default(),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = sns.router();
        tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));
        Self {
            endpoint,
            sns,
            middleware,
            _stop: stop.drop_guard(),
        }
    }
}

fn notifications(endpoint: &str, topic: &str) -> Notifications {
    Notifications::new(aws::sns(&config(endpoint)), topic.to_owned())
}

#[tokio::test]
async fn a_message_reaches_the_topic_with_its_subject_as_snss_rules_allow_it() {
    let topics = Topics::start().await;
    let operators = notifications(&topics.endpoint, TOPIC);
    operators.publish("Okite:\nwarn\u{e9}", "a < b & c\nd").await.unwrap();
    let longest = "\u{e9}".repeat(200_000);
    operators.publish("", &longest).await.unwrap();
    let kept = topics.sns.notifications();
    let first = (
        kept[0].topic_arn.as_str(),
        kept[0].subject.as_deref(),
        kept[0].message.as_str(),
    );
    assert_eq!(first, (TOPIC, Some("Okite: warn?"), "a < b & c\nd"));
    assert_eq!((kept[1].subject.as_deref(), kept[1].message.len()), (None, 256 * 1024));
    let call = Call {
        function: "AKIDTEST".to_owned(),
        action: "sns:Publish".to_owned(),
        resource: TOPIC.to_owned(),
    };
    assert_eq!(topics.middleware.calls.count(&call), 2);
}

#[tokio::test]
async fn a_message_that_was_not_accepted_has_a_reason() {
    let topics = Topics::start().await;
    let error = |code: &str| Err(NotifyError { code: code.to_owned() });
    let unknown = notifications(&topics.endpoint, "arn:aws:sns:us-east-1:000000000000:other");
    assert_eq!(unknown.publish("s", "m").await, error("NotFound"));
    let operators = notifications(&topics.endpoint, TOPIC);
    assert_eq!(operators.publish("s", "").await, error("InvalidParameter"));
    let fault = r#"{"operation": "Publish", "error": "AuthorizationError"}"#;
    topics.middleware.faults.add(serde_json::from_str(fault).unwrap());
    assert_eq!(operators.publish("s", "m").await, error("AuthorizationError"));
    let nowhere = notifications(&closed_port().await, TOPIC);
    assert_eq!(nowhere.publish("s", "m").await, error("ConnectionFailed"));
    assert_eq!(topics.sns.notifications(), []);
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_published_again() {
    let published = "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>";
    let fake = Fake::start(move |before, _| match before {
        0 => Answer::cut(),
        _ => Answer::ok(published),
    })
    .await;
    notifications(&fake.endpoint, TOPIC).publish("s", "m").await.unwrap();
    let requests = fake.requests();
    assert_eq!(requests.len(), 2);
    let form = String::from_utf8(requests[1].body.clone()).unwrap();
    assert!(form.starts_with("Action=Publish&Version=2010-03-31&"), "{form}");
    assert!(form.contains("&Subject=s") && form.contains("&Message=m"), "{form}");
}
