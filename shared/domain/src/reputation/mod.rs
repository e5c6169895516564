//! The account's reputation: the bounce rate and the complaint rate, and how they are judged.
//!
//! | module | concept |
//! |---|---|
//! | `rates` | AWS's figures and our estimates of both rates, and the health that each means |
//! | `counting_window` | the days over which we count |
//! | `thresholds` | the rates at which operators are warned and bulk mail is stopped |
//! | `headroom` | how many more bounces or complaints reach each limit |

mod counting_window;
mod headroom;
mod rates;
mod thresholds;

pub use self::counting_window::{CountingWindow, is_to_be_counted};
pub use self::headroom::{Headroom, headroom};
pub use self::rates::{
    AwsRate, AwsRates, BOUNCE_PAUSE, BOUNCE_REVIEW, COMPLAINT_PAUSE, COMPLAINT_REVIEW, FeedbackCounts, RateEstimate,
    RateKind, RateSource, ReputationRate, ReputationRates, judge_rate,
};
pub use self::thresholds::{RateThreshold, RateThresholds};

/// Writes a fraction as a percentage, with as many digits as AWS's limits need: 0.08 %.
#[must_use]
pub fn percent(fraction: f64) -> String {
    let digits = format!("{:.3}", fraction * 100.0);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rates_have_the_digits_they_need() {
        for (fraction, text) in [
            (0.0, "0 %"),
            (0.0005, "0.05 %"),
            (0.001, "0.1 %"),
            (0.05, "5 %"),
            (0.0449, "4.49 %"),
            (0.1, "10 %"),
            (0.123, "12.3 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(fraction), text);
        }
    }
}
