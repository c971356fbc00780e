//! What each model expects at each horizon, from what was known at an origin.
//!
//! A model that needs more than there is yet falls back to the next simpler one (week, day, last value), so that all of them
//! always answer and can be compared on the same targets.

pub(crate) mod holt;
mod profile;
pub(crate) mod slope;

use crate::backtest;
use crate::history::History;
use crate::model::Model;
use holt::Holt;
use profile::Profile;
use slope::Line;

/// One value for each candidate: each of [`Model::ALL`], in that order, unless something else than values is expected.
pub(crate) type Answers<const N: usize = { Model::ALL.len() }> = [f64; N];

/// Days and weeks that make a profile: the habits of the last month.
pub(crate) const DAYS: usize = 7;
pub(crate) const WEEKS: usize = 5;

/// What the models know at an origin: only values before it.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    history: &'a History,
    at: usize,
    daily: Profile<'a>,
    weekly: Profile<'a>,
    means: [f64; 3],
    daily_levels: [f64; 2],
    weekly_levels: [f64; 3],
    drift: f64,
    trend: f64,
    lines: [Line; 3],
    holt: Holt,
}

impl<'a> Origin<'a> {
    /// `at` is at least 1.
    pub(crate) fn new(history: &'a History, at: usize, holt: Holt) -> Origin<'a> {
        let regime = history.regimes.start(at).min(at - 1);
        let since = at - regime;
        let window = |steps: usize| steps.min(since);
        let (hour, day, week) = (window(history.hour), window(history.day), window(history.week));
        let trend = slope::trend(history, at, regime);
        // What no origin could try has no say in the forecast itself.
        let known = |period: usize, most: usize| {
            if at < history.len() || backtest::tested(at, period) { most } else { 0 }
        };
        let daily = Profile::new(history, at, history.day, known(history.day, DAYS), trend);
        let weekly = Profile::new(history, at, history.week, known(history.week, WEEKS), trend);
        let drift = match at.checked_sub(history.week + day) {
            Some(then) => history.mean(at - day, at) - history.mean(then, then + day),
            None => 0.0,
        };
        Origin {
            means: [hour, day, week].map(|window| history.mean(at - window, at)),
            daily_levels: [hour, day].map(|window| daily.level(window)),
            weekly_levels: [hour, day, week].map(|window| weekly.level(window)),
            drift,
            trend,
            lines: [(6 * history.hour, 12), (history.day, 12), (history.week, 7)]
                .map(|(steps, parts)| Line::theil_sen(history, at, window(steps), parts)),
            history,
            at,
            daily,
            weekly,
            holt,
        }
    }

    /// What is expected `ahead` steps on, where 1 is the step after the origin.
    pub(crate) fn expect(&self, ahead: usize) -> Answers {
        let Origin { history, at, .. } = *self;
        let last = history.last[at - 1];
        let [hour_mean, day_mean, week_mean] = self.means;
        let naive = |period: usize| history.filled[at - period + (ahead - 1) % period];
        let day = if self.daily.periods() > 0 { naive(history.day) } else { last };
        let daily_shape = self.daily.shape(ahead);
        let daily = self.daily_levels.map(|level| level + daily_shape);
        // The level of a day lies half a day back.
        let rise = self.trend * (ahead as f64 + 0.5 * history.day.min(at) as f64);
        let has_weeks = self.weekly.periods() > 0;
        let week = if has_weeks { naive(history.week) } else { day };
        let weekly = if has_weeks {
            let shape = self.weekly.shape(ahead);
            self.weekly_levels.map(|level| level + shape)
        } else {
            [daily[0], daily[1], daily[1]]
        };
        let [short, medium, long] = self.lines.map(|line| line.at(ahead));
        Model::ALL.map(|model| match model {
            Model::LastValue => last,
            Model::HourMean => hour_mean,
            Model::DayMean => day_mean,
            Model::WeekMean => week_mean,
            Model::SeasonalDay => day,
            Model::SeasonalWeek => week,
            Model::SeasonalWeekDrift => week + if has_weeks { self.drift } else { 0.0 },
            Model::DailyNow => daily[0],
            Model::Daily => daily[1],
            Model::DailyTrend => daily[1] + rise,
            Model::WeeklyNow => weekly[0],
            Model::Weekly => weekly[1],
            Model::WeeklyLong => weekly[2],
            Model::Mstl => weekly[1] + rise,
            Model::TheilSenShort => short,
            Model::TheilSen => medium,
            Model::TheilSenLong => long,
            Model::DampedHolt => self.holt.at(ahead),
        })
    }
}

#[cfg(test)]
mod tests;
