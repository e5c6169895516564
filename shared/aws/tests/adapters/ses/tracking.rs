//! What a request to SES says of tracking, for either form of a mail.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use domain::message::raw::{RawEmail, RawEnvelope, RawMessage};
use domain::message::{Mail, MailContent, SesOptions, Tracking, TrackingEvents};
use serde_json::{Value, json};

use super::wire::{ACCEPTED, send, ses};
use crate::support::{Answer, Fake, Request, everybody, mail, parts};

/// A simple and a raw mail that are tracked so.
fn mails(tracking: Tracking) -> [Mail; 2] {
    let mime = b"From: ada@example.com\r\nTo: anna@example.org\r\n\r\nHi".to_vec();
    let raw = RawEmail::new(RawMessage::read(mime).unwrap(), RawEnvelope::default()).unwrap();
    let options = SesOptions {
        tracking,
        ..SesOptions::default()
    };
    let simple = mail(parts()).content;
    [simple, MailContent::Raw(Box::new(raw))].map(|content| Mail {
        topic: None,
        content,
        options: options.clone(),
    })
}

async fn bodies(events: TrackingEvents, tracking: Tracking) -> Vec<Value> {
    let fake = Fake::start(|_, _| Answer::ok(ACCEPTED)).await;
    let ses = ses(&fake.endpoint).with_tracking_events(events);
    for mail in mails(tracking) {
        send(&ses, &mail, &everybody(&mail)).await.unwrap();
    }
    fake.requests().iter().map(Request::json).collect()
}

#[tokio::test]
async fn a_deployment_that_tracks_says_for_every_mail_what_is_tracked() {
    for (opens, clicks) in [(false, false), (true, false), (false, true), (true, true)] {
        let bodies = bodies(TrackingEvents::On, Tracking { opens, clicks }).await;
        let status = |is_tracked| if is_tracked { "ENABLED" } else { "DISABLED" };
        let tracking = json!({"OpenTrackingEnabled": status(opens), "ClickTrackingEnabled": status(clicks)});
        assert_eq!(bodies.len(), 2);
        for body in bodies {
            assert_eq!(
                body["ConfigurationOverrides"],
                json!({ "Tracking": tracking }),
                "{body}"
            );
        }
    }
}

#[tokio::test]
async fn a_deployment_that_tracks_nothing_does_not_mention_it() {
    // A mail that waited may have been accepted when the deployment still tracked.
    for opens in [false, true] {
        for body in bodies(TrackingEvents::Off, Tracking { opens, clicks: opens }).await {
            assert_eq!(body.get("ConfigurationOverrides"), None, "{body}");
        }
    }
}
