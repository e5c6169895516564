//! The marks in the table of usage.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{MARKS_COUNTED_MAX, MarksPage};
use domain::feedback::{self, Feedback, Mark, MarkKind, RecordedMark};
use domain::stream::Stream;
use domain::suppression::STORM_WINDOW;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Store, at, closed_port, n, number, s, text};

const TABLE: &str = "UsageTable";

/// The marks of a bounce of `addresses`, at a time of day.
fn bounce(feedback_id: &str, stream: &str, time: &str, addresses: &[&str]) -> Vec<Mark> {
    let recipients: Vec<_> = addresses
        .iter()
        .map(|address| json!({ "emailAddress": address, "status": "5.1.1" }))
        .collect();
    let event = json!({
        "eventType": "Bounce",
        "mail": { "messageId": "m-1", "tags": {
            "okite_id": ["00000000-0000-0000-0000-000000000007"], "okite_stream": [stream], "campaign": ["spring"],
        } },
        "bounce": { "bounceType": "Permanent", "bounceSubType": "General", "feedbackId": feedback_id, "timestamp": time,
                    "bouncedRecipients": recipients },
    });
    marks(&event)
}

fn marks(event: &Value) -> Vec<Mark> {
    match feedback::read(&event.to_string(), at(0)).unwrap() {
        Feedback::Event(event) => event.marks,
        Feedback::SetUp => panic!("a set-up message"),
    }
}

async fn put(store: &Store, marks: &[Mark]) {
    for mark in marks {
        store.marks().put(mark).await.unwrap();
    }
}

async fn count(store: &Store, day: jiff::civil::Date, kind: MarkKind, stream: Stream) -> Vec<(String, u64)> {
    let counted = store
        .marks()
        .by_domain(day, kind, Some(stream), MARKS_COUNTED_MAX)
        .await
        .unwrap();
    assert!(!counted.has_more);
    Vec::from_iter(counted.by_domain)
}

const DAY: jiff::civil::Date = date(2026, 1, 1);

#[tokio::test]
async fn the_row_has_the_attributes_that_are_documented_and_no_address() {
    let store = Store::start().await;
    let marks = bounce("f-1", "bulk", "2026-01-01T12:00:00Z", &["Gone@Example.org"]);
    put(&store, &marks).await;
    let sk = format!("bounce#{}", marks[0].hash);
    let row = store
        .item(TABLE, &[("pk", "mark#2026-01-01"), ("sk", &sk)])
        .await
        .unwrap();
    let texts = ["domain", "class", "stream", "message_id"].map(|name| text(&row, name));
    let id = "00000000-0000-0000-0000-000000000007";
    assert_eq!(texts, ["example.org", "hard_bounce", "bulk", id]);
    assert_eq!(row["tag"].as_ss().unwrap(), &["campaign=spring"]);
    let at = marks[0].at;
    assert_eq!(number(&row, "at"), at.as_millisecond());
    assert_eq!(number(&row, "expires_at"), at.as_second() + 90 * 24 * 3_600);
    assert_eq!(row.len(), 9);
    assert!(!format!("{row:?}").to_lowercase().contains("gone"));
}

#[tokio::test]
async fn a_mail_without_tags_leaves_them_out() {
    let store = Store::start().await;
    let event = json!({
        "notificationType": "Complaint", "mail": { "messageId": "m-1" },
        "complaint": { "feedbackId": "c-1", "timestamp": "2026-01-01T12:00:00Z",
                       "complainedRecipients": [{ "emailAddress": "cross@example.org" }] },
    });
    let marks = marks(&event);
    put(&store, &marks).await;
    let sk = format!("complaint#{}", marks[0].hash);
    let row = store
        .item(TABLE, &[("pk", "mark#2026-01-01"), ("sk", &sk)])
        .await
        .unwrap();
    assert_eq!(text(&row, "class"), "complaint");
    assert!(!row.contains_key("tag") && !row.contains_key("message_id"));
}

