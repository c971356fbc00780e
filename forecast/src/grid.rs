//! The horizons that are forecast, and those that candidates are scored at.

/// Spacing of the horizons up to each limit, in minutes: dense where a scheduler acts, and everywhere finer than a daily cycle.
const SPACING: [(u64, u64); 4] = [(60, 5), (6 * 60, 30), (24 * 60, 60), (7 * 24 * 60, 120)];
/// Beyond the last limit: six hours, or more where that were many points.
const FAR_MINUTES: u64 = 360;
const FAR_POINTS: u64 = 64;

/// Horizons that are scored, in minutes. Those of a bucket share weights and residuals. The far ones lie at several phases
/// of the day.
pub(crate) const BUCKETS: [&[u64]; 8] = [
    &[5, 10, 15],
    &[20, 30, 45, 60],
    &[90, 120, 180],
    &[240, 330, 420],
    &[540, 660, 780, 900],
    &[1080, 1260, 1440, 1680],
    &[2040, 2640, 3360, 4320],
    &[5100, 6240, 7380, 8640, 10_080],
];

/// Horizons in seconds up to `longest_secs`, which is the last; at least a step apart.
pub(crate) fn horizons(longest_secs: u64, step_secs: u64) -> Vec<u64> {
    let mut points = Vec::new();
    let mut minutes = 0;
    loop {
        let spacing = SPACING
            .iter()
            .find(|(limit, _)| minutes < *limit)
            .map_or_else(|| FAR_MINUTES.max(longest_secs / 60 / FAR_POINTS), |(_, spacing)| *spacing);
        minutes += spacing;
        if minutes.saturating_mul(60) >= longest_secs {
            break;
        }
        let secs = (minutes * 60).next_multiple_of(step_secs);
        if secs < longest_secs && points.last().is_none_or(|last| *last < secs) {
            points.push(secs);
        }
    }
    if longest_secs > 0 {
        points.push(longest_secs);
    }
    points
}

/// Steps from the origin to what is forecast, at least 1.
pub(crate) fn ahead(horizon_secs: u64, step_secs: u64) -> usize {
    crate::history::steps(horizon_secs.div_ceil(step_secs)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn horizons_are_dense_when_near() {
        let found = horizons(7 * 86_400, 300);
        assert_eq!(found[..3], [300, 600, 900]);
        assert_eq!(found[11..14], [3600, 5400, 7200]);
        assert_eq!(found.last(), Some(&(7 * 86_400)));
        assert_eq!(found.len(), 12 + 10 + 18 + 72);
    }

    #[test]
    fn horizons_are_at_least_a_step_apart() {
        assert_eq!(horizons(4 * 3600, 3600), [3600, 7200, 10_800, 14_400]);
        assert_eq!(horizons(100, 3600), [100]);
        assert!(horizons(0, 300).is_empty());
        assert!(horizons(u64::MAX, u64::MAX).len() < 400);
    }

    #[test]
    fn a_horizon_of_n_steps_is_the_nth_value() {
        assert_eq!([1, 300, 301, 3600].map(|horizon| ahead(horizon, 300)), [1, 1, 2, 12]);
    }
}
