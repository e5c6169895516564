//! The world of a history: the clock, the tables, SQS, SES, and what each actor does with them.
//!
//! An actor is a future. It pauses before each call, so that any other actor may act in between, and it dies where it
//! pauses. What a call does and whether it has an answer are choices of the history.

use std::cell::{RefCell, RefMut};
use std::fmt::Debug;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::idempotency::Claim;
use domain::queue::{Hint, OutboxEntry};
use domain::record::MessageRecord;
use domain::ses_error::SesRefusal;
use domain::time::plus;
use jiff::Timestamp;
use uuid::Uuid;

use crate::choices::Choices;
use crate::condition::Condition;
use crate::store::Store;
use crate::write::{KINDS, Reply, Write};

/// How long SQS hides a message that was delivered.
const VISIBILITY: Duration = Duration::from_mins(6);
/// How long after its deadline a mail may still be on its way: an invocation, and its reserve.
const AFTER_DEADLINE: Duration = Duration::from_secs(65);

/// The answer that a caller got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200, with the id.
    Accepted(Uuid),
    /// It is not known whether the mail with this id is or will be sent.
    Unknown(Uuid),
    /// Another request holds the key.
    InFlight,
    /// Nothing was sent.
    NotSent,
    /// The mail with this id is cancelled.
    Cancelled(Uuid),
}

/// A hint in SQS.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) number: u32,
    pub(crate) hint: Hint,
    pub(crate) visible_at: Timestamp,
    pub(crate) receives: u32,
}

/// A mail that SES took.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) id: Uuid,
    pub(crate) ses_id: String,
    /// Why SES must not have been called for it.
    wrong: Option<&'static str>,
}

/// The answer that SES mostly gives in a history.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Mixed,
    Throttling,
    Rejecting,
    Silent,
}

/// An answer of SES.
#[derive(Clone, Debug)]
pub(crate) enum SesAnswer {
    Accepted(String),
    Refused(SesRefusal),
    Ambiguous,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) choices: Choices,
    pub(crate) store: Store,
    /// Writes without an answer that may still be carried out.
    pub(crate) late: Vec<Write>,
    pub(crate) hints: Vec<Message>,
    pub(crate) taken: Vec<Taken>,
    /// Calls without an answer that SES may still take.
    pub(crate) taken_late: Vec<Taken>,
    pub(crate) answers: Vec<Answer>,
    /// How many requests began.
    pub(crate) requests: usize,
    /// The mails whose end was reported.
    pub(crate) reported: Vec<Uuid>,
    /// Whether nothing goes wrong any more.
    pub(crate) is_calm: bool,
    /// Whether the gate refuses every permit.
    pub(crate) is_held_back: bool,
    /// Whether the gate refuses the permits of requests.
    pub(crate) is_full: bool,
    pub(crate) violation: Option<String>,
    /// The kind of write that has an answer seldom. With 0, all are alike.
    weak: u32,
    /// The answer that SES mostly gives.
    mood: Mood,
    log: Option<Vec<String>>,
    last_id: u128,
    last_message: u32,
}

/// The world, as its actors share it.
#[derive(Clone, Debug)]
pub(crate) struct World(Rc<RefCell<State>>);

/// The fate of a write.
enum Fate {
    Answered,
    /// The SDK repeats it, because the first answer was lost.
    Repeated,
    /// It has an answer, and a copy of it comes late.
    Echoed,
    /// It is carried out, and its answer is lost.
    Lost,
    NotCarriedOut,
    /// It has no answer, and is carried out later.
    Late,
}

impl World {
    pub(crate) fn new(mut choices: Choices, without: Option<Condition>, is_logged: bool) -> Self {
        let weak = choices.below(KINDS + 10);
        let mood = choices.pick(&[
            Mood::Mixed,
            Mood::Mixed,
            Mood::Throttling,
            Mood::Rejecting,
            Mood::Silent,
        ]);
        Self(Rc::new(RefCell::new(State {
            weak,
            mood,
            now: Timestamp::constant(1_800_000_000, 0),
            choices,
            store: Store::new(without),
            late: Vec::new(),
            hints: Vec::new(),
            taken: Vec::new(),
            taken_late: Vec::new(),
            answers: Vec::new(),
            requests: 0,
            reported: Vec::new(),
            is_calm: false,
            is_held_back: false,
            is_full: false,
            violation: None,
            log: is_logged.then(Vec::new),
            last_id: 0,
            last_message: 0,
        })))
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state().now
    }

    pub(crate) fn after(&self, span: Duration) -> Timestamp {
        plus(self.now(), span)
    }

