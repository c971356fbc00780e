//! What a person sees of a run.

use std::fmt::Write as _;

use headroom_lab::world::{NodeReport, Report};

use super::{Mode, Outcome};

/// The state of a running lab as a table of fixed height: [`progress`], and one line a node.
#[must_use]
pub fn frame(mode: Mode, report: &Report) -> String {
    let mut text = progress(mode, report);
    table(&mut text, report);
    text
}

/// The state of a running lab in one line, with its newline.
#[must_use]
pub fn progress(mode: Mode, report: &Report) -> String {
    let totals = report.totals;
    let seconds = report.elapsed.as_secs();
    format!(
        "{:<8} {:02}:{:02}  pods {:>4}  bound {:>4}  with IP {:>4}  hanging {:>3}  unschedulable {:>3}  failed CNI ADDs {:>4}\n",
        mode.label(),
        seconds / 60,
        seconds % 60,
        totals.bound + totals.unbound,
        totals.bound,
        totals.with_ip,
        totals.hanging,
        totals.unbound,
        totals.failed_adds,
    )
}

fn table(text: &mut String, report: &Report) {
    // Writing to a String cannot fail.
    writeln!(
        text,
        "  {:<42} {:<12} {:>6} {:>14} {:>9} {:>8}",
        "node", "type", "ENIs", "IPs used/held", "max-pods", "hanging"
    )
    .ok();
    for node in &report.nodes {
        writeln!(
            text,
            "  {:<42} {:<12} {:>6} {:>14} {:>9} {:>8}",
            node.name,
            node.instance_type,
            format!("{}/{}", node.enis_attached, node.enis_max),
            format!("{}/{}", node.ips_assigned, node.ips_total),
            node.max_pods,
            node.waiting.len(),
        )
        .ok();
    }
}

/// How a run ended, and why pods hang or wait.
#[must_use]
pub fn summary(outcome: &Outcome) -> String {
    let mut text = frame(outcome.mode, &outcome.report);
    if !outcome.settled {
        text.push_str("  the time was up before the figures stood still\n");
    }
    for node in outcome.report.nodes.iter().filter(|node| !node.waiting.is_empty()) {
        writeln!(text, "  {} pods hang on {}: {}", node.waiting.len(), node.name, cause(node, &outcome.report)).ok();
        if let Some(pod) = node.waiting.iter().max_by_key(|pod| pod.failed_adds) {
            let (name, tries) = (&pod.name, pod.failed_adds);
            writeln!(text, "    {}/{name}, CNI ADD failed {tries} times: {}", pod.namespace, short(&pod.last_message))
                .ok();
        }
    }
    for (message, pods) in &outcome.reasons {
        writeln!(text, "  {pods} pods wait: {message}").ok();
    }
    text
}

/// kubelet's message without the sandbox's ID: what the CNI plugin said.
fn short(message: &str) -> &str {
    message.rsplit_once("failed (add): ").map_or(message, |(_, said)| said)
}

/// What the node has run out of, told from its figures.
fn cause(node: &NodeReport, report: &Report) -> String {
    let all_assigned = node.ips_assigned == node.ips_total;
    let (enis, of) = (node.enis_attached, node.enis_max);
    if enis >= of && all_assigned {
        return format!("all {} IPs of its {of} ENIs are used; {} allows no more", node.ips_total, node.instance_type);
    }
    let held =
        format!("{} of {} attached IPs are used, {enis} of {of} ENIs attached", node.ips_assigned, node.ips_total);
    let subnets = report.subnets.iter().map(|subnet| {
        format!("{} has {} free IPs and {} free /28 blocks", subnet.name, subnet.free_ips, subnet.free_prefixes)
    });
    let subnets: Vec<String> = subnets.collect();
    format!("{held}; subnet {}", subnets.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headroom_capacity::units::{Enis, Ips, Prefixes};
    use headroom_lab::world::{SubnetReport, Totals, WaitingPod};

    use super::*;

    fn outcome(enis: u32, assigned: u32, total: u32) -> Outcome {
        let waiting = WaitingPod {
            namespace: "default".into(),
            name: "web-7".into(),
            failed_adds: 12,
            last_message: "plugin failed (add): add cmd: failed to assign an IP address to container".into(),
        };
        let node = NodeReport {
            name: "ip-10-0-0-9.eu-west-1.compute.internal".into(),
            instance_type: "c5.xlarge".into(),
            max_pods: 110,
            ips_total: Ips(total),
            ips_assigned: Ips(assigned),
            enis_attached: Enis(enis),
            enis_max: Enis(4),
            waiting: vec![waiting],
            ..NodeReport::default()
        };
        let subnet =
            SubnetReport { name: "a".into(), free_ips: Ips(3), free_prefixes: Prefixes(0), ..SubnetReport::default() };
        let totals = Totals { bound: 57, with_ip: 56, hanging: 1, unbound: 2, failed_adds: 12, lost: 0 };
        let report = Report { elapsed: Duration::from_secs(75), nodes: vec![node], subnets: vec![subnet], totals };
        let reasons = vec![("0/1 nodes are available: 1 Too many pods.".to_owned(), 2)];
        Outcome { mode: Mode::Plain, report, reasons, settled: true }
    }

    #[test]
    fn summary_tells_the_instance_limit_from_the_subnet() {
        let limit = summary(&outcome(4, 56, 56));
        assert!(limit.contains("all 56 IPs of its 4 ENIs are used; c5.xlarge allows no more"), "{limit}");
        let subnet = summary(&outcome(3, 40, 40));
        assert!(subnet.contains("3 of 4 ENIs attached; subnet a has 3 free IPs and 0 free /28 blocks"), "{subnet}");
    }

    #[test]
    fn summary_reads_as_text() {
        let want = "\
plain    01:15  pods   59  bound   57  with IP   56  hanging   1  unschedulable   2  failed CNI ADDs   12
  node                                       type           ENIs  IPs used/held  max-pods  hanging
  ip-10-0-0-9.eu-west-1.compute.internal     c5.xlarge       4/4          56/56       110        1
  1 pods hang on ip-10-0-0-9.eu-west-1.compute.internal: all 56 IPs of its 4 ENIs are used; c5.xlarge allows no more
    default/web-7, CNI ADD failed 12 times: add cmd: failed to assign an IP address to container
  2 pods wait: 0/1 nodes are available: 1 Too many pods.
";
        assert_eq!(summary(&outcome(4, 56, 56)), want);
    }
}
