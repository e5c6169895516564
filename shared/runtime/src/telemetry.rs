//! How a function logs: one JSON object a line.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sets the process's log up.
///
/// Only Okite's own records are written below `warn`: the SDK's would hold addresses and bodies. The Lambda runtime's are
/// not written at all: it repeats every error of a handler with all that is in it; a handler logs its failure itself.
pub fn init(level: LevelFilter) {
    let own = ["feedback", "aws", "domain", "okite", "quota_reporter", "send_api"];
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(own.map(|target| (target, level)))
        .with_target("lambda_runtime", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false);
    // A second call (tests that run two functions in one process) keeps the first log.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