    pub(crate) fn new_id(&self) -> Uuid {
        self.state().new_id()
    }

    /// Makes a choice that goes wrong once in so many times, and never in a calm world.
    pub(crate) fn goes_wrong(&self, once_in: u32) -> bool {
        let mut state = self.state();
        !state.is_calm && state.choices.one_in(once_in)
    }

    pub(crate) fn answer(&self, answer: Answer) {
        let mut state = self.state();
        state.note("answer", &answer);
        state.answers.push(answer);
    }

    /// Carries out a write, perhaps. Returns `None` if it has no answer.
    pub(crate) async fn write(&self, write: Write) -> Option<Reply> {
        pause().await;
        let mut state = self.state();
        let fate = state.fate(write.kind());
        match fate {
            // A content that comes late lapses, as the documents say.
            Fate::Late if matches!(write, Write::PutContent { .. }) => None,
            Fate::Answered => Some(state.apply(&write, "write")),
            Fate::Repeated => {
                state.apply(&write, "write, answer lost");
                Some(state.apply(&write, "write, repeated"))
            }
            Fate::Echoed => {
                let reply = state.apply(&write, "write");
                if !matches!(write, Write::PutContent { .. }) {
                    state.late.push(write);
                }
                Some(reply)
            }
            Fate::Lost => {
                state.apply(&write, "write, no answer");
                None
            }
            Fate::NotCarriedOut => {
                state.note("not carried out", &write);
                None
            }
            Fate::Late => {
                state.note("late", &write);
                state.late.push(write);
                None
            }
        }
    }

    /// Repeats a transaction while it has no answer and there is time.
    pub(crate) async fn until_answered(&self, write: Write) -> Option<Reply> {
        for _ in 0..4 {
            if let Some(reply) = self.write(write.clone()).await {
                return Some(reply);
            }
            if self.goes_wrong(3) {
                break;
            }
        }
        None
    }

    /// Reads a row, consistently. Returns `None` if there is no answer.
    pub(crate) async fn read_row(&self, id: Uuid) -> Option<Option<MessageRecord>> {
        pause().await;
        (!self.goes_wrong(30)).then(|| self.state().store.row(id).cloned())
    }

    pub(crate) async fn read_entry(&self, id: Uuid) -> Option<Option<OutboxEntry>> {
        pause().await;
        (!self.goes_wrong(30)).then(|| self.state().store.entry(id).cloned())
    }

    pub(crate) async fn read_claim(&self) -> Option<Option<Claim>> {
        pause().await;
        (!self.goes_wrong(30)).then(|| self.state().store.claim.clone())
    }

    pub(crate) async fn read_content(&self, id: Uuid, nonce: Uuid) -> bool {
        pause().await;
        let state = self.state();
        state.store.mail(id).is_some_and(|mail| mail.contents.contains(&nonce))
    }

    /// Sends a hint. Returns whether SQS confirmed it.
    pub(crate) async fn hint(&self, hint: Hint, delay: Duration) -> bool {
        pause().await;
        let mut state = self.state();
        let late = if state.is_calm { 0 } else { state.choices.below(16) };
        let (copies, delay, is_confirmed) = match late {
            0..=9 => (1, delay, true),
            10 => (2, delay, true),
            11 | 12 => (1, delay + Duration::from_secs(400), true),
            13 => (1, delay, false),
            14 => (0, delay, false),
            _ => (0, delay, true),
        };
        state.note("hint", &(copies, delay, is_confirmed, &hint));
        for _ in 0..copies {
            state.last_message += 1;
            let message = Message {
                number: state.last_message,
                hint: hint.clone(),
                visible_at: plus(state.now, delay),
                receives: 0,
            };
            state.hints.push(message);
        }
        is_confirmed
    }

    /// Calls SES. `content` is what a worker read before; a direct mail has none.
    pub(crate) async fn call_ses(&self, id: Uuid, content: Option<Uuid>) -> SesAnswer {
        pause().await;
        let mut state = self.state();
        let taken = Taken {
            id,
            ses_id: state.new_id().to_string(),
            wrong: state.wrong_call(id, content),
        };
        let choice = if state.is_calm {
            0
        } else {
            let mood = match state.mood {
                Mood::Mixed => 0,
                Mood::Throttling => 7,
                Mood::Rejecting => 13,
                Mood::Silent => 16,
            };
            if mood > 0 && state.choices.below(2) == 0 {
                mood
            } else {
                state.choices.below(18)
            }
        };
        let ses_id = taken.ses_id.clone();
        match choice {
            0..=6 => {
                state.take(taken);
                SesAnswer::Accepted(ses_id)
            }
            7..=9 => SesAnswer::Refused(SesRefusal::RateExceeded),
            10 => SesAnswer::Refused(SesRefusal::SendingPaused),
            11 => SesAnswer::Refused(SesRefusal::NotAllowed),
            12 => SesAnswer::Refused(SesRefusal::Unavailable),
            13 => SesAnswer::Refused(SesRefusal::Rejected),
            14 => SesAnswer::Ambiguous,
            15 => {
                state.take(taken);
                SesAnswer::Ambiguous
            }
            _ => {
                state.taken_late.push(taken);
                SesAnswer::Ambiguous
            }
        }
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.take().unwrap_or_default()
    }
}

