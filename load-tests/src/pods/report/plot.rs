//! SVG.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::tables::Mean;
use crate::pods::placement::quality::Quality;
use crate::pods::throughput::Summary;

const SIZE: (u32, u32) = (900, 420);
const LABEL: (&str, i32) = ("sans-serif", 11);
const COLORS: [RGBColor; 4] =
    [RGBColor(31, 119, 180), RGBColor(255, 127, 14), RGBColor(44, 160, 44), RGBColor(148, 103, 189)];

/// Bars of one colour with a name.
struct Series {
    name: String,
    /// One per group; `None` leaves a gap.
    values: Vec<Option<f64>>,
}

/// Pods/s relative to none: a group per peer, a colour per cluster size.
pub(super) fn throughput(path: &Path, summaries: &[Summary]) -> Result<()> {
    let (mut peers, mut sizes) = (Vec::<&str>::new(), Vec::new());
    for summary in summaries {
        if !peers.contains(&summary.peer.as_str()) {
            peers.push(&summary.peer);
        }
        if !sizes.contains(&summary.nodes) {
            sizes.push(summary.nodes);
        }
    }
    let ratio = |nodes, peer: &str| summaries.iter().find(|s| s.nodes == nodes && s.peer == peer)?.ratio;
    let series: Vec<Series> = sizes
        .iter()
        .map(|&nodes| Series {
            name: format!("{nodes} nodes"),
            values: peers.iter().map(|peer| ratio(nodes, peer)).collect(),
        })
        .collect();
    bars(path, "pods/s relative to kube-scheduler alone", &peers, &series)
}

/// Shares of kept preferences: a group per peer, a colour per preference.
pub(super) fn placement(path: &Path, means: &[Mean]) -> Result<()> {
    type Figure = (&'static str, fn(&Quality) -> f64);
    let figures: [Figure; 4] = [
        ("spread over hosts", |q| q.spread_hosts),
        ("anti-affinity", |q| q.prefer_apart),
        ("affinity", |q| q.prefer_near),
        ("node affinity", |q| q.prefer_disk),
    ];
    let peers: Vec<&str> = means.iter().map(|mean| mean.peer.as_str()).collect();
    let series: Vec<Series> = figures
        .into_iter()
        .map(|(name, figure)| Series {
            name: name.to_owned(),
            values: means.iter().map(|mean| Some(mean.of(figure))).collect(),
        })
        .collect();
    bars(path, "share of pods whose preference is kept", &peers, &series)
}

fn bars(path: &Path, title: &str, groups: &[&str], series: &[Series]) -> Result<()> {
    // plotters' errors borrow from the backend.
    draw(path, title, groups, series).map_err(|error| anyhow!("failed to draw '{}': {error}", path.display()))
}

fn draw(path: &Path, title: &str, groups: &[&str], series: &[Series]) -> Result<(), Box<dyn std::error::Error>> {
    let count = |len: usize| u32::try_from(len).map_or(f64::INFINITY, f64::from);
    let highest = series.iter().flat_map(|one| one.values.iter().flatten()).copied().fold(1.0, f64::max);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(45)
        .build_cartesian_2d(0.0..count(groups.len()), 0.0..highest * 1.15)?;
    chart.configure_mesh().disable_x_mesh().x_labels(0).y_label_formatter(&|y| format!("{y:.1}")).draw()?;
    let width = 0.8 / count(series.len());
    for (at, one) in series.iter().enumerate() {
        let color = COLORS[at % COLORS.len()];
        let bars = one.values.iter().enumerate().filter_map(|(group, value)| {
            let left = count(group) + 0.1 + width * count(at);
            Some(Rectangle::new([(left, 0.0), (left + width, (*value)?)], color.filled()))
        });
        chart
            .draw_series(bars)?
            .label(&one.name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled()));
    }
    for (group, name) in groups.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(count(group) + 0.5, 0.0));
        area.draw(&Text::new(
            name.replace('+', " +"),
            (x, y + 8),
            LABEL.into_text_style(&area).pos(Pos::new(HPos::Center, VPos::Top)),
        ))?;
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