#[tokio::test]
async fn marks_are_counted_once_by_day_kind_stream_and_domain() {
    let store = Store::start().await;
    let noon = "2026-01-01T12:00:00Z";
    let first = bounce(
        "f-1",
        "bulk",
        noon,
        &["a@example.org", "b@example.org", "c@example.net"],
    );
    let others = [
        bounce("f-2", "bulk", noon, &["A@Example.org"]),
        bounce("f-3", "transactional", noon, &["a@example.org"]),
        bounce("f-4", "bulk", "2026-01-02T00:00:00Z", &["a@example.org"]),
    ];
    for marks in [&first]
        .into_iter()
        .chain(&others)
        .chain([&first])
        .chain(others.iter().rev())
    {
        put(&store, marks).await;
    }
    let counts = |counts: &[(&str, u64)]| {
        let owned = counts.iter().map(|(domain, count)| ((*domain).to_owned(), *count));
        owned.collect::<Vec<_>>()
    };
    let bulk = count(&store, DAY, MarkKind::Bounce, Stream::Bulk).await;
    assert_eq!(bulk, counts(&[("example.net", 1), ("example.org", 3)]));
    let transactional = count(&store, DAY, MarkKind::Bounce, Stream::Transactional).await;
    assert_eq!(transactional, counts(&[("example.org", 1)]));
    let next = count(&store, date(2026, 1, 2), MarkKind::Bounce, Stream::Bulk).await;
    assert_eq!(next, counts(&[("example.org", 1)]));
    assert_eq!(count(&store, DAY, MarkKind::Complaint, Stream::Bulk).await, []);
    assert_eq!(count(&store, DAY, MarkKind::Block, Stream::Bulk).await, []);
}

/// The mark of a feedback, as its event and as its classic notification tell it.
fn in_both_formats(kind: &str, contents: &Value) -> [Vec<Mark>; 2] {
    let lower = kind.to_lowercase();
    let tags = json!({ "okite_id": ["00000000-0000-0000-0000-000000000007"], "okite_stream": ["bulk"] });
    let event = json!({ "eventType": kind, "mail": { "messageId": "m-1", "tags": tags }, &lower: contents });
    let classic = json!({ "notificationType": kind, "mail": { "messageId": "m-1" }, &lower: contents });
    [marks(&event), marks(&classic)]
}

#[tokio::test]
async fn a_feedback_that_comes_in_both_formats_counts_once_and_for_its_stream() {
    let time = "2026-01-01T12:00:00Z";
    let people = |name: &str| json!([{ "emailAddress": "gone@example.org", "status": name }]);
    let bounced = |status: &str| {
        json!({ "bounceType": "Permanent", "bounceSubType": "General", "feedbackId": "f-1", "timestamp": time,
                "bouncedRecipients": people(status) })
    };
    let complained = json!({ "feedbackId": "c-1", "timestamp": time, "complainedRecipients": people("") });
    for (kind, told, counted) in [
        ("Bounce", bounced("5.1.1"), MarkKind::Bounce),
        ("Bounce", bounced("5.7.1"), MarkKind::Block),
        ("Complaint", complained, MarkKind::Complaint),
    ] {
        let [event, classic] = in_both_formats(kind, &told);
        for copies in [[&event, &classic, &event], [&classic, &event, &classic]] {
            let store = Store::start().await;
            for marks in copies {
                put(&store, marks).await;
            }
            let page = store.marks().page(DAY, None).await.unwrap();
            assert_eq!(page.marks.len(), event.len(), "{counted:?}");
            assert!(
                page.marks
                    .iter()
                    .all(|mark| mark.message_id == Some(Uuid::from_u128(7)))
            );
            let one = [("example.org".to_owned(), 1)];
            assert_eq!(count(&store, DAY, counted, Stream::Bulk).await, one, "{counted:?}");
            assert_eq!(count(&store, DAY, counted, Stream::Transactional).await, []);
        }
    }
}

