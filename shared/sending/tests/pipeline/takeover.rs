//! A key that changes hands while answers are lost.

use sending::{NotSent, Unavailable};

use crate::network::{Fate, Fault, On};
use crate::world::{Mail, Request, World};

/// One email of a batch was sent and SES refused the other. The request that takes the key over never learns that it has
/// it, and must not free a key that remembers a mail.
#[tokio::test]
async fn a_takeover_whose_answer_is_lost_keeps_the_key_of_what_was_sent() {
    let world = World::start().await;
    let batch = Request::new(Some("k"), "lost takeover", &[Mail::Plain, Mail::Plain]);
    let refused = Fault::always(On::Mail(1), Fate::Refused(400, "MessageRejected", "No"));
    let first = world.submit(&batch.clone().with(refused)).await;
    assert!(first.each()[0].is_ok() && first.each()[1].is_err(), "{first:?}");

    for fate in [Fate::CutAfter, Fate::CutBefore, Fate::Late] {
        let lost = Fault::at(On::Claim("UpdateItem"), 0, 1, fate);
        let second = world.submit(&batch.clone().with(lost)).await;
        assert_eq!(
            *second.only(),
            Err(NotSent::Unavailable(Unavailable::Store)),
            "{fate:?}"
        );
        world.shared.carry_out_late().await;
    }

    world.advance(domain::idempotency::LEASE);
    let last = world.submit(&batch).await;
    assert_eq!(last.each()[0], first.each()[0]);
    assert!(last.each()[1].is_ok());
    assert_eq!(world.mails(&batch.subject(0)).len(), 1);
    assert_eq!(world.mails(&batch.subject(1)).len(), 1);
}
