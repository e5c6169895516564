//! Facts in, findings out.

use std::collections::BTreeMap;

use super::facts::*;
use super::*;

const TOPIC: &str = "arn:aws:sns:eu-west-1:111111111111:okite-FeedbackTopic";

fn known() -> KnownIdentity {
    KnownIdentity {
        verified: true,
        status: "SUCCESS".to_owned(),
        error: None,
        dkim: "SUCCESS".to_owned(),
        signing: true,
        dkim_tokens: vec!["one".to_owned(), "two".to_owned()],
        dkim_zone: "dkim.amazonses.com".to_owned(),
        mail_from: Some(("bounce.example.com".to_owned(), "SUCCESS".to_owned())),
        mail_from_required: false,
    }
}

fn records(kind: Kind, name: &str, values: &[&str]) -> ((Kind, String), Known<Vec<String>>) {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    ((kind, name.to_owned()), Ok(values))
}

/// An account that nothing is wrong with.
fn healthy() -> Facts {
    let kinds = ["SEND", "REJECT", "BOUNCE", "COMPLAINT"];
    Facts {
        region: "eu-west-1".to_owned(),
        account: Ok(Account {
            production_access: true,
            sending_enabled: true,
            enforcement_status: "HEALTHY".to_owned(),
            suppressed_reasons: vec!["BOUNCE".to_owned(), "COMPLAINT".to_owned()],
        }),
        configuration_set: Ok(Some(ConfigurationSet {
            name: "okite-ConfigurationSet".to_owned(),
            sending_enabled: true,
            destinations: Ok(vec![Destination {
                enabled: true,
                topic_arn: Some(TOPIC.to_owned()),
                event_types: kinds.map(str::to_owned).to_vec(),
            }]),
        })),
        feedback_topic: TOPIC.to_owned(),
        subscriptions: Ok(Some(vec![Subscription {
            protocol: "lambda".to_owned(),
            confirmed: true,
        }])),
        identities: Ok(vec![Identity {
            name: "example.com".to_owned(),
            known: Ok(Some(known())),
        }]),
        identities_left_out: 0,
        dns: BTreeMap::from([
            records(Kind::Cname, "one._domainkey.example.com", &["one.dkim.amazonses.com"]),
            records(Kind::Cname, "two._domainkey.example.com", &["two.dkim.amazonses.com"]),
            records(
                Kind::Mx,
                "bounce.example.com",
                &["10 feedback-smtp.eu-west-1.amazonses.com"],
            ),
            records(
                Kind::Txt,
                "bounce.example.com",
                &["other", "v=spf1 include:amazonses.com ~all"],
            ),
            records(
                Kind::Txt,
                "_dmarc.example.com",
                &["v=DMARC1; p=quarantine; rua=mailto:a@example.com"],
            ),
            records(Kind::Mx, "example.com", &["10 mx.example.com"]),
            records(Kind::Address, "example.com", &[]),
        ]),
        alarms: Ok(vec![Alarm {
            name: "okite-FeedbackGivenUpAlarm-1A2B".to_owned(),
            tells: true,
            alarmed: false,
        }]),
        alarms_of_template: vec!["FeedbackGivenUpAlarm".to_owned()],
    }
}

/// The findings that are not as they should be.
fn complaints(facts: &Facts) -> Vec<Finding> {
    let mut findings = judge(facts);
    findings.retain(|finding| finding.level != Level::Ok);
    findings
}

/// Changes what is healthy, and expects one complaint.
#[track_caller]
fn one(code: &str, level: Level, change: impl FnOnce(&mut Facts)) -> Finding {
    let mut facts = healthy();
    change(&mut facts);
    let mut complaints = complaints(&facts);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    let complaint = complaints.remove(0);
    assert_eq!((complaint.code, complaint.level), (code, level), "{complaint:?}");
    let silent = complaint.level == Level::NotChecked;
    assert!(silent || complaint.remedy.is_some(), "{complaint:?}");
    complaint
}

fn identity(facts: &mut Facts) -> &mut KnownIdentity {
    let identities = facts.identities.as_mut().unwrap();
    identities[0].known.as_mut().unwrap().as_mut().unwrap()
}

fn answer(facts: &mut Facts, kind: Kind, name: &str, values: &[&str]) {
    facts.dns.extend([records(kind, name, values)]);
}

fn destination(facts: &mut Facts) -> &mut Destination {
    let set = facts.configuration_set.as_mut().unwrap().as_mut().unwrap();
    &mut set.destinations.as_mut().unwrap()[0]
}

#[test]
fn nothing_is_wrong_with_a_healthy_account() {
    let facts = healthy();
    assert_eq!(complaints(&facts), []);
    let asked: std::collections::BTreeSet<_> = identity::questions(&facts.identities.as_ref().unwrap()[0])
        .into_iter()
        .collect();
    assert_eq!(asked, facts.dns.keys().cloned().collect());
}

