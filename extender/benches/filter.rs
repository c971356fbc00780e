//! [`Core::filter`] from a request's bytes to a reply's bytes, on a cluster of 5,000 nodes (15,000 for the longest request), for the three
//! ways in which it can end.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use headroom_capacity::budget::NodeKind;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;
use headroom_cluster::{Event, Node, Pod};
use headroom_extender::config::Config;
use headroom_extender::core::Core;
use headroom_extender::index::{Index, KINDS};
use std::hint::black_box;

/// As Go's `json.Marshal` writes it in an `ExtenderArgs` (k8s.io/kube-scheduler v0.36.3).
const POD: &str = include_str!("pod.json");
/// Names in the request, nodes in the cluster.
const SIZES: [(usize, usize); 4] = [(1, 5_000), (500, 5_000), (5_000, 5_000), (15_000, 15_000)];
const NOW: Time = Time::from_secs(1_000);
/// Pod IPs of the full nodes' type: 2 ENIs with 2 addresses, one of each its own.
const NANO_IPS: usize = 2;

fn name(at: usize) -> String {
    format!("ip-10-{}-{}-{}.eu-central-1.compute.internal", at >> 16, (at >> 8) & 255, at & 255)
}

fn node(at: usize, instance_type: &str) -> Node {
    Node {
        instance_type: Some(instance_type.into()),
        zone: Some("eu-central-1a".into()),
        ..Node::ready(&name(at), NodeKind::Linux, 110)
    }
}

fn running(at: usize, nth: usize) -> Pod {
    let uid = format!("pod-{at}-{nth}");
    Pod {
        uid: uid.as_str().into(),
        namespace: "default".into(),
        name: uid.into(),
        resource_version: 1,
        node: Some(name(at).into()),
        nominated_node: None,
        priority: 0,
        demand: Demand::PodIp,
        requests: Default::default(),
        ip: Some([10, 0, 0, 4].into()),
        terminal: false,
        deleting: false,
        schedule_failure: None,
        shortage: None,
        placement: Default::default(),
        ties: Default::default(),
        labels: Default::default(),
    }
}

/// A cluster whose nodes all have room, or are all full.
fn core(nodes: usize, full: bool) -> Core {
    let config = Config::default();
    let mut index = Index::new(config.evidence.clone(), &config.pool);
    for kind in KINDS {
        index.apply(Event::Synced { kind, absent: false }, NOW);
    }
    for at in 0..nodes {
        index.apply(Event::NodeApplied(Box::new(node(at, if full { "t3.nano" } else { "m5.large" }))), NOW);
        for nth in 0..if full { NANO_IPS } else { 0 } {
            index.apply(Event::PodApplied(Box::new(running(at, nth))), NOW);
        }
    }
    let core = Core::new(config);
    core.publish(index.freeze(NOW), &[], NOW);
    core
}

fn request(names: usize, pod: &str) -> String {
    let names: Vec<String> = (0..names).map(|at| format!("\"{}\"", name(at))).collect();
    format!(r#"{{"Pod":{pod},"Nodes":null,"NodeNames":[{}]}}"#, names.join(","))
}

fn filter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter");
    let host = POD.replacen(r#""spec":{"#, r#""spec":{"hostNetwork":true,"#, 1);
    let now = NOW + Duration::from_secs(1);
    for (names, nodes) in SIZES {
        let (open, full) = (core(nodes, false), core(nodes, true));
        for (end, core, pod, reason) in
            [("best", &open, POD, false), ("all", &open, &host, false), ("none", &full, POD, true)]
        {
            let body = request(names, pod);
            let reply = String::from_utf8(core.filter(body.as_bytes(), now)).expect("a reply is JSON");
            assert!(reply.ends_with(r#""Error":""}"#) && reply.contains("no pod IP left") == reason, "{reply}");
            group.bench_function(BenchmarkId::new(end, names), |bencher| {
                bencher.iter(|| core.filter(black_box(body.as_bytes()), now));
            });
        }
    }
}

criterion_group!(benches, filter);
criterion_main!(benches);
