//! A request's and a reply's bytes alone. `serde` is the same request with a space at its end, which the short cut leaves to serde.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use headroom_capacity::verdict::Reason;
use headroom_extender::wire;
use std::hint::black_box;

const POD: &str = include_str!("pod.json");
const NAMES: [usize; 4] = [1, 500, 5_000, 15_000];

fn request(names: usize) -> String {
    let name =
        |at: usize| format!("\"ip-10-{}-{}-{}.eu-central-1.compute.internal\"", at >> 16, (at >> 8) & 255, at & 255);
    let names: Vec<String> = (0..names).map(name).collect();
    format!(r#"{{"Pod":{POD},"Nodes":null,"NodeNames":[{}]}}"#, names.join(","))
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for names in NAMES {
        let body = request(names);
        let spaced = format!("{body} ");
        group.throughput(Throughput::Bytes(body.len() as u64));
        for (form, body) in [("scan", &body), ("serde", &spaced)] {
            group.bench_function(BenchmarkId::new(form, names), |bencher| {
                bencher.iter(|| wire::decode(black_box(body.as_bytes())).expect("kube-scheduler writes such requests"));
            });
        }
    }
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for count in NAMES {
        let body = request(count);
        let names = wire::decode(body.as_bytes()).expect("kube-scheduler writes such requests").names;
        group.bench_function(BenchmarkId::new("all", count), |bencher| {
            bencher.iter(|| wire::passed_all(black_box(&names)));
        });
        group.bench_function(BenchmarkId::new("best50", count), |bencher| {
            bencher.iter(|| wire::passed(black_box(&names), 0..count.min(50)));
        });
        let reasons = vec![Reason::CoolingDown; count];
        group.bench_function(BenchmarkId::new("none", count), |bencher| {
            bencher.iter(|| wire::rejected(black_box(&names), reasons.iter().copied()));
        });
    }
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
