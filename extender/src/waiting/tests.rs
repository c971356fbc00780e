use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::claims::Outcome;
use crate::core::Core;
use crate::fixtures::{World, candidate, pod, running};

/// A core over nodes of 2 pod IPs each, and what kube-scheduler does to it.
struct Bench {
    core: Core,
    world: World,
}

impl Bench {
    fn new(nodes: &[&str]) -> Bench {
        let types: Vec<(&str, &str)> = nodes.iter().map(|name| (*name, "t3.nano")).collect();
        let mut bench = Bench { core: Core::new(Config::default()), world: World::with(&types) };
        bench.publish();
        bench
    }

    fn publish(&mut self) {
        let snapshot = self.world.snapshot();
        let outcomes: Vec<Outcome> = self.world.index.take_outcomes();
        self.core.publish(snapshot, &outcomes, self.world.now);
    }

    /// Fills the nodes with pods `NODE-0` and `NODE-1`.
    fn fill(&mut self, nodes: &[&str]) {
        for node in nodes {
            for n in 0..2 {
                self.world.pod(running(&format!("{node}-{n}"), node));
            }
        }
        self.publish();
    }

    fn gone(&mut self, uid: &str) {
        self.world.gone(uid);
        self.publish();
    }

    /// Filters; whether a node passed.
    fn ask(&self, uid: &str, nodes: &[&str], priority: i32) -> bool {
        let body = serde_json::json!({
            "Pod": {"metadata": {"uid": uid, "namespace": "ns", "name": uid}, "spec": {"priority": priority}},
            "NodeNames": nodes,
        });
        let reply = self.core.filter(body.to_string().as_bytes(), self.world.now);
        let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap();
        !reply["NodeNames"].as_array().unwrap().is_empty()
    }

    fn wait(&mut self, millis: u64) {
        self.world.now = self.world.now + Duration::from_millis(millis);
        self.publish();
    }

    fn woken(&self) -> Vec<String> {
        self.core.wake(self.world.now).into_iter().map(|pod| pod.uid.as_str().to_owned()).collect()
    }

    fn metric(&self, name: &str) -> String {
        let text = self.core.metrics_text().unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().to_owned()
    }
}

#[test]
fn as_many_pods_are_woken_as_addresses_have_cooled_down() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.fill(&["n1", "n2"]);
    for uid in ["a", "b", "c"] {
        assert!(!bench.ask(uid, &["n1", "n2"], 0));
    }
    assert_eq!(bench.metric("headroom_extender_waiting_pods"), "3");
    assert!(bench.woken().is_empty());
    bench.gone("n1-0");
    bench.gone("n2-0");
    bench.wait(29_999);
    assert!(bench.woken().is_empty(), "still cooling");
    bench.wait(1);
    assert_eq!(bench.woken(), ["a", "b"]);
    // They are on their way; nothing is left for the third.
    bench.wait(200);
    assert!(bench.woken().is_empty());
    assert!(bench.ask("a", &["n1", "n2"], 0) && bench.ask("b", &["n1", "n2"], 0));
    bench.wait(200);
    assert!(bench.woken().is_empty());
    assert_eq!(bench.metric("headroom_extender_waiting_pods"), "1");
}

#[test]
fn a_pod_that_cannot_use_the_room_makes_way() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.fill(&["n1", "n2"]);
    assert!(!bench.ask("only-n1", &["n1"], 0));
    assert!(!bench.ask("any", &["n1", "n2"], 0));
    bench.gone("n2-0");
    bench.wait(30_000);
    assert_eq!(bench.woken(), ["only-n1"]);
    assert!(!bench.ask("only-n1", &["n1"], 0));
    assert_eq!(bench.woken(), ["any"]);
    bench.gone("any");
    // The room is still there. The first one is not tried again for it, however long that lasts.
    for _ in 0..20 {
        bench.wait(1_000);
        assert!(bench.woken().is_empty());
    }
}

