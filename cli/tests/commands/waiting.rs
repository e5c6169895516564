//! Mails that wait in the queue of an `okite up`, as an acceptance writes them.

use std::time::Duration;

use aws::{Accepted, Messages, NewMessage, NewQueued, Outbox};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use domain::address::Mailbox;
use domain::message::{Email, EmailParts, Mail};
use domain::queue::{ENTRY_KEPT, OutboxEntry, QueuedContent, first_wake_at};
use domain::recipient::{OnSuppressed, RecipientOutcome, RecipientStatus};
use domain::record::QueuedMail;
use domain::stream::Stream;
use domain::time::plus;
use jiff::Timestamp;
use local_aws::clock::Clock;
use uuid::Uuid;

use crate::support::*;

/// A mail that is to wait.
pub(crate) struct ToWait<'a> {
    pub(crate) to: &'a [&'a str],
    pub(crate) cc: &'a [&'a str],
    pub(crate) stream: Stream,
    /// How far ahead it is scheduled, in seconds.
    pub(crate) scheduled_in: Option<u64>,
}

impl Default for ToWait<'_> {
    fn default() -> Self {
        Self {
            to: &["anna@example.net"],
            cc: &[],
            stream: Stream::Bulk,
            // No worker takes it during a test.
            scheduled_in: Some(24 * 3_600),
        }
    }
}

impl Up {
    /// The configuration of a client of the local DynamoDB.
    pub(crate) fn dynamodb_config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(aws::behavior_version())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.local_json().unwrap()["dynamodb_url"].as_str().unwrap())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "test", "local", None, None, "tests",
            )))
            .http_client(aws::http_client())
            .build()
    }

    fn table(&self, logical_id: &str) -> String {
        let name = &self.local_json().unwrap()["tables"][logical_id];
        name.as_str().unwrap().to_owned()
    }

    pub(crate) fn messages(&self) -> Messages {
        Messages::new(aws::dynamodb(&self.dynamodb_config()), self.table("MessagesTable"))
    }

    pub(crate) fn outbox_table(&self) -> Outbox {
        Outbox::new(aws::dynamodb(&self.dynamodb_config()), self.table("OutboxTable"))
    }

    /// The time of this `okite up`.
    pub(crate) fn now(&self) -> Timestamp {
        Clock::kept_in(local_aws::data_dir::clock(&self.data_dir))
            .unwrap()
            .now()
    }

    /// Puts a mail into the queue. Returns its id.
    #[expect(clippy::disallowed_methods, reason = "the test makes the ids")]
    pub(crate) async fn put_in_queue(&self, mail: ToWait<'_>) -> Uuid {
        let (id, nonce, now) = (Uuid::now_v7(), Uuid::now_v7(), self.now());
        let mailboxes = |list: &[&str]| list.iter().map(|one| Mailbox::parse(one).unwrap()).collect();
        let email = Email::new(EmailParts {
            from: Mailbox::parse("Acme <hello@example.com>").unwrap(),
            to: mailboxes(mail.to),
            cc: mailboxes(mail.cc),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: "Waiting".to_owned(),
            html: None,
            text: Some("It waits.".to_owned()),
            headers: Vec::new(),
            tags: Vec::new(),
            attachments: Vec::new(),
        });
        let email = Mail::from(email.unwrap());
        let outcomes: Vec<_> = email
            .recipients()
            .map(|mailbox| RecipientOutcome {
                address: mailbox.address().clone(),
                status: RecipientStatus::Accepted,
            })
            .collect();
        let (outbox, expires_at) = (self.outbox_table(), plus(now, ENTRY_KEPT));
        let content = QueuedContent {
            mail: email.clone(),
            on_suppressed: OnSuppressed::Skip,
        };
        let content = outbox.put_content(id, nonce, &content, expires_at).await.unwrap();
        let scheduled_at = mail.scheduled_in.map(|seconds| plus(now, Duration::from_secs(seconds)));
        let queued = QueuedMail {
            queued_at: now,
            content_nonce: nonce,
            scheduled_at,
            deadline: plus(scheduled_at.unwrap_or(now), Duration::from_hours(24)),
            waits_for: None,
            rescheduled_at: None,
            ended_at: None,
            claim_id: None,
        };
        let entry = OutboxEntry {
            id,
            stream: mail.stream,
            key_id: "a1b2".to_owned(),
            content,
            deadline: queued.deadline,
            wake_at: first_wake_at(mail.stream, scheduled_at, now),
            crashes: 0,
            expires_at,
        };
        let message = NewMessage {
            id,
            attempt: 1,
            attempt_at: now,
            nonce,
            mail: &email,
            outcomes: &outcomes,
            will_be_sent: true,
            stream: mail.stream,
            key_id: "a1b2",
            created_at: now,
            expires_at,
        };
        let new = NewQueued {
            message,
            queued: &queued,
            entry: &entry,
        };
        let accepted = self.messages().accept(&outbox, &new).await.unwrap();
        assert_eq!(accepted, Accepted::Queued);
        id
    }

    /// Writes that a worker is sending a queued mail, with a lease of a minute. Returns the nonce of its attempt.
    pub(crate) async fn begin_sending(&self, id: Uuid) -> Uuid {
        let messages = self.messages();
        let record = messages.get(id).await.unwrap().unwrap();
        let (now, nonce) = (self.now(), Uuid::from_u128(id.as_u128() ^ 1));
        let begun = aws::NewAttempt {
            id,
            leaving: domain::queue::Leaving::Queued {
                attempt: record.attempt,
                content_nonce: record.queued.unwrap().content_nonce,
            },
            nonce,
            now,
            lease_until: plus(now, Duration::from_mins(1)),
            outcomes: &[],
        };
        assert_eq!(messages.begin_attempt(&begun).await.unwrap(), aws::Moved::Done);
        nonce
    }
}
