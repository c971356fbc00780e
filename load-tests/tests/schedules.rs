//! Random faults and kills, a few schedules of the many that `headroom-bench schedules` carries out.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use headroom_advisor::config::Config;
use headroom_lab::net::DnsFault;
use headroom_load_tests::scaling::{Trouble, config};
use headroom_load_tests::schedules::{Program, Schedule, Spell, draw, run};
use headroom_shell::config::ConfigFile as _;
use tokio::task::JoinSet;

/// All of them at once.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

fn program() -> Program {
    Program { path: env!("CARGO_BIN_EXE_headroom-bench").into(), argument: "schedule-advisor" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_left_behind() {
    let logs = tempfile::tempdir().unwrap();
    let mut runs = JoinSet::new();
    for seed in SEEDS {
        let log = logs.path().join(format!("{seed}.log"));
        runs.spawn(async move { (seed, run(&program(), &draw(seed), config(), &log).await, log) });
    }
    while let Some(done) = runs.join_next().await {
        let (seed, outcome, log) = done.unwrap();
        let outcome = outcome.unwrap_or_else(|error| {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            panic!("seed {seed}: {error:#}; again: headroom-bench schedules --count 1 --seed {seed}\n{log}")
        });
        println!("seed {seed}: {outcome:?}");
    }
}

/// An advisor for which one pass counts for the whole run sees nothing of a nameserver that fails later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scale_in_on_a_failing_endpoint_is_noticed() {
    let secs = Duration::from_secs;
    let what = Trouble::Dns { fault: DnsFault::NxDomain, cut: false };
    let spells = vec![Spell { from: secs(120), lasts: secs(900), what }];
    let schedule = Schedule { advisors: 1, elected: false, spells, kills: Vec::new(), ..draw(1) };
    let mut config = config();
    (config.reachability.period_secs, config.reachability.passes) = (600, 1);
    config.scaling.scale_in.unneeded_secs = 300;
    let logs = tempfile::tempdir().unwrap();
    let error = run(&program(), &schedule, config, &logs.path().join("log")).await.unwrap_err().to_string();
    assert!(error.contains(" s into a fault"), "{error}");
}

#[test]
fn the_advisors_run_with_what_a_file_could_say() {
    let config = config();
    assert_eq!(Config::parse(&config.to_yaml().unwrap()).unwrap(), config);
}
