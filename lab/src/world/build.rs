//! From a scenario to a world at its first moment.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::{Cidr, ReservationKind};
use headroom_capacity::time::Time;
use serde_json::{Value, json};

use super::queue::Queue;
use super::workload::Running;
use super::{Due, World, proxy};
use crate::aws::{self, NewEni, NewGroup, NewSubnet, Tags, Vpc};
use crate::kube::Store;
use crate::kube::resource::{CONFIG_MAPS, DAEMON_SETS, ENI_CONFIGS, NAMESPACES};
use crate::scenario::{NodeGroup, RateSpec, Scenario, SubnetSpec, UsedLayout};

/// How long before the start the first instances were launched: long enough to run by then.
const LAUNCHED_BEFORE: Duration = Duration::from_secs(120);
/// An Auto Scaling group's default.
const COOLDOWN: Duration = Duration::from_secs(300);
/// Tag of an EKS node group's instances.
pub(super) const NODE_GROUP_TAG: &str = "eks:nodegroup-name";

impl World {
    /// The world of `scenario` at `start`: instances run, nothing has registered yet.
    ///
    /// # Errors
    /// When subnets or instances do not fit, with the key in the file.
    pub fn new(scenario: Scenario, start: Time) -> Result<World> {
        let before = start - LAUNCHED_BEFORE;
        let mut vpc = empty_vpc(&scenario);
        let mut subnets = BTreeMap::new();
        for (i, spec) in scenario.subnets.iter().enumerate() {
            let id = add_subnet(&mut vpc, &scenario, spec, before).with_context(|| format!("subnets[{i}]"))?;
            subnets.insert(spec.name.clone(), id);
        }
        for (i, group) in scenario.node_groups.iter().enumerate() {
            add_group(&mut vpc, &scenario, group, &subnets, before).with_context(|| format!("nodeGroups[{i}]"))?;
        }
        let mut store = Store::new(scenario.seed, start);
        let owners = add_objects(&mut store, &scenario, &subnets, start)?;
        let (asker, questions) = proxy::channel();
        let mut world = World {
            settings: scenario.cni.settings(&scenario.cluster_name),
            vpc: Arc::new(Mutex::new(vpc)),
            seen: store.revision(),
            store: Arc::new(Mutex::new(store)),
            started: start,
            now: start,
            rng: fastrand::Rng::with_seed(scenario.seed),
            queue: Queue::new(),
            subnets,
            nodes: BTreeMap::new(),
            by_name: BTreeMap::new(),
            launched: BTreeMap::new(),
            pods: BTreeMap::new(),
            workloads: owners,
            owners: BTreeMap::new(),
            failed_adds_of_gone_nodes: 0,
            lost: 0,
            asker,
            questions,
            scenario,
        };
        world.plan();
        world.step_to(start);
        Ok(world)
    }

    /// Puts everything that the file says at which time into the queue.
    fn plan(&mut self) {
        for (i, workload) in self.workloads.iter().enumerate() {
            let spec = &workload.spec;
            for replica in 0..spec.replicas {
                let share = spec.over.0.mul_f64(f64::from(replica) / f64::from(spec.replicas));
                self.queue.push(self.started + spec.at.0 + share, Due::Create(i));
            }
            if let Some(delete_at) = spec.delete_at {
                self.queue.push(self.started + delete_at.0, Due::DeleteAll(i));
            }
        }
        for (i, fault) in self.scenario.faults.iter().enumerate() {
            self.queue.push(self.started + fault.at().0, Due::Fault(i));
        }
    }
}

fn empty_vpc(scenario: &Scenario) -> Vpc {
    let mut config = aws::Config::new(scenario.seed, scenario.vpc.cidr.0);
    config.region.clone_from(&scenario.region);
    config.cidrs.extend(scenario.vpc.secondary_cidrs.iter().map(|block| block.0));
    if let Some(quotas) = scenario.ec2_quotas {
        let rate = |spec: RateSpec| aws::Rate { burst: spec.burst, per_sec: spec.per_sec };
        config.throttle = Some(aws::Throttle { reads: rate(quotas.reads), writes: rate(quotas.writes) });
    }
    for group in scenario.node_groups.iter().filter(|group| group.limits.is_some()) {
        config.limits.extend(group.instance_limits().map(|limits| (group.instance_type.clone(), limits)));
    }
    config
        .sizes
        .extend(scenario.node_groups.iter().filter_map(|group| Some((group.instance_type.clone(), group.size()?))));
    Vpc::new(config)
}

fn add_subnet(vpc: &mut Vpc, scenario: &Scenario, spec: &SubnetSpec, now: Time) -> Result<SubnetId> {
    let mut tags = Tags::from([
        ("Name".to_owned(), spec.name.clone()),
        (format!("kubernetes.io/cluster/{}", scenario.cluster_name), "shared".to_owned()),
    ]);
    tags.extend(spec.tags.clone());
    let id = vpc.create_subnet(NewSubnet { cidr: spec.cidr.0, az: spec.az.clone(), tags }, now)?;
    for block in &spec.reservations {
        vpc.create_reservation(&id, block.0, ReservationKind::Prefix, now)?;
    }
    for ip in used_addresses(spec.cidr.0, spec.used_layout).take(spec.used as usize) {
        let eni = NewEni { primary_ip: Some(ip), ..others_eni(id.clone()) };
        vpc.create_eni(eni, now).context("used")?;
    }
    Ok(id)
}