#[tokio::test]
async fn counts_a_day_that_comes_in_pages() {
    let store = Store::start().await;
    // DynamoDB answers at most 1 MB at a time, measured before the projection.
    let padding = "x".repeat(350_000);
    for number in 0..8 {
        let row = [
            ("pk", s("mark#2026-01-01")),
            ("sk", s(&format!("bounce#{number}"))),
            ("domain", s("example.org")),
            ("stream", s("bulk")),
            ("at", n(number)),
            ("pad", s(&padding)),
        ];
        store.put(TABLE, row).await;
    }
    let counts = count(&store, DAY, MarkKind::Bounce, Stream::Bulk).await;
    assert_eq!(counts, [("example.org".to_owned(), 8)]);
}

#[tokio::test]
async fn a_count_says_when_there_is_more() {
    let store = Store::start().await;
    let marks = bounce(
        "f-1",
        "bulk",
        "2026-01-01T12:00:00Z",
        &["a@example.org", "b@example.org", "c@example.net"],
    );
    put(&store, &marks).await;
    for (most, counted, has_more) in [(0, 0, true), (2, 2, true), (3, 3, false), (4, 3, false)] {
        let marks = store
            .marks()
            .by_domain(DAY, MarkKind::Bounce, None, most)
            .await
            .unwrap();
        let sum: u64 = marks.by_domain.values().sum();
        assert_eq!((sum, marks.has_more), (counted, has_more), "{most}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_and_counts_once() {
    let store = Store::start().await;
    let marks = bounce("f-1", "bulk", "2026-01-01T12:00:00Z", &["a@example.org"]);
    store.losing_an_answer().await.marks().put(&marks[0]).await.unwrap();
    let counts = count(&store, DAY, MarkKind::Bounce, Stream::Bulk).await;
    assert_eq!(counts, [("example.org".to_owned(), 1)]);
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_of_every_operation() {
    let marks = Store::at(&closed_port().await).marks();
    let mark = &bounce("f-1", "bulk", "2026-01-01T12:00:00Z", &["a@example.org"])[0];
    let error = marks.put(mark).await.unwrap_err();
    assert_eq!((error.operation, error.code.as_str()), ("PutItem", "ConnectionFailed"));
    assert_eq!(marks.page(DAY, None).await.unwrap_err().code, "ConnectionFailed");
    let error = marks.by_domain(DAY, MarkKind::Bounce, None, 1).await.unwrap_err();
    assert_eq!((error.operation, error.code.as_str()), ("Query", "ConnectionFailed"));
}

/// The marks of a block of `address`, at a time of the night between the first two days.
fn block(number: usize, address: &str, seconds: i64) -> Vec<Mark> {
    let midnight: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
    let event = json!({
        "eventType": "Bounce", "mail": { "messageId": "m-1", "tags": { "okite_stream": ["bulk"] } },
        "bounce": { "bounceType": "Permanent", "bounceSubType": "General", "feedbackId": format!("f-{number}"),
                    "timestamp": (midnight + SignedDuration::from_secs(seconds)).to_string(),
                    "bouncedRecipients": [{ "emailAddress": address, "status": "5.7.1" }] },
    });
    marks(&event)
}

#[tokio::test]
async fn a_storm_of_blocks_is_known_across_midnight_and_by_its_domain() {
    let store = Store::start().await;
    let mut first = None;
    for number in 0..20 {
        let seconds = i64::try_from(number).unwrap() * 30 - 300;
        let marks = block(number, &format!("anna{number}@example.org"), seconds);
        let at = *first.get_or_insert(marks[0].at);
        assert!(!store.marks().in_storm("example.org", at).await.unwrap(), "{number}");
        // A copy is no second block.
        put(&store, &marks).await;
        put(&store, &marks).await;
        put(&store, &block(100 + number, "anna@mail.example.org", seconds * 10)).await;
    }
    let (first, latest) = (first.unwrap(), block(0, "x@example.org", 270)[0].at);
    for at in [first, latest] {
        assert!(store.marks().in_storm("example.org", at).await.unwrap(), "{at}");
        assert!(!store.marks().in_storm("mail.example.org", at).await.unwrap());
        assert!(!store.marks().in_storm("example.net", at).await.unwrap());
    }
    assert!(
        !store
            .marks()
            .in_storm("example.org", latest + STORM_WINDOW)
            .await
            .unwrap()
    );
    // They are counted by stream all the same.
    let counted = [DAY, date(2026, 1, 2)].map(|day| count(&store, day, MarkKind::Block, Stream::Bulk));
    let [before, after] = counted;
    assert_eq!(before.await[0], ("example.org".to_owned(), 10));
    assert_eq!(after.await[0], ("example.org".to_owned(), 10));
    assert_eq!(count(&store, DAY, MarkKind::Block, Stream::Transactional).await, []);
}

#[tokio::test]
async fn a_storm_of_more_blocks_than_are_read_is_one() {
    let store = Store::start().await;
    for number in 0..45 {
        put(&store, &block(number, &format!("anna{number}@example.org"), 0)).await;
    }
    let at = block(0, "x@example.org", 0)[0].at;
    assert!(
        store
            .marks()
            .in_storm("example.org", at + SignedDuration::from_mins(9))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn marks_are_read_back_whole_by_their_day() {
    let store = Store::start().await;
    let noon = "2026-01-01T12:00:00Z";
    put(&store, &bounce("f-1", "bulk", noon, &["Gone@Example.org"])).await;
    put(&store, &block(1, "anna@example.net", -60)).await;
    put(&store, &block(2, "anna@example.net", 60)).await;
    let page = store.marks().page(DAY, None).await.unwrap();
    assert_eq!((page.unreadable, page.next), (0, None));
    let bounced = RecordedMark {
        kind: MarkKind::Bounce,
        stream: Stream::Bulk,
        domain: "example.org".to_owned(),
        class: "hard_bounce".to_owned(),
        tags: ["campaign=spring".to_owned()].into(),
        message_id: Some(Uuid::from_u128(7)),
        at: noon.parse().unwrap(),
    };
    let blocked = RecordedMark {
        kind: MarkKind::Block,
        domain: "example.net".to_owned(),
        class: "blocked".to_owned(),
        tags: [].into(),
        message_id: None,
        at: "2026-01-01T23:59:00Z".parse().unwrap(),
        ..bounced.clone()
    };
    // AWS counts a permanent bounce, whether the recipient or the sender is to blame.
    let counted = RecordedMark {
        kind: MarkKind::Bounce,
        ..blocked.clone()
    };
    assert_eq!(page.marks, [blocked, counted, bounced]);
    assert_eq!(
        store.marks().page(date(2026, 1, 3), None).await.unwrap(),
        MarksPage::default()
    );
}

#[tokio::test]
async fn a_long_day_is_read_in_pages_and_foreign_items_are_counted() {
    let store = Store::start().await;
    let padding = "x".repeat(350_000);
    for number in 0..8 {
        let class = if number == 5 { "note" } else { "class" };
        let row = [
            ("pk", s("mark#2026-01-01")),
            ("sk", s(&format!("bounce#{number}"))),
            ("domain", s("example.org")),
            ("stream", s("bulk")),
            (class, s("hard_bounce")),
            ("at", n(number)),
            ("pad", s(&padding)),
        ];
        store.put(TABLE, row).await;
    }
    let (mut marks, mut unreadable, mut pages, mut after) = (0, 0, 0, None::<String>);
    loop {
        let page = store.marks().page(DAY, after.as_deref()).await.unwrap();
        (marks, unreadable, pages) = (marks + page.marks.len(), unreadable + page.unreadable, pages + 1);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((marks, unreadable), (7, 1));
    assert!(pages > 1, "the day is meant to be longer than a page");
}
