//! No interleaving of what kube-scheduler, kubelet and the watch do may put more pods on a node than it has IPs.
//!
//! The model is naive on purpose: the truth is a list of pods with the node they hold an IP on, and a queue of watch events that
//! nobody has seen yet.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_cluster::{Event, Pod};
use proptest::prelude::*;

use super::Core;
use crate::config::{Config, ConfigFile as _};
use crate::fixtures::{World, pod, running};

/// Pod IPs that these types can attach: ENIs x (IPv4 per ENI - 1).
const NODES: [(&str, &str, usize); 3] = [("n1", "t3.nano", 2), ("n2", "t3.micro", 2), ("n3", "t3.small", 9)];
const PODS: usize = 24;
/// The rules of the model: a bind or a failure that is under way when a stale report could arrive, and any watch event, is seen
/// within less than `claims.failure_grace_secs`.
const LAG: Duration = Duration::from_millis(900);
const COOLDOWN: Duration = Duration::from_secs(30);

/// `pod` picks among those to which the step applies.
#[derive(Clone, Debug)]
enum Step {
    /// kube-scheduler asks for a pending pod; `lagging`: it has not seen its own last report yet.
    Ask { pod: usize, lagging: bool },
    /// It asks again for a pod that is on its way, whatever came of the attempt before: a gang that is tried as a whole.
    AskAgain { pod: usize },
    /// Somebody else binds a pod: another scheduler, or kubelet for a static pod. It goes where an IP is left, and is seen at once.
    Foreign { pod: usize, node: usize },
    /// The extender restarts: it knows what it lists, its claims are gone, and so is what cools.
    Restart,
    /// It binds a pod that passed, to one of the nodes offered.
    Bind { pod: usize, choice: usize },
    /// The attempt fails after filter; `message` is one of a few texts.
    Fail { pod: usize, message: u64 },
    /// A failed attempt found victims: kube-scheduler nominates the pod to their node.
    Nominate { pod: usize, node: usize },
    /// Somebody changes a pending pod: an update that means nothing.
    Touch { pod: usize },
    /// kubelet reports the IP.
    Report { pod: usize },
    /// A bound pod ends, or is deleted.
    End { pod: usize, deleted: bool },
    /// The watch delivers so many events.
    Deliver { events: usize },
    /// Time passes.
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let pod = || 0..PODS;
    prop_oneof![
        8 => (pod(), any::<bool>()).prop_map(|(pod, lagging)| Step::Ask { pod, lagging }),
        1 => pod().prop_map(|pod| Step::AskAgain { pod }),
        1 => (pod(), 0..NODES.len()).prop_map(|(pod, node)| Step::Foreign { pod, node }),
        1 => prop_oneof![9 => Just(Step::Deliver { events: 0 }), 1 => Just(Step::Restart)],
        6 => (pod(), pod()).prop_map(|(pod, choice)| Step::Bind { pod, choice }),
        2 => (pod(), 1..4_u64).prop_map(|(pod, message)| Step::Fail { pod, message }),
        2 => (pod(), 0..NODES.len()).prop_map(|(pod, node)| Step::Nominate { pod, node }),
        1 => pod().prop_map(|pod| Step::Touch { pod }),
        2 => pod().prop_map(|pod| Step::Report { pod }),
        2 => (pod(), any::<bool>()).prop_map(|(pod, deleted)| Step::End { pod, deleted }),
        6 => (0..6_usize).prop_map(|events| Step::Deliver { events }),
        1 => prop_oneof![1..900_u64, 1..20_000_u64].prop_map(|millis| Step::Wait { millis }),
    ]
}

/// A pod as it really is.
struct Truth {
    object: Pod,
    /// What kube-scheduler may still believe: the version before its last report.
    previous: Pod,
    /// Nodes offered to the attempt that is under way.
    offered: Option<Vec<String>>,
    generation: usize,
}

