//! The table of usage: the gate, its samples, and the report.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{CountedDay, GateSet, GateState, KeptReconciliation, Usage, VerifiedDomains};
use domain::account::{Account, EnforcementStatus};
use domain::brake::Brake;
use domain::brake::BrakeOverride;
use domain::pacing::GrantHistory;
use domain::pacing::{GateSettings, GrantSample, SlotsTakenBack};
use domain::report::{Report, ReportInput};
use domain::reputation::{AwsRates, RateThresholds};
use domain::suppression::Reconciliation;
use jiff::{SignedDuration, Timestamp};

use crate::support::{Item, REGION, Store, at, closed_port, n, number, s, text};

const TABLE: &str = "UsageTable";
const PK: &str = "gate#us-east-1";
const SETTINGS: GateSettings = GateSettings {
    slot_interval: 75_188,
    ceiling_all: 1_000,
    ceiling_bulk: 800,
};
const HOUR: i64 = 3_600_000;

async fn gate(store: &Store) -> Item {
    store.item(TABLE, &[("pk", PK), ("sk", "gate")]).await.unwrap()
}

/// Grants recipients, as a send does.
async fn grant(store: &Store, recipients: i64) {
    let update = store
        .client()
        .update_item()
        .table_name(store.table(TABLE))
        .key("pk", s(PK))
        .key("sk", s("gate"));
    let update = update
        .update_expression(
            "SET #next_free_slot = :next_free_slot, #all = #all - :n, #bulk = #bulk - :n ADD #granted :n",
        )
        .expression_attribute_names("#next_free_slot", "next_free_slot")
        .expression_attribute_names("#all", "left_all")
        .expression_attribute_names("#bulk", "left_bulk")
        .expression_attribute_names("#granted", "granted")
        .expression_attribute_values(":next_free_slot", n(4_711))
        .expression_attribute_values(":n", n(recipients));
    update.send().await.unwrap();
}

fn report(at: Timestamp, sent_last_24_hours: f64) -> Report {
    let account = Account {
        max_24_hour_send: 50_000.0,
        sent_last_24_hours,
        max_send_rate: 14.0,
        production_access: true,
        sending_enabled: true,
        enforcement_status: EnforcementStatus::Healthy,
    };
    Report::new(&ReportInput {
        account,
        region: REGION,
        reputation: AwsRates::default(),
        counted: None,
        history: GrantHistory {
            samples: &[],
            total: 0,
            now: at,
        },
        thresholds: &RateThresholds::default(),
        account_share: 1.0,
        before: None,
    })
}

#[tokio::test]
async fn before_the_first_report_nothing_is_known() {
    let store = Store::start().await;
    assert_eq!(store.usage().gate_state().await.unwrap(), GateState::default());
}

#[tokio::test]
async fn the_first_report_makes_the_gate() {
    let store = Store::start().await;
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(0))
        .await
        .unwrap();
    let gate = gate(&store).await;
    let numbers = [
        "left_all",
        "left_bulk",
        "granted",
        "next_free_slot",
        "slot_interval",
        "brake",
    ]
    .map(|name| number(&gate, name));
    assert_eq!(numbers, [1_000, 800, 0, 0, 75_188, 0]);
    assert_eq!(number(&gate, "account_read_at"), at(0).as_millisecond());
    assert!(!gate.contains_key("expires_at"), "the gate must never go");
}

#[tokio::test]
async fn a_later_report_sets_the_gate_and_keeps_the_writes_of_sends() {
    let store = Store::start().await;
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(0))
        .await
        .unwrap();
    grant(&store, 30).await;
    let state = store.usage().gate_state().await.unwrap();
    assert_eq!(state.granted, 30);
    let later = GateSettings {
        slot_interval: 50_000,
        ceiling_all: 2_000 + state.granted,
        ceiling_bulk: 1_600 + state.granted,
    };
    store
        .usage()
        .set_gate(later, Brake::Bulk, None, at(300_000))
        .await
        .unwrap();
    let gate = gate(&store).await;
    let numbers = [
        "left_all",
        "left_bulk",
        "granted",
        "next_free_slot",
        "slot_interval",
        "brake",
    ]
    .map(|name| number(&gate, name));
    assert_eq!(numbers, [2_000, 1_600, 30, 4_711, 50_000, 1]);
    assert_eq!(number(&gate, "account_read_at"), at(300_000).as_millisecond());
}

