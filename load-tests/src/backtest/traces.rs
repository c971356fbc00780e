//! Lab traces: subnets that fill, breathe, leak and jump, each from a seed of its own.

mod fleet;
mod workload;

use headroom_forecast::series::Series;

use super::trace::Trace;
use fleet::{Fleet, Pool};
use workload::{Cron, Workload};

/// 2026-01-05T00:00:00Z, a Monday.
const START_SECS: u64 = 1_767_571_200;
pub(super) const STEP_SECS: u32 = 300;
const STEPS_PER_DAY: usize = 86_400 / STEP_SECS as usize;
const WEEKS_8: usize = 56;

/// How much the subnet has.
#[derive(Clone, Copy, Debug)]
enum Room {
    /// One address more than was used at most in this share of the trace: what grows reaches it after that.
    FullAfter(f64),
    /// So many times what is ever wanted.
    Times(f64),
}

/// How one trace is made.
#[derive(Clone, Copy, Debug)]
struct Recipe {
    name: &'static str,
    days: usize,
    workload: Workload,
    pool: Pool,
    room: Room,
    gradual: bool,
    gaps: Gaps,
}

/// What the observer misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gaps {
    None,
    /// Single steps, about one in 50.
    Steps,
    /// Half a day in every ten or so.
    Outages,
}

const CALM: Workload = Workload::CALM;
const BASE: Recipe = Recipe {
    name: "",
    days: WEEKS_8,
    workload: CALM,
    pool: Pool::WarmEni,
    room: Room::Times(1.2),
    gradual: false,
    gaps: Gaps::None,
};
const WEEK: Workload = Workload { daily: 0.35, weekend: 0.3, ..CALM };
const NIGHTLY: Cron = Cron { every_hours: 24, pods: 0.25, minutes: 90 };
const HOURLY: Cron = Cron { every_hours: 1, pods: 0.1, minutes: 10 };

/// Rooms are such that some fill and others come near: a steady 93 % is as common as a subnet that runs out.
const RECIPES: [Recipe; 27] = [
    Recipe { name: "constant", workload: Workload { noise: 0.0, ..CALM }, room: Room::Times(1.07), ..BASE },
    Recipe {
        name: "growth",
        workload: Workload { per_day: 0.012, ..CALM },
        room: Room::FullAfter(0.7),
        gradual: true,
        ..BASE
    },
    Recipe { name: "growth-room", workload: Workload { per_day: 0.008, ..CALM }, pool: Pool::Prefix, ..BASE },
    Recipe {
        name: "growth-fast",
        workload: Workload { compound: 0.02, ..CALM },
        pool: Pool::WarmIp,
        room: Room::FullAfter(0.75),
        gradual: true,
        ..BASE
    },
    Recipe {
        name: "growth-ends",
        workload: Workload { per_day: 0.03, until_day: 30.0, ..CALM },
        room: Room::Times(1.08),
        ..BASE
    },
    Recipe { name: "shrink", workload: Workload { per_day: -0.008, ..CALM }, room: Room::Times(1.05), ..BASE },
    Recipe { name: "daily", workload: Workload { daily: 0.4, ..CALM }, room: Room::Times(1.1), ..BASE },
    Recipe {
        name: "daily-warm-ip",
        workload: Workload { daily: 0.5, ..CALM },
        pool: Pool::WarmIp,
        room: Room::Times(1.4),
        gaps: Gaps::Steps,
        ..BASE
    },
    Recipe { name: "weekly", workload: WEEK, room: Room::Times(1.07), ..BASE },
    Recipe { name: "weekly-prefix", workload: WEEK, pool: Pool::Prefix, gaps: Gaps::Outages, ..BASE },
    Recipe {
        name: "weekly-growth",
        workload: Workload { per_day: 0.01, ..WEEK },
        pool: Pool::WarmIp,
        room: Room::FullAfter(0.72),
        gradual: true,
        ..BASE
    },
    Recipe {
        name: "rollouts",
        workload: Workload { rollouts_per_day: 4.0, ..CALM },
        pool: Pool::WarmIp,
        room: Room::Times(1.15),
        ..BASE
    },
    Recipe {
        name: "rollouts-growth",
        workload: Workload { rollouts_per_day: 2.0, per_day: 0.012, ..CALM },
        pool: Pool::WarmIp,
        room: Room::FullAfter(0.65),
        gradual: true,
        ..BASE
    },
    Recipe {
        name: "leak",
        workload: Workload { leaks_per_day: 1.2, ..CALM },
        room: Room::FullAfter(0.6),
        gradual: true,
        ..BASE
    },
    Recipe {
        name: "leak-daily",
        workload: Workload { leaks_per_day: 1.0, daily: 0.3, ..CALM },
        room: Room::FullAfter(0.7),
        gradual: true,
        gaps: Gaps::Steps,
        ..BASE
    },
    Recipe {
        name: "leak-swept",
        workload: Workload { leaks_per_day: 3.0, swept_days: 7, ..CALM },
        room: Room::Times(1.1),
        ..BASE
    },
    Recipe {
        name: "node-churn",
        workload: Workload { replaced_per_day: 0.5, ..CALM },
        room: Room::Times(1.12),
        ..BASE
    },
    Recipe {
        name: "node-churn-prefix",
        workload: Workload { replaced_per_day: 0.3, daily: 0.3, ..CALM },
        pool: Pool::Prefix,
        ..BASE
    },
    Recipe { name: "level-shift", workload: Workload { shift: 0.3, shift_day: 25.0, ..WEEK }, ..BASE },
    Recipe {
        name: "level-shift-full",
        workload: Workload { shift: 0.6, shift_day: 40.3, daily: 0.2, ..CALM },
        pool: Pool::Prefix,
        room: Room::Times(0.85),
        ..BASE
    },
    Recipe {
        name: "cron-hourly",
        workload: Workload { cron: Some(HOURLY), ..CALM },
        pool: Pool::WarmIp,
        room: Room::Times(1.1),
        ..BASE
    },
    Recipe {
        name: "cron-nightly-growth",
        workload: Workload { cron: Some(NIGHTLY), per_day: 0.01, ..CALM },
        pool: Pool::WarmIp,
        room: Room::FullAfter(0.75),
        gradual: true,
        ..BASE
    },
    Recipe { name: "random-walk", workload: Workload { walk: 0.01, ..CALM }, pool: Pool::WarmIp, ..BASE },
    Recipe {
        name: "mixed",
        workload: Workload { rollouts_per_day: 1.0, cron: Some(NIGHTLY), replaced_per_day: 0.1, walk: 0.003, ..WEEK },
        room: Room::Times(1.1),
        gaps: Gaps::Outages,
        ..BASE
    },
    Recipe {
        name: "mixed-growth",
        workload: Workload { rollouts_per_day: 1.0, leaks_per_day: 0.4, per_day: 0.012, noise: 0.02, ..WEEK },
        room: Room::FullAfter(0.8),
        gradual: true,
        gaps: Gaps::Steps,
        ..BASE
    },
    Recipe {
        name: "short-growth",
        days: 7,
        workload: Workload { per_day: 0.12, ..CALM },
        pool: Pool::WarmIp,
        room: Room::FullAfter(0.7),
        gradual: true,
        ..BASE
    },
    Recipe { name: "short-daily", days: 5, workload: Workload { daily: 0.35, ..CALM }, room: Room::Times(1.1), ..BASE },
];

