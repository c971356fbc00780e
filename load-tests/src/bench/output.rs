//! The files of a report.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::latency::Latencies;
use super::plot;
use super::report::{OpenReport, Report, RowReport};
use super::serial::Target;

/// Writes `calls.md`, its plots and `calls.hlog` into `dir`, which is made where it does not exist.
///
/// # Errors
/// When a file cannot be written.
pub fn write(report: &Report, dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("failed to create '{}'", dir.display()))?;
    let write = |name: &str, content: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, content).with_context(|| format!("failed to write '{}'", path.display()))
    };
    write("calls.md", report.to_string().as_bytes())?;
    write("calls-serial.svg", plot::serial(&report.rows)?.as_bytes())?;
    write("calls-open-loop.svg", plot::open_loop(&report.open)?.as_bytes())?;
    write("calls.hlog", &hdr_log(report)?)
}

/// Every histogram as an interval of an HDR log, which HdrHistogram's own tools read. Values are nanoseconds, the maximum that
/// the log shows beside each is in milliseconds.
fn hdr_log(report: &Report) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&report.version)
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut out, &mut serializer)?;
    for (tag, latencies) in tagged(report) {
        let tag = Tag::new(&tag);
        log.write_histogram(latencies.histogram(), Duration::ZERO, Duration::ZERO, tag)
            .map_err(|error| anyhow::anyhow!("failed to write a histogram: {error}"))?;
    }
    Ok(out)
}

/// Tags may hold neither blanks nor commas.
fn tagged(report: &Report) -> impl Iterator<Item = (String, &Latencies)> {
    let rows = report.rows.iter().flat_map(|row @ RowReport { row: of, .. }| {
        Target::ALL.map(|target| {
            (format!("serial/{}/{}/{}/{}", of.nodes, of.names, of.label(), target.label()), &row.of(target).latencies)
        })
    });
    let churn = ["without-events", "with-events"].into_iter().zip(&report.churn.measured);
    let churn = churn.map(|(label, measured)| (format!("churn/{label}"), &measured.latencies));
    let open = report.open.iter().flat_map(|OpenReport { nodes, target, load, outcome }| {
        let run = format!("open/{nodes}/{}/{}x{}/{}", load.names, load.per_sec, load.connections, target.label());
        [(format!("{run}/corrected"), &outcome.corrected), (format!("{run}/uncorrected"), &outcome.uncorrected)]
    });
    rows.chain(churn).chain(open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn files_are_there_and_the_log_gives_the_histograms_back() {
        let dir = tempfile::tempdir().unwrap();
        let report = super::super::report::tests::report();
        write(&report, &dir.path().join("new")).unwrap();
        let read = |name: &str| std::fs::read_to_string(dir.path().join("new").join(name)).unwrap();
        assert_eq!(read("calls.md"), report.to_string());
        for plot in ["calls-serial.svg", "calls-open-loop.svg"] {
            assert!(read(plot).starts_with("<svg") && read(plot).contains("headroom"), "{plot}");
        }
        let log = read("calls.hlog");
        let intervals: Vec<_> = IntervalLogIterator::new(log.as_bytes())
            .filter_map(|entry| if let LogEntry::Interval(interval) = entry.unwrap() { Some(interval) } else { None })
            .collect();
        assert_eq!(intervals.len(), 7);
        assert_eq!(intervals[1].tag().unwrap().as_str(), "serial/5000/500/plain/headroom");
        // In milliseconds with three digits after the point.
        assert!((intervals[1].max() - 0.66).abs() < 0.001, "{}", intervals[1].max());
    }
}
