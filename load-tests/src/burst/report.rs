//! Outcomes as a table.

use std::fmt::Write as _;

use super::{Mode, Outcome};

/// A row for each figure, a column for each run.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    type Show = fn(&Outcome) -> String;
    let rows: [(&str, Show); 12] = [
        ("", |run| name(run.mode).to_owned()),
        ("pods", |run| run.options.pods.to_string()),
        ("pod IPs of all nodes", |run| run.ips.to_string()),
        ("bound", |run| run.bound.to_string()),
        ("with an IP", |run| run.with_ip.to_string()),
        ("capacity used", |run| format!("{:.1} %", run.used_percent)),
        ("hanging (> 30 s without an IP)", |run| run.hanging.to_string()),
        ("longest from bind to IP", |run| format!("{:.1} s", run.longest_wait_secs)),
        ("failed CNI ADDs", |run| run.failed_adds.to_string()),
        ("FailedCreatePodSandBox events", |run| run.sandbox_events.to_string()),
        ("oversubscribed nodes", |run| run.oversubscribed_nodes.to_string()),
        ("seconds", |run| format!("{:.0}{}", run.seconds, if run.settled { "" } else { " (time limit)" })),
    ];
    let mut text = String::new();
    for (label, show) in rows {
        write!(text, "{label:<32}").expect("writing to a String does not fail");
        for outcome in outcomes {
            write!(text, "{:>16}", show(outcome)).expect("writing to a String does not fail");
        }
        text.push('\n');
    }
    text
}

const fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Plain => "plain",
        Mode::Now => "policy now",
        Mode::Soon => "policy soon",
    }
}
