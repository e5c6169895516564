//! How a function logs: one JSON object a line.

use std::panic;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The crates that functions share. Their records are written at the level that the operator chose, as those of the
/// function's own crate are.
const SHARED_CRATES: [&str; 4] = ["aws", "domain", "runtime", "sending"];

/// Sets up the log of the function whose crate is `own_crate`. A second call (tests that run two functions in one
/// process) keeps the first log.
pub fn init(own_crate: &'static str, level: LevelFilter) {
    let filter = filter_fn(move |metadata| *metadata.level() <= level_of(metadata.target(), own_crate, level))
        .with_max_level_hint(level);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false);
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    // The usual line of a panic can hold what the code was working on, such as an address. The place is enough.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(cause = "panic", place, "the code panicked");
    }));
}

/// Returns the level down to which the records of a target are written.
///
/// Only Okite's own records are written below `warn`: those of the SDK hold addresses and bodies. Those of the Lambda
/// runtime are not written at all: it repeats every error of a handler with all that is in it, and a handler logs its
/// failure itself. The first segment of a target is its crate; a prefix would not do, because the SDK's crates begin
/// with `aws` too.
fn level_of(target: &str, own_crate: &str, level: LevelFilter) -> LevelFilter {
    let crate_name = target.split("::").next().unwrap_or_default();
    if crate_name == own_crate || SHARED_CRATES.contains(&crate_name) {
        level
    } else if crate_name == "lambda_runtime" {
        LevelFilter::OFF
    } else {
        level.min(LevelFilter::WARN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_records_are_written_below_warn() {
        for (target, level) in [
            ("aws::messages", LevelFilter::INFO),
            ("aws", LevelFilter::INFO),
            ("send_api::emails", LevelFilter::INFO),
            ("sending", LevelFilter::INFO),
            ("feedback", LevelFilter::WARN),
            ("aws_config::default_provider", LevelFilter::WARN),
            ("aws_smithy_runtime::client", LevelFilter::WARN),
            ("hyper::proto", LevelFilter::WARN),
            ("lambda_runtime::layers", LevelFilter::OFF),
        ] {
            assert_eq!(level_of(target, "send_api", LevelFilter::INFO), level, "{target}");
        }
        assert_eq!(level_of("hyper", "send_api", LevelFilter::OFF), LevelFilter::OFF);
    }
}
