//! `GET /_local/events`: the feed as Server-Sent Events.
//!
//! There are four kinds: `mail` (the summary of a mail that SES accepted), `changed` (mails were deleted, or marked as
//! read or unread), `cleared` (the outbox was emptied) and `event` (an event that SES published, and how its handling
//! ended). Each has an id. A client that comes back with the id as `Last-Event-ID`, as browsers do, or as `after`, gets
//! everything since then. Any other client gets `reset`, the events that are kept, and `ready`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{LocalApi, LocalApiError};
use crate::feed::{Feed, FeedEntry};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AfterQuery {
    after: Option<String>,
}

pub(super) async fn follow(
    State(api): State<Arc<LocalApi>>,
    after: Result<Query<AfterQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, LocalApiError> {
    let Query(AfterQuery { after }) = after?;
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut watcher = Watcher {
        changes: api.feed.watch(),
        feed: api.feed.clone(),
        last: 0,
        pending: VecDeque::new(),
        stop: api.stop.clone(),
    };
    watcher.read(last_seen.or(after.as_deref()));
    let events = stream::unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// A client that follows the feed.
struct Watcher {
    feed: Feed,
    changes: watch::Receiver<u64>,
    /// The number of the newest entry that was read.
    last: u64,
    pending: VecDeque<Event>,
    /// Cancelled at shutdown, which would wait for this connection otherwise.
    stop: CancellationToken,
}

impl Watcher {
    /// Returns the next event, or nothing at shutdown.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                () = self.stop.cancelled() => return None,
            }
            let seen = self.feed.id(self.last);
            self.read(Some(&seen));
        }
    }

    /// Reads the entries after the one with an id.
    fn read(&mut self, after: Option<&str>) {
        let update = self.feed.after(after);
        self.last = update.last;
        if update.is_reset {
            // Without an id, so that a client that loses its connection before `ready` starts again from the beginning.
            self.pending.push_back(Event::default().event("reset").data("{}"));
        }
        let events: Vec<Event> = update.entries.iter().map(|entry| self.event(entry)).collect();
        self.pending.extend(events);
        if update.is_reset {
            let ready = Event::default().event("ready").id(self.feed.id(update.last));
            self.pending.push_back(ready.data("{}"));
        }
    }

    fn event(&self, entry: &FeedEntry) -> Event {
        let event = Event::default().event(entry.kind.name()).id(self.feed.id(entry.number));
        // JSON escapes line breaks, so the data is always one line.
        event.data(entry.data.to_string())
    }
}
