//! Histories of the queue: mails that are accepted, worked on by workers that lose answers, die at any await and run
//! side by side, called back, and given another time, while hints are lost and doubled, the gate opens and closes,
//! writes come late and clocks leap. Then the clock runs on. For each mail exactly one of these holds:
//!
//! - it was sent, once;
//! - it failed, was called back or had nobody to go to, and was not sent;
//! - its end is unknown, and it was sent once at most.
//!
//! No mail waits any more then, and no content is left.
//!
//! A webhook hears of it: SQS may be down, and a table of webhooks may not answer. Each recipient has one event of each
//! kind, no end is told of that did not come, and the end of a mail is told of, whatever died. A call that was answered
//! while its events could be written somewhere has told that its mail waits or is called back.
//!
//! proptest prints a history that fails as short as it can, and keeps its seed. `PROPTEST_CASES` says how many there
//! are.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use domain::brake::Brake;
use domain::idempotency::nth_id;
use domain::pacing::UNLIMITED;
use domain::record::{DeliveryState, MessageRecord, SenderState};
use domain::stream::Stream;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sending::{Deadlines, NotRecalled, Rescheduling};
use tokio::time::Instant;
use uuid::Uuid;

use crate::network::{ALL, Fate, Fault, Network, On};
use crate::post::Post;
use crate::request::{Mail, Request};
use crate::runner::run_histories;
use crate::waiting::to_queue;
use crate::working::Batch;
use crate::world::World;

/// How many histories there are where `PROPTEST_CASES` does not say.
const HISTORIES: u32 = 50;
/// How many keys a history has.
const KEYS: usize = 3;
/// How long after a mail's last moment SES may take it: its call was begun before.
const CALLED_FOR: SignedDuration = SignedDuration::from_secs(5);

#[derive(Clone, Debug)]
struct History {
    mails: Vec<Asked>,
    rounds: Vec<Round>,
}

/// The request of a key.
#[derive(Clone, Copy, Debug)]
struct Asked {
    mail: Mail,
    stream: Stream,
    /// In how many seconds it is to be sent.
    scheduled_in: Option<i64>,
    /// How many seconds it may wait from then on.
    waits: Option<i64>,
}

#[derive(Clone, Debug)]
struct Round {
    gate: Gate,
    /// They run side by side.
    actions: Vec<Action>,
    /// Whether the calls that are late are carried out after this round.
    is_late_over: bool,
    /// Whether the hints that are on their way after this round are lost.
    loses_hints: bool,
    /// Whether SQS takes no events.
    is_event_queue_down: bool,
    passes: Duration,
    /// How many copies of SES's events arrive; `None` if they come later.
    events: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Gate {
    Open,
    Brake,
    /// The next slot is a minute ahead.
    Full,
    /// So many recipients are left of the quota.
    Quota(i64),
}

#[derive(Clone, Debug)]
struct Action {
    what: What,
    faults: Vec<Fault>,
    dies_after: Option<u32>,
    /// How many seconds the clock of its worker is ahead.
    skew: i64,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The request of a key.
    Submit(usize),
    /// A batch of hints. Another worker may have received them, too.
    Work {
        is_twice: bool,
    },
    Sweep,
    Cancel(usize),
    /// To be sent in so many seconds.
    Reschedule(usize, i64),
}

/// The facts that a history keeps of a mail.
#[derive(Clone, Debug, Default)]
struct Known {
    ids: Vec<Uuid>,
    /// The ids that callers were answered with.
    answered: Vec<Uuid>,
    canceled: Vec<Uuid>,
    /// The times that callers were answered that the mail has. `None` where a change had no answer.
    times: Vec<Option<(Timestamp, Timestamp)>>,
    /// How often somebody tried to give the mail another time.
    new_times: usize,
    /// Whether events that the mail waits may be lost.
    may_lack_waiting: bool,
    /// The mails of `canceled` of which events may be lost.
    may_lack_canceled: Vec<Uuid>,
}

impl World {
    async fn run_queue(&self, history: &History) -> Result<(), String> {
        self.shared.accepted.lock().unwrap().clear();
        self.listen();
        let name = format!("q{}", self.new_id().as_u128());
        let post = Post::begin(self);
        let known = RefCell::new(vec![Known::default(); KEYS]);
        // Accepted mail waits, because the gate is closed.
        self.close_gate().await;
        let begin = Round {
            gate: Gate::Full,
            actions: (0..KEYS).map(|key| Action::without_faults(What::Submit(key))).collect(),
            is_late_over: true,
            loses_hints: false,
            is_event_queue_down: false,
            passes: Duration::ZERO,
            events: None,
        };
        for round in std::iter::once(&begin).chain(&history.rounds) {
            self.set_to(round.gate).await;
            let actions: Vec<Action> = round
                .actions
                .iter()
                .map(|action| round.with_event_queue(action))
                .collect();
            let actions = actions
                .iter()
                .map(|action| Box::pin(self.act(&name, history, &post, &known, action)));
            join_all(actions).await;
            // A call that was begun does not wait for the clock.
            self.shared.end_calls().await;
            // No connection stays open for an hour.
            if round.is_late_over || round.passes > Duration::from_mins(50) {
                self.shared.carry_out_late().await;
            }
            post.take_up(self);
            self.hear().await?;
            if round.loses_hints {
                post.lose_all();
            }
            self.advance(round.passes);
            if let Some(copies) = round.events {
                self.deliver(copies).await;
            }
        }
        self.shared.carry_out_late().await;
        self.hear().await?;
        self.run_on(&post).await?;
        self.deliver(1).await;
        let mut actions = history.rounds.iter().flat_map(|round| &round.actions);
        let are_clocks_right = actions.all(|action| action.skew == 0);
        for (key, known) in known.into_inner().iter().enumerate() {
            let subject = format!("{name}-{key}/0");
            self.check_mail(&subject, known, are_clocks_right).await?;
        }
        let without_row = self.shared.without_row.lock().unwrap();
        if without_row.is_empty() {
            Ok(())
        } else {
            Err(format!("SES was called without a row: {without_row:?}"))
        }
    }

