//! Cancelling, rescheduling and replacing the content of a mail that waits.

use aws::{Cancel, ClaimGrowth, ContentSwitch, Moved, Reschedule, Rescheduled};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::idempotency::Claim;
use domain::queue::ContentRef;

use super::*;
use crate::support::{closed_port, n, number, s, text};

const TOKEN: Uuid = Uuid::from_u128(20);

fn cancel(waiting: &Waiting) -> Cancel {
    Cancel {
        id: ID,
        content: waiting.entry.content,
        now: at(5_000),
        token: TOKEN,
    }
}

async fn canceled(store: &Store, cancel: &Cancel) -> Moved {
    store.messages().cancel(&store.outbox(), cancel).await.unwrap()
}

#[tokio::test]
async fn a_cancelled_mail_leaves_its_row_and_nothing_else() {
    let (store, waiting) = waiting().await;
    assert_eq!(canceled(&store, &cancel(&waiting)).await, Moved::Done);
    assert_eq!(state(&store).await, SenderState::Canceled);
    assert_eq!(store.count(OUTBOX).await, 0);
    // The same again, and another one: the caller reads the state.
    assert_eq!(canceled(&store, &cancel(&waiting)).await, Moved::Done);
    let again = Cancel {
        token: THEIRS,
        ..cancel(&waiting)
    };
    let Moved::Otherwise(Some(found)) = canceled(&store, &again).await else {
        panic!("cancelled twice")
    };
    assert_eq!(found.written, SenderState::Canceled);
}

#[tokio::test]
async fn a_mail_that_is_not_queued_or_has_another_content_is_not_cancelled() {
    for (name, value) in [
        ("state", s("sending")),
        ("state", s("failed")),
        ("content_nonce", s(&NONCE.to_string())),
    ] {
        let (store, waiting) = waiting().await;
        set_in_row(&store, name, value).await;
        let before = row_item(&store).await;
        assert!(matches!(
            canceled(&store, &cancel(&waiting)).await,
            Moved::Otherwise(Some(_))
        ));
        assert_eq!(row_item(&store).await, before);
        assert!(entry_item(&store).await.is_some() && part_item(&store, CONTENT, 1).await.is_some());
    }
}

#[tokio::test]
async fn the_entry_of_a_large_mail_stays_to_be_tidied_up_at_once() {
    let (store, waiting) = waiting().await;
    let large = Cancel {
        content: ContentRef {
            size: 3_000_001,
            parts: 9,
            ..waiting.entry.content
        },
        ..cancel(&waiting)
    };
    assert_eq!(canceled(&store, &large).await, Moved::Done);
    assert_eq!(state(&store).await, SenderState::Canceled);
    let entry = entry_item(&store).await.unwrap();
    assert_eq!(number(&entry, "wake_at"), at(5_000).as_millisecond());
    assert!(part_item(&store, CONTENT, 1).await.is_some());
}

#[tokio::test]
async fn a_cancelled_mail_that_a_lost_answer_hides_is_cancelled_once() {
    let (store, waiting) = waiting().await;
    let lossy = store.losing_an_answer().await;
    assert_eq!(canceled(&lossy, &cancel(&waiting)).await, Moved::Done);
    let down = Store::at(&closed_port().await);
    assert!(down.messages().cancel(&down.outbox(), &cancel(&waiting)).await.is_err());
}

fn reschedule() -> Reschedule {
    Reschedule {
        id: ID,
        attempt: 1,
        now: at(5_000),
        scheduled_at: at(500_000),
        deadline: at(9_000_000),
        wake_at: at(500_000),
        claim: None,
        token: TOKEN,
    }
}

async fn rescheduled(store: &Store, reschedule: &Reschedule) -> Rescheduled {
    store.messages().reschedule(&store.outbox(), reschedule).await.unwrap()
}

async fn put_claim(store: &Store, expires: i64) {
    let claim = Claim {
        id: CLAIM.to_owned(),
        body_hash: "b".to_owned(),
        message_id: ID,
        emails: 1,
        nonce: NONCE,
        lease_until: at(35_000),
        expires: at(expires),
        kept_until: at(expires + 3_600_000),
    };
    store.claims().take(&claim).await.unwrap();
}

