//! An emulated Runtime API: it gives a function one event after the other, and records the times.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
//!
//! A function that fetches an event has finished the one before. So these moments divide its life: up to
//! the first is init, up to the second the first invoke, and every further one ends a warm invoke.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cgroup::Limit;
use crate::http::{Request, Response, Service};
use crate::process::CpuClock;
use crate::subject::Subject;

const BASE: &str = "/2018-06-01/runtime/";

/// The way in which events are handed to the function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The number of events.
    pub(crate) invocations: usize,
    /// The pause before each event except the first.
    pub(crate) pause: Duration,
}

/// The times of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// The time of each fetch since the start of the process, and the CPU used by then.
    pub(crate) fetched: Vec<(Duration, Duration)>,
    /// The duration of each answer.
    pub(crate) answered: Vec<Duration>,
}

/// The end of a session.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Every event got its expected answer, and the function waits for another.
    Complete,
    /// The session failed, with the reason.
    Failed(String),
}

/// The emulator's knowledge of the process that it serves.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) started: Instant,
    pub(crate) cpu: CpuClock,
    /// The quota that begins with the first fetch.
    pub(crate) limit: Option<Limit>,
}

#[derive(Debug, Default)]
struct Progress {
    watched: Option<Watched>,
    timeline: Timeline,
    handed_over: Option<Instant>,
}

/// The Runtime API of one process.
#[derive(Debug)]
pub(crate) struct Session {
    subject: Subject,
    pace: Pace,
    progress: Mutex<Progress>,
    ended: Sender<Ended>,
}

impl Session {
    /// Makes the API, and the receiver of its end.
    pub(crate) fn new(subject: Subject, pace: Pace) -> (Arc<Self>, Receiver<Ended>) {
        let (ended, end) = channel();
        let session = Self {
            subject,
            pace,
            progress: Mutex::default(),
            ended,
        };
        (Arc::new(session), end)
    }

    /// Starts the process by `start`. Requests of the process wait until the emulator knows its id.
    pub(crate) fn begin<T>(&self, start: impl FnOnce() -> anyhow::Result<(T, Watched)>) -> anyhow::Result<T> {
        let mut progress = self.progress();
        let (process, watched) = start()?;
        progress.watched = Some(watched);
        Ok(process)
    }

    /// Returns the times so far.
    pub(crate) fn timeline(&self) -> Timeline {
        self.progress().timeline.clone()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, how: Ended) {
        // A session that was given up has no receiver any more.
        let _ = self.ended.send(how);
    }

    /// Returns the next event, or nothing when none is left.
    fn next(&self, at: Instant) -> io::Result<Option<Response>> {
        let mut progress = self.progress();
        let Progress { watched, timeline, .. } = &mut *progress;
        let Some(watched) = watched else {
            return Err(io::Error::other("an event was fetched before the process was started"));
        };
        timeline.fetched.push((at - watched.started, watched.cpu.read()?));
        match (timeline.fetched.len(), &watched.limit) {
            (1, Some(limit)) => limit.set()?,
            (1, None) => {}
            _ => thread::sleep(self.pace.pause),
        }
        if timeline.fetched.len() > self.pace.invocations {
            self.end(Ended::Complete);
            return Ok(None);
        }
        let number = timeline.fetched.len();
        let response = Response::new(200, "application/json", self.subject.event.clone())
            .with(
                "lambda-runtime-aws-request-id",
                format!("8476a536-e9f4-11e8-9739-{number:012}"),
            )
            // The deadline is far away and constant, so that the counted work does not change with the date.
            .with("lambda-runtime-deadline-ms", "4102444800000")
            .with(
                "lambda-runtime-invoked-function-arn",
                format!(
                    "arn:aws:lambda:us-east-1:000000000000:function:{}",
                    self.subject.job.name
                ),
            )
            .with(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            );
        progress.handed_over = Some(Instant::now());
        Ok(Some(response))
    }

    fn answered(&self, at: Instant, answer: &[u8]) {
        let mut progress = self.progress();
        if let Some(handed_over) = progress.handed_over.take() {
            progress.timeline.answered.push(at - handed_over);
        }
        if !self.subject.accepts(answer) {
            self.end(Ended::Failed(format!(
                "it answered {}",
                String::from_utf8_lossy(answer)
            )));
        }
    }
}

impl Service for Session {
    fn answer(&self, request: &Request) -> Option<Response> {
        let at = Instant::now();
        let accepted = || Some(Response::new(202, "application/json", r#"{"status":"OK"}"#));
        let path = request.path.strip_prefix(BASE).unwrap_or_default();
        if path == "invocation/next" {
            return self.next(at).unwrap_or_else(|error| {
                self.end(Ended::Failed(error.to_string()));
                None
            });
        }
        if path.ends_with("/response") {
            self.answered(at, &request.body);
            return accepted();
        }
        let said = String::from_utf8_lossy(&request.body);
        self.end(Ended::Failed(format!("it called {} with {said}", request.path)));
        accepted()
    }
}
