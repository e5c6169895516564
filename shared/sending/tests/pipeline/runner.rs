//! Runs random histories, each in a world whose clock is not too far ahead.

use std::cell::RefCell;
use std::fmt::Debug;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as Proptest, TestRunner};

use crate::world::World;

/// How long the clock of a world may go on before a new one has to begin.
const CLOCK_MAX: Duration = Duration::from_hours(24 * 300);

/// Runs as many histories as `PROPTEST_CASES` says, or else `cases`. Panics with a history that fails, as short as
/// proptest can make it.
pub(crate) fn run_histories<H: Debug>(
    source_file: &'static str,
    cases: u32,
    histories: &impl Strategy<Value = H>,
    run: &impl AsyncFn(&World, &H) -> Result<(), String>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = RefCell::new(runtime.block_on(Box::pin(World::start())));
    let config = Proptest {
        cases: std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().unwrap()),
        source_file: Some(source_file),
        max_shrink_iters: 300,
        ..Proptest::default()
    };
    let ended = TestRunner::new(config).run(histories, |history| {
        if world.borrow().clock.ahead() > CLOCK_MAX {
            world.replace(runtime.block_on(Box::pin(World::start())));
        }
        let world = world.borrow();
        runtime
            .block_on(Box::pin(run(&world, &history)))
            .map_err(TestCaseError::fail)
    });
    if let Err(failure) = ended {
        panic!("{failure}");
    }
}
