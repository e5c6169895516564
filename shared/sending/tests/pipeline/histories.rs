//! Histories: requests that are repeated, run side by side, die anywhere and lose answers, at a gate that opens and
//! closes, with events of SES that come late, twice or never, over minutes and over days. Whatever happens, what
//! callers are answered agrees with what SES took. No second mail goes out under a key unless the first one is
//! certainly settled and its 24 hours are over.
//!
//! Mail may wait in the queue. Nobody works there, so a mail that waits counts as one that will go out.
//!
//! A webhook hears of what was answered: which recipients are suppressed, and which mails wait.
//!
//! proptest prints a history that fails as short as it can, and keeps its seed. `PROPTEST_CASES` says how many there
//! are.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::brake::Brake;
use domain::idempotency::nth_id;
use domain::pacing::UNLIMITED;
use domain::queue::WhenBusy;
use domain::record::SenderState;
use domain::retention::MessageRetention;
use domain::webhook::EventKind;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sending::{Became, Invalid, NotSent};
use uuid::Uuid;

use crate::network::{ALL, Accepted, Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::runner::run_histories;
use crate::world::{Ended, SUPPRESSED, World};

/// How many histories there are where `PROPTEST_CASES` does not say.
const HISTORIES: u32 = 50;
/// How many keys a history has.
const KEYS: usize = 2;
/// How long a key is remembered at least, less the time that the requests of a history take.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(24 * 3_600 - 60);

#[derive(Clone, Debug)]
struct History {
    /// The emails of each key's request.
    mails: Vec<Vec<Mail>>,
    /// For how many days the records of messages are kept.
    retention: u64,
    rounds: Vec<Round>,
}

#[derive(Clone, Debug)]
struct Round {
    gate: Gate,
    requests: Vec<Asked>,
    /// Whether the calls that are late are carried out after this round.
    is_late_over: bool,
    passes: Duration,
    /// Whether DynamoDB deletes what has expired.
    expires: bool,
    /// Whether an operator settles what is unknown, before the events arrive.
    is_settled: bool,
    /// How many copies of SES's events arrive; `None` if they come later.
    events: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Gate {
    Open,
    /// So many recipients are left of the quota.
    Quota(i64),
    Brake,
    /// The next slot is a minute ahead.
    Full,
}

#[derive(Clone, Debug)]
struct Asked {
    key: usize,
    has_key: bool,
    is_another_body: bool,
    is_warm: bool,
    when_busy: WhenBusy,
    faults: Vec<Fault>,
    dies_after: Option<u32>,
}

/// A request of a history, and how it ended.
struct Seen {
    request: Request,
    ended: Ended,
}

impl World {
    async fn run(&self, history: &History) -> Result<(), String> {
        // Those of the last history are checked.
        self.shared.accepted.lock().unwrap().clear();
        self.listen();
        self.new_gate().await;
        self.retention.set(MessageRetention::from_days(history.retention));
        let name = format!("h{}", self.new_id().as_u128());
        let mut seen: Vec<Seen> = Vec::new();
        for (number, round) in history.rounds.iter().enumerate() {
            match round.gate {
                Gate::Open => self.set_gate(1, UNLIMITED, Brake::None).await,
                Gate::Quota(left) => self.set_gate(1, left, Brake::None).await,
                Gate::Brake => self.set_gate(1, UNLIMITED, Brake::All).await,
                Gate::Full => self.fill_gate(Duration::from_mins(1)).await,
            }
            let requests = round.requests.iter().enumerate().map(|(place, asked)| {
                let key = format!("{name}-k{}", asked.key);
                let body = if asked.has_key {
                    format!("{key}-{}", u8::from(asked.is_another_body))
                } else {
                    format!("{key}-r{number}-{place}")
                };
                let key = asked.has_key.then_some(key.as_str());
                let mut request = Request::new(key, &body, &history.mails[asked.key]);
                request.is_warm = asked.is_warm;
                request.when_busy = asked.when_busy;
                request.faults.clone_from(&asked.faults);
                request.dies_after = asked.dies_after;
                request
            });
            let requests: Vec<Request> = requests.collect();
            let ended = join_all(requests.iter().map(|request| Box::pin(self.submit(request)))).await;
            seen.extend(
                requests
                    .into_iter()
                    .zip(ended)
                    .map(|(request, ended)| Seen { request, ended }),
            );
            // No connection stays open for hours.
            if round.is_late_over || round.passes > Duration::from_hours(1) {
                self.shared.carry_out_late().await;
            }
            self.hear().await?;
            self.check_heard(&seen)?;
            self.advance(round.passes);
            // Only hours make anything expire.
            if round.expires && round.passes > Duration::from_hours(1) {
                self.expire().await;
            }
            // Before that, an operator cannot know.
            if round.is_settled && round.is_late_over {
                for outcome in seen.iter().filter_map(|seen| seen.ended.outcomes.as_ref()).flatten() {
                    if let Err(NotSent::Unknown { id } | NotSent::StillUnknown { id }) = outcome {
                        self.settle_as_it_is(*id).await;
                    }
                }
            }
            if let Some(copies) = round.events {
                self.deliver(copies).await;
            }
        }
        // All is over and quiet.
        self.shared.carry_out_late().await;
        self.advance(Duration::from_mins(5));
        self.count_what_waits(&seen).await?;
        self.set_gate(1, UNLIMITED, Brake::None).await;
        for key in 0..KEYS {
            Box::pin(self.settle(&format!("{name}-k{key}"), &history.mails[key], &mut seen)).await?;
        }
        self.hear().await?;
        let checked = self.check_heard(&seen).and_then(|()| self.check(&seen));
        checked.map_err(|error| {
            let told: Vec<_> = seen
                .iter()
                .map(|seen| (&seen.request.body, seen.ended.number, &seen.ended.outcomes))
                .collect();
            format!("{error}: callers were answered {told:#?}")
        })
    }

    /// Counts each mail that waits as one that SES will take. Its entry must be there, or it would be forgotten.
    async fn count_what_waits(&self, seen: &[Seen]) -> Result<(), String> {
        for Seen { request, ended } in seen {
            for place in 0..request.mails.len() {
                let id = nth_id(ended.message, place);
                let row = self.row(id).await.filter(|row| row.written == SenderState::Queued);
                let entry = self.entry(id).await;
                if row.is_some() != entry.is_some() {
                    return Err(format!("{id} has the row {row:?} and the entry {entry:?}"));
                }
                let Some((row, queued)) = row.and_then(|row| Some((row.clone(), row.queued?))) else {
                    continue;
                };
                self.shared.accepted.lock().unwrap().push(Accepted {
                    // Which request queued it is not on record.
                    request: 0,
                    id,
                    ses_id: String::new(),
                    subject: row.mail.subject,
                    at: queued.queued_at,
                    unsettled: Vec::new(),
                });
            }
        }
        self.shared.accepted.lock().unwrap().sort_by_key(|mail| mail.at);
        Ok(())
    }

    /// Repeats the request of a key until it has its last answer.
    async fn settle(&self, key: &str, mails: &[Mail], seen: &mut Vec<Seen>) -> Result<(), String> {
        let request = |body: u8| Request::new(Some(key), &format!("{key}-{body}"), mails);
        let mut request_now = request(0);
        let mut ended = self.submit(&request_now).await;
        if ended.only() == &Err(NotSent::KeyReused) {
            request_now = request(1);
            ended = self.submit(&request_now).await;
        }
        let first = ended.clone();
        seen.push(Seen {
            request: request_now.clone(),
            ended,
        });
        self.deliver(1).await;
        let ended = self.submit(&request_now).await;
        for (place, outcome) in ended.each().iter().enumerate() {
            let mut sent = self.mails(&request_now.subject(place));
            if let Ok(receipt) = outcome {
                sent.retain(|mail| mail.id == receipt.id);
            }
            let is_right = match (mails[place], outcome) {
                (Mail::Reject, Err(NotSent::Invalid(Invalid::Suppressed(_)))) => sent.is_empty(),
                (Mail::Plain | Mail::Part, Ok(_)) => sent.len() == 1,
                (Mail::Plain | Mail::Part, Err(NotSent::StillUnknown { .. })) => true,
                (Mail::Nobody, Ok(receipt)) => sent.is_empty() && receipt.ses_id.is_none(),
                // A record may have expired before those of the others, and this email may have had one.
                (Mail::Reject, Err(NotSent::StillUnknown { .. })) => {
                    sent.is_empty() && self.retention.get() == MessageRetention::from_days(1)
                }
                _ => false,
            };
            if !is_right {
                return Err(format!(
                    "{key} ends with {outcome:?} for email {place} after {:?}, and SES took {sent:?}",
                    first.outcomes
                ));
            }
        }
        seen.push(Seen {
            request: request_now,
            ended,
        });
        Ok(())
    }

    /// Checks the events about mails that were answered.
    fn check_heard(&self, seen: &[Seen]) -> Result<(), String> {
        let heard = self.heard.borrow();
        for (id, event) in &heard.0 {
            heard.check_once(event.mail, 0)?;
            let is_right = match event.kind {
                EventKind::EmailSuppressed => event.to == SUPPRESSED,
                // A mail that was sent at once never waited.
                EventKind::EmailQueued => {
                    let accepted = self.shared.accepted.lock().unwrap();
                    accepted.iter().all(|mail| mail.id != event.mail || mail.request == 0)
                }
                _ => false,
            };
            if !is_right {
                return Err(format!("{id} did not happen: {event:?}"));
            }
        }
        for Seen { ended, .. } in seen.iter().filter(|seen| !seen.ended.may_lack_events) {
            for receipt in ended.outcomes.iter().flatten().flatten() {
                for recipient in &receipt.recipients {
                    let kind = match receipt.became {
                        Became::Sent | Became::Suppressed if recipient.reason.is_some() => EventKind::EmailSuppressed,
                        Became::Sent | Became::Suppressed => continue,
                        Became::Queued => EventKind::EmailQueued,
                        Became::Scheduled(_) => EventKind::EmailScheduled,
                    };
                    if !heard.has(receipt.id, kind, &recipient.email) {
                        return Err(format!("{kind:?} was not emitted to {recipient:?} of {receipt:?}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn check(&self, seen: &[Seen]) -> Result<(), String> {
        let without_row = self.shared.without_row.lock().unwrap();
        if !without_row.is_empty() {
            return Err(format!("SES was called without a row: {without_row:?}"));
        }
        self.check_keys(seen)?;
        // When an email was first answered with an id.
        let mut answered: BTreeMap<String, BTreeMap<Uuid, Timestamp>> = BTreeMap::new();
        for Seen { request, ended } in seen {
            for place in 0..request.mails.len() {
                let subject = request.subject(place);
                let sent = self.mails(&subject);
                let Some(outcomes) = &ended.outcomes else { continue };
                let own: Vec<&Accepted> = sent.iter().filter(|mail| mail.request == ended.number).collect();
                let is_right = match &outcomes[place] {
                    Ok(receipt) => {
                        let ids = answered.entry(subject.clone()).or_default();
                        ids.entry(receipt.id).or_insert(ended.at);
                        // Another id needs another day.
                        let others = ids.iter().filter(|(id, _)| **id != receipt.id);
                        let is_id_right = request.key.is_none()
                            || others
                                .into_iter()
                                .all(|(_, at)| ended.at.duration_since(*at) >= REMEMBERED || *at > ended.at);
                        let mine: Vec<_> = sent.iter().filter(|mail| mail.id == receipt.id).collect();
                        let is_ses_id_right =
                            |mail: &&Accepted| receipt.ses_id.as_ref().is_none_or(|id| *id == mail.ses_id);
                        let expected = usize::from(request.mails[place] != Mail::Nobody);
                        is_id_right && mine.len() == expected && mine.iter().all(is_ses_id_right)
                    }
                    Err(NotSent::Unknown { id }) => own.iter().all(|mail| mail.id == *id),
                    // Neither then nor later.
                    Err(_) => own.is_empty(),
                };
                if !is_right {
                    return Err(format!(
                        "request {} was answered {:?} for {subject}, and SES took {sent:?}",
                        ended.number, outcomes[place]
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks each pair of mails of which a key allows one: the same email, or emails of two bodies.
    fn check_keys(&self, seen: &[Seen]) -> Result<(), String> {
        let keys: BTreeMap<&str, Option<&str>> = seen
            .iter()
            .map(|Seen { request, .. }| (request.body.as_str(), request.key.as_deref()))
            .collect();
        let body = |mail: &Accepted| mail.subject.rsplit_once('/').unwrap().0.to_owned();
        let accepted = self.shared.accepted.lock().unwrap();
        for (place, later) in accepted.iter().enumerate() {
            for earlier in &accepted[..place] {
                let key = |mail| keys.get(body(mail).as_str()).copied().flatten();
                let is_same = earlier.subject == later.subject;
                let is_of_key = key(earlier).is_some() && key(earlier) == key(later);
                if !is_same && (!is_of_key || body(earlier) == body(later)) {
                    continue;
                }
                let is_day_over = later.at.duration_since(earlier.at) >= REMEMBERED;
                // A mail that waits is not sent after its deadline, which is a day ahead, whatever its row says.
                let is_unsettled = earlier.request != 0 && later.unsettled.contains(&earlier.id);
                if !is_of_key || !is_day_over || is_unsettled {
                    return Err(format!("{later:?} went out after {earlier:?}"));
                }
            }
        }
        Ok(())
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let lost = prop_oneof![
        3 => Just(Fate::CutAfter),
        2 => Just(Fate::CutBefore),
        2 => Just(Fate::Late),
        1 => Just(Fate::DiesBefore),
        2 => Just(Fate::DiesAfter),
    ];
    let at_store = prop_oneof![
        4 => lost.clone(),
        1 => Just(Fate::Refused(500, "InternalServerError", "x")),
        1 => Just(Fate::Refused(400, "AccessDeniedException", "x")),
    ];
    let on_store = prop_oneof![
        4 => Just(On::Store),
        2 => prop::sample::select(vec![On::Transaction, On::Parts]),
        1 => prop::sample::select(vec![On::Claim("PutItem"), On::Claim("UpdateItem"), On::Claim("DeleteItem")]),
    ];
    let store = (
        on_store,
        0..12_u32,
        1..=3_u32,
        at_store,
        prop_oneof![1 => Just(1), 3 => Just(ALL)],
    )
        .prop_map(|(on, skip, calls, fate, attempts)| {
            let skip = if on == On::Store { skip } else { skip / 6 };
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
        2 => Just(Fate::Refused(429, "TooManyRequestsException", "Maximum sending rate exceeded.")),
        1 => Just(Fate::Refused(429, "TooManyRequestsException", "Daily message quota exceeded.")),
        2 => Just(Fate::Refused(400, "MessageRejected", "No")),
        1 => Just(Fate::Refused(403, "AccessDeniedException", "No")),
        1 => Just(Fate::Refused(503, "ServiceUnavailable", "No")),
        1 => Just(Fate::Refused(500, "InternalServiceErrorException", "x")),
    ];
    let on_ses = prop_oneof![1 => Just(On::Ses), 2 => (0..4_usize).prop_map(On::Mail)];
    let ses = (on_ses, 0..2_u32, 1..=6_u32, at_ses).prop_map(|(on, skip, calls, fate)| {
        let skip = if on == On::Ses { skip } else { 0 };
        Fault::at(on, skip, calls, fate)
    });
    let event = (
        prop_oneof![2 => Just(On::Event), 1 => Just(On::Webhooks)],
        0..2_u32,
        lost,
    )
        .prop_map(|(on, skip, fate)| Fault::at(on, skip, ALL, fate));
    prop_oneof![4 => store, 4 => ses, 1 => event]
}

fn asked() -> impl Strategy<Value = Asked> {
    (
        prop_oneof![3 => Just(0), 1 => Just(1)],
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.1),
        any::<bool>(),
        prop::sample::select(vec![WhenBusy::Queue, WhenBusy::Refuse]),
        prop::collection::vec(fault(), 0..=2),
        prop_oneof![4 => Just(None), 1 => (0..120_u32).prop_map(Some)],
    )
        .prop_map(
            |(key, has_key, is_another_body, is_warm, when_busy, faults, dies_after)| Asked {
                key,
                has_key,
                is_another_body,
                is_warm,
                when_busy,
                faults,
                dies_after,
            },
        )
}

fn round() -> impl Strategy<Value = Round> {
    let gate = prop_oneof![
        8 => Just(Gate::Open),
        1 => (0..4_i64).prop_map(Gate::Quota),
        1 => Just(Gate::Brake),
        2 => Just(Gate::Full),
    ];
    let passes = prop_oneof![
        6 => Just(0),
        2 => 1..35_u64,
        4 => 35..80_u64,
        // The last seconds of a key.
        1 => Just(24 * 3_600 - 5),
        1 => Just(12 * 3_600),
        2 => Just(25 * 3_600),
    ]
    .prop_map(Duration::from_secs);
    let events = prop_oneof![3 => Just(None), 1 => Just(Some(0)), 2 => (1..=2_usize).prop_map(Some)];
    (
        gate,
        prop::collection::vec(asked(), 1..=3),
        any::<bool>(),
        passes,
        any::<bool>(),
        prop::bool::weighted(0.1),
        events,
    )
        .prop_map(
            |(gate, requests, is_late_over, passes, expires, is_settled, events)| Round {
                gate,
                requests,
                is_late_over,
                passes,
                expires,
                is_settled,
                events,
            },
        )
}

fn history() -> impl Strategy<Value = History> {
    let mail = || {
        prop_oneof![
            6 => Just(Mail::Plain),
            1 => Just(Mail::Part),
            1 => Just(Mail::Nobody),
            1 => Just(Mail::Reject),
        ]
    };
    let mails = prop_oneof![
        2 => prop::collection::vec(mail(), 1),
        3 => prop::collection::vec(mail(), 2..=6),
    ];
    (
        prop::collection::vec(mails, KEYS),
        prop_oneof![3 => Just(30), 1 => Just(1)],
        prop::collection::vec(round(), 1..=4),
    )
        .prop_map(|(mails, retention, rounds)| History {
            mails,
            retention,
            rounds,
        })
}

#[test]
fn the_answers_agree_with_the_mails_that_ses_accepted() {
    run_histories(
        file!(),
        HISTORIES,
        &history(),
        &async |world: &World, history: &History| world.run(history).await,
    );
}
