//! What was, will be: a day ago, a week ago, or just now.

use super::Quantiles;
use super::past::Past;

/// What repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Season {
    /// Nothing: the last value stays.
    None,
    /// A day.
    Day,
    /// A week.
    Week,
}

impl Season {
    const fn secs(self) -> Option<u64> {
        match self {
            Season::None => None,
            Season::Day => Some(86_400),
            Season::Week => Some(7 * 86_400),
        }
    }
}

/// The value of the last season that is known, with the quantiles of what this would have missed so far. A past shorter than a
/// season has the last value instead.
#[must_use]
pub fn quantiles(past: &Past<'_>, horizons: &[u64], season: Season) -> Vec<Quantiles> {
    horizons.iter().map(|&horizon| one(past, past.steps(horizon), season)).collect()
}

fn one(past: &Past<'_>, ahead: usize, season: Season) -> Quantiles {
    let Some(now) = past.observed().len().checked_sub(1) else { return [0.0; _] };
    let season =
        season.secs().map(|secs| past.steps(secs)).filter(|&season| reference(now, ahead, Some(season)).is_some());
    let guess = |origin| past.by(reference(origin, ahead, season)?);
    let errors = past.origins(ahead).filter_map(|origin| Some(past.observed()[origin + ahead]? - guess(origin)?));
    let errors = errors.collect();
    past.around(guess(now).or(past.last()).unwrap_or(0.0), errors)
}

/// The step that tells of the one `ahead` of `origin`: whole seasons before it, as few as make it known.
fn reference(origin: usize, ahead: usize, season: Option<usize>) -> Option<usize> {
    season.map_or(Some(origin), |season| (origin + ahead).checked_sub(season * ahead.div_ceil(season)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_forecast::series::Series;

    #[test]
    fn the_reference_is_known_at_the_origin() {
        // Origin, ahead, season, reference.
        let rows = [
            (10, 1, Some(4), Some(7)),
            (10, 4, Some(4), Some(10)),
            (10, 5, Some(4), Some(7)),
            (10, 9, None, Some(10)),
            (1, 1, Some(4), None),
        ];
        for (origin, ahead, season, expected) in rows {
            assert_eq!(reference(origin, ahead, season), expected, "{origin} {ahead} {season:?}");
        }
    }

    #[test]
    fn a_day_repeats_and_its_errors_are_its_quantiles() {
        // Steps of 6 hours; every day lies 2 above the one before.
        let values =
            (0..20).map(|step| Some(f64::from([10, 20, 40, 30][step % 4] + 2 * i32::try_from(step / 4).unwrap())));
        let series = Series { start_secs: 0, step_secs: 21_600, values: values.collect() };
        let past = Past::new(&series, 1000.0);
        // Next is 10 at midnight: 10 + 2 x 4 a day ago, and this was 2 too low each time. Two days ahead: 4 too low.
        assert_eq!(quantiles(&past, &[21_600, 86_400 + 21_600], Season::Day), [[20.0; 5], [22.0; 5]]);
        // A week is not there yet: the last value, 30 + 8, and half of the steps to come rise.
        let week = quantiles(&past, &[86_400], Season::Week)[0];
        assert_eq!(week, [40.0; 5]);
        assert_eq!(week, quantiles(&past, &[86_400], Season::None)[0]);
    }
}
