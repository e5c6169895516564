//! Those who change a mail that waits: its caller cancels or reschedules it, an operator replaces its content, and a
//! reader settles one whose deadline is over.

use std::time::Duration;

use domain::idempotency::RECORDS_OUTLIVE;
use domain::queue::{AFTER_SCHEDULE_MAX, ContentRef, Hint, OutboxEntry, claim_expires, first_hint, first_wake_at};
use domain::record::{MessageRecord, QueuedMail, SenderState};
use domain::time::plus;
use jiff::Timestamp;
use uuid::Uuid;

use crate::world::{Answer, World};
use crate::write::{Growth, Reply, Write};

/// How often a mail is read again that was changed in the meantime.
const ROUNDS_MAX: u32 = 4;

enum Found {
    Waiting(Box<(MessageRecord, QueuedMail, OutboxEntry)>),
    Cancelled,
    Changing,
    /// It does not wait, or that cannot be known.
    Other,
}

async fn waiting(world: &World, id: Uuid) -> Found {
    let Some(Some(record)) = world.read_row(id).await else {
        return Found::Other;
    };
    let queued = match (record.written, record.queued.clone()) {
        (SenderState::Canceled, _) => return Found::Cancelled,
        (SenderState::Queued, Some(queued)) if record.ses_id.is_none() => queued,
        _ => return Found::Other,
    };
    match world.read_entry(id).await {
        Some(Some(entry)) if entry.content.nonce == queued.content_nonce => {
            Found::Waiting(Box::new((record, queued, entry)))
        }
        Some(_) => Found::Changing,
        None => Found::Other,
    }
}

pub(crate) async fn cancel(world: World, id: Uuid) {
    for _ in 0..ROUNDS_MAX {
        let entry = match waiting(&world, id).await {
            Found::Waiting(waiting) => waiting.2,
            Found::Cancelled => return world.answer(Answer::Cancelled(id)),
            Found::Changing => continue,
            Found::Other => return,
        };
        let cancel = Write::Cancel {
            id,
            content: entry.content,
            now: world.now(),
            token: world.new_id(),
        };
        match world.until_answered(cancel).await {
            Some(Reply::Done) => return world.answer(Answer::Cancelled(id)),
            Some(_) => {}
            None => return,
        }
    }
}

pub(crate) async fn reschedule(world: World, id: Uuid, ahead: Duration) {
    let scheduled_at = world.after(ahead);
    for _ in 0..ROUNDS_MAX {
        let now = world.now();
        let (record, queued, entry) = match waiting(&world, id).await {
            Found::Waiting(waiting) if waiting.1.deadline <= now => return,
            Found::Waiting(waiting) => *waiting,
            Found::Changing => continue,
            Found::Cancelled | Found::Other => return,
        };
        let deadline = plus(scheduled_at.max(now), patience(&queued));
        let Some(claim) = growth(&world, &queued, id, claim_expires(now, deadline)).await else {
            return;
        };
        let reschedule = Write::Reschedule {
            id,
            attempt: record.attempt,
            now,
            scheduled_at,
            deadline,
            wake_at: first_wake_at(entry.stream, Some(scheduled_at), now),
            claim,
            token: world.new_id(),
        };
        match world.until_answered(reschedule).await {
            Some(Reply::Done) => {
                if let Some(delay) = first_hint(entry.stream, Some(scheduled_at), now) {
                    world.hint(Hint::new(id, entry.content.nonce), delay).await;
                }
                return;
            }
            Some(_) => {}
            None => return,
        }
    }
}

fn patience(queued: &QueuedMail) -> Duration {
    let due = queued.scheduled_at.unwrap_or(queued.queued_at);
    let span = Duration::try_from(queued.deadline.duration_since(due)).unwrap_or_default();
    span.min(AFTER_SCHEDULE_MAX)
}

/// How the claim of a mail must grow. Returns `None` if it cannot be read.
async fn growth(world: &World, queued: &QueuedMail, id: Uuid, expires: Timestamp) -> Option<Option<Growth>> {
    if queued.claim_id.is_none() {
        return Some(None);
    }
    let claim = world.read_claim().await?;
    let claim = claim.filter(|claim| claim.message_id == id && expires > claim.expires);
    Some(claim.map(|claim| Growth {
        message_id: claim.message_id,
        expires,
        kept_until: claim.kept_until.max(plus(expires, RECORDS_OUTLIVE)),
    }))
}

/// Replaces the content, as `okite forget` does for one of several recipients.
pub(crate) async fn switch_content(world: World, id: Uuid) {
    let Found::Waiting(waiting) = waiting(&world, id).await else {
        return;
    };
    let (_, queued, entry) = *waiting;
    let to = ContentRef {
        nonce: world.new_id(),
        ..entry.content
    };
    if world.write(Write::PutContent { id, nonce: to.nonce }).await.is_none() {
        return;
    }
    let switch = Write::SwitchContent {
        id,
        from: queued.content_nonce,
        to,
        wake_at: world.now(),
    };
    let unneeded = match world.until_answered(switch).await {
        Some(Reply::Done) => entry.content,
        Some(_) => to,
        None => return,
    };
    world.write(Write::DeleteContent { id, content: unneeded }).await;
}

/// Reads a mail, and settles it if its deadline is over.
pub(crate) async fn read(world: World, id: Uuid) {
    let Some(Some(record)) = world.read_row(id).await else {
        return;
    };
    let now = world.now();
    let is_over = record.queued.is_some_and(|queued| queued.deadline <= now);
    if record.written == SenderState::Queued && is_over {
        world.write(Write::ExpireQueued { id, now }).await;
    }
}
