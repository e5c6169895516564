//! A history: what the actors do, in an order by choice, and then a calm time in which every mail must settle.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use domain::queue::WhenBusy;
use domain::stream::Stream;
use domain::time::plus;
use jiff::Timestamp;
use uuid::Uuid;

use crate::actors::request::Order;
use crate::actors::{recall, request, sweep, worker};
use crate::choices::{Choices, shrink};
use crate::condition::Condition;
use crate::invariants;
use crate::theme::{Action, Theme};
use crate::world::World;
use crate::write::Write;

/// How long an invocation that answers a caller may run, and one that works on the queue.
const ANSWERING: Duration = Duration::from_secs(29);
const WORKING: Duration = Duration::from_mins(1);
/// The most requests of one history.
const REQUESTS_MAX: usize = 6;
/// After so many deliveries SQS gives a message up.
const RECEIVES_MAX: u32 = 10;
/// How many rounds a calm time may have until everything must be settled.
const ROUNDS_MAX: u32 = 2_000;
/// How far the clock leaps, in seconds. The short leaps come more often.
const LEAPS: [u64; 20] = [
    1, 1, 2, 5, 5, 10, 31, 31, 36, 36, 61, 61, 130, 370, 620, 910, 1_900, 3_700, 7_300, 90_000,
];

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    end: Timestamp,
}

struct History {
    world: World,
    order: Order,
    theme: Theme,
    tasks: Vec<Task>,
}

/// A history that has ended.
pub(crate) struct Ended {
    /// The promise that it broke, if it did.
    pub(crate) violation: Option<String>,
    pub(crate) made: Vec<u32>,
    pub(crate) log: Vec<String>,
}

/// Runs the history with this seed.
pub(crate) fn random(seed: u64, without: Option<Condition>) -> Ended {
    run(
        Choices::random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
        without,
        false,
    )
}

/// Makes a history that breaks a promise small, and tells it.
pub(crate) fn tell(broken: Ended, without: Option<Condition>) -> String {
    let fails = |made: &[u32]| run(Choices::again(made.to_vec()), without, false).violation.is_some();
    let small = shrink(broken.made, fails);
    let told = run(Choices::again(small), without, true);
    format!("{}\n{}", told.violation.unwrap_or_default(), told.log.join("\n"))
}

fn run(mut choices: Choices, without: Option<Condition>, is_logged: bool) -> Ended {
    let theme = choices.pick(&[Theme::Everything, Theme::Callers, Theme::Waiting, Theme::Waiting]);
    let ahead: &[Option<u64>] = match theme {
        Theme::Everything => &[None, None, None, Some(20), Some(600), Some(7_200)],
        Theme::Callers => &[None],
        Theme::Waiting => &[None, None, None, Some(20)],
    };
    let order = Order {
        has_key: theme == Theme::Callers || !choices.one_in(8),
        stream: choices.pick(&[Stream::Transactional, Stream::Transactional, Stream::Bulk]),
        ahead: choices.pick(ahead).map(Duration::from_secs),
        patience: Duration::from_secs(choices.pick(&[600, 7_200, 86_400, 60])),
        when_busy: match theme {
            Theme::Waiting => WhenBusy::Queue,
            _ => choices.pick(&[WhenBusy::Queue, WhenBusy::Queue, WhenBusy::Wait, WhenBusy::Refuse]),
        },
        is_large: choices.one_in(8),
    };
    let steps = 40 + 20 * choices.below(8);
    let mut history = History {
        world: World::new(choices, without, is_logged),
        order,
        theme,
        tasks: Vec::new(),
    };
    if theme == Theme::Waiting {
        history.accept();
    } else {
        history.request();
    }
    for _ in 0..steps {
        if history.world.state().choices.is_over() {
            break;
        }
        history.step();
    }
    let is_settled = history.calm_down();
    let mut state = history.world.state();
    let violation = state
        .violation
        .take()
        .or_else(|| invariants::broken(&state, is_settled));
    let made = std::mem::replace(&mut state.choices, Choices::again(Vec::new())).made();
    drop(state);
    Ended {
        violation,
        made,
        log: history.world.log(),
    }
}

