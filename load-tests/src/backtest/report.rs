//! What the backtest found, as Markdown, JSON and plots.

mod goals;
mod tables;

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::alerts::Judged;
use super::competitors::Forecaster;
use super::fan::Fan;
use super::metrics::{Cell, Summary};
use super::roll::Scored;
use super::{plot, roll};

/// What rounding leaves.
const NO_LOSS: f64 = 1e-6;

/// Everything that one run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: String,
    /// How to run it again.
    pub command: String,
    /// What was tested: a version or a commit.
    pub measured: String,
    /// Seed of the lab's traces; `None` with files.
    pub seed: Option<u64>,
    /// Hours between two evaluations of the alerts.
    pub every_hours: u64,
    /// Seconds that it took, one after the other on one core.
    pub took_secs: f64,
    /// By trace.
    pub traces: Vec<TraceReport>,
}

/// What was found on one trace.
#[derive(Clone, Debug, Serialize)]
pub struct TraceReport {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub about: String,
    /// Addresses of the subnet.
    pub capacity: f64,
    /// How long it is.
    pub days: f64,
    /// Whether a warning a day ahead can be asked for.
    pub gradual: bool,
    /// By forecaster, after the warm-up.
    pub scores: Vec<Scored>,
    /// By forecaster, on the first day.
    pub cold: Vec<Scored>,
    /// By rule.
    pub alerts: Vec<Judged>,
    /// One forecast to look at.
    #[serde(skip)]
    pub fan: Fan,
}

impl TraceReport {
    /// Cells of one forecaster by horizon.
    #[must_use]
    pub fn cells(&self, forecaster: Forecaster) -> &[Cell] {
        cells(&self.scores, forecaster)
    }

    /// A forecaster's loss over all horizons.
    #[must_use]
    pub fn loss(&self, forecaster: Forecaster) -> f64 {
        Summary::of(self.cells(forecaster)).loss
    }

    /// Headroom's loss in terms of another's; `None` where that one never missed, as on a flat trace.
    #[must_use]
    pub fn ratio(&self, to: Forecaster) -> Option<f64> {
        let loss = self.loss(to);
        (loss > NO_LOSS).then(|| self.loss(Forecaster::Headroom) / loss)
    }

    /// The baseline that turned out to be the best here: nobody knows it before.
    #[must_use]
    pub fn best_baseline(&self) -> Forecaster {
        best(|forecaster| self.loss(forecaster))
    }
}

impl Report {
    /// A forecaster over all traces and horizons.
    #[must_use]
    pub fn summary(&self, forecaster: Forecaster) -> Summary {
        Summary::of(self.traces.iter().flat_map(|trace| trace.cells(forecaster)))
    }

    /// Likewise at one horizon.
    #[must_use]
    pub fn summary_at(&self, forecaster: Forecaster, horizon_secs: u64) -> Summary {
        let cells = self.traces.iter().flat_map(|trace| trace.cells(forecaster));
        Summary::of(cells.filter(|cell| cell.horizon_secs == horizon_secs))
    }

    /// Likewise on the first day of each trace.
    #[must_use]
    pub fn summary_cold(&self, forecaster: Forecaster) -> Summary {
        Summary::of(self.traces.iter().flat_map(|trace| cells(&trace.cold, forecaster)))
    }

    /// The baseline with the least loss over all traces.
    #[must_use]
    pub fn best_baseline(&self) -> Forecaster {
        best(|forecaster| self.summary(forecaster).loss)
    }

    /// Horizons at which anything was compared.
    pub fn horizons(&self) -> impl Iterator<Item = u64> {
        roll::HORIZONS.into_iter().filter(|&horizon| self.summary_at(Forecaster::Headroom, horizon).forecasts > 0)
    }

    /// Writes `forecast.md`, `forecast.json` and the plots into `dir`, which is made where it does not exist.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("failed to create '{}'", dir.display()))?;
        let write = |name: &str, content: &str| {
            let path = dir.join(name);
            std::fs::write(&path, content).with_context(|| format!("failed to write '{}'", path.display()))
        };
        write("forecast.md", &self.to_string())?;
        write("forecast.json", &(serde_json::to_string(self)? + "\n"))?;
        write("forecast-fans.svg", &plot::fans(&self.traces)?)?;
        write("forecast-ratios.svg", &plot::ratios(self)?)?;
        write("forecast-coverage.svg", &plot::coverage(self)?)
    }
}

fn cells(scores: &[Scored], forecaster: Forecaster) -> &[Cell] {
    scores.iter().find(|scored| scored.forecaster == forecaster).map_or(&[], |scored| &scored.cells)
}

/// Plain `predict_linear` is no candidate: the one with its own errors is better by making.
fn best(loss: impl Fn(Forecaster) -> f64) -> Forecaster {
    let [first, rest @ ..] = [Forecaster::Linear, Forecaster::Day, Forecaster::Week, Forecaster::Last];
    rest.into_iter().fold(first, |best, other| if loss(other) < loss(best) { other } else { best })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { machine, command, measured, took_secs, seed, .. } = self;
        let seed = seed.map_or(String::new(), |seed| format!(" seed {seed};"));
        writeln!(f, "# Forecasts and alerts, backtested\n")?;
        writeln!(f, "`{command}` on {machine}; {measured};{seed} {took_secs:.0} s.\n")?;
        f.write_str(INTRODUCTION)?;
        goals::table(f, self)?;
        tables::forecasters(f, self)?;
        tables::horizons(f, self)?;
        tables::cold(f, self)?;
        tables::alerts(f, self)?;
        tables::traces(f, self)
    }
}

const INTRODUCTION: &str = "\
At each origin a competitor gets what had been observed by then, and nothing else. Origins are 11 hours apart, so that they lie on every hour of the day, \
and begin after 14 days, after one day in traces of less than 21; none lies where the subnet is full already. Horizons are 1 h, 6 h, 24 h, 72 h and 7 d.

**Loss** is the mean pinball loss at .5, .9 and .95, of one trace at one horizon divided by the trace's mean absolute change over that horizon \
(at least 0.1 % of the capacity). Means over these give each trace and each horizon the same weight. \
**Covered** is the share of forecasts whose P90 was not exceeded. Addresses come in steps, so that a P90 is often hit exactly: **below** leaves those out, and 90 % should lie between the two. \
**Width** is P90 - P10 in parts of the capacity. **MASE** is the mean absolute error of P50 divided by that of the value a day before.

`predict_linear(6h)` is computed as Prometheus does. It gives one value, which may lie outside of the subnet; \
*own errors* cuts it to the subnet and has the quantiles of its past errors around it, as all baselines here. Nobody runs it like this: it is there so that Headroom is not compared with a number that was never meant as a quantile. \
Goals are against this better one.

";
