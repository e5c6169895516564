//! The rules that need the whole state: what is accepted, what is refused, and what is left behind.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use uuid::Uuid;

use super::mail::Mail;
use super::send_email::check;
use super::suppression_list::SuppressionReason;
use super::*;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:events";

pub(super) fn settings() -> SesSettings {
    SesSettings {
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        configuration_sets: vec![SesConfigurationSet {
            name: "shop".to_owned(),
            event_types: ["SEND", "DELIVERY", "BOUNCE", "complaint", "deliveryDelay"]
                .map(str::to_owned)
                .to_vec(),
            topic_arn: Some(TOPIC.to_owned()),
        }],
        production_access: true,
        verified: vec!["example.com".to_owned()],
        outbox_file: None,
        account_file: None,
        leniency: SesLeniency::default(),
        id_tag: Some("shop_id".to_owned()),
    }
}

/// Makes a default value, such as a clock.
pub(super) fn fresh<T: Default>() -> T {
    T::default()
}

struct World {
    ses: Arc<Ses>,
    events: UnboundedReceiver<PublishedEvent>,
}

fn world(settings: SesSettings) -> World {
    let (sender, events) = unbounded_channel();
    let ses = Ses::new(settings, fresh(), sender).unwrap();
    World { ses, events }
}

fn sandbox() -> World {
    world(SesSettings {
        production_access: false,
        ..settings()
    })
}

impl World {
    /// Sends a mail `at` milliseconds after the first.
    fn send_at(&self, at: i64, from: &str, to: &[&str]) -> Result<String, SesError> {
        let mail = mail(from, to, "shop");
        let now = Timestamp::from_millisecond(1_800_000_000_000 + at).unwrap();
        self.ses.send(mail, Uuid::from_u128(1), now)
    }

    fn send(&self, to: &[&str]) -> Result<String, SesError> {
        self.send_at(0, "ada@example.com", to)
    }

    fn event_names(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Ok(published) = self.events.try_recv() {
            assert_eq!(published.topic_arn, TOPIC);
            names.push(published.event["eventType"].as_str().unwrap().to_owned());
        }
        names
    }

    fn patch(&self, patch: Value) {
        self.ses.update_account(&serde_json::from_value(patch).unwrap());
    }

    fn sent(&self) -> u64 {
        let now = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
        self.ses.state().account.sent.total(now)
    }
}

fn mail(from: &str, to: &[&str], configuration_set: &str) -> Mail {
    let request = json!({
        "FromEmailAddress": from,
        "Destination": {"ToAddresses": to},
        "ConfigurationSetName": configuration_set,
        "Content": {"Simple": {
            "Subject": {"Data": "Hi"},
            "Body": {"Text": {"Data": "Hello"}},
        }},
    });
    check(serde_json::from_value(request).unwrap()).unwrap()
}

/// Makes a raw mail of these header fields.
fn raw_mail(header: &str, members: Value) -> Mail {
    let mut request = members;
    let source = format!("{header}\r\n\r\nHi");
    request["Content"] = json!({"Raw": {"Data": STANDARD.encode(source)}});
    check(serde_json::from_value(request).unwrap()).unwrap()
}

#[test]
fn every_sender_of_a_raw_mail_must_be_verified() {
    let world = world(settings());
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let failed = |header: &str, members: Value| {
        let refusal = world
            .ses
            .send(raw_mail(header, members), Uuid::from_u128(1), now)
            .unwrap_err();
        assert_eq!(refusal.code(), "MessageRejected");
        let text = refusal.to_string();
        text.rsplit_once(": ").unwrap().1.to_owned()
    };
    let to = "To: bob@example.net";
    let own = || json!({"FromEmailAddress": "ada@example.com"});
    assert_eq!(
        failed(&format!("From: Eve <eve@else.example>\r\n{to}"), json!({})),
        "Eve <eve@else.example>"
    );
    assert_eq!(
        failed(&format!("From: Eve <eve@else.example>\r\n{to}"), own()),
        "Eve <eve@else.example>"
    );
    assert_eq!(
        failed(&format!("From: ada@example.com, eve@else.example\r\n{to}"), own()),
        "eve@else.example"
    );
    assert_eq!(
        failed(
            &format!("From: ada@example.com\r\nSender: s@else.example\r\n{to}"),
            json!({})
        ),
        "s@else.example"
    );
    assert_eq!(
        failed(
            &format!("From: ada@example.com\r\nReturn-Path: <r@else.example>\r\n{to}"),
            json!({})
        ),
        "<r@else.example>"
    );
    let forwarding = json!({"FeedbackForwardingEmailAddress": "f@else.example"});
    assert_eq!(
        failed(&format!("From: ada@example.com\r\n{to}"), forwarding),
        "f@else.example"
    );
    let envelope = json!({"FromEmailAddress": "eve@else.example"});
    assert_eq!(
        failed(&format!("From: ada@example.com\r\n{to}"), envelope),
        "eve@else.example"
    );
    assert!(world.ses.outbox().is_empty());
    let good = raw_mail(
        &format!("From: ada@example.com\r\nSender: b@mail.example.com\r\n{to}"),
        own(),
    );
    world.ses.send(good, Uuid::from_u128(1), now).unwrap();
}

