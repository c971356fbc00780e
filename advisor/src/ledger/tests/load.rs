//! The books of a large cluster, for a person to look at.

use std::hint::black_box;
use std::time::Duration;

use super::fixture::{NOW, policy};
use super::generate::{Shape, generate, held};
use crate::ledger::build;

/// A process's resident memory in KiB, now and at most (`/proc/self/status`).
fn memory() -> [u64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmRSS:", "VmHWM:"].map(|key| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    })
}

/// CPU time of this thread (`/proc/thread-self/schedstat`): other processes do not count.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// `cargo test --release -p headroom-advisor ledger::tests::load -- --ignored --nocapture`
#[test]
#[ignore = "prints figures of 5,000 nodes and asserts nothing about time: machines differ"]
fn five_thousand_nodes() {
    let shape = Shape {
        subnets: 200,
        subnet_len: 20,
        nodes: 5_000,
        enis: 6,
        addresses: 11,
        pods_percent: 31,
        prefixes: false,
        custom_networking: false,
        conflicts: false,
        seed: 1,
    };
    for shape in [shape, Shape { prefixes: true, ..shape }] {
        let fixture = generate(shape);
        let (enis, pods) = (fixture.inventory.enis.len(), fixture.cluster.pods.len());
        let [before, _] = memory();
        let mut millis = Vec::new();
        for _ in 0..10 {
            let start = cpu();
            let ledger = build(&fixture.inventory, &fixture.cluster, &policy(), NOW);
            millis.push((cpu() - start).as_secs_f64() * 1e3);
            assert_eq!(ledger.nodes.len(), 5_000);
            black_box(ledger);
        }
        let [_, most] = memory();
        millis.sort_by(f64::total_cmp);
        println!(
            "{enis} ENIs, {} addresses, {pods} pods: {:.0} ms of CPU (median of 10, {:.0} at most), {} MiB on top of {} MiB",
            held(&fixture),
            millis[5],
            millis[9],
            most.saturating_sub(before) / 1024,
            before / 1024
        );
    }
}