/// All lab traces. Each has a seed of its own, made from `seed` and its place: one more at the end changes no other.
#[must_use]
pub fn lab(seed: u64) -> Vec<Trace> {
    (0_u64..).zip(&RECIPES).map(|(n, recipe)| make(recipe, seed.wrapping_mul(1_000).wrapping_add(n))).collect()
}

fn make(recipe: &Recipe, seed: u64) -> Trace {
    let Recipe { name, days, workload, pool, room, gradual, gaps } = *recipe;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut fleet = Fleet::new(pool);
    let mut state = workload.start();
    let steps = days * STEPS_PER_DAY;
    let wanted: Vec<u32> = (0..steps).map(|step| fleet.step(&state.next(step, &mut rng), &mut rng)).collect();

    let most = |steps: usize| wanted.iter().take(steps).copied().max().map_or(0.0, f64::from);
    let capacity = match room {
        Room::FullAfter(share) => most(part(steps, share)) + 1.0,
        Room::Times(times) => (most(steps) * times).ceil(),
    };
    // ipamd takes the last addresses one by one (CNI `tryAssignIPs`, the retry with 1), so that a subnet does get full.
    let truth: Vec<Option<f64>> = wanted.iter().map(|&used| Some(f64::from(used).min(capacity))).collect();
    let mut values = truth.clone();
    lose(&mut values, gaps, &mut rng);
    Trace {
        name: name.to_owned(),
        about: format!("{days} days, {}, seed {seed}", pool.label()),
        observed: Series { start_secs: START_SECS, step_secs: STEP_SECS, values },
        truth,
        capacity,
        gradual,
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of few"
)]
fn part(steps: usize, share: f64) -> usize {
    (steps as f64 * share) as usize
}

fn lose(values: &mut [Option<f64>], gaps: Gaps, rng: &mut fastrand::Rng) {
    match gaps {
        Gaps::None => {}
        Gaps::Steps => values.iter_mut().for_each(|value| *value = value.filter(|_| rng.u32(..50) > 0)),
        Gaps::Outages => {
            for days in values.chunks_mut(10 * STEPS_PER_DAY) {
                let from = rng.usize(..days.len());
                days.iter_mut().skip(from).take(STEPS_PER_DAY / 2).for_each(|value| *value = None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_traces() {
        let [a, b, other] = [1, 1, 2].map(|seed| make(&RECIPES[23], seed));
        assert_eq!(a, b);
        assert_ne!(a.truth, other.truth);
    }

    #[test]
    fn traces_stay_within_their_subnet_and_do_as_their_recipe_says() {
        for (recipe, trace) in RECIPES.iter().zip(lab(1)) {
            let name = &trace.name;
            assert_eq!((trace.len(), trace.observed.values.len()), (recipe.days * 288, recipe.days * 288), "{name}");
            let used: Vec<f64> = trace.truth.iter().copied().flatten().collect();
            assert!(used.iter().all(|&used| used > 0.0 && used <= trace.capacity), "{name}");
            let full = used.iter().position(|&used| used >= trace.capacity);
            match recipe.room {
                Room::FullAfter(share) => {
                    assert!(full.is_some_and(|at| at >= part(trace.len(), share)), "{name}: {full:?}");
                }
                Room::Times(times) => assert_eq!(full.is_some(), times < 1.0, "{name}"),
            }
            for (seen, true_value) in trace.observed.values.iter().zip(&trace.truth) {
                assert!(seen.is_none() || seen == true_value, "{name}");
            }
            let gaps = trace.observed.values.iter().filter(|value| value.is_none()).count();
            assert_eq!(gaps > 0, recipe.gaps != Gaps::None, "{name}: {gaps}");
        }
    }
}