#[test]
fn priority_comes_before_age_and_a_batch_is_small() {
    let mut bench = Bench::new(&["n1", "n2", "n3"]);
    bench.fill(&["n1", "n2", "n3"]);
    for (uid, priority) in [("a", 0), ("b", 7), ("c", 0), ("d", 0), ("e", 0), ("f", 7)] {
        assert!(!bench.ask(uid, &["n1", "n2", "n3"], priority));
    }
    for node in ["n1", "n2", "n3"] {
        bench.gone(&format!("{node}-0"));
        bench.gone(&format!("{node}-1"));
    }
    bench.wait(30_000);
    assert_eq!(bench.woken(), ["b", "f", "a", "c"]);
    assert_eq!(bench.woken(), ["d", "e"]);
}

#[test]
fn a_pod_rejected_for_claims_is_woken_when_they_end() {
    let mut bench = Bench::new(&["n1"]);
    bench.world.pod(running("x", "n1"));
    bench.publish();
    assert!(bench.ask("first", &["n1"], 0));
    assert!(!bench.ask("second", &["n1"], 0));
    bench.wait(1_000);
    assert!(bench.woken().is_empty());
    // The first one's attempt came to nothing: no node changes, only its claim ends.
    bench.gone("first");
    assert_eq!(bench.woken(), ["second"]);
}

#[test]
fn room_that_came_while_a_pod_was_being_rejected_is_not_missed() {
    let mut bench = Bench::new(&["n1"]);
    bench.fill(&["n1"]);
    let full = bench.core.snapshot();
    let config = bench.core.config.clone();
    let rejection = |uid: &str| {
        let pod = WaitingPod { uid: uid.into(), namespace: "ns".into(), name: uid.into() };
        Rejection { pod, demand: Demand::PodIp, priority: 0, claims: None, sampled: None }
    };
    let mut waiting = Waiting::default();
    waiting.reject(rejection("other"), &full, bench.world.now);
    bench.gone("n1-0");
    bench.gone("n1-1");
    bench.wait(30_000);
    let (open, now) = (bench.core.snapshot(), bench.world.now);
    waiting.look(&open, &config, now);
    waiting.forget(&"other".into());
    waiting.reject(rejection("first"), &full, now);
    waiting.look(&open, &config, now);
    waiting.reject(rejection("late"), &full, now);
    waiting.reject(rejection("current"), &open, now);
    let woken = waiting.wake(&open, &Claims::default(), &config, now);
    assert_eq!(woken.iter().map(|pod| pod.uid.as_str()).collect::<Vec<_>>(), ["first", "late"]);
}

#[test]
fn bound_and_deleted_pods_are_forgotten() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.fill(&["n1"]);
    for uid in ["bound", "gone", "refused"] {
        bench.world.pod(pod(uid));
        bench.publish();
        assert!(!bench.ask(uid, &["n1"], 0));
    }
    bench.world.pod(running("bound", "n2"));
    bench.gone("gone");
    assert_eq!(bench.metric("headroom_extender_waiting_pods"), "1");
    bench.core.wake_gone(&WaitingPod { uid: "refused".into(), namespace: "ns".into(), name: "refused".into() });
    bench.gone("n1-0");
    bench.wait(30_000);
    assert!(bench.woken().is_empty());
}

#[test]
fn a_failed_wake_is_repeated_after_the_back_off() {
    let mut bench = Bench::new(&["n1"]);
    bench.fill(&["n1"]);
    assert!(!bench.ask("a", &["n1"], 0));
    bench.gone("n1-0");
    bench.wait(30_000);
    for backoff in [1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
        let pods = bench.core.wake(bench.world.now);
        assert_eq!(pods.len(), 1);
        bench.core.wake_failed(&pods[0]);
        bench.wait(backoff - 1);
        assert!(bench.woken().is_empty(), "{backoff}");
        bench.wait(1);
    }
    assert_eq!(bench.metric("headroom_extender_wake_errors_total"), "6");
}

