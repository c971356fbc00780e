//! Fans, losses and coverage as SVG.

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::competitors::{Forecaster, Quantiles};
use super::fan::Fan;
use super::report::{Report, TraceReport};
use super::roll::HORIZONS;

const PANEL: (u32, u32) = (520, 260);
/// Fans side by side, and one above the other.
const COLUMNS: usize = 2;
const ROWS: usize = 3;
/// What is shown of the lab's traces: a season, a week that grows, a leak, rollouts, jobs and everything at once.
const SHOWN: [&str; COLUMNS * ROWS] =
    ["daily-warm-ip", "weekly-growth", "leak", "rollouts-growth", "cron-nightly-growth", "mixed-growth"];
const BLUE_LINE: RGBColor = RGBColor(0, 110, 190);
const ORANGE: RGBColor = RGBColor(210, 110, 0);
const GREY: RGBColor = RGBColor(120, 120, 120);
/// Ratios beyond are cut: a trace that hardly moves has hardly a loss to compare with.
const MOST_RATIO: f64 = 1.6;
/// Where the axis of coverage begins.
const LEAST_COVERED: f64 = 0.7;
/// Room for a legend below the bars.
const LEGEND_ROWS: f64 = 2.5;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// Some traces' fans: the lab's that show most, else the first ones.
///
/// # Errors
/// When plotters fails.
pub fn fans(traces: &[TraceReport]) -> anyhow::Result<String> {
    let mut shown: Vec<_> = SHOWN.iter().filter_map(|name| traces.iter().find(|trace| trace.name == *name)).collect();
    if shown.is_empty() {
        shown = traces.iter().take(COLUMNS * ROWS).collect();
    }
    let rows = shown.len().div_ceil(COLUMNS).max(1);
    draw((PANEL.0 * 2, PANEL.1 * u32::try_from(rows)?), |root| {
        let areas = root.split_evenly((rows, COLUMNS));
        shown.iter().zip(&areas).try_for_each(|(trace, area)| fan(&trace.name, &trace.fan, area))
    })
}

fn draw(size: (u32, u32), on: impl for<'a> FnOnce(&Area<'a>) -> Result<(), Failed<'a>>) -> anyhow::Result<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&WHITE).and_then(|()| on(&root)).and_then(|()| root.present()).map_err(failed)?;
    drop(root);
    Ok(svg)
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("failed to plot: {error}")
}

fn fan<'a>(name: &str, fan: &Fan, area: &Area<'a>) -> Result<(), Failed<'a>> {
    let Fan { capacity, past, came, quantiles } = fan;
    let first = past.first().map_or(0.0, |(day, _)| *day);
    let last = quantiles.last().map_or(1.0, |(day, _)| *day);
    let lowest = past.iter().chain(came).map(|(_, used)| *used).chain(quantiles.iter().map(|(_, at)| at[0]));
    let low = lowest.fold(*capacity, f64::min);
    let margin = (capacity - low).max(1.0) * 0.06;
    let mut chart = ChartBuilder::on(area)
        .caption(name, ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(50)
        .build_cartesian_2d(first..last, (low - margin).max(0.0)..capacity + margin)?;
    chart
        .configure_mesh()
        .x_desc("days from the origin")
        .y_desc("used IPs")
        .x_label_formatter(&|day| format!("{day:.0}"))
        .y_label_formatter(&|used| format!("{used:.0}"))
        .max_light_lines(0)
        .draw()?;
    let now = past.last().map(|(_, used)| (0.0, *used));
    for (low, high, shade) in [(0, 4, 0.15), (1, 3, 0.25)] {
        let edge = |level: usize| now.into_iter().chain(curve(quantiles, level));
        let area: Vec<_> = edge(high).chain(edge(low).collect::<Vec<_>>().into_iter().rev()).collect();
        chart.draw_series([Polygon::new(area, BLUE_LINE.mix(shade).filled())])?;
    }
    let lines = [
        (BLUE_LINE, now.into_iter().chain(curve(quantiles, 2)).collect()),
        (BLACK, past.iter().chain(came).copied().collect::<Vec<_>>()),
        (RED, vec![(first, *capacity), (last, *capacity)]),
    ];
    lines
        .into_iter()
        .try_for_each(|(color, points)| chart.draw_series(LineSeries::new(points, color.stroke_width(1))).map(drop))
}