#[tokio::test]
async fn grants_made_while_the_account_is_read_are_subtracted() {
    let store = Store::start().await;
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(0))
        .await
        .unwrap();
    grant(&store, 30).await;
    let read = store.usage().gate_state().await.unwrap().granted;
    grant(&store, 12).await;
    let settings = GateSettings {
        ceiling_all: 500 + read,
        ceiling_bulk: 400 + read,
        ..SETTINGS
    };
    store
        .usage()
        .set_gate(settings, Brake::None, None, at(1))
        .await
        .unwrap();
    let gate = gate(&store).await;
    assert_eq!(
        ["left_all", "left_bulk", "granted"].map(|name| number(&gate, name)),
        [488, 388, 42]
    );
}

#[tokio::test]
async fn an_older_or_equal_reading_changes_nothing() {
    let store = Store::start().await;
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(1_000))
        .await
        .unwrap();
    let before = gate(&store).await;
    let older = GateSettings {
        slot_interval: 1,
        ceiling_all: 9,
        ceiling_bulk: 9,
    };
    for time in [at(0), at(999), at(1_000)] {
        store.usage().set_gate(older, Brake::All, None, time).await.unwrap();
        assert_eq!(gate(&store).await, before);
    }
}

#[tokio::test]
async fn a_reading_from_the_future_gives_way_to_one_of_the_present() {
    let store = Store::start().await;
    let usage = store.usage();
    let tolerance = 120_000;
    let ahead = [24 * HOUR, HOUR, tolerance + 1];
    for (run, ahead) in (1..).zip(ahead) {
        usage
            .set_gate(SETTINGS, Brake::All, None, at(run + ahead))
            .await
            .unwrap();
        let set = usage.set_gate(SETTINGS, Brake::None, None, at(run)).await.unwrap();
        assert_eq!(set, GateSet::Done, "{ahead}");
        usage.put_report(&report(at(run + ahead), 1.0)).await.unwrap();
        usage.put_report(&report(at(run), 2.0)).await.unwrap();
        assert_eq!(usage.latest_report().await.unwrap().unwrap().at, at(run), "{ahead}");
    }
    usage.set_gate(SETTINGS, Brake::All, None, at(tolerance)).await.unwrap();
    let set = usage.set_gate(SETTINGS, Brake::None, None, at(0)).await.unwrap();
    assert_eq!(set, GateSet::LaterReport);
}

#[tokio::test]
async fn slots_are_taken_back_unless_others_were_taken_meanwhile() {
    let store = Store::start().await;
    let usage = store.usage();
    usage.set_gate(SETTINGS, Brake::None, None, at(0)).await.unwrap();
    grant(&store, 30).await;
    let slots = usage.gate_state().await.unwrap().slots.unwrap();
    assert_eq!((slots.next_free_slot, slots.slot_interval), (4_711, 75_188));
    let back = |from| usage.take_back_slots(SlotsTakenBack { from, to: 17 });
    assert_eq!(back(4_710).await.unwrap(), Some(slots));
    assert_eq!(back(4_711).await.unwrap(), None);
    let gate = gate(&store).await;
    assert_eq!(["next_free_slot", "granted"].map(|name| number(&gate, name)), [17, 30]);
}

#[tokio::test]
async fn every_brake_has_its_number() {
    let store = Store::start().await;
    for (time, brake, level) in [(1, Brake::All, 2), (2, Brake::Bulk, 1), (3, Brake::None, 0)] {
        store.usage().set_gate(SETTINGS, brake, None, at(time)).await.unwrap();
        assert_eq!(number(&gate(&store).await, "brake"), level);
    }
}