impl History {
    fn below(&self, count: usize) -> usize {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.world.state().choices.below(count) as usize
    }

    /// Does one thing.
    fn step(&mut self) {
        let actions = self.theme.actions();
        let all: u32 = actions.iter().map(|(_, often)| often).sum();
        let mut left = self.world.state().choices.below(all);
        let action = actions.iter().find(|(_, often)| {
            let is_chosen = left < *often;
            left = left.saturating_sub(*often);
            is_chosen
        });
        match action.map_or(Action::Poll, |(action, _)| *action) {
            Action::Poll if self.tasks.is_empty() => self.deliver(),
            Action::Poll => self.poll(),
            Action::Deliver => self.deliver(),
            Action::CarryOutLate => self.carry_out_late(),
            Action::TakeLate => self.take_late(),
            Action::Event => self.event(),
            Action::Leap => {
                let leaps = if self.theme == Theme::Everything {
                    &LEAPS[..]
                } else {
                    &LEAPS[..18]
                };
                let seconds = self.world.state().choices.pick(leaps);
                self.leap(Duration::from_secs(seconds));
            }
            Action::Request => self.request(),
            Action::Cancel => self.for_a_mail(recall::cancel),
            Action::Reschedule => {
                let ahead = Duration::from_secs(self.world.state().choices.pick(&[1, 30, 300, 1_200, 7_200]));
                self.for_a_mail(|world, id| recall::reschedule(world, id, ahead));
            }
            Action::SwitchContent => self.for_a_mail(recall::switch_content),
            Action::Read => self.for_a_mail(recall::read),
            Action::Sweep => self.spawn(sweep::sweep(self.world.clone()), WORKING),
            Action::Kill => self.kill(),
        }
        let pass = Duration::from_millis(self.world.state().choices.pick(&[0, 0, 10, 200]));
        self.leap(pass);
    }

    /// Lets a request queue its mail while nothing goes wrong.
    fn accept(&mut self) {
        self.world.state().is_calm = true;
        self.world.state().is_full = true;
        self.request();
        self.finish();
        self.world.state().is_calm = false;
    }

    fn spawn(&mut self, future: impl Future<Output = ()> + 'static, lasts: Duration) {
        let end = self.world.after(lasts);
        self.tasks.push(Task {
            future: Box::pin(future),
            end,
        });
    }

    fn leap(&self, span: Duration) {
        let mut state = self.world.state();
        state.now = plus(state.now, span);
        if span >= Duration::from_secs(1) {
            state.note("the clock leaps", &span);
        }
    }

    fn poll(&mut self) {
        let index = self.below(self.tasks.len());
        self.poll_task(index);
    }

    /// Lets a task go on to its next call. Lambda ends one whose time is over.
    fn poll_task(&mut self, index: usize) {
        let is_over = self.world.now() >= self.tasks[index].end;
        let mut context = Context::from_waker(Waker::noop());
        if is_over || self.tasks[index].future.as_mut().poll(&mut context).is_ready() {
            drop(self.tasks.swap_remove(index));
        }
    }

    fn kill(&mut self) {
        if !self.tasks.is_empty() {
            let index = self.below(self.tasks.len());
            self.world.state().note("dies", &index);
            drop(self.tasks.swap_remove(index));
        }
    }

    fn request(&mut self) {
        if self.world.state().requests < REQUESTS_MAX {
            self.world.state().requests += 1;
            self.spawn(request::submit(self.world.clone(), self.order), ANSWERING);
        }
    }

