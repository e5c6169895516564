//! One invocation of the worker.

use domain::pacing::Gate;

use super::Worker;
use crate::Deadlines;

/// One invocation of the worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) worker: &'a Worker,
    pub(super) deadlines: &'a Deadlines,
    /// The gate as it was when the invocation began. It may be out of date by a moment.
    pub(super) gate: Option<Gate>,
}
