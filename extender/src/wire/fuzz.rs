//! Random requests, most of them damaged: the short cut must find what serde finds, and every reply must be one that Go can read.
//!
//! Deterministic. `HEADROOM_FUZZ_CASES` sets the number of cases and `HEADROOM_FUZZ_SEED` where to start:
//!
//! ```console
//! $ HEADROOM_FUZZ_CASES=10000000 cargo test --release -p headroom-extender wire::fuzz -- --nocapture
//! ```

mod bodies;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Args, RequestError, args, decode, scan};
use crate::config::Config;
use crate::core::Core;
use crate::filter::SAMPLED_FROM;
use crate::fixtures::World;
use bodies::Bodies;

const CASES: u64 = 200_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}: not a number")))
}

/// Runs `check` on every case; a failure names the seed that repeats it as the first case.
fn for_each_body(default_cases: u64, mut check: impl FnMut(&[u8])) {
    let start = setting("HEADROOM_FUZZ_SEED", 0);
    let cases = setting("HEADROOM_FUZZ_CASES", default_cases);
    for seed in start..start + cases {
        let body = Bodies::seeded(seed).next();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&body)));
        if let Err(panic) = outcome {
            eprintln!("HEADROOM_FUZZ_SEED={seed} HEADROOM_FUZZ_CASES=1: {}", body.escape_ascii());
            std::panic::resume_unwind(panic);
        }
    }
}

fn by_serde(body: &[u8]) -> Result<Args<'_>, RequestError> {
    let args = args::parse(body)?;
    if args.pod.uid.is_empty() { Err(RequestError::NoUid) } else { Ok(args) }
}

#[test]
fn the_short_cut_finds_what_serde_finds() {
    let (mut short, mut long, mut refused) = (0_u64, 0_u64, 0_u64);
    for_each_body(CASES, |body| {
        let expected = by_serde(body);
        assert_eq!(decode(body), expected);
        match expected {
            Ok(_) if scan::scan(body).is_some() => short += 1,
            Ok(_) => long += 1,
            Err(_) => refused += 1,
        }
    });
    println!("{short} by the short cut, {long} by serde alone, {refused} refused");
    let least = (short + long + refused) / 20;
    assert!(short >= least && long >= least && refused >= least, "{short} {long} {refused}: one is hardly tested");
}

/// `ExtenderFilterResult` as Go reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterResult {
    nodes: Option<serde_json::Value>,
    node_names: Option<Vec<String>>,
    failed_nodes: BTreeMap<String, String>,
    failed_and_unresolvable_nodes: BTreeMap<String, String>,
    error: String,
}

#[test]
fn filter_answers_anything_with_a_reply_that_go_can_read() {
    let mut world = World::with(&[("n1", "t3.nano"), ("n2", "t3.micro"), ("ip-10-0-0-3.ec2.internal", "m5.large")]);
    let core = Core::new(Config::default());
    core.publish(world.snapshot(), &[], world.now);
    let (mut passed, mut rejected, mut failed) = (0_u64, 0_u64, 0_u64);
    for_each_body(CASES / 10, |body| {
        // Claims of earlier cases run out now and then, so that nodes are full in some cases and open in others.
        world.now = world.now + Duration::from_millis(200);
        let reply = core.filter(body, world.now);
        let result: FilterResult = serde_json::from_slice(&reply).expect("a reply is an ExtenderFilterResult");
        assert!(result.nodes.is_none() && result.failed_nodes.is_empty());
        let Ok(args) = by_serde(body) else {
            assert!(result.node_names.is_none() && !result.error.is_empty(), "{result:?}");
            failed += 1;
            return;
        };
        assert_eq!(result.error, "");
        let asked = args.names.list();
        let names = result.node_names.expect("names, or an error");
        assert!(names.iter().all(|name| asked.contains(&name.as_str())), "{names:?} of {asked:?}");
        let reasons = result.failed_and_unresolvable_nodes;
        if names.is_empty() {
            // Of many, one stands for all.
            let told = if asked.len() < SAMPLED_FROM { &asked[..] } else { &asked[..1] };
            assert!(told.iter().all(|name| reasons.contains_key(*name)), "{reasons:?} of {asked:?}");
            assert!(reasons.len() <= told.len(), "{reasons:?}");
            rejected += 1;
        } else {
            assert!(reasons.is_empty(), "{reasons:?}");
            passed += 1;
        }
    });
    println!("{passed} passed, {rejected} rejected, {failed} failed");
    assert!(passed > 0 && rejected > 0 && failed > 0, "{passed} {rejected} {failed}: one is not tested");
}