impl Truth {
    fn is_pending(&self) -> bool {
        self.object.node.is_none() && self.offered.is_none()
    }

    fn is_asked(&self) -> bool {
        self.offered.is_some()
    }

    fn is_bound(&self) -> bool {
        self.object.node.is_some() && !self.object.terminal
    }
}

struct Model {
    core: Core,
    world: World,
    pods: Vec<Truth>,
    queue: VecDeque<(Time, Event)>,
    cooling: Vec<(String, Time)>,
    version: u64,
}

impl Model {
    fn new(pods_in_flight: u32) -> Model {
        let nodes: Vec<(&str, &str)> = NODES.iter().map(|(name, kind, _)| (*name, *kind)).collect();
        let mut config = Config::default();
        config.answer.pods_in_flight = pods_in_flight;
        let mut model = Model {
            core: Core::new(config),
            world: World::with(&nodes),
            pods: (0..PODS).map(|at| Model::fresh(at, 0)).collect(),
            queue: VecDeque::new(),
            cooling: Vec::new(),
            version: 1,
        };
        model.publish();
        model
    }

    fn fresh(at: usize, generation: usize) -> Truth {
        let object = pod(&format!("p{at}-{generation}"));
        Truth { previous: object.clone(), object, offered: None, generation }
    }

    fn publish(&mut self) {
        let snapshot = self.world.index.freeze(self.world.now);
        self.core.publish(snapshot, &self.world.index.take_outcomes(), self.world.now);
    }

    fn deliver(&mut self, events: usize) {
        for _ in 0..events {
            let Some((_, event)) = self.queue.pop_front() else { break };
            self.world.apply(event);
        }
        self.publish();
    }

    /// Changes the object and queues the event.
    fn update(&mut self, at: usize, change: impl FnOnce(&mut Pod)) {
        self.version += 1;
        let truth = &mut self.pods[at];
        truth.previous = truth.object.clone();
        change(&mut truth.object);
        truth.object.resource_version = self.version;
        self.queue.push_back((self.world.now, Event::PodApplied(Box::new(truth.object.clone()))));
    }

    fn ask(&mut self, at: usize, lagging: bool) {
        let truth = &self.pods[at];
        let seen = if lagging { &truth.previous } else { &truth.object };
        let condition = seen.schedule_failure.map(|message| {
            serde_json::json!({"type": "PodScheduled", "status": "False", "reason": "", "message": message.to_string()})
        });
        let names: Vec<&str> = NODES.iter().map(|(name, _, _)| *name).collect();
        let body = serde_json::json!({
            "Pod": {
                "metadata": {"uid": seen.uid.as_str(), "resourceVersion": seen.resource_version.to_string()},
                "status": {"conditions": condition.into_iter().collect::<Vec<_>>()},
            },
            "NodeNames": names,
        });
        let reply = self.core.filter(body.to_string().as_bytes(), self.world.now);
        let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap();
        assert_eq!(reply["Error"], "");
        let offered: Vec<String> = serde_json::from_value(reply["NodeNames"].clone()).unwrap();
        if offered.is_empty() {
            self.fail(at, 0);
        } else {
            self.pods[at].offered = Some(offered);
        }
    }

    fn fail(&mut self, at: usize, message: u64) {
        self.pods[at].offered = None;
        let failure = headroom_cluster::failure_fingerprint("", &message.to_string());
        if self.pods[at].object.schedule_failure != Some(failure) {
            self.update(at, |pod| pod.schedule_failure = Some(failure));
        }
    }

    /// Only where an IP is left even if every pod on its way comes here: what nobody can see cannot be counted.
    fn foreign(&mut self, at: usize, node: usize) {
        let (name, _, ips) = NODES[node];
        let offered =
            self.pods.iter().flat_map(|truth| &truth.offered).filter(|nodes| nodes.iter().any(|to| to == name));
        if self.used().get(name).copied().unwrap_or(0) + offered.count() < ips {
            self.update(at, |pod| {
                pod.node = Some(name.into());
                pod.schedule_failure = None;
            });
            self.deliver(self.queue.len());
        }
    }

