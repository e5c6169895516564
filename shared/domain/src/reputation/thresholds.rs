//! From which rates on somebody is warned and bulk mail is held back; parameters of the template.

use crate::reputation::RateKind;

/// Two steps of a rate, as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateThreshold {
    /// From here on somebody should look.
    pub warn: f64,
    /// From here on bulk mail is held back.
    pub brake: f64,
}

/// The thresholds of both rates, and how much must have been sent for them to be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateThresholds {
    /// Of hard bounces.
    pub bounce: RateThreshold,
    /// Of complaints.
    pub complaint: RateThreshold,
    /// So many complaints at least, for one alone means nothing.
    pub complaints_min: u64,
    /// So many recipients at least.
    pub volume_min: u64,
}

impl RateThresholds {
    /// Returns those of a kind.
    #[must_use]
    pub fn of(&self, kind: RateKind) -> RateThreshold {
        match kind {
            RateKind::Bounce => self.bounce,
            RateKind::Complaint => self.complaint,
        }
    }
}

impl Default for RateThresholds {
    /// Those of the template's parameters.
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
