//! The sweep: it hands over what is due, and settles what is past its deadline.

use std::time::Duration;

use domain::queue::{Hint, OutboxEntry, wake_again_at};
use domain::time::plus;
use jiff::Timestamp;

use super::worker::end_mail;
use crate::world::{World, pause};
use crate::write::{Reply, Write};

/// A mail that is due before the next sweep is handed over now, with a delay.
const AHEAD: Duration = Duration::from_mins(1);
/// The time of each mail, in microseconds.
const SLOT_INTERVAL: i64 = 5_000;

pub(crate) async fn sweep(world: World) {
    pause().await;
    let due: Vec<OutboxEntry> = {
        let state = world.state();
        let until = plus(state.now, AHEAD);
        let entries = state.store.mails.iter().filter_map(|mail| mail.entry.clone());
        entries.filter(|entry| entry.wake_at <= until).collect()
    };
    for entry in due {
        let now = world.now();
        if entry.deadline <= now {
            if is_settled(&world, &entry, now).await {
                continue;
            }
        } else if world.state().is_held_back {
            continue;
        }
        let delay = Duration::try_from(entry.wake_at.duration_since(now)).unwrap_or_default();
        let hint = Hint::new(entry.id, entry.content.nonce);
        if world.hint(hint, Duration::from_secs(delay.as_secs() + 1)).await {
            let wake = Write::WakeAgain {
                id: entry.id,
                seen: entry.wake_at,
                wake_at: wake_again_at(entry.wake_at, entry.deadline, now, 0, SLOT_INTERVAL),
            };
            world.write(wake).await;
        }
    }
}

/// Settles a mail past its deadline. Returns whether nothing is left for a worker to do, or nothing is known.
async fn is_settled(world: &World, due: &OutboxEntry, now: Timestamp) -> bool {
    let id = due.id;
    match world.read_entry(id).await {
        Some(Some(entry)) if entry.deadline <= now => {}
        _ => return true,
    }
    match world.write(Write::ExpireQueued { id, now }).await {
        Some(Reply::Done) => {
            // The content may have been replaced before the row failed. Now it cannot be any more.
            if let Some(Some(entry)) = world.read_entry(id).await {
                end_mail(world, &entry).await;
            }
            true
        }
        Some(_) => false,
        None => true,
    }
}