async fn claim(store: &Store) -> Claim {
    store.claims().get(CLAIM).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_new_time_changes_row_entry_and_claim() {
    let (store, _) = waiting().await;
    assert_eq!(store.claims().get(CLAIM).await.unwrap(), None);
    put_claim(&store, 1_000_000).await;
    let later = Reschedule {
        claim: Some(ClaimGrowth {
            id: CLAIM.to_owned(),
            message_id: ID,
            expires: at(2_000_000),
            kept_until: at(2_000_000 + 3_600_000),
        }),
        ..reschedule()
    };
    assert_eq!(rescheduled(&store, &later).await, Rescheduled::Done);
    // Repeated, it is recognised by its token.
    assert_eq!(rescheduled(&store, &later).await, Rescheduled::Done);
    let record = record(&store).await;
    assert_eq!((record.written, record.attempt), (SenderState::Queued, 2));
    let queued = record.queued.unwrap();
    assert_eq!(
        (queued.scheduled_at, queued.deadline),
        (Some(at(500_000)), at(9_000_000))
    );
    let entry = store.outbox().entry(ID).await.unwrap().unwrap();
    assert_eq!((entry.wake_at, entry.deadline), (at(500_000), at(9_000_000)));
    assert_eq!(claim(&store).await.expires, at(2_000_000));
    // A worker that read the row before does not send it.
    let late = aws::NewAttempt {
        id: ID,
        leaving: QUEUED,
        nonce: OURS,
        now: at(6_000),
        lease_until: at(66_000),
        outcomes: &[],
    };
    assert!(matches!(
        store.messages().begin_attempt(&late).await.unwrap(),
        Moved::Otherwise(Some(_))
    ));
}

#[tokio::test]
async fn a_mail_is_rescheduled_only_as_it_was_read_and_before_its_deadline() {
    for (name, value, reschedule) in [
        ("state", s("sending"), reschedule()),
        ("state", s("canceled"), reschedule()),
        ("attempt", n(2), reschedule()),
        (
            "state",
            s("queued"),
            Reschedule {
                now: at(DEADLINE),
                ..reschedule()
            },
        ),
    ] {
        let (store, waiting) = waiting().await;
        set_in_row(&store, name, value).await;
        let before = row_item(&store).await;
        let result = rescheduled(&store, &reschedule).await;
        assert!(matches!(result, Rescheduled::Otherwise(Some(_))), "{name}");
        assert_eq!(row_item(&store).await, before);
        assert_eq!(store.outbox().entry(ID).await.unwrap(), Some(waiting.entry));
    }
}

#[tokio::test]
async fn a_claim_never_lives_shorter_and_another_request_s_claim_is_left_alone() {
    let longer = 9_000_000;
    for (expires, message_id, kept_until) in [
        (3_000_000, ID, longer),
        (2_000_000, ID, longer),
        (1_000_000, NONCE, longer),
        (1_000_000, ID, 1_000_000),
    ] {
        let (store, _) = waiting().await;
        put_claim(&store, expires).await;
        let later = Reschedule {
            claim: Some(ClaimGrowth {
                id: CLAIM.to_owned(),
                message_id,
                expires: at(2_000_000),
                kept_until: at(kept_until),
            }),
            ..reschedule()
        };
        assert_eq!(rescheduled(&store, &later).await, Rescheduled::ClaimChanged);
        assert_eq!(claim(&store).await.expires, at(expires));
        assert_eq!(record(&store).await.attempt, 1, "nothing is changed");
    }
}

#[tokio::test]
async fn a_reschedule_makes_no_half_an_entry() {
    let (store, _) = waiting().await;
    store
        .delete(OUTBOX, &[("id", &ID.to_string()), ("part", "entry")])
        .await;
    assert_eq!(rescheduled(&store, &reschedule()).await, Rescheduled::Otherwise(None));
    assert!(entry_item(&store).await.is_none());
    assert_eq!(record(&store).await.attempt, 1);
}

#[tokio::test]
async fn a_content_is_replaced_in_row_and_entry() {
    let (store, waiting) = waiting().await;
    let outbox = store.outbox();
    let content = outbox.content(ID, &waiting.entry.content).await.unwrap();
    let to = outbox
        .put_content(ID, THEIRS, &content, waiting.entry.expires_at)
        .await
        .unwrap();
    let switch = ContentSwitch {
        id: ID,
        from: CONTENT,
        to,
        wake_at: at(5_000),
    };
    let messages = store.messages();
    assert_eq!(messages.switch_content(&outbox, &switch).await.unwrap(), Moved::Done);
    assert_eq!(record(&store).await.queued.unwrap().content_nonce, THEIRS);
    let entry = outbox.entry(ID).await.unwrap().unwrap();
    assert_eq!((entry.content, entry.wake_at), (to, at(5_000)));
    // Not from a content that it no longer has, and not once it is being sent.
    let other = ContentSwitch {
        to: ContentRef { nonce: OURS, ..to },
        ..switch
    };
    let moved = messages.switch_content(&outbox, &other).await.unwrap();
    assert!(matches!(moved, Moved::Otherwise(Some(_))));
    let again = ContentSwitch { from: THEIRS, ..other };
    set_in_row(&store, "state", AttributeValue::S("sending".to_owned())).await;
    let moved = messages.switch_content(&outbox, &again).await.unwrap();
    assert!(matches!(moved, Moved::Otherwise(Some(_))));
    assert_eq!(
        text(&entry_item(&store).await.unwrap(), "content_nonce"),
        THEIRS.to_string()
    );
}
