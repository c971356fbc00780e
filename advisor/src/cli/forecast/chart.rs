//! The fan chart of a subnet: what was observed, the quantiles to come, and the line at which it runs out.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::outlook::report::{Report, Row};

const SIZE: (u32, u32) = (960, 360);
/// What was observed is shown for twice as long as what is expected.
const PAST_SHARE: f64 = 2.0;
const DAY_SECS: f64 = 86_400.0;
const INK: RGBColor = RGBColor(40, 90, 160);

/// As SVG. Days from the forecast on the x axis.
pub(super) fn fan(report: &Report, row: &Row) -> Result<String> {
    let mut svg = String::new();
    draw(report, row, &mut svg).map_err(|error| anyhow!("failed to draw {}: {error}", row.subnet))?;
    Ok(svg)
}

#[allow(clippy::cast_precision_loss, reason = "times and counts are far below 2^52")]
fn draw(report: &Report, row: &Row, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let horizon = report.horizon_secs as f64 / DAY_SECS;
    let observed: Vec<(f64, f64)> = row
        .history_ips
        .iter()
        .enumerate()
        .filter_map(|(step, ips)| {
            let at = row.history_start_secs as f64 + (step as f64 + 0.5) * f64::from(row.history_step_secs);
            ips.map(|ips| ((at - report.made_at_secs as f64) / DAY_SECS, ips))
        })
        .filter(|(days, _)| *days >= -PAST_SHARE * horizon)
        .collect();
    let first = observed.first().map_or(0.0, |(days, _)| *days).min(-horizon / 7.0);
    let top = f64::from(row.usable_ips).max(1.0) * 1.05;
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!("{} ({}): addresses held, {}", row.subnet, row.az, row.advice_text);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(50)
        .build_cartesian_2d(first..horizon, 0.0..top)?;
    chart.configure_mesh().x_desc("days from the forecast").disable_x_mesh().light_line_style(WHITE).draw()?;
    let quantile = |level: usize| -> Vec<(f64, f64)> {
        let points =
            row.expected.iter().filter_map(|at| Some((at.horizon_secs as f64 / DAY_SECS, *at.ips.get(level)?)));
        points.collect()
    };
    let levels = report.levels.len();
    // From the outermost pair of quantiles inwards, each darker for lying on the one before.
    for level in 0..levels / 2 {
        let band = quantile(level).into_iter().chain(quantile(levels - 1 - level).into_iter().rev());
        chart.draw_series([Polygon::new(band.collect::<Vec<_>>(), INK.mix(0.2))])?;
    }
    chart.draw_series(LineSeries::new(quantile(levels / 2), INK.stroke_width(2)))?;
    chart.draw_series(LineSeries::new(observed, BLACK.stroke_width(1)))?;
    let line = |ips: f64| [(first, ips), (horizon, ips)];
    chart.draw_series(LineSeries::new(line(row.limit_ips), RED.stroke_width(1)))?;
    chart.draw_series(LineSeries::new(line(f64::from(row.usable_ips)), BLACK.mix(0.4).stroke_width(1)))?;
    root.present()?;
    Ok(())
}