#[test]
fn the_sandbox_looks_at_the_envelope_of_a_raw_mail() {
    let world = sandbox();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let header = "From: ada@example.com\r\nTo: bob@example.net";
    let refusal = world
        .ses
        .send(raw_mail(header, json!({})), Uuid::from_u128(1), now)
        .unwrap_err();
    assert!(refusal.to_string().ends_with("US-EAST-1: bob@example.net"), "{refusal}");
    let envelope = json!({"Destination": {"ToAddresses": ["success@simulator.amazonses.com"]}});
    world
        .ses
        .send(raw_mail(header, envelope), Uuid::from_u128(1), now)
        .unwrap();
    assert_eq!(world.sent(), 0);
}

#[test]
fn a_configuration_set_in_the_header_must_exist() {
    let mut world = world(settings());
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let mail = |set: &str| {
        let header = format!("From: ada@example.com\r\nTo: bob@example.net\r\nX-SES-CONFIGURATION-SET: {set}");
        raw_mail(&header, json!({}))
    };
    let refusal = world.ses.send(mail("nowhere"), Uuid::from_u128(1), now).unwrap_err();
    assert_eq!(refusal.code(), "NotFoundException");
    world.ses.send(mail("shop"), Uuid::from_u128(1), now).unwrap();
    assert_eq!(world.event_names(), ["Send", "Delivery"]);
}

#[test]
fn a_raw_mail_survives_a_restart_with_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SesSettings {
        outbox_file: Some(folder.path().join("outbox.jsonl")),
        ..settings()
    };
    let world = world(settings.clone());
    let envelope = json!({"Destination": {"ToAddresses": ["a@example.net", "b@example.net"]}});
    let mail = raw_mail("From: ada@example.com\r\nTo: all@example.net", envelope);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    world.ses.send(mail, Uuid::from_u128(1), now).unwrap();
    let kept = world.ses.outbox();
    drop(world);
    let again = self::world(settings);
    assert_eq!(again.ses.outbox(), kept);
    assert_eq!(again.ses.state().account.sent.total(now), 2);
}

#[test]
fn accepts_a_mail_keeps_it_and_publishes_its_events() {
    let mut world = world(settings());
    let id = world.send(&["Bob <bob@example.net>"]).unwrap();
    assert_eq!(id, "010001a3185c5000-00000000-0000-0000-0000-000000000001-000000");
    let outbox = world.ses.outbox();
    assert_eq!(outbox[0].ses_message_id, id);
    assert_eq!(outbox[0].to, ["Bob <bob@example.net>"]);
    assert_eq!(world.event_names(), ["Send", "Delivery"]);
    assert_eq!(world.sent(), 1);
}

#[test]
fn refuses_a_sender_that_is_not_verified() {
    let mut world = world(settings());
    let refusal = world
        .send_at(0, "Ada <ada@elsewhere.example>", &["bob@example.net"])
        .unwrap_err();
    assert_eq!(refusal.code(), "MessageRejected");
    assert_eq!(
        refusal.to_string(),
        "Email address is not verified. The following identities failed the check in region \
         US-EAST-1: Ada <ada@elsewhere.example>"
    );
    assert!(world.ses.outbox().is_empty());
    assert!(world.event_names().is_empty());
    assert_eq!(world.sent(), 0);
}

#[test]
fn the_sandbox_takes_verified_recipients_and_the_mailbox_simulator_only() {
    let world = sandbox();
    world.ses.verify("bob@example.net");
    world.send(&["bob@example.net"]).unwrap();
    world
        .send_at(1_000, "ada@example.com", &["eve@mail.example.com"])
        .unwrap();
    world
        .send_at(2_000, "ada@example.com", &["success@simulator.amazonses.com"])
        .unwrap();
    let refusal = world
        .send_at(3_000, "ada@example.com", &["bob@example.net", "eve@example.net"])
        .unwrap_err();
    assert_eq!(refusal.code(), "MessageRejected");
    assert!(refusal.to_string().ends_with("US-EAST-1: eve@example.net"), "{refusal}");
    assert_eq!(world.ses.outbox().len(), 3);
}