impl State {
    pub(crate) fn new_id(&mut self) -> Uuid {
        self.last_id += 1;
        Uuid::from_u128(self.last_id)
    }

    fn fate(&mut self, kind: u32) -> Fate {
        if self.is_calm {
            return Fate::Answered;
        }
        if kind == self.weak {
            return match self.choices.below(8) {
                0 | 1 => Fate::Answered,
                2 => Fate::Echoed,
                3 => Fate::Lost,
                _ => Fate::Late,
            };
        }
        match self.choices.below(24) {
            18 => Fate::Repeated,
            19 | 20 => Fate::Echoed,
            21 => Fate::Lost,
            22 => Fate::NotCarriedOut,
            23 => Fate::Late,
            _ => Fate::Answered,
        }
    }

    /// Carries out a write.
    pub(crate) fn apply(&mut self, write: &Write, words: &str) -> Reply {
        let reply = self.store.apply(write, self.now);
        self.note(words, &(write, &reply));
        if let Some(wrong) = self.store.wrong.take() {
            self.violation.get_or_insert(wrong.to_owned());
        }
        if let (Write::Expire { id, .. } | Write::ExpireQueued { id, .. }, Reply::Done) = (write, &reply)
            && self.store.row(*id).is_some_and(|row| self.is_ahead_of_deadline(row))
        {
            self.violation
                .get_or_insert_with(|| "a mail expires before its deadline".to_owned());
        }
        reply
    }

    /// Lets SES take a mail.
    pub(crate) fn take(&mut self, taken: Taken) {
        self.note("SES takes", &taken);
        if let Some(wrong) = taken.wrong {
            self.violation.get_or_insert(wrong.to_owned());
        }
        self.taken.push(taken);
    }

    fn is_ahead_of_deadline(&self, row: &MessageRecord) -> bool {
        let queued = row.queued.as_ref();
        queued.is_some_and(|queued| queued.deadline > self.now)
    }

    /// Returns why SES must not be called now.
    fn wrong_call(&self, id: Uuid, content: Option<Uuid>) -> Option<&'static str> {
        let mail = self.store.mail(id)?;
        if mail.scheduled_at.is_some_and(|at| at > self.now) {
            return Some("a mail goes before its time");
        }
        let row = mail.row.as_ref()?;
        let queued = row.queued.as_ref()?;
        if row.attempt_at.is_some_and(|begun| begun >= queued.deadline) {
            return Some("a mail goes after its deadline");
        }
        if content.is_some_and(|content| content != queued.content_nonce) {
            return Some("a mail goes with a content that was replaced");
        }
        (plus(queued.deadline, AFTER_DEADLINE) <= self.now).then_some("a mail goes after its deadline")
    }

    /// Delivers a hint that is visible. Returns its number and what it says.
    pub(crate) fn receive(&mut self, index: usize) -> (u32, Hint) {
        let is_doubled = !self.is_calm && self.choices.one_in(4);
        let now = self.now;
        let message = &mut self.hints[index];
        message.receives += 1;
        if !is_doubled {
            message.visible_at = plus(now, VISIBILITY);
        }
        (message.number, message.hint.clone())
    }

    /// Writes down what happens, if anybody reads it.
    pub(crate) fn note(&mut self, words: &str, what: &dyn Debug) {
        let now = self.now;
        if let Some(log) = &mut self.log {
            let seconds = now.as_millisecond() - 1_800_000_000_000;
            log.push(format!("{seconds:>9} ms  {words}: {what:?}"));
        }
    }
}

/// Lets the other actors act.
pub(crate) fn pause() -> Pause {
    Pause { is_over: false }
}

pub(crate) struct Pause {
    is_over: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.is_over {
            return Poll::Ready(());
        }
        self.is_over = true;
        Poll::Pending
    }
}
