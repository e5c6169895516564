//! Sending through the SES simulator: its answers are what the adapter must understand, and its outbox shows what
//! arrived.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;
use std::time::Duration;

use aws::{Outgoing, Pace, SendError, Ses};
use domain::account::EnforcementStatus;
use domain::message::{Attachment, EmailParts, Header, Mail, Tag};
use domain::ses_error::SesRefusal;
use domain::stream::Stream;
use local_aws::fault::Faults;
use local_aws::middleware::Middleware;
use local_aws::services::ses::{OutboxMail, PublishedEvent, SesConfigurationSet, SesLeniency, SesSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{REGION, Store, config, everybody, mail, mailboxes, parts};

const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002);
const SET: &str = "okite-ConfigurationSet";

/// The simulator, served.
pub(crate) struct World {
    pub(crate) endpoint: String,
    simulator: Arc<local_aws::services::ses::Ses>,
    faults: Faults,
    _events: UnboundedReceiver<PublishedEvent>,
    _stop: DropGuard,
}

/// Makes the clock, whatever it consists of.
fn fresh<T: Default>() -> T {
    T::default()
}

impl World {
    async fn start(production_access: bool) -> Self {
        Self::closing_after(None, production_access).await
    }

    /// SES, closing a connection that was idle for so long.
    async fn closing_after(idle: Option<Duration>, production_access: bool) -> Self {
        let settings = SesSettings {
            region: REGION.to_owned(),
            account_id: "000000000000".to_owned(),
            configuration_sets: vec![SesConfigurationSet {
                name: SET.to_owned(),
                event_types: vec!["bounce".to_owned(), "complaint".to_owned()],
                topic_arn: None,
            }],
            production_access,
            verified: vec!["example.com".to_owned()],
            outbox_file: None,
            account_file: None,
            leniency: SesLeniency::default(),
            id_tag: None,
        };
        let (sender, events) = unbounded_channel();
        let middleware = Middleware::default();
        let simulator = local_aws::services::ses::Ses::new(settings, fresh(), sender).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(local_aws::server::serve(
            listener,
            simulator.router(&middleware),
            idle,
            stop.clone(),
        ));
        Self {
            endpoint,
            simulator,
            faults: middleware.faults,
            _events: events,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) async fn production() -> Self {
        Self::start(true).await
    }

    fn ses(&self) -> Ses {
        Ses::new(aws::sesv2(&config(&self.endpoint)), SET.to_owned())
    }

    async fn send(&self, mail: &Mail) -> Result<String, SendError> {
        let destination = everybody(mail);
        let outgoing = Outgoing {
            id: ID,
            attempt: 1,
            stream: Stream::Transactional,
            mail,
            destination: &destination,
        };
        self.ses().send(outgoing).await
    }

    async fn refusal(&self, parts: EmailParts) -> SesRefusal {
        match self.send(&mail(parts)).await {
            Err(SendError::Refused { refusal, .. }) => refusal,
            other => panic!("a refusal was expected: {other:?}"),
        }
    }

    /// Puts an address on SES's own list.
    pub(crate) async fn suppress(&self, address: &str, reason: &str) {
        let client = aws::sesv2(&config(&self.endpoint));
        let put = client.put_suppressed_destination().email_address(address);
        put.reason(reason.into()).send().await.unwrap();
    }

    pub(crate) fn patch(&self, patch: Value) {
        self.simulator.update_account(&serde_json::from_value(patch).unwrap());
    }

    fn fault(&self, fault: Value) {
        self.faults.add(serde_json::from_value(fault).unwrap());
    }
}

#[tokio::test]
async fn a_mail_arrives_with_the_values_that_it_was_given() {
    let world = World::production().await;
    let mail = mail(EmailParts {
        from: mailboxes(&["Grüße <No.Reply@example.com>"]).remove(0),
        to: mailboxes(&["Acme, Inc. <Anna.Case@EXAMPLE.org>", "bob@bücher.example"]),
        cc: mailboxes(&["carol@example.org"]),
        bcc: mailboxes(&["dave@example.org"]),
        reply_to: mailboxes(&["help@example.com"]),
        subject: "Grüße aus 東京".to_owned(),
        text: Some("Hallo Anna".to_owned()),
        html: Some("<p>Hallo <img src=\"cid:logo\">".to_owned()),
        headers: vec![Header::new("List-Unsubscribe", "<https://example.com/u>").unwrap()],
        tags: vec![Tag::new("campaign", "spring").unwrap()],
        attachments: vec![
            Attachment::new("a.bin", vec![0, 255, 128], None, None).unwrap(),
            Attachment::new(
                "logo.png",
                b"png".to_vec(),
                Some("image/png".to_owned()),
                Some("logo".to_owned()),
            )
            .unwrap(),
        ],
    });
    let ses_id = world.send(&mail).await.unwrap();
    let mut outbox = world.simulator.outbox();
    assert_eq!(outbox.len(), 1);
    let OutboxMail { ses_message_id, at, .. } = outbox[0].clone();
    assert_eq!(ses_message_id, ses_id);
    let expected = json!({
        "ses_message_id": ses_id,
        "from": "=?utf-8?b?R3LDvMOfZQ==?= <No.Reply@example.com>",
        "to": ["\"Acme, Inc.\" <Anna.Case@example.org>", "bob@xn--bcher-kva.example"],
        "cc": ["carol@example.org"],
        "bcc": ["dave@example.org"],
        "reply_to": ["help@example.com"],
        "subject": "Grüße aus 東京",
        "text": "Hallo Anna",
        "html": "<p>Hallo <img src=\"cid:logo\">",
        "headers": { "List-Unsubscribe": "<https://example.com/u>" },
        "attachments": [
            { "filename": "a.bin", "content_type": "application/octet-stream", "content_id": null, "content": "AP+A" },
            { "filename": "logo.png", "content_type": "image/png", "content_id": "logo", "content": "cG5n" },
        ],
        "tags": [
            { "name": "okite_id", "value": ID.to_string() },
            { "name": "okite_attempt", "value": "1" },
            { "name": "okite_stream", "value": "transactional" },
            { "name": "campaign", "value": "spring" },
        ],
        "raw": false,
        "envelope": null,
        "at": at,
    });
    assert_eq!(serde_json::to_value(outbox.remove(0)).unwrap(), expected);
}

#[tokio::test]
async fn two_sends_are_two_mails_with_ids_of_their_own() {
    let world = World::production().await;
    let mail = mail(parts());
    let ids = [world.send(&mail).await.unwrap(), world.send(&mail).await.unwrap()];
    assert_ne!(ids[0], ids[1]);
    assert_eq!(world.simulator.outbox().len(), 2);
}

#[tokio::test]
async fn an_unverified_sender_is_refused_as_one_in_production_and_sandbox() {
    for from in ["Acme <acme@example.net>", "Grüße <acme@bücher.example>"] {
        for production_access in [true, false] {
            let world = World::start(production_access).await;
            let from = mailboxes(&[from]).remove(0);
            assert_eq!(
                world.refusal(EmailParts { from, ..parts() }).await,
                SesRefusal::SenderNotVerified
            );
            assert!(world.simulator.outbox().is_empty());
        }
    }
}

#[tokio::test]
async fn an_unverified_recipient_is_refused_as_one_in_the_sandbox() {
    let world = World::start(false).await;
    for to in [
        "anna@example.org",
        "Acme, Inc. <anna@example.org>",
        "Ünï <acme@example.org>",
    ] {
        let to = mailboxes(&[to]);
        assert_eq!(
            world.refusal(EmailParts { to, ..parts() }).await,
            SesRefusal::RecipientNotVerified
        );
    }
    let (to, bcc) = (mailboxes(&["anna@example.com"]), mailboxes(&["dave@example.org"]));
    assert_eq!(
        world.refusal(EmailParts { to, bcc, ..parts() }).await,
        SesRefusal::RecipientNotVerified
    );
    assert!(world.simulator.outbox().is_empty());
}

#[tokio::test]
async fn a_verified_recipient_gets_mail_in_the_sandbox() {
    let world = World::start(false).await;
    world.simulator.verify("anna@example.org");
    world.send(&mail(parts())).await.unwrap();
}

#[tokio::test]
async fn a_used_up_rate_is_distinguished_from_a_used_up_quota() {
    let world = World::production().await;
    world.patch(json!({ "max_send_rate": 0.001 }));
    world.send(&mail(parts())).await.unwrap();
    assert_eq!(world.refusal(parts()).await, SesRefusal::RateExceeded);

    let world = World::production().await;
    world.patch(json!({ "max_24_hour_send": 1 }));
    world.send(&mail(parts())).await.unwrap();
    assert_eq!(world.refusal(parts()).await, SesRefusal::QuotaExceeded);
    assert_eq!(world.simulator.outbox().len(), 1);
}

#[tokio::test]
async fn sending_that_is_switched_off_is_paused_and_a_shutdown_is_a_suspension() {
    let world = World::production().await;
    world.patch(json!({ "sending_enabled": false }));
    assert_eq!(world.refusal(parts()).await, SesRefusal::SendingPaused);
    world.patch(json!({ "sending_enabled": true, "enforcement_status": "SHUTDOWN" }));
    assert_eq!(world.refusal(parts()).await, SesRefusal::AccountSuspended);
    assert!(world.simulator.outbox().is_empty());
}

#[tokio::test]
async fn a_configuration_set_that_is_not_there_is_a_stack_that_is_not_complete() {
    let world = World::production().await;
    let ses = Ses::new(aws::sesv2(&config(&world.endpoint)), "elsewhere".to_owned());
    let mail = mail(parts());
    let destination = everybody(&mail);
    let outgoing = Outgoing {
        id: ID,
        attempt: 1,
        stream: Stream::Bulk,
        mail: &mail,
        destination: &destination,
    };
    let sent = ses.send(outgoing).await;
    assert!(
        matches!(
            sent,
            Err(SendError::Refused {
                refusal: SesRefusal::StackIncomplete,
                ..
            })
        ),
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_cut_connection_leaves_it_open_whether_the_mail_went_out_or_not() {
    for (moment, mails) in [("before", 0), ("after", 1)] {
        let world = World::production().await;
        world.fault(json!({ "operation": "SendEmail", "times": 1, "drop": moment }));
        let sent = world.send(&mail(parts())).await;
        assert!(matches!(sent, Err(SendError::Ambiguous { .. })), "{moment}: {sent:?}");
        // One fault and no mail more: a second request would have got through.
        assert_eq!(world.simulator.outbox().len(), mails, "{moment}");
        world.send(&mail(parts())).await.unwrap();
        assert_eq!(world.simulator.outbox().len(), mails + 1, "{moment}");
    }
}

#[tokio::test]
async fn an_error_that_a_fault_asks_for_is_met_once() {
    let world = World::production().await;
    for (code, expected) in [
        ("ServiceUnavailable", SesRefusal::Unavailable),
        ("ThrottlingException", SesRefusal::RateExceeded),
        ("AccessDeniedException", SesRefusal::NotAllowed),
    ] {
        world.fault(json!({ "operation": "SendEmail", "times": 1, "error": code }));
        assert_eq!(world.refusal(parts()).await, expected);
        assert!(world.simulator.outbox().is_empty());
    }
}

#[tokio::test]
async fn reads_the_account_and_the_sent_recipients() {
    let world = World::production().await;
    world.send(&mail(parts())).await.unwrap();
    world.patch(json!({ "max_24_hour_send": 1_000, "max_send_rate": 2.5, "enforcement_status": "PROBATION" }));
    let account = world.ses().account().await.unwrap();
    assert_eq!(account.quota(), Some(1_000.0));
    assert_eq!(account.remaining(), Some(999.0));
    assert_eq!(
        (account.max_send_rate, account.enforcement_status),
        (2.5, EnforcementStatus::Probation)
    );
    assert!(account.production_access && account.sending_enabled);
    world.patch(json!({ "max_24_hour_send": -1, "sending_enabled": false, "production_access": false }));
    let account = world.ses().account().await.unwrap();
    assert_eq!(
        (account.quota(), account.production_access, account.sending_enabled),
        (None, false, false)
    );
}

#[test]
fn a_connection_that_ses_closed_while_the_function_was_frozen_is_not_written_to() {
    const INVOCATIONS: usize = 5;
    let idle = Duration::from_millis(40);
    // AWS goes on while the function is frozen, so it has threads of its own.
    let aws = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (world, store) = aws.block_on(async { (World::closing_after(Some(idle), true).await, Store::start().await) });
    let function = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    function.block_on(async {
        let (ses, suppressions) = (world.ses(), store.suppressions());
        let mail = mail(parts());
        let destination = everybody(&mail);
        for _ in 0..INVOCATIONS {
            let outgoing = Outgoing {
                id: ID,
                attempt: 1,
                stream: Stream::Transactional,
                mail: &mail,
                destination: &destination,
            };
            // Every invocation looks its recipients up first; that is when the closed connection is noticed.
            suppressions.lookup([mail.lines()[0][0].address()]).await.unwrap();
            ses.send(outgoing).await.unwrap();
            // Nothing of the function runs for longer than SES keeps a connection, and for less than the pool does.
            std::thread::sleep(4 * idle);
        }
    });
    assert_eq!(world.simulator.outbox().len(), INVOCATIONS);
    aws.block_on(async { drop((world, store)) });
}

#[tokio::test]
async fn the_domains_that_are_verified_are_listed_and_nothing_else() {
    let world = World::production().await;
    for identity in ["anna@example.net", "Two.Example"] {
        world.simulator.verify(identity);
    }
    let pending = serde_json::from_value(json!({ "verified": false })).unwrap();
    world.simulator.update_identity("three.example", pending).unwrap();
    let domains = world.ses().verified_domains(&mut Pace::new(false)).await.unwrap();
    assert_eq!(domains, ["example.com", "two.example"]);
    let fault = json!({ "operation": "ListEmailIdentities", "error": "AccessDeniedException" });
    world.faults.add(serde_json::from_value(fault).unwrap());
    let error = world.ses().verified_domains(&mut Pace::new(false)).await.unwrap_err();
    assert_eq!(error.code, "AccessDeniedException");
}
