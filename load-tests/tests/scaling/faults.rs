//! Whatever is wrong with AWS or the way to it: no scale-in begins, one that has begun is given back, and once all is well the spare
//! node goes.

use std::time::Duration;

use headroom_load_tests::advisor::Advisor;
use headroom_load_tests::page::get;
use headroom_load_tests::scaling::{TROUBLES, config};
use serde_json::Value;

use crate::rig::{RATE, Rig};

/// So long a node has been spare for far longer than it must be.
const LONG: Duration = Duration::from_secs(100);

async fn survives(name: &str) {
    let (_, trouble, cause) = TROUBLES.into_iter().find(|(known, ..)| *known == name).unwrap();
    let rig = Rig::start().await;
    let site = &rig.site;
    let advisor = Advisor::start(site.place().unwrap(), config()).await.unwrap();
    let admin = advisor.admin_addr();
    rig.until("there are books", async || get(admin, "/readyz").await.map(drop).map_err(|error| error.to_string()))
        .await;

    site.begin(trouble).await.unwrap();
    let until = site.lab.clock().now() + LONG;
    while site.lab.clock().now() < until {
        let held = rig.held().await;
        let said = get(admin, "/reachability").await;
        assert!(held.is_empty(), "a scale-in was begun on a failing endpoint: {held:?}, {said:?}");
        assert_eq!(site.desired(), 4);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rig.until("the plan and the probes say what it is", async || {
        let plan = get(admin, "/plan").await.unwrap();
        let refused = plan.contains("endpoint_not_reachable") || plan.contains("stale_books");
        let said: Value = serde_json::from_str(&get(admin, "/reachability").await.unwrap()).unwrap();
        if refused && said[0]["diagnosis"]["cause"] == cause { Ok(()) } else { Err(format!("{plan}\n{said:#}")) }
    })
    .await;
    assert!(rig.held().await.is_empty());
    site.end(trouble).await.unwrap();

    rig.marked().await;
    site.begin(trouble).await.unwrap();
    rig.until("the node is given back, or was gone before", async || {
        let (held, desired) = (rig.held().await, site.desired());
        if held.is_empty() || desired == 3 { Ok(()) } else { Err(format!("held {held:?}, desired {desired}")) }
    })
    .await;
    site.end(trouble).await.unwrap();
    rig.shrunk().await;
    println!("{name}: named {cause}; {}", lateness(&get(admin, "/metrics").await.unwrap()));
    advisor.stop().await.unwrap();
    rig.site.shutdown().await;
}

/// In which bucket the 99th of a hundred plans is, in milliseconds of real time.
fn lateness(metrics: &str) -> String {
    let buckets = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("headroom_advisor_plan_lateness_seconds_bucket{le=\"")?;
        let (le, count) = rest.split_once("\"} ")?;
        Some((le.parse::<f64>().unwrap_or(f64::INFINITY), count.parse::<f64>().ok()?))
    });
    let buckets: Vec<(f64, f64)> = buckets.collect();
    let all = buckets.last().map_or(0.0, |(_, count)| *count);
    let p99 = buckets.iter().find(|(_, count)| *count >= 0.99 * all).map_or(f64::NAN, |(le, _)| *le);
    format!("{all} plans, 99 % begun at most {:.0} ms late", p99 / RATE * 1e3)
}

macro_rules! troubles {
    ($($test:ident: $name:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            survives($name).await;
        })*

        #[test]
        fn none_is_left_out() {
            let (tested, known) = ([$($name),*], TROUBLES.map(|(name, ..)| name));
            assert_eq!(tested, known);
        }
    };
}

troubles! {
    coredns_down: "CoreDNS down";
    nxdomain: "NXDOMAIN";
    servfail: "SERVFAIL";
    slow_dns: "slow DNS";
    syn_dropped: "SYN dropped";
    refused: "RST";
    tls_stall: "TLS stall";
    wrong_certificate: "wrong certificate";
    endpoint_policy: "endpoint policy";
    throttled: "throttling";
    skewed_clock: "skewed clock";
    expired_credentials: "expired credentials";
    reset: "reset in the handshake";
    no_answer: "no answer";
    unavailable: "503";
    denied: "denied";
}