#[test]
fn the_sandbox_sends_one_a_second_and_200_a_day() {
    let settings = sandbox().ses.account();
    assert_eq!(settings.max_24_hour_send, 200);
    let world = sandbox();
    world.send(&["a@example.com"]).unwrap();
    let refusal = world.send(&["a@example.com"]).unwrap_err();
    assert_eq!(refusal.to_string(), "Maximum sending rate exceeded.");
    world.send_at(1_000, "ada@example.com", &["a@example.com"]).unwrap();
}

#[test]
fn simulator_recipients_are_held_to_the_rate_but_not_to_the_quota() {
    let world = world(settings());
    world.patch(json!({"max_24_hour_send": 0, "max_send_rate": 1}));
    world.send(&["success@simulator.amazonses.com"]).unwrap();
    assert_eq!(world.sent(), 0);
    let too_fast = world.send(&["success+2@simulator.amazonses.com"]).unwrap_err();
    assert_eq!(too_fast.to_string(), "Maximum sending rate exceeded.");
    let too_many = world
        .send_at(1_000, "ada@example.com", &["bob@example.net"])
        .unwrap_err();
    assert_eq!(too_many.code(), "TooManyRequestsException");
    assert_eq!(too_many.to_string(), "Daily message quota exceeded.");
}

#[test]
fn a_refused_mail_takes_nothing_from_rate_and_quota() {
    let world = world(settings());
    world.patch(json!({"max_24_hour_send": 1, "max_send_rate": 1}));
    world.send(&["a@example.net", "b@example.net"]).unwrap_err();
    world.send(&["a@example.net"]).unwrap();
}

#[test]
fn an_address_on_the_account_list_burns_quota_and_bounces() {
    let mut world = world(settings());
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    world
        .ses
        .state()
        .suppression_list
        .put("bob@example.net", SuppressionReason::Bounce, now);
    world.send(&["BOB@example.net", "eve@example.net"]).unwrap();
    assert_eq!(world.sent(), 2);
    assert_eq!(world.ses.outbox().len(), 1);
    assert_eq!(world.event_names(), ["Send", "Bounce", "Delivery"]);
}

#[test]
fn a_hard_bounce_of_the_mailbox_simulator_does_not_reach_the_account_list() {
    let mut world = world(settings());
    for _ in 0..2 {
        world.send(&["bounce@simulator.amazonses.com"]).unwrap();
        assert_eq!(world.event_names(), ["Send", "Bounce"]);
    }
}

#[test]
fn publishes_only_the_types_that_the_configuration_set_lists() {
    let mut settings = settings();
    settings.configuration_sets[0].event_types = vec!["BOUNCE".to_owned()];
    let mut world = world(settings);
    world
        .send(&["bob@example.net", "bounce@simulator.amazonses.com"])
        .unwrap();
    assert_eq!(world.event_names(), ["Bounce"]);
}

#[test]
fn publishes_nothing_without_a_configuration_set_and_refuses_one_that_is_not_there() {
    let mut world = world(settings());
    let mut plain = mail("ada@example.com", &["bob@example.net"], "");
    plain.configuration_set = None;
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    world.ses.send(plain, Uuid::from_u128(1), now).unwrap();
    assert!(world.event_names().is_empty());
    let missing = mail("ada@example.com", &["bob@example.net"], "nowhere");
    let refusal = world.ses.send(missing, Uuid::from_u128(1), now).unwrap_err();
    assert_eq!(refusal.code(), "NotFoundException");
}

#[test]
fn notifies_in_the_older_form_when_asked_to() {
    let mut world = world(SesSettings {
        configuration_sets: vec![SesConfigurationSet {
            topic_arn: None,
            ..settings().configuration_sets.remove(0)
        }],
        ..settings()
    });
    world.ses.notify(Some(TOPIC.to_owned()));
    world.send(&["complaint@simulator.amazonses.com"]).unwrap();
    let mut kinds = Vec::new();
    while let Ok(published) = world.events.try_recv() {
        kinds.push(published.event["notificationType"].clone());
    }
    assert_eq!(kinds, ["Delivery", "Complaint"]);
}

#[test]
fn refuses_when_sending_is_paused_or_the_account_was_shut_down() {
    let world = world(settings());
    world.patch(json!({"sending_enabled": false}));
    let paused = world.send(&["bob@example.net"]).unwrap_err();
    assert_eq!(paused.code(), "SendingPausedException");
    world.patch(json!({"sending_enabled": true, "enforcement_status": "SHUTDOWN"}));
    let suspended = world.send(&["bob@example.net"]).unwrap_err();
    assert_eq!(suspended.code(), "AccountSuspendedException");
    world.patch(json!({"enforcement_status": "PROBATION"}));
    world.send(&["bob@example.net"]).unwrap();
}

