//! What is asked of a subnet's nodes: pods, and what happens to nodes and ENIs, step by step.

use std::f64::consts::TAU;

use super::STEP_SECS;

const STEPS_PER_HOUR: usize = 3600 / STEP_SECS as usize;
const STEPS_PER_DAY: usize = 24 * STEPS_PER_HOUR;
/// How much of its noise a step keeps: half of it is gone after about 3 hours, as load on a service goes.
const NOISE_KEPT: f64 = 0.98;
/// Steps that a rollout takes: 10 to 40 minutes.
const ROLLOUT_STEPS: std::ops::Range<usize> = 2..8;
/// `maxSurge` of a Deployment where nobody says otherwise.
const SURGE: f64 = 0.25;
/// Share of the pods that one Deployment has.
const DEPLOYMENT: f64 = 0.3;

/// Pods of CronJobs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cron {
    pub(super) every_hours: usize,
    /// In parts of the base.
    pub(super) pods: f64,
    pub(super) minutes: usize,
}

/// Shares are of `base`, rates are per day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload {
    /// Pods on the first day.
    pub(super) base: f64,
    pub(super) per_day: f64,
    pub(super) compound: f64,
    /// Growth ends on this day.
    pub(super) until_day: f64,
    /// From the mean to the peak of a day, at 14:00.
    pub(super) daily: f64,
    /// By so much less at weekends.
    pub(super) weekend: f64,
    /// Standard deviation of what comes and goes.
    pub(super) noise: f64,
    /// Standard deviation of a step an hour that stays.
    pub(super) walk: f64,
    pub(super) shift: f64,
    pub(super) shift_day: f64,
    pub(super) rollouts_per_day: f64,
    pub(super) leaks_per_day: f64,
    /// Leaked ENIs are deleted every so many days; never with 0.
    pub(super) swept_days: usize,
    /// Share of the nodes that are replaced.
    pub(super) replaced_per_day: f64,
    pub(super) cron: Option<Cron>,
}

impl Workload {
    pub(super) const CALM: Workload = Workload {
        base: 300.0,
        per_day: 0.0,
        compound: 0.0,
        until_day: f64::INFINITY,
        daily: 0.0,
        weekend: 0.0,
        noise: 0.01,
        walk: 0.0,
        shift: 0.0,
        shift_day: f64::INFINITY,
        rollouts_per_day: 0.0,
        leaks_per_day: 0.0,
        swept_days: 0,
        replaced_per_day: 0.0,
        cron: None,
    };

    pub(super) const fn start(self) -> State {
        State { workload: self, noise: 0.0, walk: 0.0, rollout_left: 0 }
    }
}

/// What one step brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) pods: u32,
    /// Whether pods are replaced by others meanwhile.
    pub(super) churned: bool,
    /// ENIs that nobody deletes.
    pub(super) leaked_enis: u32,
    /// Whether leaked ENIs are deleted.
    pub(super) swept: bool,
    /// The chance of each node to be replaced.
    pub(super) replaced: f64,
}

/// Where a workload stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    workload: Workload,
    noise: f64,
    walk: f64,
    rollout_left: usize,
}

impl State {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some thousand pods and steps"
    )]
    pub(super) fn next(&mut self, step: usize, rng: &mut fastrand::Rng) -> Step {
        let Workload { base, per_day, compound, until_day, daily, weekend, .. } = self.workload;
        let day = step as f64 / STEPS_PER_DAY as f64;
        let grown = day.min(until_day);
        let hour = day.fract() * 24.0;
        let season = 1.0 + daily * ((hour - 14.0) / 24.0 * TAU).cos();
        // The first day is a Monday.
        let week = if step / STEPS_PER_DAY % 7 >= 5 { 1.0 - weekend } else { 1.0 };
        let trend = (1.0 + per_day * grown) * (compound * grown).exp();
        let regular = base * trend * season * week * (1.0 + self.wander(step, rng));

        let Workload { shift, shift_day, rollouts_per_day, leaks_per_day, swept_days, replaced_per_day, cron, .. } =
            self.workload;
        let per_step = |rate: f64| rate / STEPS_PER_DAY as f64;
        if self.rollout_left == 0 && rng.f64() < per_step(rollouts_per_day) {
            self.rollout_left = rng.usize(ROLLOUT_STEPS);
        }
        let rolling = self.rollout_left > 0;
        self.rollout_left = self.rollout_left.saturating_sub(1);
        let surge = if rolling { regular * DEPLOYMENT * SURGE } else { 0.0 };
        let shifted = if day >= shift_day { base * shift } else { 0.0 };
        let jobs = cron.map_or(0.0, |cron| {
            // Jobs that are all due at the full hour, the daily ones at 02:00.
            let since = (step + STEPS_PER_DAY - 2 * STEPS_PER_HOUR) % (cron.every_hours * STEPS_PER_HOUR);
            if since * STEP_SECS as usize / 60 < cron.minutes { base * cron.pods } else { 0.0 }
        });
        Step {
            pods: (regular + surge + shifted + jobs).round().max(0.0) as u32,
            churned: rolling,
            leaked_enis: u32::from(rng.f64() < per_step(leaks_per_day)),
            swept: swept_days > 0 && step.is_multiple_of(swept_days * STEPS_PER_DAY),
            replaced: per_step(replaced_per_day),
        }
    }

    fn wander(&mut self, step: usize, rng: &mut fastrand::Rng) -> f64 {
        let fresh = self.workload.noise * (1.0 - NOISE_KEPT * NOISE_KEPT).sqrt();
        self.noise = self.noise * NOISE_KEPT + fresh * normal(rng);
        if step.is_multiple_of(STEPS_PER_HOUR) {
            // Nobody scales below a third of what was there.
            self.walk = (self.walk + self.workload.walk * normal(rng)).max(-0.66);
        }
        self.noise + self.walk
    }
}

/// Normal enough: the sum of twelve uniform numbers has variance 1.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(workload: Workload, at: usize) -> u32 {
        let mut state = Workload { noise: 0.0, ..workload }.start();
        state.next(at, &mut fastrand::Rng::with_seed(1)).pods
    }

    #[test]
    fn pods_follow_trend_day_week_and_jobs() {
        let calm = Workload::CALM;
        let cron = Some(Cron { every_hours: 24, pods: 0.5, minutes: 30 });
        let rows = [
            (calm, 0, 300),
            (Workload { per_day: 0.1, ..calm }, 10 * 288, 600),
            (Workload { per_day: 0.1, until_day: 5.0, ..calm }, 10 * 288, 450),
            (Workload { daily: 0.5, ..calm }, 14 * 12, 450),
            (Workload { daily: 0.5, ..calm }, 2 * 12, 150),
            (Workload { weekend: 0.4, ..calm }, 5 * 288, 180),
            (Workload { weekend: 0.4, ..calm }, 7 * 288, 300),
            (Workload { shift: 0.2, shift_day: 3.0, ..calm }, 3 * 288, 360),
            (Workload { cron, ..calm }, 2 * 12 + 5, 450),
            (Workload { cron, ..calm }, 2 * 12 + 6, 300),
        ];
        for (workload, at, expected) in rows {
            assert_eq!(pods(workload, at), expected, "{workload:?} at {at}");
        }
    }
}
