//! Summarises many runs of one program.

use std::time::Duration;

use crate::package::Sizes;
use crate::run::Finished;
use crate::runtime_api::Timeline;
use crate::statistics::{median, percentile};

/// Times of several runs, in milliseconds. There is one entry for each run, and in `warm` one for each invoke.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    init: Vec<f64>,
    first: Vec<f64>,
    cold: Vec<f64>,
    warm: Vec<f64>,
    cpu_init: Vec<f64>,
    cpu_first: Vec<f64>,
    cpu_warm: Vec<f64>,
    peak_memory: Vec<f64>,
}

/// Medians of times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Times {
    /// The time from the start of the process to its first fetch.
    pub(crate) init: f64,
    /// The time from the first event to its answer.
    pub(crate) first: f64,
    /// The sum of both.
    pub(crate) cold: f64,
    pub(crate) warm_p50: f64,
    pub(crate) warm_p99: f64,
}

/// Instructions that were executed outside the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Instructions {
    /// The instructions from the start of the process to the fetch after its first event.
    pub(crate) cold: u64,
    /// The instructions of each event after the first.
    pub(crate) warm: u64,
}

/// All figures of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) label: String,
    /// The times without a quota.
    pub(crate) free: Times,
    /// The times with the CPU of 128 MB, where a quota can be set.
    pub(crate) limited: Option<Times>,
    /// The CPU, in milliseconds, without a quota.
    pub(crate) cpu_init: f64,
    pub(crate) cpu_first: f64,
    pub(crate) cpu_warm: f64,
    /// The peak memory, in bytes.
    pub(crate) peak_memory: f64,
    pub(crate) sizes: Sizes,
    pub(crate) instructions: Option<Instructions>,
}

impl Samples {
    /// Adds a run.
    pub(crate) fn add(&mut self, finished: &Finished) {
        let Timeline { fetched, answered } = &finished.timeline;
        let (Some(&(init, cpu_init)), Some(&(_, cpu_cold)), Some(&(_, cpu_all)), Some(&first)) =
            (fetched.first(), fetched.get(1), fetched.last(), answered.first())
        else {
            return;
        };
        self.init.push(milliseconds(init));
        self.first.push(milliseconds(first));
        self.cold.push(milliseconds(init + first));
        self.warm.extend(answered[1..].iter().copied().map(milliseconds));
        self.cpu_init.push(milliseconds(cpu_init));
        self.cpu_first.push(milliseconds(cpu_cold.saturating_sub(cpu_init)));
        if let Some(warm) = u32::try_from(answered.len() - 1).ok().filter(|count| *count > 0) {
            self.cpu_warm
                .push(milliseconds(cpu_all.saturating_sub(cpu_cold) / warm));
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "memory is counted in megabytes, not in petabytes"
        )]
        self.peak_memory.push(finished.peak_memory as f64);
    }

    fn times(&self) -> Times {
        Times {
            init: median(&self.init),
            first: median(&self.first),
            cold: median(&self.cold),
            warm_p50: percentile(&self.warm, 0.5),
            warm_p99: percentile(&self.warm, 0.99),
        }
    }
}

impl Summary {
    /// Joins the measurements of a program.
    pub(crate) fn new(
        label: String,
        free: &Samples,
        limited: Option<&Samples>,
        sizes: Sizes,
        instructions: Option<Instructions>,
    ) -> Self {
        Self {
            label,
            free: free.times(),
            limited: limited.map(Samples::times),
            cpu_init: median(&free.cpu_init),
            cpu_first: median(&free.cpu_first),
            cpu_warm: median(&free.cpu_warm),
            peak_memory: median(&free.peak_memory),
            sizes,
            instructions,
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(init: u64, first: u64, warm: u64) -> Finished {
        let ms = Duration::from_millis;
        Finished {
            timeline: Timeline {
                fetched: vec![
                    (ms(init), ms(2)),
                    (ms(init + first), ms(3)),
                    (ms(99), ms(5)),
                    (ms(100), ms(7)),
                ],
                answered: vec![ms(first), ms(warm), ms(warm + 1)],
            },
            peak_memory: 8_000_000,
            traffic: Default::default(),
        }
    }

    #[test]
    fn divides_a_life_into_init_first_and_warm() {
        let mut samples = Samples::default();
        for run in [finished(4, 1, 2), finished(6, 1, 2), finished(50, 1, 2)] {
            samples.add(&run);
        }
        let summary = Summary::new("a".to_owned(), &samples, None, Sizes::default(), None);
        let expected = Times {
            init: 6.0,
            first: 1.0,
            cold: 7.0,
            warm_p50: 2.0,
            warm_p99: 3.0,
        };
        assert_eq!(summary.free, expected);
        // The CPU of three events after the second fetch: 7 - 3, over two warm ones.
        let cpu = [summary.cpu_init, summary.cpu_first, summary.cpu_warm].map(f64::round);
        assert_eq!(cpu.map(|value| value.to_string()), ["2", "1", "2"]);
    }

    #[test]
    fn leaves_out_a_run_without_an_answer() {
        let mut samples = Samples::default();
        samples.add(&Finished {
            timeline: Timeline::default(),
            peak_memory: 1,
            traffic: Default::default(),
        });
        assert!(samples.init.is_empty() && samples.peak_memory.is_empty());
    }
}
