//! A line of the page: its name, its colour, and the times in it.

use std::fmt::{self, Write};

use domain::account::AccountHealth;
use jiff::{Timestamp, Unit};

use crate::terminal::Colour;

/// The width of the names at the beginning of the lines, in characters.
const NAME_WIDTH: usize = 18;
/// The text in the place of a figure that is not known.
pub(super) const NOT_KNOWN: &str = "not known";

/// Writes one line: a name, or spaces under the name above, and a text.
pub(super) fn line(text: &mut String, name: &str, what: &str) -> fmt::Result {
    writeln!(text, "{name:NAME_WIDTH$}{what}")
}

/// Returns the colour of a verdict.
pub(super) fn colour_of(verdict: AccountHealth) -> Colour {
    match verdict {
        AccountHealth::Healthy => Colour::Green,
        AccountHealth::Warn => Colour::Yellow,
        AccountHealth::BrakeBulk | AccountHealth::BrakeAll => Colour::Red,
    }
}

/// Rounds a time to seconds.
pub(super) fn seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

/// Returns a duration in its two largest units.
pub(super) fn duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units() {
        for (seconds, wanted) in [(5, "5 s"), (125, "2 min"), (7_260, "2 h 1 min"), (200_000, "2 d 7 h")] {
            assert_eq!(duration(seconds), wanted);
        }
    }
}
