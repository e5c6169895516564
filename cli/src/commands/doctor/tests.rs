//! Facts in, findings out.

use std::collections::BTreeMap;

use super::examine::judge;
use super::facts::*;
use super::finding::{DnsRecord, Finding, Level};
use super::identity;

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111111111111:function:okite-FeedbackFunction";
const TOPIC: &str = "arn:aws:sns:eu-west-1:111111111111:okite-FeedbackTopic";

fn state() -> IdentityState {
    IdentityState {
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

fn records(query: DnsQuery, name: &str, values: &[&str]) -> ((DnsQuery, String), Known<Vec<String>>) {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    ((query, name.to_owned()), Ok(values))
}

/// The facts of a target without a problem.
fn healthy() -> Facts {
    let kinds = ["SEND", "REJECT", "BOUNCE", "COMPLAINT"];
    Facts {
        region: "eu-west-1".to_owned(),
        okite_options: "--region eu-west-1".to_owned(),
        aws_options: "--region eu-west-1".to_owned(),
        account: Ok(Account {
            production_access: true,
            sending_enabled: true,
            enforcement_status: "HEALTHY".to_owned(),
            suppressed_reasons: vec!["BOUNCE".to_owned(), "COMPLAINT".to_owned()],
        }),
        configuration_set: Ok(Some(ConfigurationSet {
            name: "okite-ConfigurationSet".to_owned(),
            sending_enabled: true,
            destinations: Ok(vec![EventDestination {
                enabled: true,
                topic_arn: Some(TOPIC.to_owned()),
                event_types: kinds.map(str::to_owned).to_vec(),
            }]),
        })),
        reports_sends: true,
        feedback_topic: TOPIC.to_owned(),
        feedback_endpoint: Some(FUNCTION.to_owned()),
        subscriptions: Ok(Some(vec![Subscription {
            protocol: "lambda".to_owned(),
            endpoint: FUNCTION.to_owned(),
            confirmed: true,
        }])),
        identities: Ok(vec![Identity {
            name: "example.com".to_owned(),
            state: Ok(Some(state())),
        }]),
        identities_left_out: 0,
        dns: BTreeMap::from([
            records(
                DnsQuery::Cname,
                "one._domainkey.example.com",
                &["one.dkim.amazonses.com"],
            ),
            records(
                DnsQuery::Cname,
                "two._domainkey.example.com",
                &["two.dkim.amazonses.com"],
            ),
            records(
                DnsQuery::Mx,
                "bounce.example.com",
                &["10 feedback-smtp.eu-west-1.amazonses.com"],
            ),
            records(
                DnsQuery::Txt,
                "bounce.example.com",
                &["other", "v=spf1 include:amazonses.com ~all"],
            ),
            records(
                DnsQuery::Txt,
                "_dmarc.example.com",
                &["v=DMARC1; p=quarantine; rua=mailto:a@example.com"],
            ),
            records(DnsQuery::Mx, "example.com", &["10 mx.example.com"]),
            records(DnsQuery::Address, "example.com", &[]),
        ]),
        unknown_names: UnknownNames::new(),
        alarms: Ok(vec![Alarm {
            name: "okite-FeedbackGivenUpAlarm-1A2B".to_owned(),
            notifies: true,
            is_active: false,
        }]),
        alarms_of_template: vec!["FeedbackGivenUpAlarm".to_owned()],
        bulk_keys: Ok(Vec::new()),
    }
}

#[test]
fn a_stack_without_send_events_is_healthy_and_told_what_that_means() {
    let mut facts = healthy();
    facts.reports_sends = false;
    for (added, words) in [
        (None, "SendEvents and DeliveryEvents are false"),
        (Some("DELIVERY"), "until it is delivered or bounces"),
    ] {
        let set = facts.configuration_set.as_mut().unwrap().as_mut().unwrap();
        let kinds = &mut set.destinations.as_mut().unwrap()[0].event_types;
        kinds.retain(|kind| kind != "SEND");
        kinds.extend(added.map(str::to_owned));
        assert_eq!(problems(&facts), []);
        let told = judge(&facts)
            .into_iter()
            .find(|finding| finding.code == "feedback.event_destination");
        assert!(told.unwrap().what.contains(words), "{words}");
    }
}

/// Returns the findings that are not ok.
fn problems(facts: &Facts) -> Vec<Finding> {
    let mut findings = judge(facts);
    findings.retain(|finding| finding.level != Level::Ok);
    findings
}

/// Changes the healthy facts and expects exactly one finding that is not ok.
#[track_caller]
fn one(code: &str, level: Level, change: impl FnOnce(&mut Facts)) -> Finding {
    let mut facts = healthy();
    change(&mut facts);
    let mut problems = problems(&facts);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = problems.remove(0);
    assert_eq!((problem.code, problem.level), (code, level), "{problem:?}");
    let silent = problem.level == Level::NotChecked;
    assert!(silent || problem.remedy.is_some(), "{problem:?}");
    problem
}

fn identity(facts: &mut Facts) -> &mut IdentityState {
    let identities = facts.identities.as_mut().unwrap();
    identities[0].state.as_mut().unwrap().as_mut().unwrap()
}

fn answer(facts: &mut Facts, query: DnsQuery, name: &str, values: &[&str]) {
    facts.dns.extend([records(query, name, values)]);
}

fn destination(facts: &mut Facts) -> &mut EventDestination {
    let set = facts.configuration_set.as_mut().unwrap().as_mut().unwrap();
    &mut set.destinations.as_mut().unwrap()[0]
}

#[test]
fn a_healthy_target_has_no_problem() {
    let facts = healthy();
    assert_eq!(problems(&facts), []);
    let asked: std::collections::BTreeSet<_> = identity::queries(&facts.identities.as_ref().unwrap()[0])
        .into_iter()
        .collect();
    assert_eq!(asked, facts.dns.keys().cloned().collect());
}

#[test]
fn finds_a_restricted_account() {
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
fn a_fact_that_could_not_be_read_is_not_checked() {
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
            .insert((DnsQuery::Txt, "_dmarc.example.com".to_owned()), Err(why()));
    });
    one("dns.mx", Level::NotChecked, |facts| {
        facts.dns.insert((DnsQuery::Mx, "example.com".to_owned()), Err(why()));
    });
}

#[test]
fn finds_a_gap_in_the_event_pipeline() {
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
    one("feedback.event_destination", Level::Warn, |facts| {
        facts.reports_sends = false;
        destination(facts).event_types.retain(|kind| kind != "REJECT");
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
    one("feedback.subscription", Level::Fail, |facts| {
        let other = &mut facts.subscriptions.as_mut().unwrap().as_mut().unwrap()[0];
        other.endpoint = FUNCTION.replace("Feedback", "Other");
    });
}

#[test]
fn a_resolver_that_does_not_know_a_verified_domain_is_no_failure_of_the_domain() {
    let mut facts = healthy();
    for values in facts.dns.values_mut() {
        *values = Ok(Vec::new());
    }
    facts.unknown_names = facts.dns.keys().cloned().collect();
    let found = problems(&facts);
    assert!(!found.is_empty());
    for finding in &found {
        assert_eq!(finding.level, Level::NotChecked, "{finding:?}");
        assert!(finding.what.contains("try --resolver"), "{finding:?}");
    }
    // A domain that SES has not verified may not exist at all.
    identity(&mut facts).verified = false;
    assert!(
        problems(&facts)
            .iter()
            .any(|finding| finding.code == "dns.mx" && finding.level == Level::Fail)
    );
}

#[test]
fn finds_alarms_that_are_missing_silent_or_in_alarm() {
    fn alarm(facts: &mut Facts) -> &mut Alarm {
        &mut facts.alarms.as_mut().unwrap()[0]
    }
    let missing = one("alarms", Level::Warn, |facts| facts.alarms = Ok(Vec::new()));
    assert_eq!(
        (missing.what.as_str(), missing.names),
        (
            "1 alarm missing (--json names them)",
            vec!["FeedbackGivenUpAlarm".to_owned()]
        )
    );
    one("alarms", Level::Warn, |facts| alarm(facts).notifies = false);
    let active = one("alarms", Level::Warn, |facts| alarm(facts).is_active = true);
    assert_eq!(active.names, ["okite-FeedbackGivenUpAlarm-1A2B"]);
}

#[test]
fn the_remedies_for_an_identity_lead_to_the_account_that_was_asked() {
    for (name, options) in [
        ("example.com", "--data-dir .okite"),
        ("anna@example.com", "--endpoint-url http://x"),
    ] {
        let mut facts = healthy();
        facts.okite_options = "--data-dir .okite".to_owned();
        facts.aws_options = "--endpoint-url http://x".to_owned();
        let identity = &mut facts.identities.as_mut().unwrap()[0];
        (identity.name, identity.state) = (name.to_owned(), Ok(None));
        let found = problems(&facts);
        let finding = found
            .iter()
            .find(|finding| finding.code == "identity.verified")
            .unwrap();
        assert!(finding.remedy.as_ref().unwrap().ends_with(options), "{finding:?}");
    }
}

#[test]
fn finds_an_identity_that_may_not_send_and_names_how_long_verification_takes() {
    one("identity", Level::Fail, |facts| facts.identities = Ok(Vec::new()));
    one("identity.verified", Level::Fail, |facts| {
        facts.identities.as_mut().unwrap()[0].state = Ok(None);
    });
    one("identity.verified", Level::NotChecked, |facts| {
        facts.identities.as_mut().unwrap()[0].state = Err("AccessDenied".to_owned());
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
fn lists_exactly_the_missing_dkim_records() {
    let missing = |facts: &mut Facts| {
        answer(
            facts,
            DnsQuery::Cname,
            "two._domainkey.example.com",
            &["elsewhere.example"],
        );
    };
    let status = |facts: &mut Facts, status: &str| status.clone_into(&mut identity(facts).dkim);
    let record = DnsRecord {
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
    // If DNS does not answer, all required records are listed.
    let all = one("identity.dkim", Level::Warn, |facts| {
        status(facts, "PENDING");
        let why = Err("timeout".to_owned());
        facts
            .dns
            .insert((DnsQuery::Cname, "one._domainkey.example.com".to_owned()), why);
    });
    assert_eq!(all.records.len(), 2);
}

#[test]
fn lists_exactly_the_missing_records_of_a_mail_from_domain() {
    one("identity.mail_from", Level::Warn, |facts| {
        identity(facts).mail_from = None;
    });
    let pending = |facts: &mut Facts| {
        identity(facts).mail_from.as_mut().unwrap().1 = "PENDING".to_owned();
        answer(
            facts,
            DnsQuery::Mx,
            "bounce.example.com",
            &["10 feedback-smtp.us-east-1.amazonses.com"],
        );
        answer(facts, DnsQuery::Txt, "bounce.example.com", &["v=spf1 -all"]);
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
        answer(facts, DnsQuery::Mx, "bounce.example.com", &[]);
    });
    assert_eq!(lost.records.len(), 1);
}

#[test]
fn looks_for_a_dmarc_policy_at_parent_domains_too() {
    let below = |policy: &'static [&'static str]| {
        move |facts: &mut Facts| {
            facts.identities.as_mut().unwrap()[0].name = "hello@mail.example.com".to_owned();
            identity(facts).dkim_tokens.clear();
            answer(facts, DnsQuery::Mx, "mail.example.com", &["10 mx.example.com"]);
            answer(facts, DnsQuery::Txt, "_dmarc.mail.example.com", &[]);
            answer(facts, DnsQuery::Txt, "_dmarc.example.com", policy);
        }
    };
    let mut facts = healthy();
    below(&["v=DMARC1; p=none"])(&mut facts);
    assert_eq!(problems(&facts), []);
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
fn finds_a_domain_that_receives_no_mail() {
    let mx = |values: &'static [&'static str], addresses: &'static [&'static str]| {
        move |facts: &mut Facts| {
            answer(facts, DnsQuery::Mx, "example.com", values);
            answer(facts, DnsQuery::Address, "example.com", addresses);
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

#[test]
fn a_bulk_key_without_a_topic_sends_mail_without_one_click_unsubscribe() {
    let key = |name: &str, has_topic| BulkKey {
        name: name.to_owned(),
        has_topic,
    };
    let mut facts = healthy();
    facts.bulk_keys = Ok(vec![key("news", true)]);
    assert!(problems(&facts).is_empty());
    facts.bulk_keys = Ok(vec![key("news", true), key("sale", false)]);
    let [finding] = problems(&facts).try_into().unwrap();
    assert_eq!((finding.code, finding.level), ("keys.unsubscribe", Level::Warn));
    assert_eq!(finding.names, ["sale"]);
    assert!(finding.remedy.unwrap().contains("--topic"));
    facts.bulk_keys = Err("no access".to_owned());
    assert_eq!(problems(&facts)[0].level, Level::NotChecked);
}
