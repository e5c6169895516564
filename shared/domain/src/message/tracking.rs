//! Whether SES tracks who opens a mail and follows its links.
//!
//! SES tracks all mail of a configuration set whose events include openings and clicks, unless the request says
//! otherwise. A password reset must not be tracked because a newsletter is. So a deployment that tracks says for each
//! mail what is tracked, and a mail whose caller asks for nothing is not tracked.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_TrackingConfigurationOverrides.html>

use std::str::FromStr;

/// The parts of one mail that SES tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// Whether SES adds an image by which it counts openings.
    pub opens: bool,
    /// Whether SES rewrites the links, so that it counts clicks.
    pub clicks: bool,
}

impl Tracking {
    /// Returns whether anything is tracked.
    #[must_use]
    pub fn is_asked_for(self) -> bool {
        self.opens || self.clicks
    }

    /// Returns a text that distinguishes it from others.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match (self.opens, self.clicks) {
            (false, false) => "none",
            (true, false) => "opens",
            (false, true) => "clicks",
            (true, true) => "opens,clicks",
        }
    }
}

/// Whether a deployment tracks mail whose callers ask for it: its parameter `TrackingEvents`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrackingEvents {
    /// No mail is tracked, and no request to SES mentions it.
    #[default]
    Off,
    /// Each request to SES says what is tracked.
    On,
}

/// A text is neither `true` nor `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither true nor false")]
pub struct InvalidTrackingEvents;

impl FromStr for TrackingEvents {
    type Err = InvalidTrackingEvents;

    fn from_str(text: &str) -> Result<Self, InvalidTrackingEvents> {
        match text {
            "true" => Ok(Self::On),
            "false" => Ok(Self::Off),
            _ => Err(InvalidTrackingEvents),
        }
    }
}

/// A caller asks for tracking in a deployment that tracks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this deployment tracks no openings and clicks: leave it out, or have its operator set the parameter \
     `TrackingEvents` to `true`"
)]
pub struct NotTracked;

impl TrackingEvents {
    /// Checks whether a mail may be tracked so.
    ///
    /// # Errors
    /// [`NotTracked`] if it may not.
    pub fn check(self, tracking: Tracking) -> Result<(), NotTracked> {
        if self == Self::Off && tracking.is_asked_for() {
            return Err(NotTracked);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_without_tracking_refuses_only_what_would_be_tracked() {
        let opens = Tracking {
            opens: true,
            clicks: false,
        };
        assert_eq!(TrackingEvents::Off.check(opens), Err(NotTracked));
        assert_eq!(TrackingEvents::Off.check(Tracking::default()), Ok(()));
        assert_eq!(TrackingEvents::On.check(opens), Ok(()));
    }

    #[test]
    fn reads_the_parameter_of_the_template() {
        assert_eq!("true".parse(), Ok(TrackingEvents::On));
        assert_eq!("false".parse(), Ok(TrackingEvents::Off));
        for text in ["", "on", "True"] {
            assert_eq!(text.parse::<TrackingEvents>(), Err(InvalidTrackingEvents), "{text}");
        }
    }
}
