//! What the schema cannot say: names that must exist, blocks that must nest, numbers that must fit.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use headroom_capacity::instance;
use headroom_capacity::subnet::{Cidr, usable_ips};

use super::parse::{Problem, did_you_mean};
use super::{Block, Fault, NodeGroup, Scenario, SubnetSpec, Workload};
use crate::clock::RATES;
use crate::node::shape;

/// Everything that is wrong with `scenario`.
pub(super) fn problems(scenario: &Scenario) -> Vec<Problem> {
    let mut found = Findings::default();
    vpc(scenario, &mut found);
    subnets(scenario, &mut found);
    eni_configs(scenario, &mut found);
    found.unique("nodeGroups", scenario.node_groups.iter().map(|group| group.name.as_str()));
    for (i, group) in scenario.node_groups.iter().enumerate() {
        node_group(scenario, group, &format!("nodeGroups[{i}]"), &mut found);
    }
    let pods = [("systemPods", &scenario.system_pods), ("workloads", &scenario.workloads)];
    for (key, workloads) in pods {
        for (i, spec) in workloads.iter().enumerate() {
            workload(spec, &format!("{key}[{i}]"), &mut found);
        }
    }
    let all = scenario.system_pods.iter().chain(&scenario.workloads);
    found.unique("workloads", all.map(|workload| workload.name.as_str()));
    for (i, spec) in scenario.faults.iter().enumerate() {
        fault(scenario, spec, &format!("faults[{i}]"), &mut found);
    }
    for (key, quota) in
        scenario.ec2_quotas.iter().flat_map(|quotas| [("reads", quotas.reads), ("writes", quotas.writes)])
    {
        if quota.burst == 0 || quota.per_sec == 0 {
            found.add(format!("ec2Quotas.{key}"), "0 is not allowed; burst and perSec are at least 1".to_owned());
        }
    }
    let rate = scenario.clock.rate;
    if !RATES.contains(&rate) {
        let allowed = format!("allowed: {} to {} lab seconds per real second", RATES.start(), RATES.end());
        found.add("clock.rate", format!("{rate:?} is not allowed; {allowed}"));
    }
    totals(scenario, &mut found);
    found.0
}

/// The largest cluster that Kubernetes supports (Kubernetes documentation, "Considerations for large clusters"): a lab beyond it
/// would only eat memory.
const MAX_NODES: u32 = 5_000;
const MAX_PODS: u32 = 150_000;

fn totals(scenario: &Scenario, found: &mut Findings) {
    let mut at_most = |key: &str, what: &str, count: u64, most: u32| {
        if count > u64::from(most) {
            found.add(key, format!("{count} {what} are too many; allowed: at most {most} in all"));
        }
    };
    let nodes = scenario.node_groups.iter().map(|group| u64::from(group.sizes().2)).sum();
    at_most("nodeGroups", "nodes", nodes, MAX_NODES);
    let pods =
        scenario.system_pods.iter().chain(&scenario.workloads).map(|workload| u64::from(workload.replicas)).sum();
    at_most("workloads", "pods", pods, MAX_PODS);
}

#[derive(Default)]
struct Findings(Vec<Problem>);

impl Findings {
    fn add(&mut self, path: impl Into<String>, message: String) {
        self.0.push(Problem { path: path.into(), message, location: None });
    }

    fn unique<'a>(&mut self, key: &str, names: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !is_dns_label(name) {
                let allowed = "lower-case letters, digits and '-', 1 to 52 characters, a letter or digit at both ends";
                self.add(key, format!("name '{name}' is not allowed: {allowed}"));
            }
            if !seen.insert(name) {
                self.add(key, format!("name '{name}' is given twice"));
            }
        }
    }

    fn within(&mut self, path: String, value: u32, allowed: RangeInclusive<u32>) {
        if !allowed.contains(&value) {
            let (least, most) = allowed.into_inner();
            self.add(path, format!("{value} is not allowed; allowed: {least} to {most}"));
        }
    }

    fn known(&mut self, path: String, what: &str, name: &str, known: &[&str]) {
        if !known.contains(&name) {
            let hint = did_you_mean(name, known);
            self.add(path, format!("no {what} is named '{name}'{hint}; there are: {}", known.join(", ")));
        }
    }
}

