//! The themes of histories, and how often each kind of step happens in them.

/// The theme of a history. Doubling is rare unless a history is full of what may lead to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Everything,
    /// Many requests with one key.
    Callers,
    /// A mail that is accepted, many hints, and callers who change their minds.
    Waiting,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Poll,
    Deliver,
    CarryOutLate,
    TakeLate,
    Event,
    Leap,
    Request,
    Cancel,
    Reschedule,
    SwitchContent,
    Read,
    Sweep,
    Kill,
}

impl Theme {
    /// The kinds of steps, and how often each happens.
    pub(crate) fn actions(self) -> &'static [(Action, u32)] {
        use Action::{
            Cancel, CarryOutLate, Deliver, Event, Kill, Leap, Poll, Read, Request, Reschedule, Sweep, SwitchContent,
            TakeLate,
        };
        match self {
            Self::Everything => &[
                (Poll, 16),
                (Deliver, 4),
                (CarryOutLate, 2),
                (TakeLate, 1),
                (Event, 1),
                (Leap, 3),
                (Request, 2),
                (Cancel, 1),
                (Reschedule, 2),
                (SwitchContent, 1),
                (Read, 1),
                (Sweep, 1),
                (Kill, 1),
            ],
            Self::Callers => &[
                (Poll, 20),
                (Deliver, 1),
                (CarryOutLate, 4),
                (TakeLate, 1),
                (Leap, 3),
                (Request, 3),
                (Cancel, 1),
                (Kill, 1),
            ],
            Self::Waiting => &[
                (Poll, 24),
                (Deliver, 6),
                (CarryOutLate, 5),
                (TakeLate, 1),
                (Event, 1),
                (Leap, 3),
                (Cancel, 1),
                (Reschedule, 2),
                (SwitchContent, 1),
                (Read, 1),
                (Sweep, 1),
                (Kill, 1),
            ],
        }
    }
}