#[test]
fn an_account_that_is_held_back_is_told() {
    let account = |change: fn(&mut Account)| move |facts: &mut Facts| change(facts.account.as_mut().unwrap());
    one(
        "account.sandbox",
        Level::Warn,
        account(|it| it.production_access = false),
    );
    one("account.sending", Level::Fail, account(|it| it.sending_enabled = false));
    one(
        "account.enforcement",
        Level::Warn,
        account(|it| "PROBATION".clone_into(&mut it.enforcement_status)),
    );
    one(
        "account.enforcement",
        Level::Fail,
        account(|it| "SHUTDOWN".clone_into(&mut it.enforcement_status)),
    );
    let off = one(
        "account.suppression",
        Level::Warn,
        account(|it| it.suppressed_reasons.truncate(1)),
    );
    assert!(
        off.what.contains("COMPLAINT") && !off.what.contains("BOUNCE"),
        "{}",
        off.what
    );
}

#[test]
fn what_could_not_be_read_is_not_checked_and_says_why() {
    let why = || "AccessDenied".to_owned();
    one("account", Level::NotChecked, |facts| facts.account = Err(why()));
    one("feedback.configuration_set", Level::NotChecked, |facts| {
        facts.configuration_set = Err(why());
    });
    one("feedback.event_destination", Level::NotChecked, |facts| {
        facts.configuration_set.as_mut().unwrap().as_mut().unwrap().destinations = Err(why());
    });
    one("feedback.subscription", Level::NotChecked, |facts| {
        facts.subscriptions = Err(why());
    });
    one("identity", Level::NotChecked, |facts| facts.identities = Err(why()));
    one("identity", Level::NotChecked, |facts| facts.identities_left_out = 3);
    let finding = one("alarms", Level::NotChecked, |facts| facts.alarms = Err(why()));
    assert_eq!(finding.what, "AccessDenied");
    one("dns.dmarc", Level::NotChecked, |facts| {
        facts
            .dns
            .insert((Kind::Txt, "_dmarc.example.com".to_owned()), Err(why()));
    });
    one("dns.mx", Level::NotChecked, |facts| {
        facts.dns.insert((Kind::Mx, "example.com".to_owned()), Err(why()));
    });
}

#[test]
fn a_gap_in_the_way_of_events_is_told() {
    one("feedback.configuration_set", Level::Fail, |facts| {
        facts.configuration_set = Ok(None);
    });
    one("feedback.configuration_set", Level::Fail, |facts| {
        facts
            .configuration_set
            .as_mut()
            .unwrap()
            .as_mut()
            .unwrap()
            .sending_enabled = false;
    });
    one("feedback.event_destination", Level::Fail, |facts| {
        destination(facts).enabled = false;
    });
    one("feedback.event_destination", Level::Fail, |facts| {
        destination(facts).topic_arn = None;
    });
    one("feedback.event_destination", Level::Fail, |facts| {
        destination(facts).event_types.truncate(3);
    });
    one("feedback.event_destination", Level::Warn, |facts| {
        drop(destination(facts).event_types.remove(0));
    });
    one("feedback.subscription", Level::Fail, |facts| {
        facts.subscriptions = Ok(None);
    });
    one("feedback.subscription", Level::Fail, |facts| {
        facts.subscriptions = Ok(Some(Vec::new()));
    });
    one("feedback.subscription", Level::Fail, |facts| {
        facts.subscriptions.as_mut().unwrap().as_mut().unwrap()[0].confirmed = false;
    });
}

#[test]
fn alarms_that_are_missing_silent_or_going_off_are_told() {
    fn alarm(facts: &mut Facts) -> &mut Alarm {
        &mut facts.alarms.as_mut().unwrap()[0]
    }
    one("alarms", Level::Warn, |facts| facts.alarms = Ok(Vec::new()));
    one("alarms", Level::Warn, |facts| alarm(facts).tells = false);
    one("alarms", Level::Warn, |facts| alarm(facts).alarmed = true);
}

#[test]
fn an_identity_that_may_not_send_is_told_with_how_long_it_takes() {
    one("identity", Level::Fail, |facts| facts.identities = Ok(Vec::new()));
    one("identity.verified", Level::Fail, |facts| {
        facts.identities.as_mut().unwrap()[0].known = Ok(None);
    });
    one("identity.verified", Level::NotChecked, |facts| {
        facts.identities.as_mut().unwrap()[0].known = Err("AccessDenied".to_owned());
    });
    let failed = one("identity.verified", Level::Fail, |facts| {
        let identity = identity(facts);
        identity.verified = false;
        "FAILED".clone_into(&mut identity.status);
        identity.error = Some("HOST_NOT_FOUND".to_owned());
    });
    assert!(failed.what.contains("FAILED (HOST_NOT_FOUND)"), "{}", failed.what);
    assert!(failed.remedy.unwrap().contains("72 hours"));
}

