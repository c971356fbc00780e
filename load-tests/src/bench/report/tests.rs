use super::*;
use crate::bench::fixture::Wish;
use crate::bench::schedule::Arrivals;

fn latencies(micros: &[u64]) -> Latencies {
    let mut latencies = Latencies::default();
    latencies.add_round(&micros.iter().map(|micros| micros * 1000).collect::<Vec<_>>());
    latencies.add_round(&micros.iter().map(|micros| micros * 2000).collect::<Vec<_>>());
    latencies
}

fn measured(micros: &[u64], names_back: (u32, u32)) -> Measured {
    Measured { latencies: latencies(micros), names_back: Some(names_back) }
}

pub(in crate::bench) fn report() -> Report {
    let row = Row { pod: Wish::Plain, fresh: false, nodes: 5000, names: 500, block: 3, rounds: 2 };
    let load = Load { arrivals: Arrivals::Poisson, per_sec: 500.0, calls: 6, connections: 4, names: 500 };
    let outcome = Outcome { corrected: latencies(&[10, 400]), uncorrected: latencies(&[10, 20]) };
    let loaded = Memory { resident_kib: 80 * 1024, peak_kib: 120 * 1024 };
    Report {
        machine: Machine { cpu: "Example CPU".into(), cores: 2, memory_kib: 24 << 20, kernel: "6.1.0".into() },
        command: "scripts/bench.sh calls".into(),
        version: "commit 1234567".into(),
        took: Duration::from_secs(240),
        rows: vec![RowReport {
            row,
            measured: [
                measured(&[100, 200, 300], (50, 50)),
                measured(&[110, 220, 330], (48, 50)),
                measured(&[200, 400, 600], (500, 500)),
            ],
        }],
        churn: ChurnReport {
            row,
            measured: [measured(&[100, 200, 300], (50, 50)), measured(&[102, 204, 306], (50, 50))],
            events: 4000,
        },
        open: vec![OpenReport { nodes: 5000, target: Target::Headroom, load, outcome }],
        loads: vec![LoadReport {
            size: Size { nodes: 5000, pods: 100_000 },
            ready_after: Duration::from_millis(2340),
            loaded,
            after_calls: Memory { resident_kib: 90 * 1024 + 1, ..loaded },
        }],
        connections: ConnectionsReport {
            calls: 12_000,
            connections: 1,
            short_idle: Duration::from_secs(80),
            after_short_idle: 1,
            long_idle: Duration::from_secs(100),
            after_long_idle: 2,
        },
    }
}

#[test]
fn a_report_reads_like_this() {
    let text = report().to_string();
    let golden = include_str!("golden.md");
    assert!(text == golden, "differs from report/golden.md, which should be:\n{text}");
}

#[test]
fn ratios_are_of_headroom() {
    let report = &report().rows[0];
    assert!((report.headroom_over(Target::Floor).p50 - 1.1).abs() < 0.01);
    assert!((report.headroom_over(Target::PlainGo).p50 - 0.55).abs() < 0.01);
}
