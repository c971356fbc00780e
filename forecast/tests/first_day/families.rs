//! Series of a subnet's first two days whose law is known, each drawn with phases, sizes and times of its own.

use std::f64::consts::TAU;

pub(crate) const DAY: usize = 288;

/// What a series is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// A level that never changes.
    Flat,
    /// A level with noise that is new at every step.
    Noise,
    /// A level with noise that lasts for hours.
    SlowNoise,
    /// Steps up and down that stay.
    Walk,
    /// Growth, with noise.
    Trend,
    /// A day with a night, with noise.
    Day,
    /// The same in whole blocks of ten, as a node takes an ENI's addresses.
    Staircase,
    /// A level that changes once, at any time.
    Step,
}

impl Family {
    pub(crate) const ALL: [Family; 8] = [
        Family::Flat,
        Family::Noise,
        Family::SlowNoise,
        Family::Walk,
        Family::Trend,
        Family::Day,
        Family::Staircase,
        Family::Step,
    ];

    /// Two days at five minutes, in whole addresses.
    pub(crate) fn draw(self, seed: u64) -> Vec<f64> {
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self as u64);
        let level = 100.0 * rng.between(1.0, 10.0);
        let size = level * rng.between(0.02, 0.3);
        let noise = level * rng.between(0.002, 0.02);
        let (phase, change_at) = (rng.between(0.0, 1.0), rng.between(0.0, 2.0));
        let sign = if rng.between(0.0, 1.0) < 0.7 { 1.0 } else { -1.0 };
        let (mut slow, mut walk) = (0.0, 0.0);
        let steps = (0..2 * DAY).map(|i| {
            let day = i as f64 / DAY as f64;
            let fresh = rng.normal();
            slow = 0.98 * slow + 0.2 * fresh;
            walk += 0.1 * fresh;
            let cycle = (TAU * (day + phase)).sin();
            let value = match self {
                Family::Flat => level,
                Family::Noise => level + noise * fresh,
                Family::SlowNoise => level + 2.0 * noise * slow,
                Family::Walk => level + 2.0 * noise * walk,
                Family::Trend => level + sign * size * day + noise * fresh,
                Family::Day => level + size * cycle + noise * fresh,
                Family::Staircase => 10.0 * ((level + size * cycle + noise * slow) / 10.0).ceil(),
                Family::Step => level + noise * fresh + if day >= change_at { sign * size } else { 0.0 },
            };
            value.round().max(0.0)
        });
        steps.collect()
    }
}

/// A linear congruential generator, its upper bits.
struct Rng(u64);

impl Rng {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// Normal enough: the sum of twelve uniform numbers has variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