#[tokio::test]
async fn the_rest_of_the_quota_may_be_negative() {
    let store = Store::start().await;
    let overdrawn = GateSettings {
        ceiling_all: -971,
        ceiling_bulk: -10_971,
        ..SETTINGS
    };
    store
        .usage()
        .set_gate(overdrawn, Brake::None, None, at(0))
        .await
        .unwrap();
    assert_eq!(number(&gate(&store).await, "left_bulk"), -10_971);
}

#[tokio::test]
async fn no_report_erases_an_operators_override() {
    let store = Store::start().await;
    store
        .put(
            TABLE,
            [
                ("pk", s(PK)),
                ("sk", s("brake_override")),
                ("brake_override", s("bulk")),
            ],
        )
        .await;
    let by_hand = BrakeOverride {
        setting: "bulk".to_owned(),
        ..BrakeOverride::default()
    };
    let read = store.usage().gate_state().await.unwrap();
    assert_eq!(read.brake_override.as_ref(), Some(&by_hand));
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(0))
        .await
        .unwrap();
    store
        .usage()
        .put_sample(GrantSample { at: at(0), total: 1 })
        .await
        .unwrap();
    store.usage().put_report(&report(at(0), 1.0)).await.unwrap();
    let state = store.usage().gate_state().await.unwrap();
    assert_eq!(state.brake_override, Some(by_hand));
    assert_eq!((state.granted, state.brake), (0, Some(Brake::None)));
}

#[tokio::test]
async fn the_first_sample_of_each_hour_and_the_latest_are_kept() {
    let store = Store::start().await;
    let hour = Timestamp::from_second(at(0).as_second().div_euclid(3_600) * 3_600).unwrap();
    let sample = |minutes, total| GrantSample {
        at: hour + SignedDuration::from_mins(minutes),
        total,
    };
    for (minutes, total) in [(1, 10), (59, 20), (30, 15), (60, 30), (61, 31)] {
        store.usage().put_sample(sample(minutes, total)).await.unwrap();
    }
    let mut samples = store.usage().gate_state().await.unwrap().samples;
    samples.sort_by_key(|sample| sample.at);
    assert_eq!(samples, [sample(1, 10), sample(60, 30), sample(61, 31)]);
    store.usage().put_sample(sample(2, 11)).await.unwrap();
    assert!(
        store
            .usage()
            .gate_state()
            .await
            .unwrap()
            .samples
            .contains(&sample(61, 31))
    );
}

#[tokio::test]
async fn a_sample_outlives_the_day_that_it_is_needed_for_and_then_goes() {
    let store = Store::start().await;
    store
        .usage()
        .put_sample(GrantSample { at: at(0), total: 7 })
        .await
        .unwrap();
    let sk = format!("sample#{}", at(0).strftime("%Y-%m-%dT%H"));
    let row = store.item(TABLE, &[("pk", PK), ("sk", &sk)]).await.unwrap();
    assert_eq!(
        ["at", "granted"].map(|name| number(&row, name)),
        [at(0).as_millisecond(), 7]
    );
    let kept = number(&row, "expires_at") - at(0).as_second();
    assert!((25 * 3_600..7 * 24 * 3_600).contains(&kept), "{kept} s");
}

#[tokio::test]
async fn reads_the_whole_partition_when_it_comes_in_pages() {
    let store = Store::start().await;
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(0))
        .await
        .unwrap();
    grant(&store, 5).await;
    // DynamoDB answers at most 1 MB at a time.
    let padding = "x".repeat(350_000);
    for hour in 0..8 {
        let time = at(hour * HOUR).as_millisecond();
        let sk = s(&format!("sample#{hour}"));
        store
            .put(
                TABLE,
                [
                    ("pk", s(PK)),
                    ("sk", sk),
                    ("at", n(time)),
                    ("granted", n(hour)),
                    ("pad", s(&padding)),
                ],
            )
            .await;
    }
    let one_page = store
        .client()
        .query()
        .table_name(store.table(TABLE))
        .key_condition_expression("pk = :pk");
    let one_page = one_page.expression_attribute_values(":pk", s(PK)).send().await.unwrap();
    assert!(
        one_page.last_evaluated_key().is_some(),
        "the partition is meant to be longer than a page"
    );
    let state = store.usage().gate_state().await.unwrap();
    assert_eq!((state.granted, state.samples.len()), (5, 8));
}

