//! A cluster of unequal nodes and a mixed workload for it, the same ones for every peer.

use serde_json::{Value, json};

use crate::pods::hollow::{C5_4XLARGE, C5_XLARGE, M5_LARGE, Machine, ZONES, node, node_name, pod};

/// What an app asks of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing but room.
    Plain,
    /// `topologySpreadConstraints`: zones with maxSkew 1 required, hostnames preferred.
    Spread,
    /// Preferred anti-affinity to its own pods on a hostname.
    PreferApart,
    /// Required anti-affinity to its own pods on a hostname.
    Apart,
    /// Preferred affinity to the pods of app [`CACHE`] on a hostname.
    PreferNear,
    /// Required affinity to the pods of app [`DATABASE`] in a zone.
    Near,
    /// Preferred node affinity to nodes with a local disk.
    PreferDisk,
    /// Required node affinity to one node by name, as a DaemonSet's pods have it.
    OneNode,
}

/// App that others want to be near on a node.
pub const CACHE: &str = "cache";
/// App that others must share a zone with.
pub const DATABASE: &str = "database";

/// A pod of the workload.
#[derive(Clone, Debug)]
pub struct Member {
    /// Name of its app.
    pub app: String,
    /// The app's rule.
    pub rule: Rule,
    /// What it requests.
    pub cpu_millis: u32,
    /// For [`Rule::OneNode`]: the node.
    pub node: Option<usize>,
}

/// Half m5.large, three tenths c5.xlarge, two tenths c5.4xlarge, in every zone.
#[must_use]
pub fn machine(n: usize) -> Machine {
    match (n / ZONES.len()) % 10 {
        0 | 2 | 4 | 6 | 8 => M5_LARGE,
        1 | 5 | 9 => C5_XLARGE,
        _ => C5_4XLARGE,
    }
}

/// Whether the node has a local disk: one in five of every type.
#[must_use]
pub fn has_disk(n: usize) -> bool {
    (n / (10 * ZONES.len())).is_multiple_of(5)
}

/// The `n`th node as an object.
#[must_use]
pub fn node_object(n: usize) -> Value {
    node(n, machine(n), if has_disk(n) { &[("disk", "local")] } else { &[] })
}

/// About `pods` pods for `nodes` nodes: those that others want to be near first, then all others in random order.
#[must_use]
pub fn members(nodes: usize, pods: usize, random: &mut fastrand::Rng) -> Vec<Member> {
    let mut first = replicas(CACHE, Rule::Plain, 12, 500);
    first.extend(replicas(DATABASE, Rule::Plain, 6, 1000));
    // Rule, apps per 100 pods, replicas, millicores.
    let mix: [(Rule, &str, usize, usize, u32); 6] = [
        (Rule::Spread, "spread", 2, 12, 250),
        (Rule::PreferApart, "prefer-apart", 1, 12, 250),
        (Rule::Apart, "apart", 1, 6, 250),
        (Rule::PreferNear, "prefer-near", 1, 6, 100),
        (Rule::Near, "near", 1, 6, 100),
        (Rule::PreferDisk, "prefer-disk", 1, 10, 500),
    ];
    let mut rest = Vec::new();
    for block in 0..pods / 100 {
        for (rule, name, apps, count, cpu_millis) in mix {
            for app in 0..apps {
                rest.extend(replicas(&format!("{name}-{block}-{app}"), rule, count, cpu_millis));
            }
        }
        rest.extend((0..30).map(|_| Member {
            app: format!("plain-{block}"),
            rule: Rule::Plain,
            cpu_millis: random.choice([50, 100, 250, 500, 1000]).unwrap_or(100),
            node: None,
        }));
        rest.extend((0..6).map(|n| Member {
            app: "agent".to_owned(),
            rule: Rule::OneNode,
            cpu_millis: 50,
            node: Some((block * 6 + n) % nodes),
        }));
    }
    random.shuffle(&mut rest);
    first.extend(rest);
    first
}

fn replicas(app: &str, rule: Rule, count: usize, cpu_millis: u32) -> Vec<Member> {
    vec![Member { app: app.to_owned(), rule, cpu_millis, node: None }; count]
}

/// The `n`th member as an object. Its name sorts by `n`: kube-scheduler queues what it finds at its start in that order.
#[must_use]
pub fn pod_object(n: usize, member: &Member) -> Value {
    let mut object = pod(&pod_name(n), &member.app, member.cpu_millis, 2 * member.cpu_millis / 3 + 16);
    let own = json!({"matchLabels": {"app": member.app}});
    let term = |app: &str, key: &str| json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key});
    let (host, zone) = ("kubernetes.io/hostname", "topology.kubernetes.io/zone");
    let preferred = |term: Value| json!({"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]});
    let required = |term: Value| json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
    let spec = &mut object["spec"];
    match member.rule {
        Rule::Plain => {}
        Rule::Spread => {
            let constraint = |key: &str, unsatisfiable: &str| json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": unsatisfiable, "labelSelector": own});
            spec["topologySpreadConstraints"] =
                json!([constraint(zone, "DoNotSchedule"), constraint(host, "ScheduleAnyway")]);
        }
        Rule::PreferApart => spec["affinity"] = json!({"podAntiAffinity": preferred(term(&member.app, host))}),
        Rule::Apart => spec["affinity"] = json!({"podAntiAffinity": required(term(&member.app, host))}),
        Rule::PreferNear => spec["affinity"] = json!({"podAffinity": preferred(term(CACHE, host))}),
        Rule::Near => spec["affinity"] = json!({"podAffinity": required(term(DATABASE, zone))}),
        Rule::PreferDisk => {
            let local = json!({"matchExpressions": [{"key": "disk", "operator": "In", "values": ["local"]}]});
            spec["affinity"] = json!({"nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": local}]}});
        }
        Rule::OneNode => {
            let name = node_name(member.node.unwrap_or_default());
            let this = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]});
            spec["affinity"] = json!({"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [this]}}});
        }
    }
    object
}

/// Name of the `n`th member.
#[must_use]
pub fn pod_name(n: usize) -> String {
    format!("pod-{n:05}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn pods_are_what_the_api_knows_and_every_rule_occurs() {
        let members = members(300, 200, &mut fastrand::Rng::with_seed(1));
        let mut rules = BTreeMap::<String, usize>::new();
        for (n, member) in members.iter().enumerate() {
            let pod: k8s_openapi::api::core::v1::Pod = serde_json::from_value(pod_object(n, member)).unwrap();
            let affinity = pod.spec.unwrap().affinity.is_some();
            assert_eq!(affinity, !matches!(member.rule, Rule::Plain | Rule::Spread), "{member:?}");
            *rules.entry(format!("{:?}", member.rule)).or_default() += 1;
        }
        assert_eq!(rules.len(), 8, "{rules:?}");
        assert_eq!(members[0].app, CACHE);
    }

    #[test]
    fn every_zone_has_every_type_and_disks() {
        for zone in 0..ZONES.len() {
            let types: Vec<&str> = (zone..300).step_by(ZONES.len()).map(|n| machine(n).name).collect();
            let share = |name: &str| types.iter().filter(|found| **found == name).count() * 10 / types.len();
            assert_eq!((share("m5.large"), share("c5.xlarge"), share("c5.4xlarge")), (5, 3, 2));
            assert_eq!((zone..300).step_by(ZONES.len()).filter(|&n| has_disk(n)).count(), 20);
        }
    }
}
