//! Tables of the report.

use std::fmt;

use super::{Report, TraceReport};
use crate::backtest::alerts::{CLEAR_AFTER_SECS, Judged, RAISE_AFTER_SECS, RIGHT_WITHIN_SECS};
use crate::backtest::competitors::{Forecaster, Rule};
use crate::backtest::metrics::Summary;

/// Draws for an interval; more change its second digit no more.
const DRAWS: u32 = 2000;

pub(super) fn forecasters(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("## Forecasts over all traces and horizons\n\n")?;
    f.write_str(
        "Headroom ÷ this is the ratio of the losses, with what 90 % of 2,000 draws of as many traces give. Milliseconds are for all five horizons, on the wall clock.\n\n",
    )?;
    f.write_str("| | loss | Headroom ÷ this | at .5 | at .9 | at .95 | covered | below | width | MASE | ms |\n")?;
    f.write_str("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")?;
    for forecaster in Forecaster::ALL {
        let Summary { loss, losses: [median, p90, p95], .. } = report.summary(forecaster);
        let ratio = match forecaster {
            Forecaster::Headroom => String::new(),
            _ => interval(report, forecaster),
        };
        let quality = quality(&report.summary(forecaster));
        writeln!(
            f,
            "| {} | {loss:.3} | {ratio} | {median:.3} | {p90:.3} | {p95:.3} | {quality} | {:.2} |",
            forecaster.label(),
            millis(report, forecaster)
        )?;
    }
    f.write_str("\n![Loss by trace](forecast-ratios.svg)\n\n![Forecasts beside what came](forecast-fans.svg)\n\nBlue is Headroom's forecast, made three days before the subnet is full or at two thirds of the trace: P50, P10 to P90, P5 to P95. Black is what was used, the most of each half hour; red is the capacity.\n\n")
}

fn quality(summary: &Summary) -> String {
    let Summary { covered, below, width, mase, .. } = summary;
    format!("{covered:.3} | {below:.3} | {width:.3} | {mase:.2}")
}

fn millis(report: &Report, forecaster: Forecaster) -> f64 {
    let scored = report.traces.iter().flat_map(|trace| &trace.scores).filter(|scored| scored.forecaster == forecaster);
    let (mut secs, mut origins) = (0.0, 0);
    for scored in scored {
        secs += scored.took.as_secs_f64();
        origins += scored.origins;
    }
    1000.0 * secs / f64::from(origins.max(1))
}

/// The ratio of Headroom's loss to another's, and the middle 90 % of it over bootstrapped traces.
fn interval(report: &Report, other: Forecaster) -> String {
    let of = |trace: &TraceReport| {
        [Forecaster::Headroom, other]
            .map(|forecaster| trace.cells(forecaster).iter().map(crate::backtest::metrics::Cell::loss).sum::<f64>())
    };
    let losses: Vec<[f64; 2]> = report.traces.iter().map(of).collect();
    let ratio = |sums: [f64; 2]| sums[0] / sums[1];
    let add = |a: [f64; 2], b: &[f64; 2]| [a[0] + b[0], a[1] + b[1]];
    let all = ratio(losses.iter().fold([0.0; 2], add));
    if losses.len() < 2 {
        return format!("{all:.3}");
    }
    let mut rng = fastrand::Rng::with_seed(1);
    let mut draws: Vec<f64> = (0..DRAWS)
        .map(|_| ratio((0..losses.len()).fold([0.0; 2], |sums, _| add(sums, &losses[rng.usize(..losses.len())]))))
        .collect();
    draws.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| draws[(draws.len() - 1) * share / 100];
    format!("{all:.3} ({:.3} to {:.3})", at(5), at(95))
}

pub(super) fn horizons(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("## By horizon\n\n![Coverage by horizon](forecast-coverage.svg)\n\n| ahead | forecasts |")?;
    for forecaster in Forecaster::ALL {
        write!(f, " {} |", forecaster.label())?;
    }
    f.write_str(" Headroom covered | below | width |\n|---:|---:|")?;
    f.write_str(&"---:|".repeat(Forecaster::ALL.len() + 3))?;
    f.write_str("\n")?;
    for horizon in report.horizons() {
        let ours = report.summary_at(Forecaster::Headroom, horizon);
        write!(f, "| {} h | {} |", horizon / 3600, ours.forecasts)?;
        for forecaster in Forecaster::ALL {
            write!(f, " {:.3} |", report.summary_at(forecaster, horizon).loss)?;
        }
        writeln!(f, " {:.3} | {:.3} | {:.3} |", ours.covered, ours.below, ours.width)?;
    }
    f.write_str("\n")
}

pub(super) fn cold(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("## A subnet's first day\n\nAsked 1, 2, 6, 12 and 24 h after the first observation, 1, 6 and 24 h ahead. Not part of the figures above.\n\n")?;
    f.write_str("| | forecasts | loss | covered | below | width | MASE |\n|---|---:|---:|---:|---:|---:|---:|\n")?;
    for forecaster in Forecaster::ALL {
        let summary = report.summary_cold(forecaster);
        let Summary { loss, forecasts, .. } = summary;
        writeln!(f, "| {} | {forecasts} | {loss:.3} | {} |", forecaster.label(), quality(&summary))?;
    }
    f.write_str("\n")
}

