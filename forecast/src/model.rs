//! The candidates, by name.

use crate::outlook::Assumption;

/// A model of how a series goes on. Every forecast combines several of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// The last value stays.
    LastValue,
    /// The mean of the last hour stays.
    HourMean,
    /// The mean of the last day stays, or of the time since a level shift.
    DayMean,
    /// The mean of the last week stays, or of the time since a level shift.
    WeekMean,
    /// The same time yesterday (seasonal naive).
    SeasonalDay,
    /// The same time a week ago (seasonal naive).
    SeasonalWeek,
    /// The same time a week ago, moved by how much the last day differs from the same day then.
    SeasonalWeekDrift,
    /// The usual day around the level of the last hour.
    DailyNow,
    /// The usual day around the level of the last day.
    Daily,
    /// The usual day on a trend.
    DailyTrend,
    /// The usual week around the level of the last hour.
    WeeklyNow,
    /// The usual week around the level of the last day.
    Weekly,
    /// The usual week around the level of the last week.
    WeeklyLong,
    /// Decomposition into the usual week, the level and a trend (as MSTL does, with trimmed means for loess).
    Mstl,
    /// Theil-Sen line through 6 hours.
    TheilSenShort,
    /// Theil-Sen line through a day.
    TheilSen,
    /// Theil-Sen line through a week.
    TheilSenLong,
    /// Holt's linear method with a damped trend.
    DampedHolt,
}

impl Model {
    /// Every candidate, in the order of [`crate::Forecast::scores`].
    pub const ALL: [Model; 18] = [
        Model::LastValue,
        Model::HourMean,
        Model::DayMean,
        Model::WeekMean,
        Model::SeasonalDay,
        Model::SeasonalWeek,
        Model::SeasonalWeekDrift,
        Model::DailyNow,
        Model::Daily,
        Model::DailyTrend,
        Model::WeeklyNow,
        Model::Weekly,
        Model::WeeklyLong,
        Model::Mstl,
        Model::TheilSenShort,
        Model::TheilSen,
        Model::TheilSenLong,
        Model::DampedHolt,
    ];

    /// The name in tables, metrics and JSON. It never changes.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Model::LastValue => "last-value",
            Model::HourMean => "hour-mean",
            Model::DayMean => "day-mean",
            Model::WeekMean => "week-mean",
            Model::SeasonalDay => "seasonal-day",
            Model::SeasonalWeek => "seasonal-week",
            Model::SeasonalWeekDrift => "seasonal-week-drift",
            Model::DailyNow => "daily-now",
            Model::Daily => "daily",
            Model::DailyTrend => "daily-trend",
            Model::WeeklyNow => "weekly-now",
            Model::Weekly => "weekly",
            Model::WeeklyLong => "weekly-long",
            Model::Mstl => "mstl",
            Model::TheilSenShort => "theil-sen-6h",
            Model::TheilSen => "theil-sen-24h",
            Model::TheilSenLong => "theil-sen-7d",
            Model::DampedHolt => "damped-holt",
        }
    }

    /// What one relies on who believes this model.
    pub(crate) fn assumes(self) -> Assumption {
        match self {
            Model::LastValue | Model::HourMean | Model::DayMean | Model::WeekMean => Assumption::Level,
            Model::SeasonalDay | Model::DailyNow | Model::Daily => Assumption::DailyCycle,
            Model::SeasonalWeek | Model::SeasonalWeekDrift | Model::WeeklyNow | Model::Weekly | Model::WeeklyLong => {
                Assumption::WeeklyCycle
            }
            Model::DailyTrend
            | Model::Mstl
            | Model::TheilSenShort
            | Model::TheilSen
            | Model::TheilSenLong
            | Model::DampedHolt => Assumption::Trend,
        }
    }
}