fn curve(quantiles: &[(f64, Quantiles)], level: usize) -> impl DoubleEndedIterator<Item = (f64, f64)> {
    quantiles.iter().map(move |(day, values)| (*day, values[level]))
}

/// Headroom's loss on each trace in terms of two others.
///
/// # Errors
/// When plotters fails.
pub fn ratios(report: &Report) -> anyhow::Result<String> {
    let height = u32::try_from(report.traces.len())? * 24 + 140;
    draw((900, height), |root| {
        let rows = f64::from(u32::try_from(report.traces.len()).unwrap_or(u32::MAX));
        let mut chart = ChartBuilder::on(root)
            .caption("Headroom's loss in terms of a baseline's: less than 1 is better", ("sans-serif", 15))
            .margin(10)
            .x_label_area_size(28)
            .y_label_area_size(4)
            .build_cartesian_2d(-0.45..MOST_RATIO, rows + LEGEND_ROWS..0.0)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .disable_y_axis()
            .x_label_formatter(&|ratio| if *ratio < -0.01 { String::new() } else { format!("{:.1}", ratio.abs()) })
            .draw()?;
        let bars = [("÷ predict_linear(6h), own errors", ORANGE, 0.1), ("÷ the trace's best baseline", BLUE_LINE, 0.5)];
        for (n, (label, color, top)) in bars.into_iter().enumerate() {
            let bar = |(row, trace): (u32, &TraceReport)| {
                let ratio = trace.ratio(if n == 0 { Forecaster::Linear } else { trace.best_baseline() })?;
                let y = f64::from(row) + top;
                Some(Rectangle::new([(0.0, y), (ratio.min(MOST_RATIO), y + 0.35)], color.filled()))
            };
            chart
                .draw_series((0..).zip(&report.traces).filter_map(bar))?
                .label(label)
                .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 16, y + 4)], color.filled()));
        }
        let names = (0..).zip(&report.traces);
        let name = |(row, trace): (u32, &TraceReport)| {
            Text::new(trace.name.clone(), (-0.44, f64::from(row) + 0.25), ("sans-serif", 12))
        };
        chart.draw_series(names.map(name))?;
        chart.draw_series(LineSeries::new([(1.0, 0.0), (1.0, rows)], BLACK.stroke_width(1)))?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .draw()
    })
}

/// How often P90 was not exceeded, by horizon.
///
/// # Errors
/// When plotters fails.
pub fn coverage(report: &Report) -> anyhow::Result<String> {
    draw((700, 340), |root| {
        let at = |horizon: u64| f64::from(u32::try_from(horizon / 3600).unwrap_or(u32::MAX)).ln();
        let (first, last) = (at(HORIZONS[0]), at(HORIZONS[HORIZONS.len() - 1]));
        let mut chart = ChartBuilder::on(root)
            .caption("Forecasts whose P90 was not exceeded", ("sans-serif", 15))
            .margin(10)
            .margin_right(24)
            .x_label_area_size(36)
            .y_label_area_size(50)
            .build_cartesian_2d(first..last, LEAST_COVERED..1.0)?;
        chart
            .configure_mesh()
            .x_desc("hours ahead")
            .x_label_formatter(&|ln| format!("{:.0}", ln.exp()))
            .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
            .max_light_lines(0)
            .draw()?;
        let goal = Rectangle::new([(first, 0.85), (last, 0.95)], GREEN.mix(0.12).filled());
        chart
            .draw_series([goal])?
            .label("goal")
            .legend(|(x, y)| Rectangle::new([(x, y - 4), (x + 16, y + 4)], GREEN.mix(0.12).filled()));
        let shown = [
            (Forecaster::Headroom, BLUE_LINE),
            (Forecaster::Linear, ORANGE),
            (Forecaster::Day, GREY),
            (Forecaster::Week, RGBColor(150, 80, 160)),
            (Forecaster::Last, RGBColor(60, 140, 60)),
        ];
        for (forecaster, color) in shown {
            let points = report
                .horizons()
                .map(|horizon| (at(horizon), report.summary_at(forecaster, horizon).covered.max(LEAST_COVERED)));
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                .label(forecaster.label())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        }
        chart.configure_series_labels().position(SeriesLabelPosition::LowerLeft).background_style(WHITE.mix(0.8)).draw()
    })
}
