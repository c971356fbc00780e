//! A node's life: its instance starts, it registers, ipamd works, the instance ends.

use std::time::Duration;

use headroom_capacity::budget::{Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::ipamd::{self, Call, Ipamd, discovery};
use headroom_capacity::units::Enis;
use serde_json::Value;

use super::build::NODE_GROUP_TAG;
use super::{Due, Node, World, ec2, lock};
use crate::aws::{Instance, InstanceId, InstanceState, NewEni};
use crate::kube::resource::{CNI_NODES, CSI_NODES, DAEMON_SETS, NODES, PODS, Resource};
use crate::kube::{Part, object as fields};
use crate::node::agent::Agent;
use crate::node::identity::{Identity, Placement};
use crate::node::kubelet::Input;
use crate::node::object::{self, Readiness};
use crate::node::pod::{Network, PodView};
use crate::scenario::NodeGroup;

/// Half the loop's sleep before its work and half after it (CNI `StartNodeIPPoolManager`).
const LOOP: Duration = Duration::from_secs(5);
/// From `running` to kubelet's registration: boot and cloud-init.
const BOOT: Duration = Duration::from_secs(15);
/// From the registration to ipamd's gRPC server, aws-node's images being there.
const AWS_NODE_START: Duration = Duration::from_secs(2);
/// kubelet's `nodeStatusReportFrequency`.
const HEARTBEAT: Duration = Duration::from_secs(300);
/// The node lifecycle controller's `node-monitor-grace-period`.
const MONITOR_GRACE: Duration = Duration::from_secs(40);
/// The cloud node lifecycle controller's `node-monitor-period`.
const CLOUD_PERIOD: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn instance_running(&mut self, instance: Instance) {
        let Some(group) = instance.tags.get(NODE_GROUP_TAG) else { return };
        self.launched.entry(group.clone()).or_default().push(instance.id.clone());
        let boot = if self.now <= self.started { Duration::ZERO } else { BOOT };
        self.queue.push(self.now + boot, Due::Register(instance));
    }

    /// kubelet registers the node, and the DaemonSets' pods come with it.
    pub(super) fn register(&mut self, instance: &Instance) {
        let state = lock(&self.vpc).instance(&instance.id).map(|now| now.state);
        let group = instance.tags.get(NODE_GROUP_TAG);
        let group = group.and_then(|name| self.scenario.node_groups.iter().find(|group| group.name == *name));
        let (Ok(InstanceState::Running), Some(group)) = (state, group) else { return };
        let identity = self.identity(group, instance);
        let caller = ec2::Caller {
            instance: instance.id.clone(),
            az: instance.az.clone(),
            cluster: self.settings.cluster_name.clone(),
            security_groups: self.eni_config(&identity).map(|config| config.1).unwrap_or_default(),
        };
        let agent = Agent::new(identity);
        self.by_name.insert(agent.identity.name.clone(), instance.id.clone());
        let node = object::node(&agent.identity, agent.readiness, self.now);
        let (cni_node, csi_node) = (object::cni_node(&agent.identity), object::csi_node(&agent.identity));
        let daemons = ["aws-node", "kube-proxy"].map(|name| {
            let owner = lock(&self.store).get(&DAEMON_SETS, "kube-system", name).cloned();
            let owner = owner.map(|owner| fields::uid(&owner).to_owned()).unwrap_or_default();
            object::daemon_pod(&agent.identity, name, &owner)
        });
        self.nodes.insert(instance.id.clone(), Node { agent, caller, alive: true });
        self.create(&NODES, node);
        self.create(&CNI_NODES, cni_node);
        self.create(&CSI_NODES, csi_node);
        daemons.into_iter().for_each(|pod| self.create(&PODS, pod));
        self.queue.push(self.now + AWS_NODE_START, Due::AwsNode(instance.id.clone()));
        self.queue.push(self.now + HEARTBEAT, Due::Heartbeat(instance.id.clone()));
    }

    fn identity(&self, group: &NodeGroup, instance: &Instance) -> Identity {
        let placement = Placement {
            instance: instance.id.clone(),
            ip: instance.private_ip,
            az: instance.az.clone(),
            region: self.scenario.region.clone(),
        };
        let mut identity = Identity::new(group, placement);
        let branch = group.instance_limits().and_then(|limits| limits.branch).filter(|branch| branch.trunking);
        identity.branch_enis = branch.map(|branch| branch.max.get()).filter(|_| self.settings.pod_eni);
        identity.eni_config = self.settings.eni_config(|key| identity.label(key), |_| None).map(str::to_owned);
        identity
    }

    /// Subnet and security groups of a node's ENIConfig.
    fn eni_config(&self, identity: &Identity) -> Option<(SubnetId, Vec<String>)> {
        let name = identity.eni_config.as_ref()?;
        let config = self.scenario.cni.eni_configs.iter().find(|config| config.name == *name)?;
        Some((self.subnets.get(&config.subnet)?.clone(), config.security_groups.clone()))
    }

    /// aws-node is up: the trunk is made where one is wanted, then ipamd takes over the instance's ENIs.
    pub(super) fn start_aws_node(&mut self, id: &InstanceId) {
        let Some(node) = self.nodes.get(id).filter(|node| node.alive) else { return };
        let identity = &node.agent.identity;
        let eni_config_subnet = self.eni_config(identity).map(|config| config.0);
        let mut vpc = lock(&self.vpc);
        if identity.branch_enis.is_some()
            && let Err(error) = ec2::attach_trunk(&mut vpc, id, self.now)
        {
            tracing::warn!(node = %identity.name, %error, "no trunk ENI: pods that ask for a branch ENI will wait");
        }
        let Ok(primary_subnet) = vpc.instance(id).map(|instance| instance.subnet.clone()) else { return };
        let cluster = self.settings.cluster_name.as_deref();
        let visible = ec2::subnets(&vpc, &identity.az, self.now);
        let excluded = visible.into_iter().filter(|subnet| discovery::is_excluded(subnet, cluster));
        let excluded_subnets: Vec<SubnetId> = excluded.map(|subnet| subnet.id).collect();
        let mut enis: Vec<ipamd::NewEni> = vpc.enis_of(id).map(ec2::as_ipamd_sees).collect();
        enis.sort_by_key(|eni| eni.device_index);
        let in_excluded = enis.iter().filter(|eni| excluded_subnets.contains(&eni.subnet)).map(|_| Enis(1));
        let facts = NodeFacts {
            kind: NodeKind::Linux,
            limits: vpc.limits(&identity.instance_type),
            settings: &self.settings,
            max_pods: identity.max_pods,
            unmanaged: Enis::ZERO,
            excluded: in_excluded.sum(),
            trunk_attached: enis.iter().any(|eni| eni.trunk),
            windows_prefix_delegation: false,
        };
        let Budget::Ipv4(budget) = budget(&facts) else { return };
        drop(vpc);
        let settings = self.settings.clone();
        let config = ipamd::Config { settings, budget, primary_subnet, eni_config_subnet, excluded_subnets };
        let ipamd = Ipamd::start(config, enis, self.now);
        if let Some(node) = self.nodes.get_mut(id) {
            node.agent.start_ipamd(ipamd, self.now);
        }
        self.tick(id);
    }

    /// ipamd's loop takes its turn.
    pub(super) fn tick(&mut self, id: &InstanceId) {
        let Some(node) = self.nodes.get_mut(id).filter(|node| node.alive) else { return };
        let call = node.agent.tick(self.now, &mut self.rng);
        self.after_loop(id, call);
    }

    /// EC2 is so far with a call.
    pub(super) fn ec2_step(&mut self, id: &InstanceId, step: ec2::Step) {
        let Some(node) = self.nodes.get(id).filter(|node| node.alive) else { return };
        let mut cx = ec2::Cx { now: self.now, random: &mut || self.rng.f64() };
        let next = ec2::go_on(&mut lock(&self.vpc), &node.caller, step, &mut cx);
        match next {
            Ok((time, step)) => self.queue.push(self.now + time, Due::Ec2(id.clone(), step)),
            Err(reply) => {
                let Some(node) = self.nodes.get_mut(id) else { return };
                let call = node.agent.reply(reply, self.now, &mut self.rng);
                self.after_loop(id, call);
            }
        }
    }

    /// Makes the call, or lets the loop sleep; the CNI plugin is installed as soon as it can be.
    fn after_loop(&mut self, id: &InstanceId, call: Option<Call>) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        if let Some(call) = call {
            let mut cx = ec2::Cx { now: self.now, random: &mut || self.rng.f64() };
            let (time, step) = ec2::start(&mut lock(&self.vpc), &node.caller, call, &mut cx);
            self.queue.push(self.now + time, Due::Ec2(id.clone(), step));
        } else {
            self.queue.push(self.now + LOOP, Due::Tick(id.clone()));
        }
        if node.agent.readiness == Readiness::NetworkNotReady && node.agent.network_can_start(self.now) {
            node.agent.network_started(self.now);
            self.write_readiness(id);
        }
    }

    pub(super) fn heartbeat(&mut self, id: &InstanceId) {
        if self.nodes.get(id).is_some_and(|node| node.alive) {
            self.write_readiness(id);
            self.queue.push(self.now + HEARTBEAT, Due::Heartbeat(id.clone()));
        }
    }

    /// Status and taints are two writes, as kubelet's and the node lifecycle controller's are.
    fn write_readiness(&mut self, id: &InstanceId) {
        let Some(node) = self.nodes.get(id) else { return };
        let identity = &node.agent.identity;
        let mut store = lock(&self.store);
        for part in [Part::Status, Part::Main] {
            let Some(current) = store.get(&NODES, "", &identity.name) else { return };
            let mut next = Value::clone(current);
            object::write_readiness(&mut next, node.agent.readiness, self.now);
            if let Err(error) = store.update(&NODES, next, part, self.now) {
                tracing::warn!(node = %identity.name, %error, "the node's status was not written");
            }
        }
    }

    /// kubelet dies with its instance; the cluster finds out later.
    pub(super) fn instance_shutting_down(&mut self, id: &InstanceId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.alive = false;
            let name = &node.agent.identity.name;
            let running = |pod: &&PodView| pod.node.as_ref() == Some(name) && !pod.ended && pod.deleting.is_none();
            // Agents are on the host's network and end with their node.
            let lost = self.pods.values().filter(running).filter(|pod| pod.network != Network::Host).count();
            self.lost = self.lost.saturating_add(u32::try_from(lost).unwrap_or(u32::MAX));
            self.queue.push(self.now + MONITOR_GRACE, Due::NodeLost(id.clone()));
        }
    }

    pub(super) fn instance_terminated(&mut self, id: &InstanceId) {
        if let Some(node) = self.nodes.get_mut(id) {
            let mut vpc = lock(&self.vpc);
            node.agent.branch.take_all().iter().for_each(|eni| vpc.remove_eni(eni, self.now));
            self.queue.push(self.now + CLOUD_PERIOD, Due::NodeGone(id.clone()));
        }
    }

    pub(super) fn node_lost(&mut self, id: &InstanceId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.agent.readiness = Readiness::Unknown;
            self.write_readiness(id);
        }
    }

    /// The cloud controller deletes the node, the garbage collector its pods.
    pub(super) fn node_gone(&mut self, id: &InstanceId) {
        let Some(node) = self.nodes.remove(id) else { return };
        self.failed_adds_of_gone_nodes += node.agent.kubelet_state().failed_adds();
        let name = node.agent.identity.name;
        self.by_name.remove(&name);
        self.delete_now(&NODES, "", &name);
        self.delete_now(&CNI_NODES, "", &name);
        self.delete_now(&CSI_NODES, "", &name);
        let orphans = self.pods.values().filter(|pod| pod.node.as_ref() == Some(&name));
        let orphans: Vec<(String, String)> = orphans.map(|pod| (pod.namespace.clone(), pod.name.clone())).collect();
        orphans.iter().for_each(|(namespace, name)| self.delete_now(&PODS, namespace, name));
    }

    pub(super) fn create(&self, resource: &'static Resource, object: Value) {
        if let Err(error) = lock(&self.store).create(resource, object, self.now) {
            tracing::warn!(%error, "an object was not created");
        }
    }

    pub(super) fn delete_now(&self, resource: &'static Resource, namespace: &str, name: &str) {
        if let Err(error) = lock(&self.store).delete_now(resource, namespace, name, self.now) {
            tracing::debug!(%error, "a client was faster");
        }
    }

    /// A branch ENI for a pod, in the node's subnet, or its ENIConfig's.
    pub(super) fn branch_add(&mut self, id: &InstanceId, uid: &headroom_capacity::ids::PodUid) -> Input {
        let failed = || Input::AddFailed(uid.clone(), crate::node::agent::NO_ADDRESS.to_owned());
        let subnet = self.nodes.get(id).and_then(|node| self.eni_config(&node.agent.identity)).map(|config| config.0);
        let Some(node) = self.nodes.get_mut(id) else { return failed() };
        let mut vpc = lock(&self.vpc);
        node.agent.branch.cooled(self.now).iter().for_each(|eni| vpc.remove_eni(eni, self.now));
        let primary = vpc.instance(id).map(|instance| instance.subnet.clone());
        let Some(subnet) = subnet.or(primary.ok()).filter(|_| node.agent.branch.has_room()) else { return failed() };
        let trunk = vpc.enis_of(id).find(|eni| eni.interface_type == "trunk").map(|eni| eni.id.to_string());
        let tags = trunk.map(|trunk| ("vpcresources.k8s.aws/trunk-eni-id".to_owned(), trunk)).into_iter().collect();
        let new = NewEni { interface_type: "branch", requester_managed: true, tags, ..NewEni::in_subnet(subnet) };
        match vpc.create_eni(new, self.now) {
            Ok(eni) => {
                node.agent.branch.hold(uid.clone(), eni.id, eni.primary_ip);
                Input::Added(uid.clone(), eni.primary_ip)
            }
            Err(_) => failed(),
        }
    }
}
