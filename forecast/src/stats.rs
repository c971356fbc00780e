//! Order statistics.

/// Median of finite values, reordered; 0 of none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if even { 0.5 * (upper + below.iter().copied().fold(f64::NEG_INFINITY, f64::max)) } else { upper }
}

/// Mean of a few values, reordered, without the smallest and the largest when five or more remain a sample.
pub(crate) fn trimmed_mean(values: &[f64]) -> f64 {
    let (mut sum, mut least, mut most) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
    for &value in values {
        sum += value;
        least = least.min(value);
        most = most.max(value);
    }
    match values.len() {
        0 => 0.0,
        n @ 1..5 => sum / n as f64,
        n => (sum - least - most) / (n - 2) as f64,
    }
}

/// The smallest value up to which at least `level` of the weight lies. `sorted` holds values in order with their weights.
pub(crate) fn weighted_quantile(sorted: &[(f64, f64)], level: f64) -> f64 {
    let total: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    let mut reached = 0.0;
    for &(value, weight) in sorted {
        reached += weight;
        if reached >= level * total {
            return value;
        }
    }
    sorted.last().map_or(0.0, |&(value, _)| value)
}

/// The whole number below a position, which is within a series.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions are within a series")]
pub(crate) fn index(position: f64) -> usize {
    position as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }

    #[test]
    fn five_values_are_trimmed() {
        assert_eq!(trimmed_mean(&[1.0, 2.0, 3.0, 4.0, 1000.0]), 3.0);
        assert_eq!(trimmed_mean(&[1.0, 2.0, 6.0]), 3.0);
    }

    #[test]
    fn quantiles_count_weights() {
        let sorted = [(1.0, 1.0), (2.0, 8.0), (3.0, 1.0)];
        assert_eq!([0.05, 0.5, 0.95].map(|level| weighted_quantile(&sorted, level)), [1.0, 2.0, 3.0]);
    }
}
