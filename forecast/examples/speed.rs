//! Milliseconds for a forecast of seven days from eight weeks at five minutes, over a hundred made-up series.
#![allow(clippy::print_stdout, reason = "it is what it is for")]

use std::time::Instant;

use headroom_forecast::{Question, Series, forecast};

const SERIES: u32 = 100;
const STEPS: u32 = 8 * 7 * 288;

fn main() {
    let made: Vec<Series> = (0..SERIES).map(series).collect();
    let begin = Instant::now();
    let mut sum = 0.0;
    for series in &made {
        let answer = forecast(&Question { series, horizon_secs: 7 * 86_400, capacity: 4091.0 });
        sum += answer.points.last().map_or(0.0, |point| point.values[3]);
    }
    let each = begin.elapsed().as_secs_f64() * 1e3 / f64::from(SERIES);
    println!("{each:.2} ms per series of {STEPS} steps (mean P90 at 7 days: {:.1})", sum / f64::from(SERIES));
}

/// Growth, a daily and a weekly cycle, and noise that depends on the series.
fn series(number: u32) -> Series {
    let mut state = u64::from(number) + 1;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 33).unwrap_or(0)) / f64::from(1_u32 << 31)
    };
    let values = (0..STEPS).map(|i| {
        let days = f64::from(i) / 288.0;
        let daily = (days * std::f64::consts::TAU).sin() * f64::from(number % 7) * 20.0;
        let weekend = if days % 7.0 > 5.0 { -f64::from(number % 5) * 30.0 } else { 0.0 };
        Some((800.0 + days * f64::from(number % 3) * 10.0 + daily + weekend + noise() * 60.0).round())
    });
    Series { start_secs: 1_700_000_000, step_secs: 300, values: values.collect() }
}