    async fn set_to(&self, gate: Gate) {
        match gate {
            Gate::Open => self.set_gate(1, UNLIMITED, Brake::None).await,
            Gate::Quota(left) => self.set_gate(1, left, Brake::None).await,
            Gate::Brake => self.set_gate(1, UNLIMITED, Brake::All).await,
            Gate::Full => self.fill_gate(Duration::from_mins(1)).await,
        }
    }

    async fn act(&self, name: &str, history: &History, post: &Post, known: &RefCell<Vec<Known>>, action: &Action) {
        match action.what {
            What::Submit(key) => {
                let asked = history.mails[key];
                let body = format!("{name}-{key}");
                let scheduled_at = asked.scheduled_in.map(|ahead| self.later(ahead));
                let request = Request {
                    mails: vec![asked.mail],
                    stream: asked.stream,
                    scheduled_at,
                    deadline: asked
                        .waits
                        .map(|waits| self.later(asked.scheduled_in.unwrap_or(0) + waits)),
                    faults: action.faults.clone(),
                    dies_after: action.dies_after,
                    ..to_queue(&body)
                };
                let ended = self.submit(&request).await;
                let known = &mut known.borrow_mut()[key];
                known.ids.push(nth_id(ended.message, 0));
                known.may_lack_waiting |= ended.outcomes.is_some() && ended.may_lack_events;
                for outcome in ended.outcomes.into_iter().flatten().flatten() {
                    known.ids.push(outcome.id);
                    known.answered.push(outcome.id);
                }
            }
            What::Work { is_twice } => {
                let hints = post.receive(self.clock.now(), is_twice);
                if hints.is_empty() {
                    return;
                }
                let batch = Batch {
                    hints,
                    faults: action.faults.clone(),
                    dies_after: action.dies_after,
                    skew: action.skew,
                    ..Batch::default()
                };
                if let Some(again) = self.work(&batch).await.again {
                    post.acknowledge(&batch.hints, &again);
                }
            }
            What::Sweep => {
                self.sweep_or_die(&action.faults).await;
            }
            What::Cancel(key) => {
                let Some(&id) = known.borrow()[key].ids.last() else {
                    return;
                };
                let cancelled = self.recall(&action.faults, async |sending, deadlines| {
                    sending.cancel(id, self.new_id(), deadlines).await
                });
                if let (Some(Ok(())), may_lack_events) = Box::pin(cancelled).await {
                    let known = &mut known.borrow_mut()[key];
                    known.canceled.push(id);
                    if may_lack_events {
                        known.may_lack_canceled.push(id);
                    }
                }
            }
            What::Reschedule(key, ahead) => {
                let Some(&id) = known.borrow()[key].ids.last() else {
                    return;
                };
                let (from, at) = (self.clock.now(), self.later(ahead));
                let rescheduled = self.recall(&action.faults, async |sending, deadlines| {
                    let (scheduled_at, token) = (at, self.new_id());
                    let new = Rescheduling {
                        id,
                        scheduled_at,
                        token,
                    };
                    sending.reschedule(new, deadlines).await
                });
                let (rescheduled, may_lack_events) = Box::pin(rescheduled).await;
                let time = match rescheduled {
                    Some(Ok(())) => Some((from, at)),
                    Some(Err(NotRecalled::Unknown)) | None => None,
                    Some(Err(_)) => return,
                };
                let known = &mut known.borrow_mut()[key];
                known.new_times += 1;
                known.may_lack_waiting |= time.is_none() || may_lack_events;
                known.times.push(time);
            }
        }
    }