    /// What is under way ends while the extender starts.
    fn restart(&mut self) {
        self.wait(1000);
        self.cooling.clear();
        let now = self.world.now;
        let nodes: Vec<(&str, &str)> = NODES.iter().map(|(name, kind, _)| (*name, *kind)).collect();
        self.core = Core::new(self.core.config.clone());
        self.world = World::with(&nodes);
        self.world.now = now;
        for truth in &self.pods {
            self.world.index.apply(Event::PodApplied(Box::new(truth.object.clone())), now);
        }
        self.publish();
    }

    fn end(&mut self, at: usize, deleted: bool) {
        let node = self.pods[at].object.node.clone().unwrap();
        self.cooling.push((node.to_string(), self.world.now + COOLDOWN));
        if !deleted {
            return self.update(at, |pod| pod.terminal = true);
        }
        self.queue.push_back((self.world.now, Event::PodDeleted(self.pods[at].object.uid.clone())));
        self.pods[at] = Model::fresh(at, self.pods[at].generation + 1);
    }

    fn wait(&mut self, millis: u64) {
        let mut left = Duration::from_millis(millis);
        while !left.is_zero() {
            // Nothing that is under way outlasts the lag: an attempt ends, an event arrives.
            let step = left.min(LAG);
            for at in 0..self.pods.len() {
                if self.pods[at].offered.is_some() {
                    self.fail(at, 9);
                }
            }
            self.deliver(self.queue.len());
            self.world.now = self.world.now + step;
            left -= step;
            self.publish();
        }
    }

    /// One of the pods of which `is` holds.
    fn pick(&self, pod: usize, is: fn(&Truth) -> bool) -> Option<usize> {
        let those: Vec<usize> = (0..self.pods.len()).filter(|&at| is(&self.pods[at])).collect();
        (!those.is_empty()).then(|| those[pod % those.len()])
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Ask { pod, lagging } => {
                if let Some(at) = self.pick(pod, Truth::is_pending) {
                    self.ask(at, lagging);
                }
            }
            Step::AskAgain { pod } => {
                if let Some(at) = self.pick(pod, Truth::is_asked) {
                    self.pods[at].offered = None;
                    self.ask(at, false);
                }
            }
            Step::Foreign { pod, node } => {
                if let Some(at) = self.pick(pod, Truth::is_pending) {
                    self.foreign(at, node);
                }
            }
            Step::Restart => self.restart(),
            Step::Bind { pod, choice } => {
                let Some(at) = self.pick(pod, Truth::is_asked) else { return };
                let offered = self.pods[at].offered.take().unwrap();
                let node = offered[choice % offered.len()].clone();
                self.update(at, |pod| {
                    pod.node = Some(node.into());
                    pod.schedule_failure = None;
                });
            }
            Step::Fail { pod, message } => {
                if let Some(at) = self.pick(pod, Truth::is_asked) {
                    self.fail(at, message);
                }
            }
            Step::Nominate { pod, node } => {
                let failed = |truth: &Truth| truth.is_pending() && truth.object.schedule_failure.is_some();
                if let Some(at) = self.pick(pod, failed) {
                    self.update(at, |pod| pod.nominated_node = Some(NODES[node].0.into()));
                }
            }
            Step::Touch { pod } => {
                if let Some(at) = self.pick(pod, |truth| truth.object.node.is_none()) {
                    self.update(at, |_| {});
                }
            }
            Step::Report { pod } => {
                if let Some(at) = self.pick(pod, |truth| truth.is_bound() && !truth.object.has_ip()) {
                    self.update(at, |pod| pod.ip = Some([10, 0, 0, 4].into()));
                }
            }
            Step::End { pod, deleted } => {
                if let Some(at) = self.pick(pod, Truth::is_bound) {
                    self.end(at, deleted);
                }
            }
            Step::Deliver { events } => self.deliver(events),
            Step::Wait { millis } => self.wait(millis),
        }
    }

    /// IPs held or cooling, per node.
    fn used(&self) -> HashMap<&str, usize> {
        let holding = self.pods.iter().filter(|truth| !truth.object.terminal);
        let held = holding.filter_map(|truth| truth.object.node.as_deref());
        let cooling = self.cooling.iter().filter(|(_, until)| *until > self.world.now).map(|(node, _)| node.as_str());
        let mut used = HashMap::new();
        for node in held.chain(cooling) {
            *used.entry(node).or_default() += 1;
        }
        used
    }
}

