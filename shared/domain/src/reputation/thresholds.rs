//! From which rates on somebody is warned and bulk mail is held back; parameters of the template.

use super::RateKind;

/// Two steps of a rate, as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// From here on somebody should look.
    pub warn: f64,
    /// From here on bulk mail is held back.
    pub brake: f64,
}

/// The thresholds of both rates, and how much must have been sent for them to be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Of hard bounces.
    pub bounce: Threshold,
    /// Of complaints.
    pub complaint: Threshold,
    /// So many complaints at least, for one alone means nothing.
    pub complaints_min: u64,
    /// So many recipients at least.
    pub volume_min: u64,
}

impl Thresholds {
    /// Returns those of a kind.
    #[must_use]
    pub fn of(&self, kind: RateKind) -> Threshold {
        match kind {
            RateKind::Bounce => self.bounce,
            RateKind::Complaint => self.complaint,
        }
    }
}

impl Default for Thresholds {
    /// Those of the template's parameters.
    fn default() -> Self {
        Self {
            bounce: Threshold {
                warn: 0.03,
                brake: 0.045,
            },
            complaint: Threshold {
                warn: 0.0005,
                brake: 0.0008,
            },
            complaints_min: 2,
            volume_min: 1_000,
        }
    }
}