    /// Calls a mail back or gives it another time. Returns `None` if the process ended first, and whether events may be
    /// lost.
    async fn recall(
        &self,
        faults: &[Fault],
        change: impl AsyncFnOnce(&sending::Sending, &Deadlines) -> Result<(), NotRecalled>,
    ) -> (Option<Result<(), NotRecalled>>, bool) {
        let network = Network::new(Arc::clone(&self.shared), 0, faults.to_vec());
        let sending = self.sending(&network);
        let deadlines = Deadlines::new(self.clock.now(), Instant::now() + Duration::from_secs(29));
        let changed = tokio::select! {
            changed = Box::pin(change(&sending, &deadlines)) => Some(changed),
            () = network.is_dead.cancelled() => None,
        };
        (changed, network.may_lack_events())
    }

    /// Runs the sweep, in a process that its faults may end.
    async fn sweep_or_die(&self, faults: &[Fault]) {
        let network = Network::new(Arc::clone(&self.shared), 0, faults.to_vec());
        let worker = self.worker(&network);
        let deadlines = Deadlines::new(self.clock.now(), Instant::now() + Duration::from_mins(1));
        tokio::select! {
            _ = Box::pin(worker.sweep(&deadlines)) => {}
            () = network.is_dead.cancelled() => {}
        }
    }

    /// Lets the clock run on, with a sweep and a worker now and then, until nothing waits or half a day is over.
    async fn run_on(&self, post: &Post) -> Result<(), String> {
        for _ in 0..36 {
            self.set_to(Gate::Open).await;
            self.sweep_or_die(&[]).await;
            post.take_up(self);
            loop {
                let batch = Batch {
                    hints: post.receive(self.clock.now(), false),
                    ..Batch::default()
                };
                if batch.hints.is_empty() {
                    break;
                }
                let again = self.work(&batch).await.again.unwrap();
                post.acknowledge(&batch.hints, &again);
            }
            post.take_up(self);
            self.hear().await?;
            if self.entries().await == 0 {
                break;
            }
            self.advance(Duration::from_mins(20));
        }
        Ok(())
    }