#[test]
fn nothing_is_kept_where_it_is_switched_off_and_no_more_than_the_limit() {
    let mut bench = Bench::new(&["n1"]);
    bench.fill(&["n1"]);
    let mut waiting = Waiting::default();
    let snapshot = bench.core.snapshot();
    for n in 0..MAX_PODS + 5 {
        let uid = candidate(&n.to_string()).claimant.uid;
        let pod = WaitingPod { uid, namespace: "ns".into(), name: "p".into() };
        let rejection = Rejection { pod, demand: Demand::PodIp, priority: 0, claims: None, sampled: None };
        waiting.reject(rejection, &snapshot, bench.world.now);
    }
    assert_eq!(waiting.len(), MAX_PODS);
    waiting.look(&snapshot, &bench.core.config, bench.world.now + FORGET_AFTER);
    assert!(waiting.is_empty(), "not heard of");
    bench.core.config.wake_up.enabled = false;
    assert!(!bench.ask("a", &["n1"], 0));
    assert_eq!(bench.metric("headroom_extender_waiting_pods"), "0");
}

/// Nodes of which kube-scheduler names 100 at a time; only the last one has room.
fn sampled() -> (Bench, Vec<String>) {
    let names: Vec<String> = (0..250).map(|at| format!("n{at:03}")).collect();
    let refs: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::new(&refs);
    bench.fill(&refs[..249]);
    (bench, names)
}

#[test]
fn a_pod_walks_on_to_the_next_sample_while_others_have_room() {
    let (mut bench, names) = sampled();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(!bench.ask("a", &names[..100], 0));
    assert_eq!(bench.woken(), ["a"], "at once");
    bench.wait(200);
    assert!(bench.woken().is_empty(), "on its way");
    assert!(!bench.ask("a", &names[100..200], 0));
    bench.wait(200);
    assert_eq!(bench.woken(), ["a"], "no back-off between samples");
    assert!(bench.ask("a", &names[150..], 0));
    assert!(bench.woken().is_empty());
}

#[test]
fn after_two_rounds_the_walk_slows_down() {
    let (mut bench, names) = sampled();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for _ in 0..4 {
        assert!(!bench.ask("a", &names[..100], 0));
        bench.wait(200);
        assert_eq!(bench.woken(), ["a"]);
    }
    assert!(!bench.ask("a", &names[..100], 0));
    bench.wait(999);
    assert!(bench.woken().is_empty());
    bench.wait(1);
    assert_eq!(bench.woken(), ["a"]);
}

#[test]
fn a_pod_that_fits_none_of_the_nodes_with_room_stops_walking() {
    let (mut bench, names) = sampled();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let walk = |bench: &mut Bench| {
        let mut steps = 0;
        for _ in 0..1000 {
            bench.wait(200);
            if bench.woken() == ["picky"] {
                steps += 1;
                assert!(!bench.ask("picky", &names[..100], 0));
            }
        }
        steps
    };
    assert!(!bench.ask("picky", &names[..100], 0));
    assert_eq!(walk(&mut bench), 19, "100 names twenty times make eight rounds of 250 nodes");
    // New room is a new hope.
    bench.gone("n205-0");
    bench.wait(30_000);
    assert_eq!(walk(&mut bench), 20, "woken for the room, then as before");
}

const NODES: [&str; 3] = ["n1", "n2", "n3"];

#[derive(Clone, Debug)]
enum Step {
    /// A new pod that may use the nodes of this mask.
    Arrive(usize),
    /// A bound pod ends.
    End(usize),
    /// A pending pod is deleted.
    Delete(usize),
    /// kube-scheduler tries a pending pod on its own.
    Retry(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..8_usize).prop_map(Step::Arrive),
        3 => (0..64_usize).prop_map(Step::End),
        1 => (0..64_usize).prop_map(Step::Delete),
        2 => (0..64_usize).prop_map(Step::Retry),
        3 => (1..40_000_u64).prop_map(Step::Wait),
    ]
}