/// Room is left for the suffixes that Kubernetes puts on generated names (63 characters in all).
fn is_dns_label(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=52).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('-') && !name.ends_with('-')
}

fn vpc(scenario: &Scenario, found: &mut Findings) {
    let secondary = scenario.vpc.secondary_cidrs.iter().enumerate();
    let secondary = secondary.map(|(i, block)| (format!("vpc.secondaryCidrs[{i}]"), block));
    for (path, Block(block)) in [("vpc.cidr".to_owned(), &scenario.vpc.cidr)].into_iter().chain(secondary) {
        if !(16..=28).contains(&block.len()) {
            found.add(path, format!("{block} is not between /16 and /28, the sizes that a VPC takes"));
        }
    }
    let blocks: Vec<Cidr> =
        std::iter::once(&scenario.vpc.cidr).chain(&scenario.vpc.secondary_cidrs).map(|one| one.0).collect();
    for (i, block) in blocks.iter().enumerate().skip(1) {
        if let Some(other) = blocks[..i].iter().find(|other| overlap(*block, **other)) {
            let path = format!("vpc.secondaryCidrs[{}]", i - 1);
            found.add(path, format!("{block} overlaps {other} of the VPC"));
        }
    }
}

fn subnets(scenario: &Scenario, found: &mut Findings) {
    found.unique("subnets", subnet_names(scenario).into_iter());
    if scenario.subnets.is_empty() {
        found.add("subnets", "at least one subnet is needed".to_owned());
    }
    for (i, subnet) in scenario.subnets.iter().enumerate() {
        subnet_blocks(scenario, subnet, &format!("subnets[{i}]"), found);
        for (j, other) in scenario.subnets.iter().enumerate().take(i) {
            if overlap(subnet.cidr.0, other.cidr.0) {
                let (mine, theirs) = (subnet.cidr.0, other.cidr.0);
                found.add(format!("subnets[{i}].cidr"), format!("{mine} overlaps {theirs} of subnets[{j}]"));
            }
        }
        if !subnet.az.starts_with(&scenario.region) || subnet.az.len() <= scenario.region.len() {
            let (az, region) = (&subnet.az, &scenario.region);
            found.add(format!("subnets[{i}].az"), format!("'{az}' is not a zone of {region}, such as '{region}a'"));
        }
    }
}

fn subnet_blocks(scenario: &Scenario, subnet: &SubnetSpec, path: &str, found: &mut Findings) {
    let cidr = subnet.cidr.0;
    let vpc = &scenario.vpc;
    if !vpc.secondary_cidrs.iter().chain([&vpc.cidr]).any(|block| contains(block.0, cidr)) {
        found.add(format!("{path}.cidr"), format!("{cidr} is in no block of the VPC"));
    }
    if !(16..=28).contains(&cidr.len()) {
        found.add(format!("{path}.cidr"), format!("{cidr} is not between /16 and /28, the sizes that a subnet takes"));
        return;
    }
    let usable = usable_ips(cidr.len()).get();
    if subnet.used > usable {
        let used = subnet.used;
        found.add(format!("{path}.used"), format!("{used} addresses do not fit: {cidr} has {usable} beside AWS's 5"));
    }
    for (i, Block(block)) in subnet.reservations.iter().enumerate() {
        if !contains(cidr, *block) || block.len() > 28 {
            let message = format!("{block} is not a /28 or larger inside {cidr}");
            found.add(format!("{path}.reservations[{i}]"), message);
        }
    }
}

fn eni_configs(scenario: &Scenario, found: &mut Findings) {
    for (i, config) in scenario.cni.eni_configs.iter().enumerate() {
        let path = format!("cni.eniConfigs[{i}].subnet");
        found.known(path, "subnet", &config.subnet, &subnet_names(scenario));
    }
    let settings = scenario.cni.settings(&scenario.cluster_name);
    if settings.custom_networking && scenario.cni.eni_configs.is_empty() {
        let message = "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG is true, so at least one ENIConfig is needed";
        found.add("cni.eniConfigs", message.to_owned());
    }
    if settings.ipv6 {
        let message = "ENABLE_IPv6=true is not something that the lab's nodes can do; allowed: false";
        found.add("cni.env", message.to_owned());
    }
}