    async fn check_mail(&self, subject: &str, known: &Known, are_clocks_right: bool) -> Result<(), String> {
        let sent = self.mails(subject);
        if sent.len() > 1 {
            return Err(format!("{subject} was sent twice: {sent:?}"));
        }
        let mut ids = known.ids.clone();
        ids.sort();
        ids.dedup();
        for id in ids {
            let is_sent = sent.iter().any(|mail| mail.id == id);
            let Some(row) = self.row(id).await else {
                if self.heard.borrow().of(id).next().is_some() {
                    return Err(format!("{subject} has events and no row {id}"));
                }
                if is_sent || known.answered.contains(&id) {
                    return Err(format!("{subject} has no row {id}, and SES took {sent:?}"));
                }
                continue;
            };
            let was_queued = row.queued.is_some();
            let is_right = match row.state(self.clock.now()) {
                DeliveryState::Sent => is_sent,
                DeliveryState::Failed
                | DeliveryState::Canceled
                | DeliveryState::Suppressed
                | DeliveryState::Refused => !is_sent,
                DeliveryState::Unknown => !was_queued || row.written == SenderState::Unknown,
                // It is stuck.
                DeliveryState::Queued | DeliveryState::Scheduled(_) | DeliveryState::Sending(_) => false,
            };
            if !is_right || (known.canceled.contains(&id) && is_sent) {
                return Err(format!(
                    "{subject} ends with {row:?}, and SES took {sent:?}, after {known:?}"
                ));
            }
            if self.entry(id).await.is_some() {
                return Err(format!("{subject} has an entry left beside {row:?}"));
            }
            self.check_events_of(&row, known)
                .map_err(|error| format!("{subject} ends with {row:?} after {known:?}, but {error}"))?;
            if let Some(queued) = &row.queued {
                if self.parts(id, queued.content_nonce).await > 0 {
                    return Err(format!("{subject} has content left beside {row:?}"));
                }
                let mail = sent.iter().find(|mail| mail.id == id);
                let Some(mail) = mail.filter(|_| are_clocks_right) else {
                    continue;
                };
                if mail.at > queued.deadline + CALLED_FOR {
                    return Err(format!(
                        "{subject} was sent after its deadline {}: {mail:?}",
                        queued.deadline
                    ));
                }
                // Where every change had an answer, the last of them stands.
                if let Some(Some((from, at))) = known.times.last()
                    && known.times.iter().all(Option::is_some)
                    && known.times.len() == 1
                    && mail.at > *from + CALLED_FOR
                    && mail.at < *at
                {
                    return Err(format!("{subject} was sent before {at}: {mail:?}"));
                }
            }
        }
        Ok(())
    }
}

impl World {
    /// Checks the events about a mail that has come to its end.
    fn check_events_of(&self, row: &MessageRecord, known: &Known) -> Result<(), String> {
        let (heard, id) = (self.heard.borrow(), row.id);
        let (waiting, ends) = self.proved(row);
        heard.check_once(id, known.new_times)?;
        heard.check_ends(id, &ends)?;
        let Some(_) = &row.queued else {
            return if heard.is_told_to_wait(id) {
                Err("it never waited".to_owned())
            } else if known.answered.contains(&id) && !known.may_lack_waiting {
                heard.check_has(&ends)
            } else {
                Ok(())
            };
        };
        if known.answered.contains(&id) && !known.may_lack_waiting {
            heard.check_has(&waiting)?;
        }
        // A call to cancel that had no answer is repeated, and tells of it then.
        let is_told = row.written != SenderState::Canceled
            || known.canceled.contains(&id) && !known.may_lack_canceled.contains(&id);
        if is_told { heard.check_has(&ends) } else { Ok(()) }
    }
}

impl Round {
    /// An action of the round, with the fault of its queue of events.
    fn with_event_queue(&self, action: &Action) -> Action {
        let mut action = action.clone();
        if self.is_event_queue_down {
            let fate = Fate::Refused(503, "ServiceUnavailable", "x");
            action.faults.insert(0, Fault::always(On::Event, fate));
        }
        action
    }
}

impl Action {
    fn without_faults(what: What) -> Self {
        Self {
            what,
            faults: Vec::new(),
            dies_after: None,
            skew: 0,
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let lost = prop_oneof![
        3 => Just(Fate::CutAfter),
        2 => Just(Fate::CutBefore),
        4 => Just(Fate::Late),
        1 => Just(Fate::DiesBefore),
        2 => Just(Fate::DiesAfter),
    ];
    let at_store = prop_oneof![
        6 => lost.clone(),
        1 => Just(Fate::Refused(500, "InternalServerError", "x")),
        1 => Just(Fate::Refused(400, "AccessDeniedException", "x")),
    ];
    let writes = vec![
        On::Saying("UpdateItem", "#lease_until = :new_lease_until"),
        On::Saying("UpdateItem", "#waits_for = :new_waits_for"),
        On::Saying("UpdateItem", "#failed = :new_failed"),
        On::Saying("UpdateItem", "if_not_exists(#ses_id"),
        On::Saying("UpdateItem", "#wake_at = :wake_at"),
        On::Saying("BatchWriteItem", "DeleteRequest"),
        On::Saying("DeleteItem", "\"entry\""),
        On::Transaction,
    ];
    let on_store = prop_oneof![2 => Just(On::Store), 3 => prop::sample::select(writes)];
    let attempts = prop_oneof![1 => Just(1), 3 => Just(ALL)];
    let store = (on_store, 0..16_u32, 1..=3_u32, at_store, attempts).prop_map(|(on, skip, calls, fate, attempts)| {
        let skip = if on == On::Store { skip } else { skip / 12 };
        Fault {
            on,
            skip,
            calls,
            attempts,
            fate,
        }
    });
    let at_ses = prop_oneof![
        4 => lost.clone(),
        6 => Just(Fate::Refused(429, "TooManyRequestsException", "Maximum sending rate exceeded.")),
        2 => Just(Fate::Refused(400, "SendingPausedException", "Paused")),
        2 => Just(Fate::Refused(400, "MessageRejected", "No")),
        1 => Just(Fate::Refused(403, "AccessDeniedException", "No")),
        1 => Just(Fate::Refused(503, "ServiceUnavailable", "No")),
    ];
    let ses = (0..2_u32, at_ses).prop_map(|(skip, fate)| Fault::at(On::Ses, skip, ALL, fate));
    let event = (
        prop_oneof![1 => Just(On::Event), 2 => Just(On::Webhooks)],
        0..2_u32,
        lost.clone(),
    )
        .prop_map(|(on, skip, fate)| Fault::at(on, skip, ALL, fate));
    let hint = lost.prop_map(|fate| Fault::always(On::Hint, fate));
    prop_oneof![8 => store, 4 => ses, 2 => hint, 2 => event]
}

fn action() -> impl Strategy<Value = Action> {
    let what = prop_oneof![
        10 => any::<bool>().prop_map(|is_twice| What::Work { is_twice }),
        2 => Just(What::Sweep),
        2 => (0..KEYS).prop_map(What::Submit),
        2 => (0..KEYS).prop_map(What::Cancel),
        2 => (0..KEYS, prop_oneof![Just(0), Just(30), Just(600), Just(4_000)])
            .prop_map(|(key, ahead)| What::Reschedule(key, ahead)),
    ];
    let dies_after = prop_oneof![6 => Just(None), 1 => (0..150_u32).prop_map(Some)];
    let skew = prop_oneof![12 => Just(0), 1 => -100..100_i64];
    (what, prop::collection::vec(fault(), 0..=3), dies_after, skew).prop_map(|(what, faults, dies_after, skew)| {
        Action {
            what,
            faults,
            dies_after,
            skew,
        }
    })
}

fn round() -> impl Strategy<Value = Round> {
    let gate = prop_oneof![
        8 => Just(Gate::Open),
        1 => (0..4_i64).prop_map(Gate::Quota),
        1 => Just(Gate::Brake),
        1 => Just(Gate::Full),
    ];
    let passes = prop_oneof![
        3 => Just(0),
        4 => 1..35_u64,
        3 => 60..400_u64,
        2 => Just(1_860),
        1 => Just(4_200),
    ]
    .prop_map(Duration::from_secs);
    let events = prop_oneof![3 => Just(None), 1 => (1..=2_usize).prop_map(Some)];
    (
        gate,
        prop::collection::vec(action(), 1..=3),
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        passes,
        events,
    )
        .prop_map(
            |(gate, actions, is_late_over, loses_hints, is_event_queue_down, passes, events)| Round {
                gate,
                actions,
                is_late_over,
                loses_hints,
                is_event_queue_down,
                passes,
                events,
            },
        )
}

fn history() -> impl Strategy<Value = History> {
    let mail = (
        prop_oneof![6 => Just(Mail::Plain), 1 => Just(Mail::Part), 1 => Just(Mail::Two)],
        prop_oneof![3 => Just(Stream::Transactional), 1 => Just(Stream::Bulk)],
        prop_oneof![4 => Just(None), 1 => Just(Some(20)), 1 => Just(Some(1_000))],
        prop_oneof![2 => Just(None), 1 => Just(Some(600)), 2 => Just(Some(7_200))],
    )
        .prop_map(|(mail, stream, scheduled_in, waits)| Asked {
            mail,
            stream,
            scheduled_in,
            waits,
        });
    (prop::collection::vec(mail, KEYS), prop::collection::vec(round(), 1..=5))
        .prop_map(|(mails, rounds)| History { mails, rounds })
}

#[test]
fn each_mail_that_waits_comes_to_one_end_and_leaves_nothing() {
    run_histories(
        file!(),
        HISTORIES,
        &history(),
        &async |world: &World, history: &History| world.run_queue(history).await,
    );
}