#[test]
fn the_records_of_dkim_that_are_missing_are_told_exactly() {
    let missing = |facts: &mut Facts| answer(facts, Kind::Cname, "two._domainkey.example.com", &["elsewhere.example"]);
    let status = |facts: &mut Facts, status: &str| status.clone_into(&mut identity(facts).dkim);
    let record = Record {
        name: "two._domainkey.example.com".to_owned(),
        kind: "CNAME",
        value: "two.dkim.amazonses.com".to_owned(),
    };
    let expected = [record];
    assert_eq!(one("identity.dkim", Level::Warn, missing).records, expected);
    for (word, level) in [
        ("PENDING", Level::Warn),
        ("TEMPORARY_FAILURE", Level::Warn),
        ("FAILED", Level::Fail),
        ("NOT_STARTED", Level::Fail),
    ] {
        let finding = one("identity.dkim", level, |facts| {
            status(facts, word);
            missing(facts);
        });
        assert_eq!(finding.records, expected, "{word}");
        assert_eq!(
            one("identity.dkim", level, |facts| status(facts, word)).records,
            [],
            "{word}"
        );
    }
    one("identity.dkim", Level::Warn, |facts| identity(facts).signing = false);
    // Without DNS, all that SES wants are told.
    let all = one("identity.dkim", Level::Warn, |facts| {
        status(facts, "PENDING");
        let why = Err("timeout".to_owned());
        facts
            .dns
            .insert((Kind::Cname, "one._domainkey.example.com".to_owned()), why);
    });
    assert_eq!(all.records.len(), 2);
}

#[test]
fn a_mail_from_domain_has_two_records_which_are_told_exactly() {
    one("identity.mail_from", Level::Warn, |facts| {
        identity(facts).mail_from = None;
    });
    let pending = |facts: &mut Facts| {
        identity(facts).mail_from.as_mut().unwrap().1 = "PENDING".to_owned();
        answer(
            facts,
            Kind::Mx,
            "bounce.example.com",
            &["10 feedback-smtp.us-east-1.amazonses.com"],
        );
        answer(facts, Kind::Txt, "bounce.example.com", &["v=spf1 -all"]);
    };
    let records = one("identity.mail_from", Level::Warn, pending).records;
    let shown: Vec<_> = records
        .iter()
        .map(|record| format!("{} {} {}", record.name, record.kind, record.value))
        .collect();
    assert_eq!(
        shown,
        [
            "bounce.example.com MX 10 feedback-smtp.eu-west-1.amazonses.com",
            "bounce.example.com TXT v=spf1 include:amazonses.com ~all"
        ]
    );
    one("identity.mail_from", Level::Fail, |facts| {
        pending(facts);
        identity(facts).mail_from_required = true;
    });
    let lost = one("identity.mail_from", Level::Warn, |facts| {
        answer(facts, Kind::Mx, "bounce.example.com", &[]);
    });
    assert_eq!(lost.records.len(), 1);
}

#[test]
fn a_policy_of_dmarc_is_looked_for_above_the_domain_too() {
    let below = |policy: &'static [&'static str]| {
        move |facts: &mut Facts| {
            facts.identities.as_mut().unwrap()[0].name = "hello@mail.example.com".to_owned();
            identity(facts).dkim_tokens.clear();
            answer(facts, Kind::Mx, "mail.example.com", &["10 mx.example.com"]);
            answer(facts, Kind::Txt, "_dmarc.mail.example.com", &[]);
            answer(facts, Kind::Txt, "_dmarc.example.com", policy);
        }
    };
    let mut facts = healthy();
    below(&["v=DMARC1; p=none"])(&mut facts);
    assert_eq!(complaints(&facts), []);
    let none = one("dns.dmarc", Level::Warn, below(&["v=spf1 -all"]));
    assert_eq!(none.records[0].name, "_dmarc.mail.example.com");
    one(
        "dns.dmarc",
        Level::Warn,
        below(&["v=DMARC1; p=none", "v=DMARC1; p=reject"]),
    );
    one(
        "dns.dmarc",
        Level::Warn,
        below(&["v=DMARC1; rua=mailto:p=none@example.com"]),
    );
}

#[test]
fn a_domain_that_takes_no_mail_is_told() {
    let mx = |values: &'static [&'static str], addresses: &'static [&'static str]| {
        move |facts: &mut Facts| {
            answer(facts, Kind::Mx, "example.com", values);
            answer(facts, Kind::Address, "example.com", addresses);
        }
    };
    one("dns.mx", Level::Fail, mx(&[], &[]));
    one("dns.mx", Level::Warn, mx(&[], &["192.0.2.1"]));
    one("dns.mx", Level::Fail, mx(&["0 ."], &["192.0.2.1"]));
}

#[test]
fn an_address_alone_is_not_signed() {
    let finding = one("identity.dkim", Level::Warn, |facts| {
        facts.identities.as_mut().unwrap()[0].name = "anna@example.com".to_owned();
        "NOT_STARTED".clone_into(&mut identity(facts).dkim);
        identity(facts).signing = false;
    });
    assert_eq!(finding.about.as_deref(), Some("anna@example.com"));
}
