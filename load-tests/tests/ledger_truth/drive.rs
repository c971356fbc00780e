//! A random cluster in motion: pods come and go, instances end, EC2 stumbles.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use headroom_advisor::ledger::Policy;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::ReservationKind;
use headroom_capacity::time::Time;
use headroom_lab::aws::{Fault, FaultKind, InstanceId, InstanceState, Launch, NewEni, Tags, Vpc};
use headroom_lab::kube::resource::PODS;
use headroom_lab::kube::selector::Selector;
use headroom_lab::kube::{DeleteOptions, Object, Store, object};
use headroom_lab::node::pod::{POD_ENI, RUN_SECONDS};
use headroom_lab::world::World;
use serde_json::{Value, json};

use super::view::Watch;
use super::worlds;

pub(crate) const NO_MANAGE: &str = "node.k8s.amazonaws.com/no_manage";
const START: Time = Time::from_secs(1_700_000_000);

pub(crate) struct Drive {
    pub(crate) world: World,
    pub(crate) watch: Watch,
    pub(crate) cluster_name: String,
    rng: Rng,
    vpc: Arc<Mutex<Vpc>>,
    store: Arc<Mutex<Store>>,
    leak_min_age: Duration,
}

impl Drive {
    pub(crate) fn new(seed: u64) -> Drive {
        let mut rng = Rng::with_seed(seed);
        let scenario = worlds::scenario(seed, &mut rng);
        let cluster_name = scenario.cluster_name.clone();
        let settings = scenario.cni.settings(&cluster_name);
        let configs: Vec<_> =
            scenario.cni.eni_configs.iter().map(|one| (one.name.clone(), one.subnet.clone())).collect();
        let world = World::new(scenario, START).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        let (vpc, store) = (world.vpc(), world.store());
        let by_name: BTreeMap<String, SubnetId> =
            vpc.lock().unwrap().subnets(START).map(|subnet| (subnet.tags["Name"].clone(), subnet.id)).collect();
        let configs = configs.into_iter().map(|(name, subnet)| (Arc::from(name), by_name.get(&subnet).cloned()));
        let watch = Watch::new(settings, configs.collect());
        let leak_min_age = Duration::from_secs(rng.u64(5..120));
        let mut drive = Drive { world, watch, cluster_name, rng, vpc, store, leak_min_age };
        drive.reserve_explicitly(&by_name);
        drive.launch_anothers(by_name.into_values().collect());
        drive
    }

    pub(crate) fn policy(&self) -> Policy {
        let in_flight_deadline = Duration::from_secs(900);
        Policy { cluster: self.cluster_name.as_str().into(), leak_min_age: self.leak_min_age, in_flight_deadline }
    }

