//! Contents, in parts.

use aws::ContentError;
use domain::message::{Attachment, EmailParts};
use domain::queue::{ContentRef, QueuedContent};
use domain::recipient::OnSuppressed;

use super::*;
use crate::support::{closed_port, number};

/// A content that does not deflate, so that it needs several parts.
fn large() -> QueuedContent {
    let mut state = 1_u64;
    let bytes: Vec<u8> = (0..900_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    QueuedContent {
        mail: mail(EmailParts {
            attachments: vec![Attachment::new("a.bin", bytes, None, None).unwrap()],
            ..parts()
        }),
        on_suppressed: OnSuppressed::Reject,
    }
}

#[tokio::test]
async fn a_large_content_is_stored_in_parts_and_read_whole() {
    let store = Store::start().await;
    let (outbox, content) = (store.outbox(), large());
    let stored = outbox.put_content(ID, CONTENT, &content, at(5_000)).await.unwrap();
    assert_eq!((stored.nonce, stored.parts), (CONTENT, 3));
    for part in 1..=3 {
        let item = part_item(&store, CONTENT, part).await.unwrap();
        assert!(item["content"].as_b().unwrap().as_ref().len() <= 350_000);
        assert_eq!(number(&item, "expires_at"), at(5_000).as_second());
        assert_eq!(item.len(), 4);
    }
    let read = outbox.content(ID, &stored).await.unwrap();
    assert_eq!(format!("{read:?}"), format!("{content:?}"));
    // A repetition writes the same.
    assert_eq!(
        outbox.put_content(ID, CONTENT, &content, at(5_000)).await.unwrap(),
        stored
    );
    assert_eq!(store.count(OUTBOX).await, 3);
    outbox.delete_content(ID, &stored).await.unwrap();
    outbox.delete_content(ID, &stored).await.unwrap();
    assert_eq!(store.count(OUTBOX).await, 0);
}

#[tokio::test]
async fn a_content_of_which_a_part_is_missing_or_cut_is_missing() {
    let store = Store::start().await;
    let outbox = store.outbox();
    let stored = outbox.put_content(ID, CONTENT, &large(), at(0)).await.unwrap();
    for other in [
        ContentRef { parts: 2, ..stored },
        ContentRef { parts: 4, ..stored },
        ContentRef { parts: 0, ..stored },
        ContentRef {
            parts: u32::MAX,
            ..stored
        },
        ContentRef {
            size: stored.size + 1,
            ..stored
        },
        ContentRef { nonce: NONCE, ..stored },
    ] {
        let read = outbox.content(ID, &other).await;
        assert!(matches!(read, Err(ContentError::Missing)), "{other:?}");
    }
}

#[tokio::test]
async fn a_table_that_is_down_is_another_error_than_a_content_that_is_missing() {
    let store = Store::start().await;
    let stored = store.outbox().put_content(ID, CONTENT, &large(), at(0)).await.unwrap();
    let down = Store::at(&closed_port().await).outbox();
    assert!(matches!(down.content(ID, &stored).await, Err(ContentError::Store(_))));
    assert!(down.delete_content(ID, &stored).await.is_err());
    let put = down.put_content(ID, CONTENT, &large(), at(0)).await;
    assert!(matches!(put, Err(ContentError::Store(_))));
}