/// An address that somebody else holds.
pub(super) fn others_eni(subnet: SubnetId) -> NewEni {
    NewEni {
        description: "AWS Lambda VPC ENI".to_owned(),
        interface_type: "lambda",
        requester_managed: true,
        ..NewEni::in_subnet(subnet)
    }
}

/// Addresses of a subnet beside AWS's own, in the order in which others take them.
fn used_addresses(cidr: Cidr, layout: UsedLayout) -> Box<dyn Iterator<Item = Ipv4Addr>> {
    let (base, size) = (u32::from(cidr.base()), 1_u32 << (32 - cidr.len()));
    let usable = move |offset: &u32| (4..size - 1).contains(offset);
    let offsets: Box<dyn Iterator<Item = u32>> = match layout {
        UsedLayout::Packed => Box::new(0..size),
        UsedLayout::Scattered => {
            // The first and the last /28 hold addresses of AWS and are no use to prefixes anyway: they come last.
            let blocks: Vec<u32> =
                (1..(size / 16).saturating_sub(1)).chain([0]).chain(1.max(size / 16 - 1)..size / 16).collect();
            Box::new(
                (0..16)
                    .flat_map(move |round| blocks.clone().into_iter().map(move |block| 16 * block + (8 + round) % 16)),
            )
        }
    };
    Box::new(offsets.filter(usable).map(move |offset| Ipv4Addr::from(base + offset)))
}

/// A node group is an Auto Scaling group, named and tagged as EKS does.
fn add_group(
    vpc: &mut Vpc,
    scenario: &Scenario,
    group: &NodeGroup,
    subnets: &BTreeMap<String, SubnetId>,
    now: Time,
) -> Result<()> {
    let cluster = &scenario.cluster_name;
    let (min, desired, max) = group.sizes();
    let tags = [
        ("Name".to_owned(), format!("{cluster}-{}", group.name)),
        ("eks:cluster-name".to_owned(), cluster.clone()),
        (NODE_GROUP_TAG.to_owned(), group.name.clone()),
        (format!("kubernetes.io/cluster/{cluster}"), "owned".to_owned()),
        (format!("k8s.io/cluster-autoscaler/{cluster}"), "owned".to_owned()),
        ("k8s.io/cluster-autoscaler/enabled".to_owned(), "true".to_owned()),
    ];
    let new = NewGroup {
        name: format!("eks-{}", group.name),
        min,
        max,
        desired,
        subnets: group.subnets.iter().map(|name| subnets[name].clone()).collect(),
        instance_type: group.instance_type.clone(),
        tags: Tags::from(tags),
        protect_new: false,
        cooldown: COOLDOWN,
    };
    vpc.create_group(new, now)?;
    Ok(())
}

/// Everything of the cluster that is there before the first node; returns the workloads.
fn add_objects(
    store: &mut Store,
    scenario: &Scenario,
    subnets: &BTreeMap<String, SubnetId>,
    now: Time,
) -> Result<Vec<Running>> {
    let env = scenario.cni.effective_env(&scenario.cluster_name);
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    store.create(&DAEMON_SETS, daemon_set("aws-node", &env), now)?;
    store.create(&DAEMON_SETS, daemon_set("kube-proxy", &[]), now)?;
    let data = json!({ "enable-windows-ipam": "false", "branch-eni-cooldown": "60" });
    store.create(
        &CONFIG_MAPS,
        json!({ "metadata": { "name": "amazon-vpc-cni", "namespace": "kube-system" }, "data": data }),
        now,
    )?;
    for config in &scenario.cni.eni_configs {
        let spec = json!({ "subnet": subnets[&config.subnet].as_str(), "securityGroups": config.security_groups });
        store.create(&ENI_CONFIGS, json!({ "metadata": { "name": config.name }, "spec": spec }), now)?;
    }
    let system = scenario.system_pods.iter().map(|spec| (spec, "kube-system"));
    let others = scenario.workloads.iter().map(|spec| (spec, "default"));
    let mut workloads = Vec::new();
    for (spec, default) in system.chain(others) {
        let namespace = spec.namespace.as_deref().unwrap_or(default).to_owned();
        if store.get(&NAMESPACES, "", &namespace).is_none() {
            store.create(&NAMESPACES, json!({ "metadata": { "name": namespace } }), now)?;
        }
        workloads.push(Running { spec: spec.clone(), namespace, owner_uid: String::new(), over: false });
    }
    Ok(workloads)
}

fn daemon_set(name: &str, env: &[Value]) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "kube-system", "labels": { "k8s-app": name } },
        "spec": {
            "selector": { "matchLabels": { "k8s-app": name } },
            "template": {
                "metadata": { "labels": { "k8s-app": name } },
                "spec": {
                    "hostNetwork": true,
                    "priorityClassName": "system-node-critical",
                    "tolerations": [{ "operator": "Exists" }],
                    "containers": [{ "name": name, "image": format!("{name}:lab"), "env": env }],
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(layout: UsedLayout, count: usize) -> Vec<u8> {
        let cidr = Cidr::parse("10.0.0.0/26").unwrap();
        used_addresses(cidr, layout).take(count).map(|ip| ip.octets()[3]).collect()
    }

    #[test]
    fn others_take_addresses_packed_or_scattered() {
        assert_eq!(first(UsedLayout::Packed, 3), [4, 5, 6]);
        assert_eq!(first(UsedLayout::Scattered, 5), [24, 40, 8, 56, 25]);
        for layout in [UsedLayout::Packed, UsedLayout::Scattered] {
            let mut all = first(layout, 100);
            all.sort_unstable();
            assert_eq!(all, (4..63).collect::<Vec<u8>>(), "each usable address once");
        }
    }
}
