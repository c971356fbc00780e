//! More pods than IPs in bursts under the real control plane. Needs the binaries of `load-tests/control-plane/build.sh`.

use headroom_load_tests::burst::{self, HANGS_AFTER, Mode, Options, Outcome};
use headroom_load_tests::control_plane::skip;

/// 100 nodes with 960 IPs; a run ends when nothing has changed for as long as it takes a pod to hang.
const OPTIONS: Options =
    Options { nodes: 100, pods: 1_200, bursts: 3, every_secs: 2, connections: 8, time_limit_secs: 240 };

async fn run(mode: Mode) -> Outcome {
    let outcome =
        burst::run(mode, OPTIONS, |line| println!("{line}")).await.unwrap_or_else(|error| panic!("{error:#}"));
    println!("{}", burst::table(std::slice::from_ref(&outcome)));
    assert_eq!(outcome.ips, 960);
    assert!(outcome.used_percent >= 99.0, "IPs are left over while pods wait");
    assert_eq!(outcome.oversubscribed_nodes, 0);
    assert_eq!((outcome.hanging, outcome.late), (0, 0));
    assert_eq!(outcome.refused_writes, 0);
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_policy_now_no_cni_add_fails() {
    if skip() {
        return;
    }
    let outcome = run(Mode::Now).await;
    assert_eq!((outcome.failed_adds, outcome.sandbox_events), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_policy_soon_every_bound_pod_has_its_ip_in_time() {
    if skip() {
        return;
    }
    let outcome = run(Mode::Soon).await;
    assert!(outcome.longest_wait_secs <= HANGS_AFTER.as_secs_f64());
}