/// A tenth of a million steps take seconds; `PROPTEST_CASES=12000` makes 1.2 million.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(192)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_oversubscribes_a_node(
        in_flight in prop_oneof![Just(1), Just(3), Just(16)],
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut model = Model::new(in_flight);
        for step in &steps {
            model.apply(step);
            let used = model.used();
            for (name, _, ips) in NODES {
                let count = used.get(name).copied().unwrap_or(0);
                prop_assert!(count <= ips, "{name} holds {count} of {ips} after {step:?}");
            }
        }
        // Nothing leaks: once all is seen and cooled, what is free is offered again, one node to each pod.
        for at in 0..PODS {
            if model.pods[at].object.nominated_node.is_some() {
                model.update(at, |pod| pod.nominated_node = None);
            }
        }
        model.wait(61_000);
        model.core.config.answer.pods_in_flight = 16;
        let free: usize = NODES.iter().map(|(name, _, ips)| ips - model.used().get(name).copied().unwrap_or(0)).sum();
        let pending: Vec<usize> = (0..PODS).filter(|&at| model.pods[at].is_pending()).collect();
        for &at in &pending {
            model.ask(at, false);
        }
        let offered = pending.iter().filter(|&&at| model.pods[at].offered.is_some()).count();
        prop_assert_eq!(offered, free.min(pending.len()));
    }
}

#[test]
fn a_pods_own_claim_does_not_lower_its_scores() {
    let core = Core::new(Config::parse("answer: {pods_in_flight: 1}").unwrap());
    let mut world = World::with(&[("n1", "t3.nano"), ("n2", "t3.nano")]);
    world.pod(running("a", "n1"));
    core.publish(world.snapshot(), &[], world.now);
    let body = br#"{"Pod":{"metadata":{"uid":"u"}},"NodeNames":["n1","n2"]}"#;
    let scores = || String::from_utf8(core.prioritize(body, world.now)).unwrap();
    let before = scores();
    assert!(!before.contains(r#""Score":0"#), "{before}");
    assert!(String::from_utf8(core.filter(body, world.now)).unwrap().contains(r#""NodeNames":["n1","n2"]"#));
    assert_eq!(scores(), before);
}

#[test]
fn stale_state_goes_by_policy() {
    let body = br#"{"Pod":{"metadata":{"uid":"u"}},"NodeNames":["n3"]}"#;
    for (policy, expected) in [("pass", r#""NodeNames":["n3"]"#), ("reject", "cluster state is stale")] {
        let core = Core::new(Config::parse(&format!("failure: {{on_stale_state: {policy}}}")).unwrap());
        let mut world = World::with(&[("n3", "t3.small")]);
        let (kind, class) = (headroom_cluster::Kind::Pod, headroom_cluster::ErrorClass::Stream);
        world.apply(Event::WatchFailed { kind, class, error: String::new() });
        core.publish(world.snapshot(), &[], world.now);
        world.wait(60);
        let text = |now| String::from_utf8(core.filter(body, now)).unwrap();
        assert!(text(world.now).contains(r#""NodeNames":["n3"]"#));
        world.wait(1);
        assert!(text(world.now).contains(expected), "{policy}");
    }
}
