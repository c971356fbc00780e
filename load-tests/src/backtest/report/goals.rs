//! What was to be reached, beside what was.

use std::fmt;

use super::Report;
use crate::backtest::competitors::{Forecaster, Rule};

const LOSS_OF_LINEAR: f64 = 0.7;
const LOSS_OF_BEST: f64 = 0.95;
const COVERED: std::ops::RangeInclusive<f64> = 0.85..=0.95;
const FALSE_PER_30_DAYS: f64 = 1.0;

/// One goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Goal {
    /// Of what.
    pub(super) what: String,
    /// What it is to be.
    pub(super) wanted: String,
    /// What it is.
    pub(super) got: String,
    /// Whether that is reached.
    pub(super) met: bool,
}

/// All goals.
pub(super) fn goals(report: &Report) -> Vec<Goal> {
    let ours = report.summary(Forecaster::Headroom);
    let ratio = |what: String, most: f64, to: Forecaster| {
        let ratio = ours.loss / report.summary(to).loss;
        Goal { what, wanted: format!("at most {most:.2}"), got: format!("{ratio:.3}"), met: ratio <= most }
    };
    let best = report.best_baseline();
    let mut goals = vec![
        ratio(format!("loss ÷ {}", Forecaster::Linear.label()), LOSS_OF_LINEAR, Forecaster::Linear),
        ratio(format!("loss ÷ best baseline ({})", best.label()), LOSS_OF_BEST, best),
        Goal {
            what: "P90 covered".to_owned(),
            wanted: "0.85 to 0.95".to_owned(),
            got: format!("{:.3}", ours.covered),
            met: COVERED.contains(&ours.covered),
        },
    ];
    let (mut full, mut early, mut false_calls, mut days) = (0, 0, 0.0, 0.0);
    for trace in &report.traces {
        for judged in trace.alerts.iter().filter(|judged| judged.rule == Rule::Headroom) {
            full += if trace.gradual { judged.leads_hours.len() } else { 0 };
            early += if trace.gradual { judged.early() } else { 0 };
            false_calls += f64::from(judged.false_calls);
            days += judged.days;
        }
    }
    if full > 0 {
        goals.push(Goal {
            what: "gradual exhaustions with an alert 24 h ahead".to_owned(),
            wanted: format!("{full} of {full}"),
            got: format!("{early} of {full}"),
            met: early == full,
        });
    }
    if days > 0.0 {
        let rate = false_calls / days * 30.0;
        goals.push(Goal {
            what: "false alarms per 30 subnet-days".to_owned(),
            wanted: format!("at most {FALSE_PER_30_DAYS:.0}"),
            got: format!("{rate:.2}"),
            met: rate <= FALSE_PER_30_DAYS,
        });
    }
    goals
}

pub(super) fn table(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("## Against the goals\n\n| Headroom's | goal | is | |\n|---|---:|---:|---|\n")?;
    for Goal { what, wanted, got, met } in goals(report) {
        writeln!(f, "| {what} | {wanted} | {got} | {} |", if met { "met" } else { "**not met**" })?;
    }
    f.write_str("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backtest::alerts::Judged;
    use crate::backtest::fan::Fan;
    use crate::backtest::metrics::Cell;
    use crate::backtest::report::TraceReport;
    use crate::backtest::roll::Scored;

    fn scored(forecaster: Forecaster, loss: f64) -> Scored {
        let cell = Cell {
            horizon_secs: 3600,
            forecasts: 10,
            pinball: [loss; 3],
            scale: 1.0,
            covered: 9,
            below: 8,
            width: 0.1,
            mase: 1.0,
        };
        Scored { forecaster, cells: vec![cell], took: Duration::ZERO, origins: 10 }
    }

    fn trace(losses: [f64; 6], gradual: bool, leads: &[Option<f64>], false_calls: u32) -> TraceReport {
        let judged = Judged {
            rule: Rule::Headroom,
            leads_hours: leads.to_vec(),
            calls: 3,
            false_calls,
            flaps: 0,
            days: 30.0,
            took: Duration::ZERO,
            asked: 360,
        };
        TraceReport {
            name: "a".to_owned(),
            about: String::new(),
            capacity: 100.0,
            days: 44.0,
            gradual,
            scores: Forecaster::ALL.into_iter().zip(losses).map(|(who, loss)| scored(who, loss)).collect(),
            cold: Vec::new(),
            alerts: vec![judged],
            fan: Fan { capacity: 100.0, past: vec![], came: vec![], quantiles: vec![] },
        }
    }

    #[test]
    fn goals_compare_sums_over_traces_and_count_gradual_ones_only() {
        // Headroom, plain predict_linear, with its errors, day, week, last: 3 of 6, of 4 by weeks over both.
        let traces = vec![
            trace([1.0, 9.0, 3.0, 2.0, 3.0, 9.0], true, &[Some(24.0), Some(23.0)], 2),
            trace([2.0, 9.0, 3.0, 9.0, 1.0, 9.0], false, &[None], 1),
        ];
        let report = Report {
            machine: String::new(),
            command: String::new(),
            measured: String::new(),
            seed: None,
            every_hours: 2,
            took_secs: 1.0,
            traces,
        };
        let goals: Vec<_> = goals(&report).into_iter().map(|goal| (goal.got, goal.met)).collect();
        let expected = [("0.500", true), ("0.750", true), ("0.900", true), ("1 of 2", false), ("1.50", false)];
        assert_eq!(goals, expected.map(|(got, met)| (got.to_owned(), met)));
        assert_eq!(report.best_baseline(), Forecaster::Week);
        assert_eq!(report.traces[0].best_baseline(), Forecaster::Day);
        let text = report.to_string();
        for part in [
            "| P90 covered | 0.85 to 0.95 | 0.900 | met |",
            "**not met**",
            "| a | 100 | 1.000 | 0.33 | 0.50 |",
            "24, 23",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
