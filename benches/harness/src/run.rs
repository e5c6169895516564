//! One process of a function, from its start to its end.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cgroup::Group;
use crate::environment;
use crate::process::Process;
use crate::runtime_api::{Ended, Pace, Session, Timeline, Watched};
use crate::server::{Server, Traffic};
use crate::subject::Subject;
use crate::world::{SERVICES, World};

/// The interval between two looks at a process that may end by itself.
const LOOK: Duration = Duration::from_millis(50);
/// The time that a process has to end when asked. Callgrind writes its file then.
const END_MAX: Duration = Duration::from_mins(1);
/// The part of a log that is shown when a run fails, in bytes from its end.
const LOG_SHOWN: usize = 2_000;

/// The conditions of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) pace: Pace,
    /// Whether the function gets the CPU of 128 MB from its first event on.
    pub(crate) quota: bool,
    /// The program that runs the function, such as valgrind.
    pub(crate) under: Option<&'a Tool>,
    /// The time limit of the run.
    pub(crate) deadline: Duration,
}

/// A program that runs another.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) program: PathBuf,
    /// The arguments before the function's program.
    pub(crate) arguments: Vec<String>,
    /// A library that the function loads before all others.
    pub(crate) preload: PathBuf,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) timeline: Timeline,
    /// The peak memory of the process, in bytes.
    pub(crate) peak_memory: u64,
    /// The usage of each service.
    pub(crate) traffic: [Traffic; SERVICES],
}

/// Runs a function until it has answered every event.
pub(crate) fn run(subject: &Subject, plan: &Plan<'_>, world: &World) -> Result<Finished> {
    let label = &subject.label;
    let log = world.file("log");
    attempt(subject, plan, world, &log).with_context(|| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        let from = said.ceil_char_boundary(said.len().saturating_sub(LOG_SHOWN));
        format!("{label} was not measured; its log ends so:\n{}", &said[from..])
    })
}

fn attempt(subject: &Subject, plan: &Plan<'_>, world: &World, log: &Path) -> Result<Finished> {
    let (session, end) = Session::new(subject.clone(), plan.pace);
    let runtime_api = Server::start(Ipv4Addr::LOCALHOST, Arc::<Session>::clone(&session), None)?;
    let mut environment = environment::of(subject.job.name, &runtime_api.address().to_string(), world);
    let group = plan.quota.then(Group::create).transpose()?;

    let own = subject.program.display().to_string();
    let (program, arguments) = match plan.under {
        Some(Tool {
            program,
            arguments,
            preload,
        }) => {
            environment.push(("LD_PRELOAD".to_owned(), preload.display().to_string()));
            (program.as_path(), [arguments.as_slice(), &[own]].concat())
        }
        None => (subject.program.as_path(), Vec::new()),
    };
    let before = world.traffic();
    let mut process = session.begin(|| {
        let started = Instant::now();
        let process = Process::start(program, &arguments, environment, log)?;
        if let Some(group) = &group {
            group.take(process.pid())?;
        }
        let cpu = process.cpu_clock()?;
        let limit = group.as_ref().map(Group::limit);
        Ok((process, Watched { started, cpu, limit }))
    })?;

    let deadline = Instant::now() + plan.deadline;
    loop {
        match end.recv_timeout(LOOK) {
            Ok(Ended::Complete) => break,
            Ok(Ended::Failed(why)) => bail!(why),
            Err(RecvTimeoutError::Disconnected) => bail!("the Runtime API is gone"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = process.ended()? {
            bail!("it ended by itself: {status}");
        }
        if Instant::now() > deadline {
            bail!("it took longer than {:?}", plan.deadline);
        }
    }
    let peak_memory = process.peak_memory()?;
    let after = world.traffic();
    if plan.under.is_some() {
        process.terminate(END_MAX)?;
    }
    Ok(Finished {
        timeline: session.timeline(),
        peak_memory,
        traffic: std::array::from_fn(|service| after[service] - before[service]),
    })
}
