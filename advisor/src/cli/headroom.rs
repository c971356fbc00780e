//! `headroom-advisor headroom`: what binds first, and which instance types would suit the pods.

use anyhow::Result;
use clap::Args;

use super::ask::{Advisor, Output, show};
use crate::binding::report::{Group, Report, Type};

/// What to ask and how to show it.
#[derive(Debug, Args)]
pub(super) struct Headroom {
    #[command(flatten)]
    advisor: Advisor,
    /// Also a row for each node.
    #[arg(long)]
    nodes: bool,
    /// Tables for people, or JSON.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Asks and shows.
pub(super) async fn headroom(args: Headroom) -> Result<()> {
    let Headroom { advisor, nodes, output } = args;
    let missing = |addr: &str| format!("no answer from {addr}; --advisor names the admin address of another advisor");
    let report: Report = advisor.ask("/headroom", missing).await?;
    show(&report, output, |report| table(report, nodes))
}

fn table(report: &Report, nodes: bool) -> String {
    let mut text = format!("{} more pods can get an address.\n", report.pods);
    for (name, group) in &report.groups {
        text.push_str(&heading(name, group));
        let row = |cells: [&str; 8]| {
            let [name, size, pods, nodes, binds, cpu, memory, ips] = cells;
            format!("  {name:<20}{size:>12}{pods:>6}{nodes:>7}  {binds:<11}{cpu:>9}{memory:>12}{ips:>9}\n")
        };
        text.push_str(&row(["TYPE", "VCPU/GIB", "PODS", "NODES", "ENDED BY", "CPU IDLE", "MEMORY IDLE", "IPS/POD"]));
        for each in &group.types {
            text.push_str(&row(cells(each).each_ref().map(String::as_str)));
            text.push_str(&alike(&each.alike));
        }
    }
    if !report.groups.is_empty() {
        text.push_str(LEGEND);
    }
    if nodes {
        text.push_str(&format!("\n{:<48}{:<14}{:<11}{:>10}\n", "NODE", "TYPE", "ENDED BY", "MORE PODS"));
        for (name, node) in &report.nodes {
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
            let more = node.room.values().min().map_or_else(|| "?".to_owned(), u64::to_string);
            text.push_str(&format!(
                "{name:<48}{:<14}{:<11}{more:>10}\n",
                known(&node.instance_type),
                known(&node.binds)
            ));
        }
    }
    text
}

const LEGEND: &str = "
PODS: on a fresh node, when pods come as they run now; NODES: for those that run. IDLE: what is left when it is full.
* runs now. ~ from EC2's figures and the reservations of EKS's image; without it, as a node of this cluster says. Prices do not count.
";

fn heading(name: &str, group: &Group) -> String {
    let by_resource = group.by_resource.iter().map(|(resource, nodes)| format!("{resource} {nodes}"));
    let by_resource = by_resource.collect::<Vec<_>>().join(", ");
    format!(
        "\n{name}: {} nodes, {} pods; what ends them first: {}. A pod requests {:.0}m CPU and {:.0} MiB on average.\n",
        group.nodes,
        group.running,
        if by_resource.is_empty() { "nothing that is known" } else { &by_resource },
        group.mean_cpu_millis,
        group.mean_memory_mib,
    )
}

/// A star for the types that run now, a tilde before what is computed.
fn cells(of: &Type) -> [String; 8] {
    let unknown = || "?".to_owned();
    let share = |share: Option<f64>| share.map_or_else(unknown, |share| format!("{:.0} %", share * 100.0));
    let about = if of.is_estimated() { "~" } else { "" };
    let size = of.vcpus.zip(of.memory_mib).map(|(vcpus, mib)| format!("{vcpus}/{}", mib as f64 / 1024.0));
    [
        format!("{}{}", of.instance_type, if of.current { " *" } else { "" }),
        size.unwrap_or_else(unknown),
        of.pods.map_or_else(unknown, |pods| format!("{about}{pods}")),
        of.nodes.map_or_else(unknown, |nodes| nodes.to_string()),
        of.binds.clone().unwrap_or_else(unknown),
        share(of.stranded_cpu),
        share(of.stranded_memory),
        of.ips_per_pod.map_or_else(unknown, |ips| format!("{ips:.1}")),
    ]
}

/// A few of the types that are as good, by name, and how many more.
fn alike(names: &[String]) -> String {
    const SHOWN: usize = 4;
    if names.is_empty() {
        return String::new();
    }
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => format!("    the same: {shown}\n"),
        more => format!("    the same: {shown} and {more} more\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::binding::report::Node;

    #[test]
    fn groups_with_their_types_and_nodes() {
        let kind = |name: &str, current, pods, binds: &str| Type {
            instance_type: name.to_owned(),
            current,
            source: if current { "node" } else { "ec2" }.to_owned(),
            vcpus: Some(2),
            memory_mib: (!current).then_some(5376),
            max_pods: 58,
            pods: Some(pods),
            nodes: Some(3),
            binds: Some(binds.to_owned()),
            stranded_cpu: Some(0.254),
            stranded_memory: None,
            idle_vcpus: Some(0.5),
            idle_memory_mib: None,
            ips_per_pod: Some(1.25),
            alike: if current { Vec::new() } else { (0..5).map(|n| format!("m{n}.xlarge")).collect() },
        };
        let group = Group {
            nodes: 2,
            running: 40,
            pods: Some(7),
            binds: Some("ip".to_owned()),
            by_resource: BTreeMap::from([("cpu".to_owned(), 1), ("ip".to_owned(), 1)]),
            mean_cpu_millis: 100.0,
            mean_memory_mib: 128.4,
            types: vec![kind("m5.xlarge", false, 58, "pods"), kind("m5.large", true, 27, "ip")],
        };
        let node = Node {
            group: Some("workers".to_owned()),
            instance_type: Some("m5.large".to_owned()),
            binds: None,
            room: BTreeMap::new(),
        };
        let report = Report {
            pods: 7,
            groups: BTreeMap::from([("workers".to_owned(), group)]),
            nodes: BTreeMap::from([("ip-10-0-0-1".to_owned(), node)]),
            ..Report::default()
        };
        assert_eq!(
            table(&report, true),
            format!(
                "7 more pods can get an address.

workers: 2 nodes, 40 pods; what ends them first: cpu 1, ip 1. A pod requests 100m CPU and 128 MiB on average.
  TYPE                    VCPU/GIB  PODS  NODES  ENDED BY    CPU IDLE MEMORY IDLE  IPS/POD
  m5.xlarge                 2/5.25   ~58      3  pods            25 %           ?      1.2
    the same: m0.xlarge, m1.xlarge, m2.xlarge, m3.xlarge and 1 more
  m5.large *                     ?    27      3  ip              25 %           ?      1.2
{LEGEND}
NODE                                            TYPE          ENDED BY    MORE PODS
ip-10-0-0-1                                     m5.large      ?                   ?
"
            )
        );
    }
}
