//! What was met in a log, weighed and put in order.

mod order;
mod words;

use super::capacity::NodeCapacity;
use super::row::{PASTED_LINES, Row, Weight};
use super::tally::{Seen, Tally};
use super::{LogReport, Overview};
use crate::cause::Cause;
use crate::report::{Evidence, Finding, Level, Report};
use order::{ORDER, explained_by};

/// Without times: so often is no passing trouble.
const OFTEN: u64 = 12;
/// Without times: so many lines later it has passed.
const LATER_LINES: u64 = 50;
/// Lines that are shown for one cause, one of each text.
const MOST_EVIDENCE: usize = 4;

/// `kubectl logs` of aws-node shows its start only: ipamd writes to a file.
const OF_NO_PROGRAM: &str = "give it the log of ipamd (/var/log/aws-routed-eni/ipamd.log on the node), kubelet, containerd, cloud-init, \
     nodeadm, Cluster Autoscaler or CoreDNS";

/// What is to be made of a row that was met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Counts(Level),
    /// It came to an end by itself.
    Passed,
    /// Too little to go by.
    Nothing,
}

pub(super) fn judge(name: &str, tally: &Tally<'_>) -> LogReport {
    let mut report = Report::new(format!("log {name}"));
    let nodes = nodes(tally);
    for cause in ORDER {
        let rows: Vec<(&Row, &Seen, Verdict)> =
            tally.of(*cause).map(|(row, seen)| (row, seen, verdict(row, seen, tally))).collect();
        let levels = rows.iter().filter_map(|(_, _, verdict)| match verdict {
            Verdict::Counts(level) => Some(*level),
            Verdict::Passed | Verdict::Nothing => None,
        });
        let Some(level) = levels.min() else {
            let passed = rows.iter().filter(|(_, _, verdict)| *verdict == Verdict::Passed);
            report.fine.extend(passed.take(1).map(|(_, seen, _)| words::passed(*cause, seen, tally)));
            continue;
        };
        let seen: Vec<&Seen> = rows.iter().filter(|row| row.2 != Verdict::Nothing).map(|row| row.1).collect();
        report.findings.push(finding(*cause, level, &seen, tally, &nodes));
    }
    if let Some(finding) = cooling(&report, &nodes) {
        report.findings.push(finding);
    }
    // Stable: within a level the order stays.
    let rank = |cause| ORDER.iter().position(|known| *known == cause);
    report.findings.sort_by_key(|finding| (finding.level, rank(finding.cause)));
    explain(&mut report.findings);
    if report.findings.is_empty() && tally.components.is_empty() {
        let says =
            format!("no known failure, and nothing to tell which program wrote it, is in its {} lines", tally.lines);
        let finding = Finding::new(Cause::NotRead, Level::Unknown, says).about("the log");
        report.findings.push(finding.remedy(OF_NO_PROGRAM));
    } else if report.findings.is_empty() {
        report.fine.push(format!("none of the known failures is in its {} lines", tally.lines));
    }
    let overview = Overview {
        lines: tally.lines,
        from: tally.from.as_ref().map(|moment| moment.text.clone()),
        to: tally.to.as_ref().map(|moment| moment.text.clone()),
        components: tally.components.iter().copied().collect(),
        nodes,
    };
    LogReport { report, overview }
}

fn verdict(row: &Row, seen: &Seen, tally: &Tally<'_>) -> Verdict {
    let pasted = tally.lines <= PASTED_LINES;
    let (least, at_the_end) = match row.weight {
        Weight::Always => return Verdict::Counts(Level::Fault),
        Weight::Hint => return Verdict::Counts(Level::Warning),
        Weight::Pasted if pasted => return Verdict::Counts(Level::Fault),
        Weight::Pasted => return Verdict::Nothing,
        Weight::Passing(secs) => (secs, Level::Fault),
        Weight::Starting(secs) => (secs, Level::Warning),
    };
    let silence = tally.to.as_ref().zip(seen.last.at.as_ref()).and_then(|(end, last)| end.since(last));
    let (lasted, over) = match silence {
        Some(silence) => (seen.lasted >= least, silence > least),
        None => (seen.count >= OFTEN, tally.lines - seen.last.line > LATER_LINES),
    };
    match (pasted || lasted, over) {
        (true, _) => Verdict::Counts(Level::Fault),
        (false, true) => Verdict::Passed,
        (false, false) => Verdict::Counts(at_the_end),
    }
}