    pub(crate) fn vpc(&self) -> MutexGuard<'_, Vpc> {
        self.vpc.lock().unwrap()
    }

    pub(crate) fn is_of_cluster(&self, vpc: &Vpc, instance: &InstanceId) -> bool {
        vpc.instance(instance).is_ok_and(|instance| instance.group.is_some())
    }

    pub(crate) fn pods(&self) -> impl Iterator<Item = Object> {
        let store = self.store.lock().unwrap();
        let pods: Vec<Object> = store.list(&PODS, &Selector::default()).cloned().collect();
        pods.into_iter()
    }

    /// A minute or so with a few things happening in it.
    pub(crate) fn go_on(&mut self) {
        for _ in 0..self.rng.u32(3..9) {
            self.something();
            let pause = Duration::from_millis(self.rng.u64(50..12_000));
            self.step_to(self.world.now() + pause);
        }
    }

    /// Step by step, so that each change is followed at its own time.
    fn step_to(&mut self, now: Time) {
        loop {
            let due = self.world.next_due().filter(|due| *due <= now);
            self.world.step_to(due.unwrap_or(now));
            self.watch.follow(&self.store.lock().unwrap());
            if due.is_none() {
                return;
            }
        }
    }

    fn something(&mut self) {
        match self.rng.u8(..20) {
            0..=8 => (0..self.rng.u32(1..8)).for_each(|_| self.create_pod()),
            9..=13 => (0..self.rng.u32(1..6)).for_each(|_| self.delete_pod()),
            14 | 15 => self.terminate(),
            16 => self.stumble(),
            17 => self.hand_made_eni(),
            18 => self.hand_made_block(),
            _ => self.cordon(),
        }
    }

    fn create_pod(&mut self) {
        let nodes: Vec<Arc<str>> = self.watch.state().nodes.keys().cloned().collect();
        let Some(node) = self.any(nodes) else { return };
        let now = self.world.now();
        let mut pod = json!({
            "metadata": { "generateName": "web-", "namespace": "default" },
            "spec": {
                "nodeName": &*node, "terminationGracePeriodSeconds": 30,
                "containers": [{ "name": "app", "image": "app:1", "resources": {} }],
            },
        });
        match self.rng.u8(..10) {
            0 => pod["spec"]["hostNetwork"] = json!(true),
            1 if self.watch.state().settings.pod_eni => {
                pod["spec"]["containers"][0]["resources"] = json!({ "limits": { POD_ENI: "1" } });
            }
            2 => pod["metadata"]["annotations"] = json!({ RUN_SECONDS: self.rng.u32(1..30).to_string() }),
            _ => {}
        }
        self.store.lock().unwrap().create(&PODS, pod, now).unwrap();
    }

    fn delete_pod(&mut self) {
        let mine: Vec<Object> = self.pods().filter(|pod| object::namespace(pod) == "default").collect();
        let Some(pod) = self.any(mine) else { return };
        let now = self.world.now();
        let mut store = self.store.lock().unwrap();
        store.delete(&PODS, "default", object::name(&pod), &DeleteOptions::default(), now).unwrap();
    }

    fn terminate(&mut self) {
        let Some(id) = self.any_instance() else { return };
        let now = self.world.now();
        self.vpc().terminate_instance(&id, now).unwrap();
    }

    /// One operation of EC2 refuses for a while: calls of ipamd break off half done.
    fn stumble(&mut self) {
        let operations = [
            "CreateNetworkInterface",
            "DetachNetworkInterface",
            "AssignPrivateIpAddresses",
            "UnassignPrivateIpAddresses",
        ];
        let operation = Some(operations[self.rng.usize(..operations.len())].to_owned());
        let (from, lasts) = (self.world.now(), Duration::from_secs(self.rng.u64(1..40)));
        self.vpc().add_fault(Fault { operation, kind: FaultKind::Unavailable, from, until: from + lasts, every: 1 });
    }

    /// Somebody attaches an ENI to a node and tells ipamd to leave it alone. ipamd would take it if it started later.
    fn hand_made_eni(&mut self) {
        let Some(id) = self.any_instance().filter(|id| self.runs_ipamd(id)) else { return };
        let (now, secondary_ips) = (self.world.now(), self.rng.u32(..4));
        let mut vpc = self.vpc();
        let subnet = vpc.instance(&id).unwrap().subnet.clone();
        let tags = Tags::from([(NO_MANAGE.to_owned(), "true".to_owned())]);
        let Ok(eni) = vpc.create_eni(NewEni { secondary_ips, tags, ..NewEni::in_subnet(subnet) }, now) else { return };
        let used: Vec<u32> = vpc.enis_of(&id).filter_map(|eni| Some(eni.attachment.as_ref()?.device_index)).collect();
        let free = (1..).find(|index| !used.contains(index)).unwrap();
        if vpc.attach_eni(&eni.id, &id, free, now).is_err() {
            vpc.remove_eni(&eni.id, now);
        }
    }

    /// Somebody puts an address or a prefix on a node's ENI, in the right mode or the wrong one, without telling ipamd.
    fn hand_made_block(&mut self) {
        let Some(id) = self.any_instance().filter(|id| self.runs_ipamd(id)) else { return };
        let (now, prefix) = (self.world.now(), self.rng.bool());
        let enis: Vec<_> = self.vpc().enis_of(&id).map(|eni| eni.id.clone()).collect();
        let Some(eni) = self.any(enis) else { return };
        let mut vpc = self.vpc();
        let done = if prefix {
            vpc.assign_prefixes(&eni, 1, now).map(drop)
        } else {
            vpc.assign_private_ips(&eni, 1, now).map(drop)
        };
        // No room or no slot: as good.
        drop(done);
    }

    fn cordon(&mut self) {
        let nodes: Vec<Arc<str>> = self.watch.state().nodes.keys().cloned().collect();
        let Some(name) = self.any(nodes) else { return };
        let now = self.world.now();
        let nodes = &headroom_lab::kube::resource::NODES;
        let mut store = self.store.lock().unwrap();
        let Some(mut node) = store.get(nodes, "", &name).map(|node| Value::clone(node)) else { return };
        node["spec"]["unschedulable"] = json!(node["spec"]["unschedulable"] != true);
        store.update(nodes, node, headroom_lab::kube::Part::Main, now).unwrap();
    }

    fn reserve_explicitly(&mut self, subnets: &BTreeMap<String, SubnetId>) {
        let Some(subnet) = self.any(subnets.values().cloned().collect()).filter(|_| self.rng.bool()) else { return };
        let mut vpc = self.vpc.lock().unwrap();
        let cidr = vpc.subnets(START).find(|view| view.id == subnet).unwrap().cidr;
        let last = cidr.last().to_bits() & !7;
        let block = headroom_capacity::subnet::Cidr::new(last.into(), 29).unwrap();
        vpc.create_reservation(&subnet, block, ReservationKind::Explicit, START).unwrap();
    }

    /// Another cluster's instance in one of the subnets.
    fn launch_anothers(&mut self, subnets: Vec<SubnetId>) {
        let Some(subnet) = self.any(subnets) else { return };
        let tags = Tags::new();
        let launch = Launch { instance_type: "m5.large".into(), subnet, min_count: 1, max_count: 1, tags };
        // A subnet that is full already has no room for it.
        drop(self.vpc().run_instances(&launch, START));
    }

    fn runs_ipamd(&self, id: &InstanceId) -> bool {
        self.world.agents().any(|(instance, agent)| instance == id && agent.ipamd().is_some())
    }

    fn any_instance(&mut self) -> Option<InstanceId> {
        let vpc = self.vpc();
        let running = vpc.instances().filter(|one| one.group.is_some() && one.state == InstanceState::Running);
        let running: Vec<InstanceId> = running.map(|one| one.id.clone()).collect();
        drop(vpc);
        self.any(running)
    }

    /// Sets have no order of their own: the same seed must choose the same.
    fn any<T: Clone + ToKey>(&mut self, mut all: Vec<T>) -> Option<T> {
        all.sort_by_key(T::to_key);
        let count = all.len();
        (count > 0).then(|| all[self.rng.usize(..count)].clone())
    }
}

/// What a thing is sorted by.
trait ToKey {
    fn to_key(&self) -> String;
}

impl ToKey for Object {
    fn to_key(&self) -> String {
        object::name(self).to_owned()
    }
}

macro_rules! named {
    ($($name:ty),*) => {
        $(impl ToKey for $name {
            fn to_key(&self) -> String {
                self.to_string()
            }
        })*
    };
}

named!(Arc<str>, SubnetId, InstanceId, headroom_capacity::ids::EniId);
