//! Times of the week in which no node is removed.

use headroom_capacity::time::Time;

use crate::config::{Day, Window};

const MINUTES_OF_A_DAY: u64 = 24 * 60;
/// 1970-01-01 was a Thursday.
const WEEK: [Day; 7] = [Day::Thu, Day::Fri, Day::Sat, Day::Sun, Day::Mon, Day::Tue, Day::Wed];

/// Whether `window` lasts at `now`, in UTC: from its first minute on and up to its last.
#[must_use]
pub(super) fn lasts(window: &Window, now: Time) -> bool {
    let minutes = now.as_secs() / 60;
    let (today, minute) = (minutes / MINUTES_OF_A_DAY, minutes % MINUTES_OF_A_DAY);
    let begins = |day: u64| usize::try_from(day % 7).is_ok_and(|at| window.days.contains(&WEEK[at]));
    let (from, to) = (u64::from(window.from.minutes), u64::from(window.to.minutes));
    if from < to {
        return begins(today) && (from..to).contains(&minute);
    }
    // Over midnight.
    (begins(today) && minute >= from) || (today > 0 && begins(today - 1) && minute < to)
}

#[cfg(test)]
mod tests {
    use crate::config::TimeOfDay;

    use super::*;

    fn window(days: &[Day], from: &str, to: &str) -> Window {
        let time = |text: &str| TimeOfDay::try_from(text.to_owned()).unwrap();
        Window { days: days.to_vec(), from: time(from), to: time(to) }
    }

    /// 2026-11-23 was a Monday.
    fn at(day: u64, hour: u64, minute: u64) -> Time {
        Time::from_secs(1_795_392_000 + day * 86_400 + hour * 3600 + minute * 60)
    }

    #[test]
    fn a_window_lasts_from_its_first_minute_to_before_its_end() {
        let office = window(&[Day::Mon, Day::Tue], "08:00", "18:30");
        for (time, lasts_then) in [
            (at(0, 7, 59), false),
            (at(0, 8, 0), true),
            (at(0, 18, 29), true),
            (at(0, 18, 30), false),
            (at(1, 12, 0), true),
            (at(2, 12, 0), false),
            (at(7, 12, 0), true),
        ] {
            assert_eq!(lasts(&office, time), lasts_then, "{time:?}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let night = window(&[Day::Fri], "22:00", "06:00");
        assert!(!lasts(&night, at(4, 5, 0)) && lasts(&night, at(4, 22, 0)));
        assert!(lasts(&night, at(5, 5, 59)) && !lasts(&night, at(5, 6, 0)) && !lasts(&night, at(5, 23, 0)));
        let always = window(&[Day::Sun], "00:00", "00:00");
        assert!(lasts(&always, at(6, 0, 0)) && lasts(&always, at(6, 23, 59)) && !lasts(&always, at(7, 0, 0)));
    }
}