    fn for_a_mail<F: Future<Output = ()> + 'static>(&mut self, act: impl FnOnce(World, Uuid) -> F) {
        let ids: Vec<Uuid> = {
            let state = self.world.state();
            let accepted = state.store.mails.iter().filter(|mail| mail.row.is_some());
            accepted.map(|mail| mail.id).collect()
        };
        if !ids.is_empty() {
            let id = ids[self.below(ids.len())];
            let act = act(self.world.clone(), id);
            self.spawn(act, ANSWERING);
        }
    }

    fn deliver(&mut self) {
        let visible: Vec<usize> = {
            let state = self.world.state();
            let hints = state.hints.iter().enumerate();
            let visible = hints.filter(|(_, message)| message.visible_at <= state.now);
            visible.map(|(index, _)| index).collect()
        };
        if !visible.is_empty() {
            let index = visible[self.below(visible.len())];
            self.work(index);
        }
    }

    fn work(&mut self, index: usize) {
        let (number, hint) = self.world.state().receive(index);
        let end = self.world.after(WORKING);
        self.world.state().note("a worker begins", &(number, &hint));
        self.spawn(worker::work(self.world.clone(), number, hint, end), WORKING);
    }

    fn carry_out_late(&self) {
        let count = self.world.state().late.len();
        if count > 0 {
            let index = self.below(count);
            let mut state = self.world.state();
            let write = state.late.swap_remove(index);
            state.apply(&write, "late write comes");
        }
    }

    fn take_late(&self) {
        let count = self.world.state().taken_late.len();
        if count > 0 {
            let index = self.below(count);
            let mut state = self.world.state();
            let taken = state.taken_late.swap_remove(index);
            state.take(taken);
        }
    }

    /// Lets an event of a mail come.
    fn event(&self) {
        let count = self.world.state().taken.len();
        if count > 0 {
            let index = self.below(count);
            let mut state = self.world.state();
            let taken = state.taken[index].clone();
            let write = Write::Accepted {
                id: taken.id,
                ses_id: taken.ses_id,
                now: state.now,
            };
            state.apply(&write, "event");
        }
    }

    /// Lets everything come to its end while nothing goes wrong. Returns whether it did.
    fn calm_down(&mut self) -> bool {
        {
            let mut state = self.world.state();
            state.is_held_back = state.choices.one_in(8);
            state.is_calm = true;
            state.note("calm", &());
        }
        for _ in 0..ROUNDS_MAX {
            self.finish();
            let is_late_first = self.below(2) == 0;
            if is_late_first {
                self.carry_out_late();
                self.take_late();
            }
            let mut index = 0;
            while index < self.world.state().hints.len() {
                let is_visible = {
                    let state = self.world.state();
                    state.hints[index].visible_at <= state.now
                };
                if is_visible {
                    self.work(index);
                }
                index += 1;
            }
            self.spawn(sweep::sweep(self.world.clone()), WORKING);
            self.finish();
            let mut state = self.world.state();
            state.hints.retain(|message| message.receives < RECEIVES_MAX);
            let hints = state.hints.iter().map(|message| message.visible_at);
            let entries = state.store.mails.iter().filter_map(|mail| mail.entry.as_ref());
            let in_a_minute = plus(state.now, Duration::from_mins(1));
            // A mail that the sweep does not hand over waits for its deadline.
            let entries = entries.map(|entry| {
                if entry.wake_at > state.now {
                    entry.wake_at
                } else {
                    entry.deadline.max(in_a_minute)
                }
            });
            let next = hints.chain(entries).min();
            let is_over = next.is_none() && state.late.is_empty() && state.taken_late.is_empty();
            if is_over {
                drop(state);
                if self.below(3) < 2 {
                    self.event();
                }
                return true;
            }
            let soon = plus(state.now, Duration::from_secs(1));
            state.now = next.map_or(soon, |next| next.max(soon));
        }
        false
    }

    fn finish(&mut self) {
        while !self.tasks.is_empty() {
            let mut index = 0;
            while index < self.tasks.len() {
                let before = self.tasks.len();
                self.poll_task(index);
                index += usize::from(self.tasks.len() == before);
            }
        }
    }
}