/// kube-scheduler with nothing else in the cluster: a pod is tried when it arrives and when it is woken.
struct Model {
    bench: Bench,
    /// Pending pods and the nodes that they may use.
    pending: HashMap<String, Vec<&'static str>>,
    bound: Vec<String>,
    woken_at: HashMap<String, Time>,
    arrivals: usize,
}

impl Model {
    fn attempt(&mut self, uid: &str) {
        let nodes = self.pending[uid].clone();
        let snapshot = self.bench.core.snapshot();
        if self.bench.ask(uid, &nodes, 0) {
            let node = nodes.into_iter().find(|node| {
                let slots = snapshot.nodes.get(node).unwrap().pod_ip;
                slots.now + slots.soon + slots.unproven > 0
            });
            self.pending.remove(uid);
            self.bench.world.pod(running(uid, node.unwrap()));
            self.bench.publish();
            self.bound.push(uid.to_owned());
        }
    }

    /// One look, and kube-scheduler's attempts after it.
    fn look(&mut self) -> Result<usize, TestCaseError> {
        let now = self.bench.world.now;
        let woken = self.bench.woken();
        prop_assert!(woken.len() <= 4);
        prop_assert_eq!(woken.iter().collect::<HashSet<_>>().len(), woken.len());
        for uid in &woken {
            prop_assert!(self.pending.contains_key(uid), "{} does not wait", uid);
            if let Some(before) = self.woken_at.insert(uid.clone(), now) {
                prop_assert!(now.since(before) >= FIRST_BACKOFF, "{} woken again too soon", uid);
            }
            self.attempt(uid);
        }
        Ok(woken.len())
    }

    fn apply(&mut self, step: &Step) {
        let pick = |model: &Model, at: usize| {
            let mut uids: Vec<String> = model.pending.keys().cloned().collect();
            uids.sort();
            (!uids.is_empty()).then(|| uids[at % uids.len()].clone())
        };
        match *step {
            Step::Arrive(mask) => {
                self.arrivals += 1;
                let uid = format!("p{}", self.arrivals);
                let nodes = NODES.into_iter().enumerate().filter(|(n, _)| mask & (1 << n) != 0);
                self.pending.insert(uid.clone(), nodes.map(|(_, name)| name).collect());
                self.bench.world.pod(pod(&uid));
                self.bench.publish();
                self.attempt(&uid);
            }
            Step::End(at) if !self.bound.is_empty() => {
                let uid = self.bound.swap_remove(at % self.bound.len());
                self.bench.gone(&uid);
            }
            Step::End(_) => {}
            Step::Delete(at) => {
                if let Some(uid) = pick(self, at) {
                    self.pending.remove(&uid);
                    self.bench.gone(&uid);
                }
            }
            Step::Retry(at) => {
                if let Some(uid) = pick(self, at) {
                    self.attempt(&uid);
                }
            }
            Step::Wait(millis) => self.bench.wait(millis),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn all_room_is_found_and_then_nobody_is_woken(
        in_flight in prop_oneof![Just(1), Just(16)],
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let (pending, bound, woken_at) = (HashMap::new(), Vec::new(), HashMap::new());
        let mut model = Model { bench: Bench::new(&NODES), pending, bound, woken_at, arrivals: 0 };
        model.bench.core.config.answer.pods_in_flight = in_flight;
        for step in &steps {
            model.apply(step);
            model.look()?;
        }
        // Everything cools down; each pod gets its turn within the back-off.
        model.bench.wait(30_000);
        for _ in 0..200 {
            model.look()?;
            model.bench.wait(200);
        }
        let snapshot = model.bench.core.snapshot();
        for (uid, nodes) in &model.pending {
            for node in nodes {
                let slots = snapshot.nodes.get(node).unwrap().pod_ip;
                prop_assert_eq!(slots.now + slots.soon + slots.unproven, 0, "{} waits beside room on {}", uid, node);
            }
        }
        for _ in 0..20 {
            prop_assert_eq!(model.look()?, 0, "woken although nothing changed");
            model.bench.wait(1_000);
        }
    }
}
