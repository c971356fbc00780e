//! What a finding says.

use std::fmt::Write;

use crate::cause::Cause;
use crate::log::capacity::NodeCapacity;
use crate::log::row::seconds;
use crate::log::tally::{Place, Seen, Tally};

/// The AWS SDK for Go's time for one connection, seconds (`net/http` `DefaultTransport`, which both versions keep).
const DIAL_SECS: f64 = 30.0;

/// Different ones, in order.
pub(super) fn list(about: &[&str]) -> String {
    let mut about = about.to_vec();
    about.sort_unstable();
    about.dedup();
    about.join(", ")
}

/// In how many lines something was met, and where in the log.
pub(super) fn span(cause: Cause, seen: &[&Seen], tally: &Tally<'_>) -> String {
    let first = seen.iter().map(|seen| &seen.first).min_by_key(|place| place.line);
    let last = seen.iter().map(|seen| &seen.last).max_by_key(|place| place.line);
    let (Some(first), Some(last)) = (first, last) else { return String::new() };
    let at = |place: &Place| place.at.as_ref().map(|at| format!(" ({})", at.text)).unwrap_or_default();
    if first.line == last.line {
        return format!("line {}{}", first.line, at(first));
    }
    format!("{} lines, {}{} to {}{}", tally.lines_of(cause), first.line, at(first), last.line, at(last))
}

/// Something that came to an end by itself.
pub(super) fn passed(cause: Cause, seen: &Seen, tally: &Tally<'_>) -> String {
    format!("{}: {}, and then no more", cause.meaning(), span(cause, &[seen], tally))
}

/// The instance has all the ENIs that it may have; `enis` is how many, or empty.
pub(super) fn limit(enis: &str, nodes: &[NodeCapacity]) -> String {
    let blank = if enis.is_empty() { "" } else { " " };
    let mut says = format!("all {enis}{blank}ENIs that the instance may have are attached");
    if let [node] = nodes {
        let _written = write!(says, ", {} of their {} addresses are free", node.free_ips(), node.total_ips);
    }
    says
}

/// What it is about a connection that fails, and what it means for Cluster Autoscaler.
pub(super) fn unreachable(cause: Cause, seen: &[&Seen], tally: &Tally<'_>) -> String {
    let mut says = String::new();
    let sample = seen.first().map_or("", |seen| seen.sample.as_str());
    if cause == Cause::AwsDns {
        if let Some(server) = nameserver(sample) {
            let _written = write!(says, ": {server} was asked");
        } else if sample.contains("i/o timeout") {
            says.push_str(
                ": the message names no address before `i/o timeout`: the time ran out while the name was looked up",
            );
        }
    }
    let scaling = seen.iter().flat_map(|seen| &seen.about).any(|host| host.starts_with("autoscaling."));
    if scaling || tally.of(Cause::AutoscalerStuck).next().is_some() {
        says.push_str(
            "; Cluster Autoscaler cannot reach the Auto Scaling endpoint, and neither scales out nor in meanwhile",
        );
    }
    let slow = tally.of(Cause::AutoscalerSlow).flat_map(|(_, seen)| &seen.about).next();
    if let Some(took) = slow
        && let Some(secs) = seconds(took)
    {
        let _written = write!(says, "; a loop took {took}: {:.0} tries of 30 s", (secs / DIAL_SECS).floor());
    }
    says
}

/// `10.100.0.10` of `lookup H on 10.100.0.10:53`.
fn nameserver(line: &str) -> Option<&str> {
    let (before, _) = line.split_once(":53: ")?;
    let server = before.rsplit(' ').next()?;
    (!server.is_empty()).then_some(server.rsplit("->").next().unwrap_or(server))
}

/// The name of the service that an interface endpoint for `host` is created with.
pub(super) fn endpoint_service(host: &str) -> String {
    let mut labels = host.split('.');
    match (labels.next(), labels.next(), labels.next()) {
        (Some(service), Some(region), Some("amazonaws")) => {
            format!("; an interface endpoint for it is com.amazonaws.{region}.{service}")
        }
        _ => String::new(),
    }
}
