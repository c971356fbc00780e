//! Which metrics there are, with which labels, and which values these may have.

use std::collections::{BTreeMap, BTreeSet};

use super::read;

/// Values of a label; none where they are the cluster's own.
type Values = BTreeSet<String>;

/// A metric as Prometheus has it.
#[derive(Debug, Default)]
pub(crate) struct Metric {
    /// `counter`, `gauge`, `histogram`, `info`.
    kind: String,
    pub(crate) labels: BTreeMap<String, Values>,
}

/// What `docs/metrics.md` has, which `tests/docs.rs` holds against the code; values of larger sets come from the programs' own text.
#[derive(Debug)]
pub(crate) struct Catalog(BTreeMap<String, Metric>);

impl Catalog {
    pub(crate) fn read() -> Catalog {
        let page = read("docs/metrics.md");
        let mut metrics: BTreeMap<String, Metric> = page.lines().filter_map(row).collect();
        let advisor = headroom_advisor::metrics::Metrics::new().encode().unwrap();
        let extender = headroom_extender::metrics::Metrics::new().encode(0, 0, 0).unwrap();
        for line in advisor.lines().chain(extender.lines()) {
            let Some((name, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) else { continue };
            let Some(metric) = metrics.get_mut(name) else { continue };
            for (label, value) in labels.split('}').next().unwrap().split(',').filter_map(|one| one.split_once('=')) {
                metric.labels.entry(label.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
            }
        }
        assert!(metrics.len() > 60, "{} rows", metrics.len());
        Catalog(metrics)
    }

    /// By the name of a series; a histogram's have endings.
    pub(crate) fn find(&self, series: &str) -> Option<&Metric> {
        let whole = self.0.get(series).filter(|metric| metric.kind != "histogram");
        whole.or_else(|| {
            let name = ["_bucket", "_sum", "_count"].into_iter().find_map(|ending| series.strip_suffix(ending))?;
            self.0.get(name).filter(|metric| metric.kind == "histogram")
        })
    }

    /// By its name in the docs.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// A row of the tables: `` | `name` | type | `label`: a, b; `label` | meaning | ``.
fn row(line: &str) -> Option<(String, Metric)> {
    let mut cells = line.strip_prefix("| `headroom_")?.split(" | ");
    let name = format!("headroom_{}", cells.next()?.trim_end_matches('`'));
    let kind = cells.next()?.to_owned();
    let labels = cells.next()?.split("; ").filter_map(|label| {
        let (label, values) = label.strip_prefix('`')?.split_once('`')?;
        let values = values.strip_prefix(": ").unwrap_or_default();
        let values = values.split(", ").filter(|value| !value.is_empty());
        let value = |value: &str| if value == "empty" { String::new() } else { value.to_owned() };
        Some((label.to_owned(), values.map(value).collect()))
    });
    Some((name, Metric { kind, labels: labels.collect() }))
}
