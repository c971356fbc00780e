//! Percentiles as SVG: how latency grows towards the rarest calls.

use anyhow::anyhow;
use plotters::prelude::*;

use super::latency::Latencies;
use super::report::{OpenReport, RowReport};
use super::serial::Target;

const PANEL: (u32, u32) = (520, 320);
/// Panels side by side.
const COLUMNS: usize = 2;
/// The axis ends at so many nines: 99.9 %.
const NINES: f64 = 3.0;
const STEPS: u32 = 60;

struct Panel<'a> {
    title: String,
    curves: Vec<(String, RGBColor, &'a Latencies)>,
}

/// One panel for each row.
///
/// # Errors
/// When plotters fails.
pub fn serial(rows: &[RowReport]) -> anyhow::Result<String> {
    let panels = rows.iter().map(|report| Panel {
        title: format!("{} names of {} nodes, {} pod", report.row.names, report.row.nodes, report.row.label()),
        curves: Target::ALL
            .map(|target| (target.label().to_owned(), color(target), &report.of(target).latencies))
            .into(),
    });
    draw(&panels.collect::<Vec<_>>())
}

/// One panel for each run.
///
/// # Errors
/// When plotters fails.
pub fn open_loop(runs: &[OpenReport]) -> anyhow::Result<String> {
    let panels = runs.iter().map(|OpenReport { target, load, outcome, .. }| {
        let label = target.label();
        Panel {
            title: format!("{label}: {} names, {}/s, {} connections", load.names, load.per_sec, load.connections),
            curves: vec![
                (format!("{label}, from due"), color(*target), &outcome.corrected),
                (format!("{label}, from sent"), BLACK, &outcome.uncorrected),
            ],
        }
    });
    draw(&panels.collect::<Vec<_>>())
}

const fn color(target: Target) -> RGBColor {
    match target {
        Target::Floor => RGBColor(120, 120, 120),
        Target::Headroom => RGBColor(0, 110, 190),
        Target::PlainGo => RGBColor(210, 110, 0),
    }
}

fn draw(panels: &[Panel<'_>]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let rows = panels.len().div_ceil(COLUMNS).max(1);
    let size = (PANEL.0 * 2, PANEL.1 * u32::try_from(rows)?);
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    for (panel, area) in panels.iter().zip(root.split_evenly((rows, COLUMNS))) {
        draw_panel(panel, &area).map_err(failed)?;
    }
    root.present().map_err(failed)?;
    drop(root);
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

fn draw_panel<'a>(panel: &Panel<'_>, area: &Area<'a>) -> Result<(), Failed<'a>> {
    let highest = panel.curves.iter().map(|(_, _, latencies)| micros(latencies, NINES)).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..NINES, 0.0..highest * 1.05)?;
    chart
        .configure_mesh()
        .x_labels(4)
        .x_label_formatter(&|nines| percent(*nines))
        .y_desc("µs")
        .y_label_formatter(&|micros| format!("{micros:.0}"))
        .max_light_lines(0)
        .draw()?;
    for (label, color, latencies) in &panel.curves {
        let points = (0..=STEPS).map(|step| {
            let nines = NINES * f64::from(step) / f64::from(STEPS);
            (nines, micros(latencies, nines))
        });
        let color = *color;
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(label.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).draw()
}

/// The latency that all calls but one in 10^nines stay within.
fn micros(latencies: &Latencies, nines: f64) -> f64 {
    latencies.quantile(1.0 - 10_f64.powf(-nines)).as_secs_f64() * 1e6
}

fn percent(nines: f64) -> String {
    let percent = 100.0 - 10_f64.powf(2.0 - nines);
    // As many digits as there are nines after the point.
    format!("{percent:.*} %", if nines > 2.5 { 1 } else { 0 })
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("failed to plot: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_counts_nines() {
        assert_eq!([0.0, 1.0, 2.0, 3.0].map(percent), ["0 %", "90 %", "99 %", "99.9 %"]);
        let mut latencies = Latencies::default();
        let nanos: Vec<u64> = (1..=1000).map(|n| n * 1000).collect();
        latencies.add_round(&nanos);
        for (nines, expected) in [(1.0, 900.0), (2.0, 990.0), (3.0, 999.0)] {
            let micros = micros(&latencies, nines);
            assert!((micros / expected - 1.0).abs() < 0.003, "{nines}: {micros}");
        }
    }
}
