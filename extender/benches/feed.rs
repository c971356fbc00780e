//! What the advisor tells, taken into the index and frozen into a snapshot: 5,000 nodes on 200 subnets, 1,000 of them on the first. It is the
//! one writer that does it, and on the extender's one thread filter calls wait for it: for each snapshot, not for all that it takes until
//! every node is up to date.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use headroom_capacity::allot::Free;
use headroom_capacity::budget::NodeKind;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_cluster::{Event, Kind, Node};
use headroom_extender::config::Config;
use headroom_extender::feed::{Change, Shown};
use headroom_extender::index::Index;

const NODES: usize = 5_000;
const SUBNETS: usize = 200;
const ON_THE_FIRST: usize = 1_000;
const NOW: Time = Time::from_secs(1_000);

fn name(at: usize) -> String {
    format!("ip-10-{}-{}-{}.eu-central-1.compute.internal", at >> 16, (at >> 8) & 255, at & 255)
}

fn subnet(at: usize) -> SubnetId {
    SubnetId::from(format!("subnet-{at:017x}"))
}

fn subnet_of(node: usize) -> SubnetId {
    subnet(if node < ON_THE_FIRST { 0 } else { 1 + node % (SUBNETS - 1) })
}

fn node(at: usize) -> Node {
    Node {
        instance_type: Some("m5.large".into()),
        zone: Some("eu-central-1a".into()),
        ..Node::ready(&name(at), NodeKind::Linux, 110)
    }
}

fn shown(at: usize, attached: u32) -> Shown {
    Shown {
        pod_enis: Enis(1),
        attached: Ips(attached),
        free_slots: vec![(subnet_of(at), 9 - attached)],
        new_eni_subnets: vec![subnet_of(at)],
        ..Shown::default()
    }
}

fn free(at: usize, ips: u32) -> (SubnetId, Free) {
    (subnet(at), Free { ips: Ips(ips), prefixes: Prefixes(ips / 16) })
}

fn whole() -> Change {
    Change {
        whole: true,
        observed_at: NOW,
        nodes: (0..NODES).map(|at| (name(at).into(), shown(at, 9))).collect(),
        subnets: (0..SUBNETS).map(|at| free(at, 8_000)).collect(),
        ..Change::default()
    }
}

/// A cluster that was told everything.
fn told() -> Index {
    let config = Config::default();
    let mut index = Index::new(config.evidence, &config.pool);
    index.forget_feed_after(Duration::from_secs(180));
    for kind in Kind::ALL {
        index.apply(Event::Synced { kind, absent: false }, NOW);
    }
    (0..NODES).for_each(|at| index.apply(Event::NodeApplied(Box::new(node(at))), NOW));
    index.told(whole(), NOW);
    while index.next_change() == Some(Time::ZERO) || index.freeze(NOW).feed_observed_at.is_none() {
        black_box(index.freeze(NOW));
    }
    index
}

fn feed(bencher: &mut Criterion) {
    let mut group = bencher.benchmark_group("feed");
    let later = NOW + Duration::from_secs(10);
    let cases: [(&str, Change); 5] = [
        ("heartbeat", Change { observed_at: NOW, ..Change::default() }),
        ("whole", Change { observed_at: later, ..whole() }),
        ("nothing_new", Change { observed_at: later, ..Change::default() }),
        // Enough for half of its nodes to go on: all 1,000 count on something else.
        ("one_subnet", Change { observed_at: later, subnets: vec![free(0, 6_000)], ..Change::default() }),
        (
            "every_node",
            Change {
                observed_at: later,
                nodes: (0..NODES).map(|at| (name(at).into(), shown(at, 8))).collect(),
                ..Change::default()
            },
        ),
    ];
    for (case, change) in cases {
        group.bench_function(case, |bencher| {
            bencher.iter_batched_ref(
                || (told(), change.clone()),
                |(index, change)| {
                    index.told(std::mem::take(change), later);
                    black_box(index.freeze(later))
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = feed
}
criterion_main!(benches);
