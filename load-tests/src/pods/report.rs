//! From the JSON of the measurements to a page with plots.

mod plot;
mod tables;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use super::placement::Placed;
use super::sampling::Row;
use super::throughput::{Turn, summaries};

/// Reads `throughput*.json`, `placement.json` and `sampling.json` of `dir`, as far as they are there, and writes `report.md` and the
/// plots that it shows.
///
/// # Errors
/// When a file cannot be read or written, or is not what the other commands write.
pub fn write(dir: &Path) -> Result<()> {
    let mut report = format!("# Pods through the real kube-scheduler: figures\n\n{}\n", tables::machine());
    let turns: Vec<Turn> = read(dir, "throughput")?;
    if !turns.is_empty() {
        let summaries = summaries(&turns);
        plot::throughput(&dir.join("throughput.svg"), &summaries)?;
        report += &tables::throughput(&summaries);
    }
    let placed: Vec<Placed> = read(dir, "placement")?;
    if !placed.is_empty() {
        let rows = tables::placement_means(&placed);
        plot::placement(&dir.join("placement.svg"), &rows)?;
        report += &tables::placement(&rows);
    }
    let rows: Vec<Row> = read(dir, "sampling")?;
    if !rows.is_empty() {
        report += &tables::sampling(&rows);
    }
    let path = dir.join("report.md");
    std::fs::write(&path, report).with_context(|| format!("failed to write '{}'", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// The lists in all files whose name starts with `kind`, by name.
fn read<T: DeserializeOwned>(dir: &Path, kind: &str) -> Result<Vec<T>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("failed to read '{}'", dir.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("failed to read '{}'", dir.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(kind) && name.ends_with(".json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let text = std::fs::read(&path).with_context(|| format!("failed to read '{}'", path.display()))?;
        let list: Vec<T> =
            serde_json::from_slice(&text).with_context(|| format!("'{}' is not a list of these", path.display()))?;
        all.extend(list);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pods::sampling::{Free, Outcome};

    #[test]
    fn shows_what_is_there_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let turn = |peer: &str, pods_per_s| Turn {
            peer: peer.to_owned(),
            nodes: 1000,
            pods: 10,
            run: 7,
            round: 0,
            bound: 10,
            pods_per_s,
            cpu_ms_per_pod: [0.1, 0.2, 0.3, 0.4],
        };
        let turns = [turn("none", 100.0), turn("headroom", 90.0), turn("headroom:10", 110.0)];
        std::fs::write(dir.path().join("throughput-1000.json"), serde_json::to_vec(&turns).unwrap()).unwrap();
        let outcome = Outcome {
            lone_secs: vec![Some(1.5), None],
            burst: 4,
            burst_bound: 3,
            burst_secs: [0.5, 2.0],
            overbooked: 0,
        };
        let row = Row { nodes: 600, free: Free::Contiguous, percentage: 0, outcome };
        std::fs::write(dir.path().join("sampling.json"), serde_json::to_vec(&[row]).unwrap()).unwrap();
        write(dir.path()).unwrap();
        let report = std::fs::read_to_string(dir.path().join("report.md")).unwrap();
        for part in [
            "| 1,000 | headroom | 90.0 | 90.0 to 90.0 | 0.90 | 1 | 0 | 0.10 | 0.20 | 0.30 | 0.40 |",
            "![",
            "| 600 | contiguous | default | 1 of 2 |",
        ] {
            assert!(report.contains(part), "{part}: {report}");
        }
        assert!(!report.contains("placement.svg"), "{report}");
        let svg = std::fs::read_to_string(dir.path().join("throughput.svg")).unwrap();
        assert!(svg.contains("headroom:10"), "{svg}");
    }
}
