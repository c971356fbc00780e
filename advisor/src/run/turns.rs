//! Which periods of CloudWatch are this advisor's to tell of.

use std::time::Duration;

use headroom_capacity::time::Time;

/// What was told last: the term and the period. Periods begin at multiples of their length since the epoch, as CloudWatch's do, so
/// that each of those holds one point.
#[derive(Debug, Default)]
pub(super) struct Turns(Option<(u32, u128)>);

impl Turns {
    /// Whether to publish now, in the term of the fencing token `token`; `None` while another leads. Yes once in a period. The
    /// period in which a term begins is left to the leader before: nobody knows whether it has told of it already.
    pub(super) fn take(&mut self, token: Option<u32>, now: Time, period: Duration) -> bool {
        let Some(token) = token else { return false };
        let number = u128::from(now.as_millis()) / period.as_millis().max(1);
        let (next, mine) = match self.0 {
            Some((term, last)) if term == token => (last.max(number), number > last),
            // The first holder of a Lease follows nobody.
            _ => (number, token == 0),
        };
        self.0 = Some((token, next));
        mine
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    fn at(secs: u64) -> Time {
        Time::from_secs(1_200_000_000 + secs)
    }

    #[test]
    fn one_publication_a_period_from_the_first_figures_on() {
        let mut turns = Turns::default();
        let told: Vec<u64> = (50..300).step_by(9).filter(|secs| turns.take(Some(0), at(*secs), PERIOD)).collect();
        assert_eq!(told, [50, 68, 122, 185, 248]);
    }

    #[test]
    fn a_term_that_follows_another_begins_with_the_next_period() {
        let mut turns = Turns::default();
        assert!(!turns.take(None, at(58), PERIOD));
        assert!(!turns.take(Some(1), at(61), PERIOD), "the one before may have told at 60 s");
        assert!(turns.take(Some(1), at(121), PERIOD));
        assert!(!turns.take(None, at(125), PERIOD) && !turns.take(Some(1), at(130), PERIOD), "the same term still");
        assert!(!turns.take(Some(3), at(190), PERIOD));
    }

    proptest! {
        /// Two that take turns in any way never tell of the same period, as long as one leads at a time.
        #[test]
        fn two_never_tell_of_the_same_period(leads in proptest::collection::vec((0_usize..2, 1_u64..40), 1..60)) {
            let mut turns = [Turns::default(), Turns::default()];
            let (mut now, mut token, mut leader) = (0, 0, leads[0].0);
            let mut told = Vec::new();
            for (next, pause) in leads {
                now += pause;
                token += u32::from(next != leader);
                leader = next;
                for (who, turns) in turns.iter_mut().enumerate() {
                    if turns.take((who == leader).then_some(token), at(now), PERIOD) {
                        told.push(now / 60);
                    }
                }
            }
            prop_assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
        }
    }
}