/// ENIs of an instance, or addresses of an ENI: far above every type of today (15 and 50).
const MAX_LIMIT: u32 = 256;

fn node_group(scenario: &Scenario, group: &NodeGroup, path: &str, found: &mut Findings) {
    let (min, desired, max) = group.sizes();
    let sized = group.count.is_some() != group.desired.is_some();
    if !sized || (group.count.is_some() && (group.min.is_some() || group.max.is_some())) {
        found.add(path, "give either 'count', or 'desired' with 'min' and 'max' where they differ".to_owned());
    } else if !(min <= desired && desired <= max) {
        found.add(path, format!("min {min}, desired {desired}, max {max}: min <= desired <= max is needed"));
    }
    if group.subnets.is_empty() {
        found.add(format!("{path}.subnets"), "at least one subnet is needed".to_owned());
    }
    for (i, subnet) in group.subnets.iter().enumerate() {
        found.known(format!("{path}.subnets[{i}]"), "subnet", subnet, &subnet_names(scenario));
    }
    if let Some(max_pods) = group.max_pods {
        found.within(format!("{path}.maxPods"), max_pods, 1..=MAX_PODS);
    }
    if let Some(limits) = group.limits {
        found.within(format!("{path}.limits.enis"), limits.enis, 1..=MAX_LIMIT);
        found.within(format!("{path}.limits.ipv4PerEni"), limits.ipv4_per_eni, 1..=MAX_LIMIT);
    }
    let kind = &group.instance_type;
    if group.instance_limits().is_none() {
        let known: Vec<_> = instance::all().map(|(name, _)| name).collect();
        let hint = did_you_mean(kind, &known);
        let message = format!("no table knows '{kind}'{hint}; give 'limits' to say what EC2 allows it");
        found.add(format!("{path}.instanceType"), message);
    }
    if shape::of(kind).is_none() && (group.cpu.is_none() || group.memory.is_none()) {
        let message = format!("the name '{kind}' does not say how large it is: give 'cpu' and 'memory'");
        found.add(format!("{path}.instanceType"), message);
    }
}

fn workload(spec: &Workload, path: &str, found: &mut Findings) {
    if let Some(delete_at) = spec.delete_at.filter(|delete_at| *delete_at <= spec.at) {
        let (at, delete_at) = (humantime::format_duration(spec.at.0), humantime::format_duration(delete_at.0));
        found.add(format!("{path}.deleteAt"), format!("{delete_at} is not after 'at' ({at})"));
    }
    if spec.host_network && spec.pod_eni {
        found.add(path, "'hostNetwork' and 'podEni' exclude each other".to_owned());
    }
}

fn fault(scenario: &Scenario, spec: &Fault, path: &str, found: &mut Findings) {
    match spec {
        Fault::TerminateInstance { node_group, .. }
        | Fault::Cordon { node_group, .. }
        | Fault::Uncordon { node_group, .. } => {
            let known: Vec<_> = scenario.node_groups.iter().map(|group| group.name.as_str()).collect();
            found.known(format!("{path}.nodeGroup"), "node group", node_group, &known);
        }
        Fault::TakeAddresses { subnet, .. } => {
            found.known(format!("{path}.subnet"), "subnet", subnet, &subnet_names(scenario));
        }
        Fault::Aws { .. } | Fault::BreakWatches { .. } | Fault::Compact { .. } | Fault::DelayWatches { .. } => {}
    }
}

fn subnet_names(scenario: &Scenario) -> Vec<&str> {
    scenario.subnets.iter().map(|subnet| subnet.name.as_str()).collect()
}

fn contains(outer: Cidr, inner: Cidr) -> bool {
    outer.len() <= inner.len() && outer.contains(inner.base())
}

fn overlap(one: Cidr, other: Cidr) -> bool {
    contains(one, other) || contains(other, one)
}
