//! The changes of the brake in the table of usage.

use aws::{BrakeChanges, BrakeMark};
use domain::brake::Brake;
use domain::brake::BrakeChange;
use serde_json::json;
use uuid::Uuid;

use crate::support::{REGION, Store, at, closed_port, number, s, text};

const TABLE: &str = "UsageTable";

/// A change so many milliseconds after the time that all tests share.
fn change(milliseconds: i64) -> BrakeChange {
    BrakeChange {
        at: at(milliseconds),
        id: Uuid::from_u128(u128::from(milliseconds.unsigned_abs())),
        from: Brake::None,
        to: Brake::Bulk,
        by: "anna".to_owned(),
        why: "a bad list".to_owned(),
        figures: json!({ "bounce_rate": 0.041 }),
    }
}

#[tokio::test]
async fn the_row_has_the_attributes_that_are_documented() {
    let store = Store::start().await;
    store.brake_changes().record(&change(5)).await.unwrap();
    let sk = "2027-01-15T08:00:00.005Z#00000000-0000-0000-0000-000000000005";
    let key = [("pk", "brake#us-east-1"), ("sk", sk)];
    let row = store.item(TABLE, &key).await.unwrap();
    let texts = ["from", "to", "by", "why", "figures"].map(|name| text(&row, name));
    assert_eq!(
        texts,
        ["none", "bulk", "anna", "a bad list", r#"{"bounce_rate":0.041}"#]
    );
    assert_eq!(number(&row, "at"), at(5).as_millisecond());
    assert_eq!(number(&row, "expires_at"), at(5).as_second() + 400 * 24 * 3_600);
    assert_eq!(row.len(), 10);
}

#[tokio::test]
async fn the_latest_changes_come_the_newest_first_and_no_more_than_asked_for() {
    let store = Store::start().await;
    let changes = store.brake_changes();
    assert_eq!(changes.latest(10).await.unwrap(), []);
    for milliseconds in [70, 9, 1_000, 800] {
        changes.record(&change(milliseconds)).await.unwrap();
    }
    assert_eq!(
        changes.latest(3).await.unwrap(),
        [change(1_000), change(800), change(70)]
    );
    assert_eq!(changes.latest(10).await.unwrap().len(), 4);
}

#[tokio::test]
async fn each_change_is_published_once() {
    let store = Store::start().await;
    let changes = store.brake_changes();
    for milliseconds in [2, 1] {
        changes.record(&change(milliseconds)).await.unwrap();
    }
    assert_eq!(
        changes.without(BrakeMark::Published, at(0)).await.unwrap(),
        [change(1), change(2)]
    );
    assert_eq!(changes.without(BrakeMark::Published, at(2)).await.unwrap(), [change(2)]);
    for told_at in [at(7), at(8)] {
        changes.mark(BrakeMark::Published, &change(1), told_at).await.unwrap();
        assert_eq!(changes.without(BrakeMark::Published, at(0)).await.unwrap(), [change(2)]);
    }
    // A copy of the write, as of an SDK that lost the answer, makes it no new one.
    changes.record(&change(1)).await.unwrap();
    assert_eq!(changes.without(BrakeMark::Published, at(0)).await.unwrap(), [change(2)]);
    let sk = "2027-01-15T08:00:00.001Z#00000000-0000-0000-0000-000000000001";
    let row = store.item(TABLE, &[("pk", "brake#us-east-1"), ("sk", sk)]).await;
    assert_eq!(number(&row.unwrap(), "published_at"), at(7).as_millisecond());
}

#[tokio::test]
async fn each_mark_is_its_own() {
    let store = Store::start().await;
    let changes = store.brake_changes();
    changes.record(&change(1)).await.unwrap();
    changes.mark(BrakeMark::Emitted, &change(1), at(7)).await.unwrap();
    assert_eq!(changes.without(BrakeMark::Emitted, at(0)).await.unwrap(), []);
    let unpublished = changes.without(BrakeMark::Published, at(0)).await;
    assert_eq!(unpublished.unwrap(), [change(1)]);
}

#[tokio::test]
async fn marking_a_deleted_change_as_published_does_not_restore_it() {
    let store = Store::start().await;
    store
        .brake_changes()
        .mark(BrakeMark::Published, &change(1), at(2))
        .await
        .unwrap();
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn changes_are_read_by_their_time_without_the_end() {
    let store = Store::start().await;
    let changes = store.brake_changes();
    for milliseconds in [1, 2, 3] {
        changes.record(&change(milliseconds)).await.unwrap();
    }
    assert_eq!(changes.between(at(1), at(3)).await.unwrap(), [change(1), change(2)]);
    assert_eq!(changes.between(at(4), at(9)).await.unwrap(), []);
}

#[tokio::test]
async fn another_region_has_changes_of_its_own() {
    let store = Store::start().await;
    let elsewhere = BrakeChanges::new(store.client().clone(), store.table(TABLE), "eu-west-1".to_owned());
    elsewhere.record(&change(1)).await.unwrap();
    assert_eq!(store.brake_changes().latest(1).await.unwrap(), []);
    assert_eq!(
        elsewhere.without(BrakeMark::Published, at(0)).await.unwrap(),
        [change(1)]
    );
}

#[tokio::test]
async fn a_row_that_is_no_change_hides_no_other() {
    let store = Store::start().await;
    let row = [
        ("pk", s(&format!("brake#{REGION}"))),
        ("sk", s("2027")),
        ("to", s("some")),
    ];
    store.put(TABLE, row).await;
    let changes = store.brake_changes();
    changes.record(&change(1)).await.unwrap();
    assert_eq!(changes.latest(2).await.unwrap(), [change(1)]);
    assert_eq!(changes.without(BrakeMark::Published, at(0)).await.unwrap(), [change(1)]);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_and_counts_once() {
    let store = Store::start().await;
    let losing = store.losing_an_answer().await;
    losing.brake_changes().record(&change(1)).await.unwrap();
    let losing = store.losing_an_answer().await;
    losing
        .brake_changes()
        .mark(BrakeMark::Published, &change(1), at(2))
        .await
        .unwrap();
    assert_eq!(store.brake_changes().latest(2).await.unwrap(), [change(1)]);
    assert_eq!(
        store
            .brake_changes()
            .without(BrakeMark::Published, at(0))
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_of_every_operation() {
    let changes = Store::at(&closed_port().await).brake_changes();
    let change = change(1);
    let (recorded, unpublished, published, latest, between) = tokio::join!(
        changes.record(&change),
        changes.without(BrakeMark::Published, at(0)),
        changes.mark(BrakeMark::Published, &change, at(2)),
        changes.latest(1),
        changes.between(at(0), at(1)),
    );
    let codes = [
        recorded.unwrap_err(),
        unpublished.unwrap_err(),
        published.unwrap_err(),
        latest.unwrap_err(),
        between.unwrap_err(),
    ]
    .map(|error| (error.operation, error.code));
    let failed = |operation| (operation, "ConnectionFailed".to_owned());
    assert_eq!(codes, ["PutItem", "Query", "UpdateItem", "Query", "Query"].map(failed));
}
