//! Medians, percentiles and ratios.

/// Returns the value that `share` of the values do not exceed (nearest rank), or 0 of none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank lies between 0 and the number of values, which are some hundreds"
    )]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Returns the value in the middle, or the mean of the two there, or 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// Returns by how many percent `value` is more than `reference`, or less if it is negative.
pub(crate) fn percent_above(value: u64, reference: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "instructions are counted in millions, not in 2^53"
    )]
    let (value, reference) = (value as f64, reference as f64);
    if reference == 0.0 {
        return if value == 0.0 { 0.0 } else { f64::INFINITY };
    }
    (value / reference - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn finds_the_middle_of_an_odd_and_an_even_number() {
        assert!(close(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(close(median(&[]), 0.0));
    }

    #[test]
    fn takes_percentiles_by_the_nearest_rank() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert!(close(percentile(&values, 0.5), 50.0));
        assert!(close(percentile(&values, 0.99), 99.0));
        assert!(close(percentile(&values, 1.0), 100.0));
        assert!(close(percentile(&[7.0], 0.01), 7.0));
        assert!(close(percentile(&[], 0.5), 0.0));
    }

    #[test]
    fn computes_the_difference_in_percent() {
        assert!(close(percent_above(105, 100), 5.0));
        assert!(close(percent_above(50, 100), -50.0));
        assert!(close(percent_above(0, 0), 0.0));
        assert!(percent_above(1, 0).is_infinite());
    }
}
