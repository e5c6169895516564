//! The rates from which Okite warns the operators and holds bulk mail back. They are parameters of the template.

use crate::reputation::RateKind;

/// The two thresholds of a rate, as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateThreshold {
    /// The rate from which Okite warns the operators.
    pub warn: f64,
    /// The rate from which Okite holds bulk mail back.
    pub brake: f64,
}

/// The thresholds of both rates, and the least mail that a judgement needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateThresholds {
    /// The thresholds of the bounce rate.
    pub bounce: RateThreshold,
    /// The thresholds of the complaint rate.
    pub complaint: RateThreshold,
    /// The least number of complaints: a single one means nothing.
    pub complaints_min: u64,
    /// The least number of recipients.
    pub volume_min: u64,
}

impl RateThresholds {
    /// Returns the thresholds of one kind of rate.
    #[must_use]
    pub fn of(&self, kind: RateKind) -> RateThreshold {
        match kind {
            RateKind::Bounce => self.bounce,
            RateKind::Complaint => self.complaint,
        }
    }
}

impl Default for RateThresholds {
    /// Returns the defaults of the template's parameters.
    fn default() -> Self {
        Self {
            bounce: RateThreshold {
                warn: 0.03,
                brake: 0.045,
            },
            complaint: RateThreshold {
                warn: 0.0005,
                brake: 0.0008,
            },
            complaints_min: 2,
            volume_min: 1_000,
        }
    }
}
