//! How a function logs: one JSON object a line, at the level that `LOG_LEVEL` names.

use tracing::level_filters::LevelFilter;

/// Sets the process's log up. The level is `LOG_LEVEL` (`error`, `warn`, `info`, `debug`, `trace` or `off`), else `info`.
///
/// Only Okite's own records are written at `debug` and below: the SDK's would hold addresses and bodies.
pub fn init() {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    let level = std::env::var("LOG_LEVEL")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    let own = ["feedback", "okite", "quota_reporter", "send_api", "shared"];
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(own.map(|target| (target, level)));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false);
    // A second call (tests that run two functions in one process) keeps the first log.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