#[tokio::test]
async fn another_region_has_a_gate_of_its_own() {
    let store = Store::start().await;
    let elsewhere = Usage::new(store.client().clone(), store.table(TABLE), "eu-west-1".to_owned());
    elsewhere.set_gate(SETTINGS, Brake::All, None, at(0)).await.unwrap();
    elsewhere.put_sample(GrantSample { at: at(0), total: 3 }).await.unwrap();
    assert_eq!(store.usage().gate_state().await.unwrap(), GateState::default());
    assert_eq!(
        elsewhere.gate_state().await.unwrap().samples,
        [GrantSample { at: at(0), total: 3 }]
    );
}

#[tokio::test]
async fn the_latest_report_is_kept_in_any_order() {
    let store = Store::start().await;
    let (older, newer) = (report(at(0), 1.0), report(at(1), 2.0));
    for reports in [[&older, &newer], [&newer, &older], [&older, &older]] {
        for report in reports {
            store.usage().put_report(report).await.unwrap();
        }
    }
    let row = store
        .item(TABLE, &[("pk", "report#us-east-1"), ("sk", "latest")])
        .await
        .unwrap();
    assert_eq!(serde_json::from_str::<Report>(text(&row, "report")).unwrap(), newer);
    assert_eq!(number(&row, "at"), at(1).as_millisecond());
    assert!(number(&row, "expires_at") > at(1).as_second());
    assert_eq!(
        store.usage().gate_state().await.unwrap(),
        GateState::default(),
        "a report is no part of the gate"
    );
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_and_counts_once() {
    let store = Store::start().await;
    let sample = GrantSample { at: at(0), total: 9 };
    store
        .losing_an_answer()
        .await
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(0))
        .await
        .unwrap();
    store.losing_an_answer().await.usage().put_sample(sample).await.unwrap();
    store
        .losing_an_answer()
        .await
        .usage()
        .put_report(&report(at(0), 1.0))
        .await
        .unwrap();
    assert_eq!(number(&gate(&store).await, "left_all"), 1_000);
    assert_eq!(store.usage().gate_state().await.unwrap().samples, [sample]);
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_of_every_operation() {
    let usage = Store::at(&closed_port().await).usage();
    let report = report(at(0), 1.0);
    let (state, gate, sample, report) = tokio::join!(
        usage.gate_state(),
        usage.set_gate(SETTINGS, Brake::None, None, at(0)),
        usage.put_sample(GrantSample { at: at(0), total: 1 }),
        usage.put_report(&report),
    );
    assert_eq!(state.unwrap_err().operation, "Query");
    for failed in [gate.map(drop), sample, report] {
        assert_eq!(failed.unwrap_err().code, "ConnectionFailed");
    }
}

#[tokio::test]
async fn the_state_of_the_pass_is_read_with_the_gate_and_written_by_one_run_at_a_time() {
    let store = Store::start().await;
    let usage = store.usage();
    let first = KeptReconciliation {
        state: Reconciliation::before_the_first(at(0)),
        revision: 1,
    };
    assert!(usage.put_reconciliation(&first).await.unwrap());
    let read = usage.gate_state().await.unwrap();
    assert_eq!((read.reconciliation.as_ref(), read.samples.len()), (Some(&first), 0));
    let mut mine = first.clone();
    mine.revision += 1;
    mine.state.pass(at(1)).next_token = Some("t".to_owned());
    let mut theirs = first.clone();
    theirs.revision += 1;
    assert!(usage.put_reconciliation(&mine).await.unwrap());
    assert!(!usage.put_reconciliation(&theirs).await.unwrap());
    assert_eq!(usage.gate_state().await.unwrap().reconciliation, Some(mine));
}

#[tokio::test]
async fn a_pass_with_an_unreadable_state_starts_again() {
    let store = Store::start().await;
    let usage = store.usage();
    let item = [
        ("pk", s(PK)),
        ("sk", s("reconciliation")),
        ("state", s("{}")),
        ("revision", n(7)),
    ];
    store.put(TABLE, item).await;
    let mut kept = usage.gate_state().await.unwrap().reconciliation.unwrap();
    assert!(kept.state.is_due(at(0)));
    kept.revision += 1;
    assert!(usage.put_reconciliation(&kept).await.unwrap());
}

#[tokio::test]
async fn a_run_may_add_to_its_own_report() {
    let store = Store::start().await;
    let usage = store.usage();
    usage.put_report(&report(at(5), 1.0)).await.unwrap();
    usage.put_report(&report(at(5), 2.0)).await.unwrap();
    usage.put_report(&report(at(4), 3.0)).await.unwrap();
    let row = store.item(TABLE, &[("pk", "report#us-east-1"), ("sk", "latest")]).await;
    assert!(text(&row.unwrap(), "report").contains("\"sent_last_24_hours\":2.0"));
}

#[tokio::test]
async fn a_days_count_is_kept_and_an_older_one_does_not_replace_it() {
    let store = Store::start().await;
    let usage = store.usage();
    let count = |time, bounces| CountedDay {
        at: at(time),
        bounces,
        complaints: 1,
        has_more_bounces: bounces == 20,
        has_more_complaints: bounces == 30,
    };
    let day = |day: i8| jiff::civil::date(2026, 1, day);
    usage.put_counted_day(day(1), &count(2, 20)).await.unwrap();
    usage.put_counted_day(day(1), &count(1, 10)).await.unwrap();
    usage.put_counted_day(day(2), &count(1, 10)).await.unwrap();
    store
        .losing_an_answer()
        .await
        .usage()
        .put_counted_day(day(2), &count(3, 30))
        .await
        .unwrap();
    let state = usage.gate_state().await.unwrap();
    assert_eq!(
        Vec::from_iter(state.counted),
        [(day(1), count(2, 20)), (day(2), count(3, 30))]
    );
    assert_eq!(state.samples, []);
    let row = store
        .item(TABLE, &[("pk", PK), ("sk", "marks#2026-01-01")])
        .await
        .unwrap();
    assert_eq!(number(&row, "expires_at"), at(2).as_second() + 10 * 24 * 3_600);
}

#[tokio::test]
async fn the_verified_domains_are_kept_and_may_be_none() {
    let store = Store::start().await;
    let usage = store.usage();
    let verified = |time, domains: &[&str]| VerifiedDomains {
        at: at(time),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
    };
    for (kept, expected) in [
        (verified(1, &[]), verified(1, &[])),
        (
            verified(2, &["b.example", "a.example"]),
            verified(2, &["a.example", "b.example"]),
        ),
        (verified(1, &["c.example"]), verified(2, &["a.example", "b.example"])),
        (verified(3, &[]), verified(3, &[])),
    ] {
        usage.put_verified_domains(&kept).await.unwrap();
        assert_eq!(usage.gate_state().await.unwrap().verified, Some(expected));
    }
}

#[tokio::test]
async fn the_sample_of_midnight_is_kept_for_as_long_as_days_are_counted() {
    let store = Store::start().await;
    for (hour, kept_hours) in [(0, 9 * 24), (1, 50), (23, 50), (24, 9 * 24)] {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
        store.usage().put_sample(GrantSample { at, total: 1 }).await.unwrap();
        let sk = format!("sample#{}", at.strftime("%Y-%m-%dT%H"));
        let row = store.item(TABLE, &[("pk", PK), ("sk", &sk)]).await.unwrap();
        assert_eq!(number(&row, "expires_at"), at.as_second() + kept_hours * 3_600, "{sk}");
    }
}