pub(super) fn alerts(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    writeln!(
        f,
        "## Alerts\n\nRules are evaluated every {} h. All are treated alike: a rule that warns for {} h calls somebody, one that is silent for {} h takes that back. \
        A call is right when the subnet is full within {} days; an alert that stays calls again as often and must be right again. \
        Lead is from the first right call to the first full step, at most {} h. \
        Not counted: calls while the subnet is full and for a day after, and false ones in the last {} days of a trace.\n",
        report.every_hours,
        RAISE_AFTER_SECS / 3600,
        CLEAR_AFTER_SECS / 3600,
        RIGHT_WITHIN_SECS / 86_400,
        RIGHT_WITHIN_SECS / 3600,
        RIGHT_WITHIN_SECS / 86_400,
    )?;
    f.write_str("| | gradual: full | 24 h ahead | missed | lead, median h | least | sudden: full | 24 h ahead | missed | calls | false per 30 subnet-days | flaps per 30 |\n")?;
    f.write_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")?;
    for rule in Rule::ALL {
        let of = |gradual: Option<bool>| -> Vec<&Judged> {
            let traces = report.traces.iter().filter(|trace| gradual.is_none_or(|gradual| trace.gradual == gradual));
            traces.flat_map(|trace| &trace.alerts).filter(|judged| judged.rule == rule).collect()
        };
        let [gradual, sudden, all] = [Some(true), Some(false), None].map(of);
        let days: f64 = all.iter().map(|judged| judged.days).sum();
        let per_30 = |count: u32| if days > 0.0 { f64::from(count) / days * 30.0 } else { 0.0 };
        writeln!(
            f,
            "| {} | {} | {} | {} | {} | {:.2} | {:.2} |",
            rule.label(),
            outcome(&gradual),
            leads(&gradual),
            outcome(&sudden),
            all.iter().map(|judged| judged.calls).sum::<u32>(),
            per_30(all.iter().map(|judged| judged.false_calls).sum()),
            per_30(all.iter().map(|judged| judged.flaps).sum()),
        )?;
    }
    f.write_str("\n")
}

fn outcome(judged: &[&Judged]) -> String {
    let sum = |count: fn(&Judged) -> usize| judged.iter().map(|judged| count(judged)).sum::<usize>();
    format!("{} | {} | {}", sum(|judged| judged.leads_hours.len()), sum(Judged::early), sum(Judged::missed))
}

fn leads(judged: &[&Judged]) -> String {
    let mut leads: Vec<f64> = judged.iter().flat_map(|judged| judged.leads_hours.iter().flatten().copied()).collect();
    leads.sort_unstable_by(f64::total_cmp);
    match (leads.get(leads.len() / 2), leads.first()) {
        (Some(median), Some(least)) => format!("{median:.0} | {least:.0}"),
        _ => " | ".to_owned(),
    }
}

pub(super) fn traces(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("## By trace\n\nThe best baseline of a trace is the one that turned out best on it; there is no ratio where it never missed. Lead in hours, `missed`, or nothing where the subnet was never full.\n\n")?;
    f.write_str("| | capacity | loss | ÷ predict_linear(6h), own errors | ÷ best baseline | which | covered | lead | 10 % or 10 IPs | false alarms | flaps |\n")?;
    f.write_str("|---|---:|---:|---:|---:|---|---:|---|---|---:|---:|\n")?;
    for trace in &report.traces {
        let ours = Summary::of(trace.cells(Forecaster::Headroom));
        let best = trace.best_baseline();
        let of = |rule: Rule| trace.alerts.iter().find(|judged| judged.rule == rule);
        let (alerts, threshold) = (of(Rule::Headroom), of(Rule::Threshold));
        writeln!(
            f,
            "| {} | {:.0} | {:.3} | {} | {} | {} | {:.3} | {} | {} | {} | {} |",
            trace.name,
            trace.capacity,
            ours.loss,
            ratio(trace.ratio(Forecaster::Linear)),
            ratio(trace.ratio(best)),
            best.label(),
            ours.covered,
            alerts.map_or(String::new(), lead),
            threshold.map_or(String::new(), lead),
            alerts.map_or(0, |judged| judged.false_calls),
            alerts.map_or(0, |judged| judged.flaps),
        )?;
    }
    f.write_str("\n")?;
    for TraceReport { name, about, gradual, .. } in &report.traces {
        writeln!(f, "- {name}: {about}{}", if *gradual { ", fills gradually" } else { "" })?;
    }
    Ok(())
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"))
}

fn lead(judged: &Judged) -> String {
    let leads = judged.leads_hours.iter().map(|lead| lead.map_or("missed".to_owned(), |lead| format!("{lead:.0}")));
    leads.collect::<Vec<_>>().join(", ")
}
