//! Whatever is wrong with AWS or the way to it: no scale-in begins, one that has begun is given back, and once all is well the spare
//! node goes.

use std::time::Duration;

use headroom_lab::aws::FaultKind;
use headroom_lab::net::Mode;
use headroom_load_tests::advisor::Advisor;
use headroom_load_tests::page::get;

use crate::rig::{RATE, Rig, Trouble, config};

/// So long a node has been spare for far longer than it must be.
const LONG: Duration = Duration::from_secs(100);

async fn survives(trouble: Trouble) {
    let rig = Rig::start().await;
    let advisor = Advisor::start(rig.place(), config()).await.unwrap();
    let admin = advisor.admin_addr();
    rig.until("there are books", async || get(admin, "/readyz").await.map(drop).map_err(|error| error.to_string()))
        .await;

    rig.begin(trouble).await;
    let until = rig.lab.clock().now() + LONG;
    while rig.lab.clock().now() < until {
        let held = rig.cordoned().await;
        let said = get(admin, "/reachability").await;
        assert!(held.is_empty(), "a scale-in was begun on a failing endpoint: {held:?}, {said:?}");
        assert_eq!(rig.desired(), 4);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let plan = get(admin, "/plan").await.unwrap();
    assert!(plan.contains("endpoint_not_reachable") || plan.contains("stale_books"), "{plan}");
    rig.end(trouble).await;

    rig.marked().await;
    rig.begin(trouble).await;
    rig.until("the node is given back, or was gone before", async || {
        let (held, desired) = (rig.cordoned().await, rig.desired());
        if held.is_empty() || desired == 3 { Ok(()) } else { Err(format!("cordoned {held:?}, desired {desired}")) }
    })
    .await;
    rig.end(trouble).await;
    rig.shrunk().await;
    println!("{trouble:?}: {}", lateness(&get(admin, "/metrics").await.unwrap()));
    advisor.stop().await.unwrap();
    rig.shutdown().await;
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
    ($($name:ident: $trouble:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            survives($trouble).await;
        })*
    };
}

troubles! {
    blackholed: Trouble::Way(Mode::Blackhole);
    refused: Trouble::Way(Mode::Refuse);
    reset: Trouble::Way(Mode::Reset);
    stalled: Trouble::Way(Mode::Stall);
    no_answer: Trouble::Api(FaultKind::Drop);
    unavailable: Trouble::Api(FaultKind::Unavailable);
    throttled: Trouble::Api(FaultKind::Throttle);
    endpoint_policy: Trouble::Api(FaultKind::EndpointPolicy);
    denied: Trouble::Api(FaultKind::Denied);
    skewed_clock: Trouble::Api(FaultKind::ClockAhead(Duration::from_secs(20 * 60)));
    expired_credentials: Trouble::Api(FaultKind::ExpiredToken);
}
