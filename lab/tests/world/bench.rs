//! A world with a scheduler that binds whatever it is told to, wherever it is told to.

use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_lab::kube::resource::{EVENTS, NODES, PODS};
use headroom_lab::kube::selector::Selector;
use headroom_lab::kube::{DeleteOptions, Object, Resource, object};
use headroom_lab::scenario::Scenario;
use headroom_lab::world::World;
use serde_json::{Value, json};

/// 2026-01-01.
const START: Time = Time::from_secs(1_767_225_600);

pub(crate) struct Bench {
    pub(crate) world: World,
    bound: usize,
}

/// A scenario with one subnet and one node group; `more` are further keys of the file.
pub(crate) fn one_group(instance_type: &str, group: &str, more: &str) -> String {
    scenario("cidr: 10.0.0.0/22", instance_type, group, more)
}

/// The same with keys of the subnet.
pub(crate) fn scenario(subnet: &str, instance_type: &str, group: &str, more: &str) -> String {
    format!(
        "vpc: {{ cidr: 10.0.0.0/16 }}\n\
         subnets: [{{ name: a, az: us-west-2a, {subnet} }}]\n\
         nodeGroups: [{{ name: workers, instanceType: {instance_type}, subnets: [a], {group} }}]\n\
         {more}\n"
    )
}

impl Bench {
    pub(crate) fn new(text: &str) -> Bench {
        Bench::of(Scenario::parse("test.yaml", text).unwrap_or_else(|error| panic!("{error}")))
    }

    pub(crate) fn of(scenario: Scenario) -> Bench {
        Bench { world: World::new(scenario, START).unwrap(), bound: 0 }
    }

    /// Lets `secs` pass.
    pub(crate) fn run(&mut self, secs: u64) {
        let until = self.world.now() + Duration::from_secs(secs);
        self.world.step_to(until);
    }

    pub(crate) fn nodes(&self) -> Vec<String> {
        self.list(&NODES).iter().map(|node| object::name(node).to_owned()).collect()
    }

    /// Names of pods that are not bound.
    pub(crate) fn pending(&self) -> Vec<String> {
        self.unbound().iter().map(|pod| object::name(pod).to_owned()).collect()
    }

    fn unbound(&self) -> Vec<Object> {
        let mut pods = self.list(&PODS);
        pods.retain(|pod| object::text(pod, "/spec/nodeName").is_empty());
        pods
    }

    /// Pods of workloads, in the namespace `default`.
    pub(crate) fn pods(&self) -> Vec<Object> {
        let mut pods = self.list(&PODS);
        pods.retain(|pod| object::namespace(pod) == "default");
        pods
    }

    pub(crate) fn bind(&mut self, pod: &str, node: &str) {
        self.bind_in("default", pod, node);
    }

    /// Binds every pending pod, to the nodes in turn.
    pub(crate) fn bind_all(&mut self) {
        let nodes = self.nodes();
        for pod in self.unbound() {
            if nodes.is_empty() {
                return;
            }
            self.bind_in(object::namespace(&pod), object::name(&pod), &nodes[self.bound % nodes.len()]);
            self.bound += 1;
        }
    }

    fn bind_in(&self, namespace: &str, pod: &str, node: &str) {
        let binding = json!({ "target": { "kind": "Node", "name": node } });
        let now = self.world.now();
        self.world.store().lock().unwrap().bind(namespace, pod, &binding, now).unwrap();
    }

    pub(crate) fn delete(&mut self, pod: &str) {
        let now = self.world.now();
        self.world.store().lock().unwrap().delete(&PODS, "default", pod, &DeleteOptions::default(), now).unwrap();
    }

    /// Load balancers and the like go away.
    pub(crate) fn free_what_others_hold(&mut self) {
        let (vpc, now) = (self.world.vpc(), self.world.now());
        let mut vpc = vpc.lock().unwrap();
        let theirs: Vec<_> = vpc.enis().filter(|eni| eni.requester_managed).map(|eni| eni.id.clone()).collect();
        theirs.iter().for_each(|eni| vpc.remove_eni(eni, now));
    }

    pub(crate) fn pod(&self, name: &str) -> Value {
        Value::clone(self.world.store().lock().unwrap().get(&PODS, "default", name).unwrap())
    }

    /// Names of pods with an address, and of those without.
    pub(crate) fn with_and_without_ip(&self) -> (Vec<String>, Vec<String>) {
        let has_ip = |pod: &Object| !object::text(pod, "/status/podIP").is_empty();
        let (with, without): (Vec<Object>, Vec<Object>) = self.pods().into_iter().partition(has_ip);
        let names = |pods: Vec<Object>| pods.iter().map(|pod| object::name(pod).to_owned()).collect();
        (names(with), names(without))
    }

    /// Events of one pod, oldest series first.
    pub(crate) fn events(&self, pod: &str) -> Vec<Object> {
        let mut events = self.list(&EVENTS);
        events.retain(|event| event["involvedObject"]["name"] == pod);
        events.sort_by_key(|event| event["firstTimestamp"].as_str().unwrap().to_owned());
        events
    }

    pub(crate) fn list(&self, resource: &'static Resource) -> Vec<Object> {
        self.world.store().lock().unwrap().list(resource, &Selector::default()).cloned().collect()
    }
}