fn finding(cause: Cause, level: Level, seen: &[&Seen], tally: &Tally<'_>, nodes: &[NodeCapacity]) -> Finding {
    let about: Vec<&str> = seen.iter().flat_map(|seen| &seen.about).map(String::as_str).collect();
    let mut lines: Vec<(u64, &str)> = seen.iter().map(|seen| (seen.first.line, seen.sample.trim())).collect();
    lines.sort_unstable();
    lines.dedup_by_key(|(line, _)| *line);
    let evidence = |(line, text): &(u64, &str)| Evidence::new(format!("log line {line}"), *text);
    let mut finding = Finding {
        cause,
        level,
        about: words::list(&about),
        says: format!("{}; {}", cause.meaning(), words::span(cause, seen, tally)),
        evidence: lines.iter().take(MOST_EVIDENCE).map(evidence).collect(),
        remedy: cause.remedy().to_owned(),
    };
    match cause {
        Cause::InstanceLimit => {
            // The figure of its own text is how many ENIs there may be.
            let enis = std::mem::take(&mut finding.about);
            finding.says = format!("{}; {}", words::limit(&enis, nodes), words::span(cause, seen, tally));
            // Growing no further is nothing wrong for as long as pods get addresses.
            let full = nodes.is_empty() || nodes.iter().any(|node| node.assignable_ips() == 0);
            if full || tally.of(Cause::NoFreeAddress).next().is_some() {
                finding.level = Level::Fault;
            }
        }
        Cause::AwsDns | Cause::AwsBlocked | Cause::AwsRefused | Cause::AwsTls => {
            finding.says = format!(
                "{}{}; {}",
                cause.meaning(),
                words::unreachable(cause, seen, tally),
                words::span(cause, seen, tally)
            );
            finding.remedy.push_str(&words::endpoint_service(&finding.about));
        }
        _ => {}
    }
    finding
}

/// The nodes' figures, with what else the log tells of them.
fn nodes(tally: &Tally<'_>) -> Vec<NodeCapacity> {
    let mut nodes: Vec<NodeCapacity> = tally.nodes().cloned().collect();
    let limit = tally.of(Cause::InstanceLimit).flat_map(|(_, seen)| &seen.about).find_map(|enis| enis.parse().ok());
    // The line does not say whose it is where it stands in another's log.
    if let ([node], Some(limit)) = (nodes.as_mut_slice(), limit) {
        node.enis_at_limit = Some(limit);
    }
    nodes
}

/// All that is free cools down, and pods were refused: nothing but time is lacking.
fn cooling(report: &Report, nodes: &[NodeCapacity]) -> Option<Finding> {
    let refused = report.findings.iter().any(|finding| finding.cause == Cause::NoFreeAddress);
    let node = nodes.iter().find(|node| node.free_ips() > 0 && node.assignable_ips() == 0).filter(|_| refused)?;
    Some(Finding {
        cause: Cause::CoolingDown,
        level: Level::Fault,
        about: node.node.clone(),
        says: format!("all {} free addresses of {} cool down", node.free_ips(), node.total_ips),
        evidence: vec![Evidence::new(format!("log line {}", node.line), node.to_string())],
        remedy: Cause::CoolingDown.remedy().to_owned(),
    })
}

/// Tells of each finding which one before it is behind it.
fn explain(findings: &mut [Finding]) {
    for at in 1..findings.len() {
        let (before, rest) = findings.split_at_mut(at);
        let Some(finding) = rest.first_mut() else { continue };
        let behind = explained_by(finding.cause);
        if let Some(cause) = before.iter().map(|finding| finding.cause).find(|cause| behind.contains(cause)) {
            finding.says.push_str(&format!("; it follows from {}", cause.label()));
        }
    }
}