#[test]
fn emptying_the_outbox_gives_no_quota_back() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SesSettings {
        outbox_file: Some(folder.path().join("outbox.jsonl")),
        ..settings()
    };
    let world = world(settings.clone());
    // By the real clock, as `clear_outbox` goes by it.
    let mail = mail("ada@example.com", &["bob@example.net"], "shop");
    let now = world.ses.clock.now();
    world.ses.send(mail, Uuid::from_u128(1), now).unwrap();
    world.ses.clear_outbox().unwrap();
    assert!(world.ses.outbox().is_empty());
    assert_eq!(world.ses.state().account.sent.total(now), 1);
    drop(world);

    let again = self::world(settings);
    assert_eq!(again.ses.state().account.sent.total(now), 1);
    let day_after = now + SignedDuration::from_hours(24);
    assert_eq!(again.ses.state().account.sent.total(day_after), 0);
}

#[test]
fn refuses_an_event_type_that_ses_does_not_have() {
    let mut settings = settings();
    settings.configuration_sets[0].event_types = vec!["BOUNCED".to_owned()];
    let (events, _receiver) = unbounded_channel();
    let refusal = Ses::new(settings, fresh(), events).unwrap_err();
    assert!(refusal.to_string().contains("BOUNCED"));
}

#[test]
fn an_account_is_kept_and_a_start_that_asks_for_something_else_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ses_account.jsonl");
    let open = |production_access, verified: &[&str]| {
        world(SesSettings {
            account_file: Some(file.clone()),
            production_access,
            verified: verified.iter().map(|&name| name.to_owned()).collect(),
            ..settings()
        })
        .ses
    };
    let ses = open(true, &["example.com"]);
    let patch = json!({ "max_send_rate": 77, "enforcement_status": "PROBATION", "bounce_rate": 0.04 });
    ses.update_account(&serde_json::from_value(patch).unwrap());
    ses.update_identity(
        "example.com",
        serde_json::from_value(json!({ "verified": false })).unwrap(),
    )
    .unwrap();
    ses.verify("shop.example");
    ses.state()
        .suppression_list
        .put("x@example.net", SuppressionReason::Bounce, Timestamp::UNIX_EPOCH);
    {
        let mut state = ses.state();
        let SesState {
            suppression_list,
            account_file,
            ..
        } = &mut *state;
        account_file.suppressed(suppression_list.get("x@example.net"));
        account_file.suppressed(suppression_list.get("nobody@example.net"));
        state.configuration_sets.get_mut("shop").unwrap().sending_enabled = false;
        state.account_file.configuration_set("shop", false);
    }
    let before = ses.account();
    drop(ses);
    // The file is written anew at each start, and says the same.
    for _ in 0..2 {
        let ses = open(true, &["example.com"]);
        assert_eq!(ses.account(), before);
        let state = ses.state();
        let verified = |name: &str| state.identities.get(name).unwrap().verified;
        assert!(!verified("example.com") && verified("shop.example"));
        assert_eq!(
            state.suppression_list.get("x@example.net").unwrap().reason,
            SuppressionReason::Bounce
        );
        assert!(!state.configuration_sets.get("shop").unwrap().sending_enabled);
    }
    let ses = open(false, &["example.com", "new.example"]);
    assert_eq!(ses.account(), AccountSettings::new(false));
    let state = ses.state();
    assert!(state.identities.get("new.example").unwrap().verified);
    assert!(!state.identities.get("example.com").unwrap().verified);
    drop(state);
    std::fs::write(&file, "hello\n").unwrap();
    let (sender, _events) = unbounded_channel();
    let settings = SesSettings {
        account_file: Some(file),
        ..settings()
    };
    let refusal = Ses::new(settings, fresh(), sender).unwrap_err();
    assert!(refusal.to_string().contains("ses_account.jsonl, line 1"), "{refusal}");
}

#[test]
fn any_sender_may_send_only_if_the_account_is_lenient() {
    let strict = world(settings());
    assert!(strict.send_at(0, "a@localhost", &["b@example.net"]).is_err());
    let lenient = world(SesSettings {
        leniency: SesLeniency {
            any_sender: true,
            ..SesLeniency::default()
        },
        ..settings()
    });
    let follow = &mut lenient.ses.feed().follow();
    for (from, is_verified) in [("a@localhost", false), ("a@example.com", true)] {
        lenient.send_at(0, from, &["b@example.net"]).unwrap();
        let Ok(crate::feed::Happening::Mail(mail)) = follow.try_recv() else {
            panic!("no mail");
        };
        assert_eq!(mail["is_sender_verified"], is_verified, "{from}");
    }
    let kept = lenient.ses.outbox();
    let verified: Vec<bool> = kept.iter().map(|mail| lenient.ses.is_sender_verified(mail)).collect();
    assert_eq!(verified, [false, true]);
    lenient.ses.verify("localhost");
    assert!(lenient.ses.is_sender_verified(&kept[0]), "it is what SES says now");
}
